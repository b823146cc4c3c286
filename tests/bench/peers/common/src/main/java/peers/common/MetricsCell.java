package peers.common;

import java.util.LinkedHashMap;
import java.util.Map;

/** What the events of one scenario's window add up to. Public fields: engines keep it as state. */
public final class MetricsCell {
    private static final double COMPLETE_ABOVE = 0.8;

    public long[] counts = {};
    public long total;
    public long watchedMs;
    public long watchedCount;
    public long rateCount;
    public long completeCount;
    public Distinct users = new Distinct();
    public Distinct items = new Distinct();

    /** The hashes are of Distinct, and read only where the scenario asks for their metric. */
    public void add(Scenario scenario, int action, long userHash, long itemHash, long watched,
                    double rate) {
        if (counts.length == 0) {
            counts = new long[scenario.actions.length];
        }
        counts[action]++;
        total++;
        if (watched >= 0) {
            watchedMs += watched;
            watchedCount++;
        }
        if (rate >= 0) {
            rateCount++;
            completeCount += rate > COMPLETE_ABOVE ? 1 : 0;
        }
        if (scenario.activeUsers) {
            users.add(userHash);
        }
        if (scenario.exposedItems) {
            items.add(itemHash);
        }
    }

    /** The fields of rec:metrics, as docs/redis-keys.md names them; x/0 leaves one out. */
    public Map<String, String> fields(Scenario scenario) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("total_actions", Long.toString(total));
        for (Scenario.Ratio ratio : scenario.ratios) {
            putRatio(fields, ratio.name(), sum(ratio.numerator()), sum(ratio.denominator()));
        }
        if (scenario.watchTime) {
            fields.put("watch_time_seconds", Double.toString(watchedMs / 1000.0));
            putRatio(fields, "avg_watch_time_seconds", watchedMs / 1000.0, watchedCount);
        }
        if (scenario.completionRate) {
            putRatio(fields, "completion_rate", completeCount, rateCount);
        }
        if (scenario.activeUsers) {
            fields.put("active_users", Long.toString(users.estimate()));
        }
        if (scenario.exposedItems) {
            fields.put("exposed_items", Long.toString(items.estimate()));
        }
        for (int action = 0; scenario.actionCounts && action < counts.length; action++) {
            if (counts[action] > 0) {
                fields.put(scenario.actions[action] + "_count", Long.toString(counts[action]));
            }
        }
        return fields;
    }

    private long sum(int[] actions) {
        long sum = 0;
        for (int action : actions) {
            sum += counts[action];
        }
        return sum;
    }

    private static void putRatio(Map<String, String> fields, String name, double numerator,
                                 long denominator) {
        if (denominator > 0) {
            fields.put(name, Double.toString(numerator / denominator));
        }
    }
}
