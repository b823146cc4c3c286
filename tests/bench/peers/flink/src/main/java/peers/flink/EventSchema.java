package peers.flink;

import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import peers.common.Event;
import peers.common.EventParser;
import peers.common.Scenarios;

/** Parses in the source, so that each partition has its own watermark. Drops what is not valid. */
final class EventSchema implements KafkaRecordDeserializationSchema<Event> {
    private final Scenarios scenarios;
    private transient EventParser parser;
    private transient Event event;

    EventSchema(Scenarios scenarios) {
        this.scenarios = scenarios;
    }

    @Override
    public void open(DeserializationSchema.InitializationContext context) {
        parser = new EventParser(scenarios);
        event = new Event();
    }

    /** The one Event is handed on again and again: the chain behind copies what it needs of it. */
    @Override
    public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Event> out) {
        if (parser.parse(record.value(), record.timestamp(), event)) {
            out.collect(event);
        }
    }

    @Override
    public TypeInformation<Event> getProducedType() {
        return TypeInformation.of(Event.class);
    }
}
