package peers.common;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * One scenario's document (docs/config.md) with the defaults, read once at the start of a job. It
 * does not check: documents of hotpath's own benchmark are read.
 */
public final class Scenario implements Serializable {
    private static final String[] KNOWN_ACTIONS = ("impression view click like favorite comment"
            + " share purchase play play_end read read_end learn complete dislike follow add_cart"
            + " order payment not_interest pause repeat download trial note ask review"
            + " add_playlist").split(" ");
    private static final Map<String, Double> HOT_WEIGHTS = Map.of("impression", 0.5, "view", 1.0,
            "click", 2.0, "like", 3.0, "favorite", 4.0, "comment", 5.0, "share", 6.0,
            "purchase", 10.0);
    private static final Map<String, Double> PROFILE_WEIGHTS = Map.of("view", 1.0, "like", 3.0,
            "favorite", 5.0, "purchase", 10.0);
    private static final Map<String, Long> UNIT_MS = Map.of("second", 1000L, "minute", 60_000L,
            "hour", 3_600_000L, "day", 86_400_000L);

    /** A ratio of sums of counts of actions. */
    public record Ratio(String name, int[] numerator, int[] denominator) implements Serializable { }

    public final int index;
    public final String tenant;
    public final String scenario;
    public final String[] actions;
    private final Map<String, Integer> actionIndex = new HashMap<>();

    public final double[] hotWeights;
    public final double decayPerMs;
    public final long hotSizeMs;
    public final long hotSlideMs;
    public final int topK;
    public final int hotTtlSeconds;

    public final double[] profileWeights;
    public final long profilePeriodMs;
    public final double profileDecayMs;
    public final int topCategories;
    public final int topTags;
    public final int recentItems;
    public final int profileTtlSeconds;

    public final long metricsSizeMs;
    public final List<Ratio> ratios = new ArrayList<>();
    public final boolean watchTime;
    public final boolean completionRate;
    public final boolean activeUsers;
    public final boolean exposedItems;
    public final boolean actionCounts;
    public final int historyWindows;
    public final int metricsTtlSeconds;

    Scenario(int index, JsonNode document) {
        this.index = index;
        tenant = document.path("tenant_id").asText();
        scenario = document.path("scenario_id").asText();
        JsonNode config = document.path("config").path("realtime_compute");
        JsonNode hot = config.path("hot_score");
        JsonNode profile = config.path("user_profile");
        JsonNode metrics = config.path("metrics");
        Map<String, Double> hotMap = weights(hot.path("action_weights"), HOT_WEIGHTS);
        Map<String, Double> profileMap = weights(profile.path("behavior_weights"), PROFILE_WEIGHTS);
        String denominator = metrics.path("ctr_denominator").asText("impression").toLowerCase();
        JsonNode definitions = metrics.path("definitions");
        actions = actionNames(hotMap.keySet(), profileMap.keySet(), denominator, definitions);
        for (int action = 0; action < actions.length; action++) {
            actionIndex.put(actions[action], action);
        }

        hotWeights = byAction(hotMap, hot.path("default_weight").asDouble(0));
        decayPerMs = hot.path("decay_lambda").asDouble(0.1)
                / UNIT_MS.get(hot.path("decay_unit").asText("hour"));
        hotSizeMs = spanMs(hot, "window_size", 60);
        hotSlideMs = spanMs(hot, "window_slide", 15);
        topK = hot.path("top_k").asInt(1000);
        hotTtlSeconds = ttl(hot.path("ttl_seconds").asInt(7200), hotSlideMs);

        profileWeights = byAction(profileMap, profile.path("default_weight").asDouble(0));
        profilePeriodMs = spanMs(profile, "update_frequency", 5);
        profileDecayMs = profile.path("interest_decay_days").asDouble(30) * 86_400_000;
        topCategories = profile.path("top_categories").asInt(5);
        topTags = profile.path("top_tags").asInt(10);
        recentItems = profile.path("recent_items").asInt(20);
        profileTtlSeconds = ttl(profile.path("ttl_seconds").asInt(3600), profilePeriodMs);

        metricsSizeMs = spanMs(metrics, "window_size", 30);
        if (spanMs(metrics, "window_slide", metricsSizeMs / 60000.0) != metricsSizeMs
                || hot.path("item_stats").asBoolean(false)) {
            throw new IllegalArgumentException("peers have tumbling metrics windows and no"
                    + " item_stats: " + tenant + "/" + scenario);
        }
        Set<String> wanted = wantedMetrics(metrics.path("metrics_to_calculate"));
        addRatios(wanted, denominator, definitions);
        watchTime = wanted.contains("watch_time");
        completionRate = wanted.contains("completion_rate");
        activeUsers = wanted.contains("active_users");
        exposedItems = wanted.contains("exposed_items");
        actionCounts = wanted.contains("action_counts");
        historyWindows = metrics.path("history_windows").asInt(48);
        metricsTtlSeconds = ttl(metrics.path("ttl_seconds").asInt(86400), metricsSizeMs);
    }

    /** The index in `actions` under which an action counts. */
    public int actionOf(String name) {
        Integer found = actionIndex.get(name);
        if (found == null) {
            found = actionIndex.get(EventParser.folded(name));
        }
        return found != null ? found : actions.length - 1;
    }

    /** The end of the slice of `slideMs` that holds the time. */
    public static long sliceEnd(long timeMs, long slideMs) {
        return Math.floorDiv(timeMs, slideMs) * slideMs + slideMs;
    }

    /** What an event adds to its item's hot score, decayed to the end of its slice. */
    public double hotTerm(Event event) {
        double weight = hotWeights[event.action];
        return weight == 0 ? 0 : weight
                * Math.exp(-decayPerMs * (sliceEnd(event.timeMs, hotSlideMs) - event.timeMs));
    }

    private static String[] actionNames(Set<String> hot, Set<String> profile, String denominator,
                                        JsonNode definitions) {
        Set<String> names = new LinkedHashSet<>(List.of(KNOWN_ACTIONS));
        names.addAll(hot);
        names.addAll(profile);
        names.add(denominator);
        for (JsonNode definition : definitions) {
            for (JsonNode part : definition) {
                part.forEach(action -> names.add(action.asText().toLowerCase()));
            }
        }
        names.remove("other");
        names.add("other");         // the last one
        return names.toArray(new String[0]);
    }

    private void addRatios(Set<String> wanted, String denominator, JsonNode definitions) {
        if (wanted.contains("ctr")) {
            ratios.add(ratio("ctr", List.of("click"), List.of(denominator)));
        }
        if (wanted.contains("cvr")) {
            ratios.add(ratio("cvr", List.of("purchase"), List.of("click")));
        }
        if (wanted.contains("engagement_rate")) {
            ratios.add(ratio("engagement_rate", List.of("like", "share", "comment"),
                    List.of("view")));
        }
        definitions.fields().forEachRemaining(entry -> {
            if (wanted.contains(entry.getKey())) {
                ratios.add(ratio(entry.getKey(), names(entry.getValue().path("numerator")),
                        names(entry.getValue().path("denominator"))));
            }
        });
    }

    private Ratio ratio(String name, List<String> numerator, List<String> denominator) {
        return new Ratio(name, numerator.stream().mapToInt(this::actionOf).toArray(),
                denominator.stream().mapToInt(this::actionOf).toArray());
    }

    private static List<String> names(JsonNode list) {
        List<String> names = new ArrayList<>();
        list.forEach(name -> names.add(name.asText()));
        return names;
    }

    private static Set<String> wantedMetrics(JsonNode list) {
        return new LinkedHashSet<>(list.isMissingNode() ? List.of("ctr", "cvr", "watch_time")
                : names(list));
    }

    private static Map<String, Double> weights(JsonNode map, Map<String, Double> otherwise) {
        if (map.isMissingNode()) {
            return otherwise;
        }
        Map<String, Double> weights = new HashMap<>();
        map.fields().forEachRemaining(entry ->
                weights.put(entry.getKey().toLowerCase(), entry.getValue().asDouble()));
        return weights;
    }

    private double[] byAction(Map<String, Double> weights, double otherwise) {
        double[] values = new double[actions.length];
        for (int action = 0; action < values.length; action++) {
            values[action] = weights.getOrDefault(actions[action], otherwise);
        }
        return values;
    }

    private static long spanMs(JsonNode block, String name, double defaultMinutes) {
        JsonNode seconds = block.path(name + "_seconds");
        return Math.round(seconds.isMissingNode()
                ? block.path(name + "_minutes").asDouble(defaultMinutes) * 60000
                : seconds.asDouble() * 1000);
    }

    private static int ttl(int seconds, long slideMs) {
        return (int) Math.max(seconds, 2 * slideMs / 1000 + 600);
    }
}
