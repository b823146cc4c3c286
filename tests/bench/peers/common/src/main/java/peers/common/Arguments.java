package peers.common;

import java.util.HashMap;
import java.util.Map;

/** The `--name value` pairs of a command line. */
public final class Arguments {
    private final Map<String, String> values;

    private Arguments(Map<String, String> values) {
        this.values = values;
    }

    public static Arguments of(String[] argv, Map<String, String> defaults) {
        Map<String, String> values = new HashMap<>(defaults);
        for (int i = 0; i < argv.length; i += 2) {
            if (!argv[i].startsWith("--") || i + 1 == argv.length) {
                throw new IllegalArgumentException("not a flag with a value: " + argv[i]);
            }
            values.put(argv[i].substring(2), argv[i + 1]);
        }
        return new Arguments(values);
    }

    public String get(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is needed");
        }
        return value;
    }

    public long number(String name) {
        return Long.parseLong(get(name));
    }
}
