package peers.streams;

import java.time.Duration;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import peers.common.Scenarios;
import redis.clients.jedis.Jedis;

/**
 * What the three computations share: a store, a Redis, a look at the clock ten times a second.
 * Stream time is the greatest time of all source partitions, and these are read one after the
 * other: so windows stay open for what comes late. Results that waited for the next look may be
 * lost if the process dies after Streams committed: it does not ask its processors before that.
 */
abstract class Computation<K, V, S> extends ContextualProcessor<K, V, Void, Void> {
    /** How long after its end something may still be added to a window. */
    static final long GRACE_MS = 3 * 3_600_000L;
    private static final Duration LOOK = Duration.ofMillis(100);

    final Scenarios scenarios;
    private final String storeName;
    private final String url;
    private final Progress progress;
    KeyValueStore<String, S> store;
    Jedis redis;
    /** The greatest time of an event. */
    long newestMs = Long.MIN_VALUE;
    private boolean ended;

    Computation(String storeName, Scenarios scenarios, String url, Progress progress) {
        this.storeName = storeName;
        this.scenarios = scenarios;
        this.url = url;
        this.progress = progress;
    }

    @Override
    public void init(ProcessorContext<Void, Void> context) {
        super.init(context);
        store = context.getStateStore(storeName);
        redis = new Jedis(url);
        context.schedule(LOOK, PunctuationType.WALL_CLOCK_TIME, now -> look());
    }

    @Override
    public void process(Record<K, V> record) {
        newestMs = Math.max(newestMs, record.timestamp());
        take(record);
        progress.countTaken();
    }

    private void look() {
        if (ended) {
            return;
        }
        ended = progress.isAtEnd();
        write(ended);
        if (ended) {
            progress.countWritten();
        }
    }

    abstract void take(Record<K, V> record);

    /** Writes what is due; all that is not yet written if the input has ended. */
    abstract void write(boolean atEnd);

    @Override
    public void close() {
        redis.close();
    }
}
