package peers.flink;

import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple6;
import org.apache.flink.api.java.tuple.Tuple7;
import org.apache.flink.util.Collector;
import peers.common.Distinct;
import peers.common.Event;
import peers.common.Scenario;
import peers.common.Scenarios;

/**
 * What of an event each computation gets: only the fields it reads go through a keyBy. They run in
 * the source's chain, where an event is handed on as it is. Tuples have Flink's quickest built-in
 * serializers; the subclasses give their fields names.
 */
final class Projections {
    private Projections() { }

    /** What an event adds to its item's score at the end of its slice. */
    public static final class Term extends Tuple3<Integer, String, Double> {
        public Term() { }

        Term(int scenario, String item, double term) {
            super(scenario, item, term);
        }
    }

    public static final class Behaviour
            extends Tuple7<Integer, String, String, Integer, Long, String, String[]> {
        public Behaviour() { }

        Behaviour(Event event, String category, String[] tags) {
            super(event.scenario, event.user, event.item, event.action, event.timeMs, category,
                    tags);
        }
    }

    /** Users and items as hashes: a metric counts them, and names none. */
    public static final class Action extends Tuple6<Integer, Integer, Long, Long, Long, Double> {
        public Action() { }

        Action(Event event, long userHash, long itemHash) {
            super(event.scenario, event.action, userHash, itemHash, event.watchedMs, event.rate);
        }
    }

    static final class ToTerm implements FlatMapFunction<Event, Term> {
        private final Scenarios scenarios;

        ToTerm(Scenarios scenarios) {
            this.scenarios = scenarios;
        }

        @Override
        public void flatMap(Event event, Collector<Term> out) {
            if (event.scenario == Event.NO_SCENARIO) {
                return;
            }
            double term = scenarios.get(event.scenario).hotTerm(event);
            if (term != 0) {
                out.collect(new Term(event.scenario, event.item, term));
            }
        }
    }

    static final class ToBehaviour implements FlatMapFunction<Event, Behaviour> {
        private final Scenarios scenarios;

        ToBehaviour(Scenarios scenarios) {
            this.scenarios = scenarios;
        }

        @Override
        public void flatMap(Event event, Collector<Behaviour> out) {
            if (event.scenario == Event.NO_SCENARIO) {
                return;
            }
            // Without a weight nothing is added to interests: their names need not travel.
            boolean weighs = scenarios.get(event.scenario).profileWeights[event.action] != 0;
            out.collect(new Behaviour(event, weighs ? event.category : "",
                    weighs ? event.tags : Event.NO_TAGS));
        }
    }

    static final class ToAction implements FlatMapFunction<Event, Action> {
        private final Scenarios scenarios;

        ToAction(Scenarios scenarios) {
            this.scenarios = scenarios;
        }

        @Override
        public void flatMap(Event event, Collector<Action> out) {
            if (event.scenario == Event.NO_SCENARIO) {
                return;
            }
            Scenario scenario = scenarios.get(event.scenario);
            out.collect(new Action(event, scenario.activeUsers ? Distinct.hash(event.user) : 0,
                    scenario.exposedItems ? Distinct.hash(event.item) : 0));
        }
    }
}
