package peers.streams;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import peers.common.Arguments;
import peers.common.Event;
import peers.common.Scenarios;

/**
 * The three jobs as one application of Kafka Streams: each event is parsed once and goes through a
 * repartition topic to each computation; state is in memory with changelog topics, results go to
 * Redis. It reads a topic to its end, then stops: Progress says when.
 *
 *     StreamsPeer --brokers HOST:PORT --topic T --scenarios-dir DIR --redis URL --state DIR
 *                 [--commit-ms 10000] [--profile-clock-ms 1000]
 */
public final class StreamsPeer {
    private static final Duration CLOSE_MAX = Duration.ofSeconds(60);

    private StreamsPeer() { }

    public static void main(String[] argv) throws Exception {
        Arguments arguments = Arguments.of(argv, Map.of("commit-ms", "10000",
                "profile-clock-ms", "1000"));
        Scenarios scenarios = Scenarios.read(arguments.get("scenarios-dir"));
        Progress progress = new Progress(endOfTopic(arguments));
        Topology topology = builder(arguments, scenarios, progress).build();
        try (KafkaStreams streams = new KafkaStreams(topology, properties(arguments))) {
            streams.setUncaughtExceptionHandler(error -> {
                error.printStackTrace();
                Runtime.getRuntime().halt(1);
                return null;
            });
            streams.start();
            progress.awaitEnd();
            streams.close(CLOSE_MAX);
        }
    }

    private static StreamsBuilder builder(Arguments arguments, Scenarios scenarios,
                                          Progress progress) {
        String redis = arguments.get("redis");
        StreamsBuilder builder = new StreamsBuilder();
        KStream<byte[], Event> events = builder
                .stream(arguments.get("topic"),
                        Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(() -> new Stages.Parse(scenarios, progress));
        // One partition each, as one thread does it all here; a ranking needs its items together.
        events.process(() -> new Stages.ToTerm(scenarios, progress))
                .repartition(Repartitioned.with(Serdes.String(), Serdes.Double())
                        .withNumberOfPartitions(1).withName("terms"))
                .process(Stages.withStore(HotScores.STORE, Serdes.String(), Serdes.Double(),
                        () -> new HotScores(scenarios, redis, progress)));
        events.process(() -> new Stages.ToBehaviour(scenarios, progress))
                .repartition(Repartitioned.with(Serdes.String(), Codecs.BEHAVIOUR)
                        .withNumberOfPartitions(1).withName("behaviours"))
                .process(Stages.withStore(Profiles.STORE, Serdes.String(), Codecs.PROFILE,
                        () -> new Profiles(scenarios, redis, progress,
                                arguments.number("profile-clock-ms"))));
        events.process(() -> new Stages.ToAction(scenarios, progress))
                .repartition(Repartitioned.with(Serdes.Integer(), Codecs.ACTION)
                        .withNumberOfPartitions(1).withName("actions"))
                .process(Stages.withStore(Metrics.STORE, Serdes.String(), Codecs.METRICS,
                        () -> new Metrics(scenarios, redis, progress)));
        return builder;
    }

    private static Properties properties(Arguments arguments) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG,
                "streams-peer-" + Path.of(arguments.get("state")).getParent().getFileName());
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments.get("brokers"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, arguments.get("state"));
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, arguments.get("commit-ms"));
        properties.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64 << 20);
        properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        properties.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        // For throughput, as the vendor's guide says: fewer, larger requests.
        properties.put(StreamsConfig.producerPrefix("linger.ms"), 100);
        properties.put(StreamsConfig.producerPrefix("batch.size"), 256 << 10);
        return properties;
    }

    /** How many records the topic holds now. */
    private static long endOfTopic(Arguments arguments) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", arguments.get("brokers")))) {
            String topic = arguments.get("topic");
            TopicDescription found =
                    admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
            Map<TopicPartition, OffsetSpec> wanted = found.partitions().stream().collect(
                    Collectors.toMap(part -> new TopicPartition(topic, part.partition()),
                            part -> OffsetSpec.latest()));
            return admin.listOffsets(wanted).all().get().values().stream()
                    .mapToLong(end -> end.offset()).sum();
        }
    }

    static <V> StoreBuilder<?> store(String name, Serde<String> key, Serde<V> value) {
        return Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(name), key, value)
                .withCachingEnabled();
    }
}
