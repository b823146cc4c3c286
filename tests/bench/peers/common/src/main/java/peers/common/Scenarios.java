package peers.common;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The active scenarios of a folder of documents, by name and by index. */
public final class Scenarios implements Serializable {
    private final List<Scenario> all = new ArrayList<>();
    private final Map<String, Map<String, Scenario>> byName = new HashMap<>();

    public static Scenarios read(String folder) throws IOException {
        Scenarios scenarios = new Scenarios();
        ObjectMapper mapper = new ObjectMapper();
        try (Stream<Path> files = Files.list(Path.of(folder))) {
            for (Path file : files.filter(path -> path.toString().endsWith(".json")).sorted()
                    .toList()) {
                scenarios.add(mapper.readTree(file.toFile()));
            }
        }
        return scenarios;
    }

    private void add(JsonNode document) {
        if (document.path("status").asText().equals("active")) {
            Scenario scenario = new Scenario(all.size(), document);
            all.add(scenario);
            byName.computeIfAbsent(scenario.tenant, name -> new HashMap<>())
                    .put(scenario.scenario, scenario);
        }
    }

    /** Null if there is none. */
    public Scenario find(String tenant, String scenario) {
        Map<String, Scenario> ofTenant = byName.get(tenant);
        return ofTenant == null ? null : ofTenant.get(scenario);
    }

    public Scenario get(int index) {
        return all.get(index);
    }
}
