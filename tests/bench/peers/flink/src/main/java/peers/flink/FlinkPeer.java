package peers.flink;

import java.time.Duration;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.StateBackendOptions;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import peers.common.Arguments;
import peers.common.Event;
import peers.common.Results;
import peers.common.Scenarios;

/**
 * The three jobs as one Flink job: one source that parses each event once, three computations with
 * state on the heap, checkpoints, results in Redis. It reads a topic to its end, then stops.
 *
 *     FlinkPeer --brokers HOST:PORT --topic T --scenarios-dir DIR --redis URL --state DIR
 *               [--parallelism 1] [--checkpoint-ms 10000] [--profile-clock-ms 1000]
 *               [--profile-period-ms 0: what the scenario says]
 */
public final class FlinkPeer {
    private FlinkPeer() { }

    public static void main(String[] argv) throws Exception {
        Arguments arguments = Arguments.of(argv, Map.of("parallelism", "1",
                "checkpoint-ms", "10000", "profile-clock-ms", "1000",
                "profile-period-ms", "0"));
        Scenarios scenarios = Scenarios.read(arguments.get("scenarios-dir"));
        String redis = arguments.get("redis");

        StreamExecutionEnvironment environment = environment(arguments);
        DataStream<Event> events = environment.fromSource(source(arguments, scenarios),
                WatermarkStrategy.<Event>forBoundedOutOfOrderness(Duration.ofSeconds(5))
                        .withTimestampAssigner((event, recordTimeMs) -> event.timeMs),
                "events").uid("events");

        HotScores.of(events, scenarios)
                .sinkTo(RedisSink.atomic(redis, (to, ranking) -> Results.addRanking(to,
                        scenarios.get(ranking.scenario), ranking.windowEnd, ranking.items,
                        ranking.scores)));
        Profiles.of(events, scenarios, arguments.number("profile-clock-ms"),
                        arguments.number("profile-period-ms"))
                .sinkTo(RedisSink.pipelined(redis, (to, profile) ->
                        Results.addProfile(to, profile.f0, profile.f1, profile.f2)));
        Metrics.of(events, scenarios)
                .sinkTo(RedisSink.atomic(redis, (to, window) -> Results.addMetrics(to,
                        scenarios.get(window.scenario), window.endMs, window.cell)));
        environment.execute("hotpath's three jobs");
    }

    private static StreamExecutionEnvironment environment(Arguments arguments) {
        Configuration configuration = new Configuration();
        configuration.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        configuration.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        configuration.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                "file://" + arguments.get("state"));
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(
                (int) arguments.number("parallelism"), configuration);
        environment.enableCheckpointing(arguments.number("checkpoint-ms"));
        environment.getConfig().enableObjectReuse();
        // A type that would fall back to a slow serializer is an error.
        configuration.setString("pipeline.generic-types", "false");
        environment.configure(configuration);
        return environment;
    }

    private static KafkaSource<Event> source(Arguments arguments, Scenarios scenarios) {
        return KafkaSource.<Event>builder()
                .setBootstrapServers(arguments.get("brokers"))
                .setTopics(arguments.get("topic"))
                .setGroupId("flink-peer")
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setBounded(OffsetsInitializer.latest())
                .setDeserializer(new EventSchema(scenarios))
                .build();
    }
}
