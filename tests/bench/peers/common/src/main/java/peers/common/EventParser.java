package peers.common;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Bytes of a message to an Event. Jackson's streaming reader, which builds no tree and no unread
 * field: the quickest that Jackson has. The rules are those of docs/input.md, less what peers leave
 * out: msgpack, times as text, limits of depth and of lengths.
 */
public final class EventParser {
    private static final long SECONDS_BELOW = 100_000_000_000L;
    private static final long FUTURE_MS_MAX = 5 * 60 * 1000;
    private static final double WATCHED_SECONDS_MAX = 7 * 86400;
    private static final int TAGS_MAX = 64;
    private static final int PLACES = 6;

    private final JsonFactory factory = JsonFactory.builder()
            .disable(StreamReadFeature.AUTO_CLOSE_SOURCE).build();
    private final Scenarios scenarios;
    private final List<String> tags = new ArrayList<>();
    private final double[] watched = new double[PLACES];
    private final double[] content = new double[PLACES];
    private String tenant;
    private String scenario;
    private String user;
    private String item;
    private String actionType;
    private String actionAlias;
    private String contextCategory;
    private String category;
    private boolean contextHasTags;
    private double rate;
    private long timeMs;

    public EventParser(Scenarios scenarios) {
        this.scenarios = scenarios;
    }

    /** False: the message is not valid, and `out` holds nothing of use. */
    public boolean parse(byte[] value, long recordTimeMs, Event out) {
        if (value == null) {
            return false;
        }
        clear(recordTimeMs);
        try (JsonParser json = factory.createParser(value)) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                return false;
            }
            readTop(json);
        } catch (IOException | Invalid error) {
            return false;
        }
        String action = actionType != null ? actionType : actionAlias;
        if (tenant == null || scenario == null || user == null || item == null || action == null
                || timeMs < 0 || timeMs > recordTimeMs + FUTURE_MS_MAX) {
            return false;
        }
        fill(out, action);
        return true;
    }

    private void clear(long recordTimeMs) {
        tenant = scenario = user = item = actionType = actionAlias = null;
        category = contextCategory = null;
        contextHasTags = false;
        tags.clear();
        rate = -1;
        timeMs = recordTimeMs;
        for (int place = 0; place < PLACES; place++) {
            watched[place] = content[place] = -1;
        }
    }

    private void fill(Event out, String action) {
        Scenario of = scenarios.find(tenant, scenario);
        out.scenario = of == null ? Event.NO_SCENARIO : of.index;
        out.user = user;
        out.item = item;
        out.action = of == null ? 0 : of.actionOf(action);
        out.timeMs = timeMs;
        String named = contextCategory != null ? contextCategory : category;
        out.category = named != null ? named : "";
        out.tags = tags.isEmpty() ? Event.NO_TAGS : tags.toArray(Event.NO_TAGS);
        double watchedSeconds = firstKnown(watched);
        double contentSeconds = firstKnown(content);
        out.watchedMs = watchedSeconds < 0 ? -1 : milliseconds(watchedSeconds);
        out.rate = rate;
        if (rate < 0 && watchedSeconds >= 0 && contentSeconds > 0) {
            out.rate = (double) out.watchedMs / milliseconds(contentSeconds);
        }
    }

    // --- The objects of a message ---

    private void readTop(JsonParser json) throws IOException {
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            JsonToken token = json.nextToken();
            switch (name) {
                case "tenant_id" -> tenant = id(json, token);
                case "scenario_id" -> scenario = id(json, token);
                case "user_id" -> user = id(json, token);
                case "item_id" -> item = id(json, token);
                case "action_type" -> actionType = id(json, token);
                case "action" -> actionAlias = id(json, token);
                case "timestamp" -> timeMs = time(json, token);
                case "completion_rate" -> rate = number(json, token, 0, 1, rate);
                case "watch_duration" -> watched[0] = seconds(json, token);
                case "duration" -> content[0] = seconds(json, token);
                case "category" -> category = label(json, token, category);
                case "tags" -> readTags(json, token, contextHasTags);
                case "context" -> readContext(json, token);
                case "scenario_data" -> readScenarioData(json, token);
                case "extra" -> readSpans(json, token, "duration", 5, "video_duration", 5);
                default -> json.skipChildren();
            }
        }
    }

    private void readContext(JsonParser json, JsonToken token) throws IOException {
        if (token != JsonToken.START_OBJECT) {
            json.skipChildren();
            return;
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            JsonToken value = json.nextToken();
            switch (name) {
                case "category" -> contextCategory = label(json, value, contextCategory);
                case "tags" -> {
                    tags.clear();
                    contextHasTags = value == JsonToken.START_ARRAY;
                    readTags(json, value, false);
                }
                default -> json.skipChildren();
            }
        }
    }

    private void readScenarioData(JsonParser json, JsonToken token) throws IOException {
        if (token != JsonToken.START_OBJECT) {
            json.skipChildren();
            return;
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            JsonToken value = json.nextToken();
            switch (name) {
                case "video_data" -> readSpans(json, value, "watch_duration", 1, "duration", 1);
                case "music_data" -> readSpans(json, value, "play_duration", 2, "duration", 2);
                case "news_data" -> readSpans(json, value, "read_duration", 3, "", 0);
                case "education_data" -> readSpans(json, value, "study_duration", 4, "duration", 3);
                default -> json.skipChildren();
            }
        }
    }

    /** The watched and the content seconds of one object, kept at their places. */
    private void readSpans(JsonParser json, JsonToken token, String watchedName, int watchedPlace,
                           String contentName, int contentPlace) throws IOException {
        if (token != JsonToken.START_OBJECT) {
            json.skipChildren();
            return;
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            JsonToken value = json.nextToken();
            if (name.equals(watchedName)) {
                watched[watchedPlace] = seconds(json, value);
            } else if (name.equals(contentName)) {
                content[contentPlace] = seconds(json, value);
            } else if (name.equals("lesson_duration")) {
                content[4] = seconds(json, value);
            } else {
                json.skipChildren();
            }
        }
    }

    private void readTags(JsonParser json, JsonToken token, boolean skip) throws IOException {
        if (token != JsonToken.START_ARRAY || skip) {
            json.skipChildren();
            return;
        }
        for (JsonToken value; (value = json.nextToken()) != JsonToken.END_ARRAY;) {
            String tag = label(json, value, null);
            // Few tags: looking through them is quicker than hashing.
            if (tag != null && tags.size() < TAGS_MAX && !tags.contains(tag)) {
                tags.add(tag);
            }
        }
    }

    // --- Values ---

    private static String id(JsonParser json, JsonToken token) throws IOException {
        if (token != JsonToken.VALUE_STRING && token != JsonToken.VALUE_NUMBER_INT) {
            json.skipChildren();
            return null;
        }
        String text = json.getText();
        return text.isEmpty() || text.charAt(0) <= ' ' || text.charAt(text.length() - 1) <= ' '
                ? emptyAsNull(text.strip()) : text;
    }

    private static String emptyAsNull(String text) {
        return text.isEmpty() ? null : text;
    }

    private long time(JsonParser json, JsonToken token) throws IOException {
        if (token == JsonToken.VALUE_NULL) {
            return timeMs;
        }
        if (token != JsonToken.VALUE_NUMBER_INT) {
            throw new Invalid();
        }
        long value = json.getLongValue();
        return value < SECONDS_BELOW ? value * 1000 : value;
    }

    private static String label(JsonParser json, JsonToken token, String otherwise)
            throws IOException {
        if (token != JsonToken.VALUE_STRING || json.getTextLength() == 0) {
            json.skipChildren();
            return otherwise;
        }
        return json.getText();
    }

    private static double seconds(JsonParser json, JsonToken token) throws IOException {
        return number(json, token, 0, WATCHED_SECONDS_MAX, -1);
    }

    private static double number(JsonParser json, JsonToken token, double least, double most,
                                 double otherwise) throws IOException {
        if (!token.isNumeric()) {
            json.skipChildren();
            return otherwise;
        }
        double value = json.getDoubleValue();
        return value >= least && value <= most ? value : otherwise;
    }

    private static double firstKnown(double[] values) {
        for (double value : values) {
            if (value >= 0) {
                return value;
            }
        }
        return -1;
    }

    private static long milliseconds(double seconds) {
        return (long) Math.floor(seconds * 1000 + 0.5);
    }

    static String folded(String action) {
        return action.strip().toLowerCase(Locale.ROOT);
    }

    private static final class Invalid extends RuntimeException {
        Invalid() {
            super(null, null, false, false);
        }
    }
}
