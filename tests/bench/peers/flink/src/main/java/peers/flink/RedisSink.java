package peers.flink;

import java.io.IOException;
import java.io.Serializable;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.AbstractTransaction;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * Results into Redis, at least once: what was handed over before a checkpoint has been answered by
 * Redis when it completes. As results are absolute values, once more changes nothing.
 */
abstract class RedisSink<T> implements Sink<T> {
    private static final int PIPELINED_MAX = 500;

    /** How one result becomes commands. */
    interface Commands<C, T> extends Serializable {
        void add(C to, T result);
    }

    private final String url;

    private RedisSink(String url) {
        this.url = url;
    }

    /** Many small results: in a pipeline, PIPELINED_MAX at a time. */
    static <T> RedisSink<T> pipelined(String url, Commands<AbstractPipeline, T> commands) {
        return new RedisSink<>(url) {
            @Override
            SinkWriter<T> writer(Jedis jedis) {
                return new PipelineWriter<>(jedis, commands);
            }
        };
    }

    /** Few large results: each in a MULTI, at once. */
    static <T> RedisSink<T> atomic(String url, Commands<AbstractTransaction, T> commands) {
        return new RedisSink<>(url) {
            @Override
            SinkWriter<T> writer(Jedis jedis) {
                return new AtomicWriter<>(jedis, commands);
            }
        };
    }

    abstract SinkWriter<T> writer(Jedis jedis);

    @Override
    public SinkWriter<T> createWriter(WriterInitContext context) {
        return writer(new Jedis(url));
    }

    private static final class PipelineWriter<T> implements SinkWriter<T> {
        private final Jedis jedis;
        private final Pipeline pipeline;
        private final Commands<AbstractPipeline, T> commands;
        private int waiting;

        PipelineWriter(Jedis jedis, Commands<AbstractPipeline, T> commands) {
            this.jedis = jedis;
            this.pipeline = jedis.pipelined();
            this.commands = commands;
        }

        @Override
        public void write(T result, Context context) throws IOException {
            commands.add(pipeline, result);
            if (++waiting == PIPELINED_MAX) {
                flush(false);
            }
        }

        @Override
        public void flush(boolean endOfInput) throws IOException {
            for (Object answer : pipeline.syncAndReturnAll()) {
                if (answer instanceof JedisDataException error) {
                    throw new IOException(error);
                }
            }
            waiting = 0;
        }

        @Override
        public void close() {
            jedis.close();
        }
    }

    private static final class AtomicWriter<T> implements SinkWriter<T> {
        private final Jedis jedis;
        private final Commands<AbstractTransaction, T> commands;

        AtomicWriter(Jedis jedis, Commands<AbstractTransaction, T> commands) {
            this.jedis = jedis;
            this.commands = commands;
        }

        @Override
        public void write(T result, Context context) throws IOException {
            try (AbstractTransaction transaction = jedis.multi()) {
                commands.add(transaction, result);
                for (Object answer : transaction.exec()) {
                    if (answer instanceof JedisDataException error) {
                        throw new IOException(error);
                    }
                }
            }
        }

        @Override
        public void flush(boolean endOfInput) { }

        @Override
        public void close() {
            jedis.close();
        }
    }
}
