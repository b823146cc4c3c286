package peers.common;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.AbstractTransaction;

/**
 * The results as commands of Redis, in the keys of docs/redis-keys.md. A peer has no state folder
 * and no revisions: it writes fixed words where hotpath says where a result comes from.
 */
public final class Results {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private Results() { }

    public static void addProfile(AbstractPipeline pipeline, String key, String json,
                                  int ttlSeconds) {
        pipeline.setex(key, ttlSeconds, json);
    }

    public static String profileKey(Scenario scenario, String user) {
        return "user:profile:" + encoded(scenario.tenant) + ":" + encoded(user) + ":"
                + encoded(scenario.scenario);
    }

    /** Within one MULTI: a reader never sees half of two windows. */
    public static void addRanking(AbstractTransaction transaction, Scenario scenario,
                                  long windowEnd, String[] items, double[] scores) {
        String key = "hot:items:" + encoded(scenario.tenant) + ":" + encoded(scenario.scenario);
        transaction.del(key);
        if (items.length > 0) {
            Map<String, Double> members = new HashMap<>(2 * items.length);
            for (int i = 0; i < items.length; i++) {
                members.put(items[i], scores[i]);
            }
            transaction.zadd(key, members);
            transaction.expire(key, scenario.hotTtlSeconds);
        }
        Map<String, String> meta = origin(windowEnd - scenario.hotSizeMs, windowEnd);
        meta.put("exact", "1");
        meta.put("items", Integer.toString(items.length));
        transaction.hset(key + ":meta", meta);
        transaction.expire(key + ":meta", scenario.hotTtlSeconds);
    }

    public static void addMetrics(AbstractTransaction transaction, Scenario scenario,
                                  long windowEnd, MetricsCell cell) {
        String key = "rec:metrics:" + encoded(scenario.tenant) + ":" + encoded(scenario.scenario);
        Map<String, String> fields = origin(windowEnd - scenario.metricsSizeMs, windowEnd);
        fields.putAll(cell.fields(scenario));
        transaction.del(key);
        transaction.hset(key, fields);
        transaction.expire(key, scenario.metricsTtlSeconds);
        String history = key + ":history";
        transaction.zremrangeByScore(history, windowEnd, windowEnd);
        transaction.zadd(history, windowEnd, json(fields));
        transaction.zremrangeByRank(history, 0, -1 - scenario.historyWindows);
        transaction.expire(history, scenario.metricsTtlSeconds);
    }

    private static Map<String, String> origin(long windowStart, long windowEnd) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("lineage", "peer");
        fields.put("era", "1");
        fields.put("revision", "1");
        fields.put("shards", "1");
        fields.put("complete", "1");
        fields.put("window_start", Long.toString(windowStart));
        fields.put("window_end", Long.toString(windowEnd));
        fields.put("computed_at", Long.toString(System.currentTimeMillis()));
        return fields;
    }

    private static String json(Map<String, String> fields) {
        try {
            return MAPPER.writeValueAsString(fields);
        } catch (JsonProcessingException error) {
            throw new IllegalStateException(error);     // of strings: cannot be
        }
    }

    private static String encoded(String id) {
        for (int i = 0; i < id.length(); i++) {
            if (needsEncoding(id.charAt(i))) {
                return encodedAll(id);
            }
        }
        return id;
    }

    private static boolean needsEncoding(char letter) {
        return letter <= ' ' || letter == 0x7f || letter == '%' || letter == ':' || letter == '{'
                || letter == '}';
    }

    private static String encodedAll(String id) {
        StringBuilder text = new StringBuilder(id.length() + 8);
        for (char letter : id.toCharArray()) {
            if (needsEncoding(letter)) {
                text.append(String.format("%%%02X", (int) letter));
            } else {
                text.append(letter);
            }
        }
        return text.toString();
    }
}
