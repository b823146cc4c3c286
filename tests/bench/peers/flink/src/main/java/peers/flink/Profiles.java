package peers.flink;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import peers.common.Event;
import peers.common.Profile;
import peers.common.ProfileJson;
import peers.common.Results;
import peers.common.Scenario;
import peers.common.Scenarios;

/**
 * Profiles of users, written every update_frequency of event time if they changed, spread over the
 * period, and at most once in `clockMs` of the clock: hotpath's rule for a backfill. `periodMs` is
 * used in place of the scenarios' own, 0 is not.
 */
final class Profiles {
    private Profiles() { }

    /** Key of Redis, JSON, TTL in seconds. */
    public static final class Written extends Tuple3<String, String, Integer> {
        public Written() { }

        Written(String key, String json, int ttlSeconds) {
            super(key, json, ttlSeconds);
        }
    }

    static DataStream<Written> of(DataStream<Event> events, Scenarios scenarios, long clockMs,
                                  long periodMs) {
        return events.flatMap(new Projections.ToBehaviour(scenarios)).name("behaviour")
                .keyBy(event -> Tuple2.of(event.f0, event.f1), Types.TUPLE(Types.INT, Types.STRING))
                .process(new Update(scenarios, clockMs, periodMs)).name("profiles").uid("profiles");
    }

    private static final class Update
            extends KeyedProcessFunction<Tuple2<Integer, String>, Projections.Behaviour, Written> {
        private final Scenarios scenarios;
        private final long clockMs;
        private final long periodMs;
        private transient ValueState<Profile> profiles;

        Update(Scenarios scenarios, long clockMs, long periodMs) {
            this.scenarios = scenarios;
            this.clockMs = clockMs;
            this.periodMs = periodMs;
        }

        @Override
        public void open(OpenContext context) {
            profiles = getRuntimeContext().getState(new ValueStateDescriptor<>("profile",
                    TypeInformation.of(Profile.class)));
        }

        @Override
        public void processElement(Projections.Behaviour event, Context context,
                                   Collector<Written> out) throws Exception {
            Scenario scenario = scenarios.get(event.f0);
            Profile profile = profiles.value();
            if (profile == null) {
                profile = new Profile();
            }
            profile.add(scenario, event.f2, event.f3, event.f4, event.f5, event.f6);
            if (!profile.changed) {
                profile.changed = true;
                long after = Math.max(event.f4, context.timerService().currentWatermark());
                context.timerService().registerEventTimeTimer(
                        nextTurn(after, event.f1, periodMs(scenario)));
            }
            profiles.update(profile);
        }

        @Override
        public void onTimer(long timerMs, OnTimerContext context, Collector<Written> out)
                throws Exception {
            Scenario scenario = scenarios.get(context.getCurrentKey().f0);
            String user = context.getCurrentKey().f1;
            Profile profile = profiles.value();
            long now = context.timerService().currentProcessingTime();
            boolean ended = context.timerService().currentWatermark() == Long.MAX_VALUE;
            if (!ended && now - profile.writtenClockMs < clockMs) {
                context.timerService().registerEventTimeTimer(timerMs + periodMs(scenario));
                return;
            }
            out.collect(new Written(Results.profileKey(scenario, user),
                    ProfileJson.write(scenario, user, profile), scenario.profileTtlSeconds));
            profile.changed = false;
            profile.writtenClockMs = now;
            profiles.update(profile);
        }

        private long periodMs(Scenario scenario) {
            return periodMs > 0 ? periodMs : scenario.profilePeriodMs;
        }

        /** The user's next turn after the time: each has a place of its own within the period. */
        private static long nextTurn(long afterMs, String user, long periodMs) {
            long place = Math.floorMod(user.hashCode(), periodMs);
            return Math.floorDiv(afterMs - place, periodMs) * periodMs + place + periodMs;
        }
    }
}
