package peers.streams;

import java.util.Set;
import java.util.function.Supplier;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorSupplier;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.StoreBuilder;
import peers.common.Distinct;
import peers.common.Event;
import peers.common.EventParser;
import peers.common.Scenario;
import peers.common.Scenarios;

/** What is before the repartition topics: parse once, and send each computation what it reads. */
final class Stages {
    private Stages() { }

    record Behaviour(String item, int action, String category, String[] tags) { }

    record Action(int action, long userHash, long itemHash, long watchedMs, double rate) { }

    static <K, V, S> ProcessorSupplier<K, V, Void, Void> withStore(String name, Serde<String> key,
            Serde<S> value, Supplier<Processor<K, V, Void, Void>> made) {
        return new ProcessorSupplier<>() {
            @Override
            public Processor<K, V, Void, Void> get() {
                return made.get();
            }

            @Override
            public Set<StoreBuilder<?>> stores() {
                return Set.of(StreamsPeer.store(name, key, value));
            }
        };
    }

    static final class Parse extends ContextualProcessor<byte[], byte[], byte[], Event> {
        private final EventParser parser;
        private final Progress progress;
        /** Handed on again and again: what is behind copies what it needs of it. */
        private final Event event = new Event();

        Parse(Scenarios scenarios, Progress progress) {
            parser = new EventParser(scenarios);
            this.progress = progress;
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            if (parser.parse(record.value(), record.timestamp(), event)
                    && event.scenario != Event.NO_SCENARIO) {
                context().forward(record.withValue(event).withTimestamp(event.timeMs));
            }
            progress.countParsed();
        }
    }

    static final class ToTerm extends ContextualProcessor<byte[], Event, String, Double> {
        private final Scenarios scenarios;
        private final Progress progress;

        ToTerm(Scenarios scenarios, Progress progress) {
            this.scenarios = scenarios;
            this.progress = progress;
        }

        @Override
        public void process(Record<byte[], Event> record) {
            Event event = record.value();
            double term = scenarios.get(event.scenario).hotTerm(event);
            if (term != 0) {
                progress.countSent();
                context().forward(record.withKey(event.scenario + "|" + event.item)
                        .withValue(term));
            }
        }
    }

    static final class ToBehaviour extends ContextualProcessor<byte[], Event, String, Behaviour> {
        private final Scenarios scenarios;
        private final Progress progress;

        ToBehaviour(Scenarios scenarios, Progress progress) {
            this.scenarios = scenarios;
            this.progress = progress;
        }

        @Override
        public void process(Record<byte[], Event> record) {
            Event event = record.value();
            // Without a weight nothing is added to interests: their names need not travel.
            boolean weighs = scenarios.get(event.scenario).profileWeights[event.action] != 0;
            progress.countSent();
            context().forward(record.withKey(event.scenario + "|" + event.user)
                    .withValue(new Behaviour(event.item, event.action, weighs ? event.category : "",
                            weighs ? event.tags : Event.NO_TAGS)));
        }
    }

    static final class ToAction extends ContextualProcessor<byte[], Event, Integer, Action> {
        private final Scenarios scenarios;
        private final Progress progress;

        ToAction(Scenarios scenarios, Progress progress) {
            this.scenarios = scenarios;
            this.progress = progress;
        }

        @Override
        public void process(Record<byte[], Event> record) {
            Event event = record.value();
            Scenario scenario = scenarios.get(event.scenario);
            progress.countSent();
            context().forward(record.withKey(event.scenario).withValue(new Action(event.action,
                    scenario.activeUsers ? Distinct.hash(event.user) : 0,
                    scenario.exposedItems ? Distinct.hash(event.item) : 0,
                    event.watchedMs, event.rate)));
        }
    }
}
