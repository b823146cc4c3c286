package peers.streams;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import peers.common.Profile;
import peers.common.ProfileJson;
import peers.common.Results;
import peers.common.Scenario;
import peers.common.Scenarios;
import redis.clients.jedis.Pipeline;

/** Profiles under "scenario|user". Streams has no timers of a key: a queue holds who is due. */
final class Profiles extends Computation<String, Stages.Behaviour, Profile> {
    static final String STORE = "profiles";

    private record Due(long timeMs, String key) { }

    private final long clockMs;
    private final PriorityQueue<Due> queue =
            new PriorityQueue<>(Comparator.comparingLong(Due::timeMs));

    Profiles(Scenarios scenarios, String url, Progress progress, long clockMs) {
        super(STORE, scenarios, url, progress);
        this.clockMs = clockMs;
    }

    /** After a restart the queue comes back from the store. */
    @Override
    public void init(ProcessorContext<Void, Void> context) {
        super.init(context);
        try (KeyValueIterator<String, Profile> all = store.all()) {
            all.forEachRemaining(entry -> {
                if (entry.value.changed) {
                    queue.add(new Due(entry.value.newestMs, entry.key));
                }
            });
        }
    }

    @Override
    void take(Record<String, Stages.Behaviour> record) {
        Stages.Behaviour event = record.value();
        Scenario scenario = scenarioOf(record.key());
        Profile profile = store.get(record.key());
        if (profile == null) {
            profile = new Profile();
        }
        profile.add(scenario, event.item(), event.action(), record.timestamp(), event.category(),
                event.tags());
        if (!profile.changed) {
            profile.changed = true;
            queue.add(new Due(nextTurn(Math.max(record.timestamp(), newestMs), record.key(),
                    scenario.profilePeriodMs), record.key()));
        }
        store.put(record.key(), profile);
    }

    @Override
    void write(boolean atEnd) {
        long now = System.currentTimeMillis();
        List<Due> later = new ArrayList<>();
        Pipeline pipeline = redis.pipelined();
        while (!queue.isEmpty() && (atEnd || queue.peek().timeMs <= newestMs)) {
            Due due = queue.poll();
            Scenario scenario = scenarioOf(due.key);
            Profile profile = store.get(due.key);
            if (!atEnd && now - profile.writtenClockMs < clockMs) {
                later.add(new Due(due.timeMs + scenario.profilePeriodMs, due.key));
                continue;
            }
            String user = due.key.substring(due.key.indexOf('|') + 1);
            Results.addProfile(pipeline, Results.profileKey(scenario, user),
                    ProfileJson.write(scenario, user, profile), scenario.profileTtlSeconds);
            profile.changed = false;
            profile.writtenClockMs = now;
            store.put(due.key, profile);
        }
        pipeline.sync();
        queue.addAll(later);
    }

    private Scenario scenarioOf(String key) {
        return scenarios.get(Integer.parseInt(key, 0, key.indexOf('|'), 10));
    }

    /** The user's next turn after the time: each has a place of its own within the period. */
    private static long nextTurn(long afterMs, String key, long periodMs) {
        long place = Math.floorMod(key.hashCode(), periodMs);
        return Math.floorDiv(afterMs - place, periodMs) * periodMs + place + periodMs;
    }
}
