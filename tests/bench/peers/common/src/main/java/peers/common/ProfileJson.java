package peers.common;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;

/** A profile as the JSON of user:profile (docs/redis-keys.md). */
public final class ProfileJson {
    private static final JsonFactory FACTORY = new JsonFactory();
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    private ProfileJson() { }

    public static String write(Scenario scenario, String user, Profile profile) {
        StringWriter text = new StringWriter(1024);
        try (JsonGenerator json = FACTORY.createGenerator(text)) {
            json.writeStartObject();
            json.writeStringField("tenant_id", scenario.tenant);
            json.writeStringField("user_id", user);
            json.writeStringField("scenario_id", scenario.scenario);
            writeStats(json, scenario, profile);
            json.writeObjectFieldStart("preferences");
            writeInterests(json, "categories",
                    profile.best(profile.categories, scenario.topCategories, scenario));
            writeInterests(json, "tags", profile.best(profile.tags, scenario.topTags, scenario));
            json.writeEndObject();
            writeHours(json, profile);
            json.writeArrayFieldStart("recent_items");
            for (int i = 0; i < profile.recentCount; i++) {
                json.writeString(profile.recentItems[i]);
            }
            json.writeEndArray();
            json.writeStringField("first_seen", iso(profile.firstMs));
            json.writeStringField("updated_at", iso(profile.newestMs));
            json.writeEndObject();
        } catch (IOException error) {
            throw new UncheckedIOException(error);      // of a StringWriter: cannot be
        }
        return text.toString();
    }

    private static String iso(long timeMs) {
        return TIME.format(Instant.ofEpochMilli(timeMs));
    }

    private static void writeStats(JsonGenerator json, Scenario scenario, Profile profile)
            throws IOException {
        json.writeObjectFieldStart("stats");
        int views = profile.counts[scenario.actionOf("view")];
        int clicks = profile.counts[scenario.actionOf("click")];
        for (int action = 0; action < profile.counts.length; action++) {
            if (profile.counts[action] > 0) {
                json.writeNumberField(scenario.actions[action] + "_count", profile.counts[action]);
            }
        }
        json.writeNumberField("engagement_rate", views == 0 ? 0 : (double) clicks / views);
        json.writeEndObject();
    }

    private static void writeInterests(JsonGenerator json, String name,
                                       List<Profile.Interest> interests) throws IOException {
        json.writeArrayFieldStart(name);
        for (Profile.Interest interest : interests) {
            json.writeStartObject();
            json.writeStringField("name", interest.name());
            json.writeNumberField("score", interest.score());
            json.writeEndObject();
        }
        json.writeEndArray();
    }

    private static void writeHours(JsonGenerator json, Profile profile) throws IOException {
        json.writeObjectFieldStart("active_hours");
        for (int hour = 0; hour < profile.hours.length; hour++) {
            if (profile.hours[hour] > 0) {
                json.writeNumberField(Integer.toString(hour), profile.hours[hour]);
            }
        }
        json.writeEndObject();
    }
}
