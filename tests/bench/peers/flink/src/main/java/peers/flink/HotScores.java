package peers.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeHint;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import peers.common.Event;
import peers.common.Ranking;
import peers.common.Scenario;
import peers.common.Scenarios;

/**
 * Sliding windows as a sum over slices of one slide: per item and slice one number is kept, the sum
 * decayed to the slice's end; what of it is left at a window's end is a factor of the whole slice.
 * An event thus updates one aggregate instead of size / slide of them.
 */
final class HotScores {
    private HotScores() { }

    /** scenario, item, end of the slice, sum. */
    public static final class Slice extends Tuple4<Integer, String, Long, Double> {
        public Slice() { }

        Slice(int scenario, String item, long endMs, double sum) {
            super(scenario, item, endMs, sum);
        }
    }

    static DataStream<Ranking> of(DataStream<Event> events, Scenarios scenarios) {
        return events.flatMap(new Projections.ToTerm(scenarios)).name("term of the score")
                .keyBy(term -> Tuple2.of(term.f0, term.f1), Types.TUPLE(Types.INT, Types.STRING))
                .window(new ScenarioWindows(scenarios, scenario -> scenario.hotSlideMs))
                .aggregate(new Sum(), new ToSlice()).name("item slices").uid("item-slices")
                .keyBy(slice -> slice.f0, Types.INT)
                .process(new Rank(scenarios)).name("rankings").uid("rankings");
    }

    private static final class Sum implements AggregateFunction<Projections.Term, Double, Double> {
        @Override
        public Double createAccumulator() {
            return 0.0;
        }

        @Override
        public Double add(Projections.Term term, Double sum) {
            return sum + term.f2;
        }

        @Override
        public Double getResult(Double sum) {
            return sum;
        }

        @Override
        public Double merge(Double one, Double other) {
            return one + other;
        }
    }

    private static final class ToSlice
            implements WindowFunction<Double, Slice, Tuple2<Integer, String>, TimeWindow> {
        @Override
        public void apply(Tuple2<Integer, String> key, TimeWindow window, Iterable<Double> sums,
                          Collector<Slice> out) {
            out.collect(new Slice(key.f0, key.f1, window.getEnd(), sums.iterator().next()));
        }
    }

    /** Keeps the slices of a scenario's window, and ranks at each slide. */
    private static final class Rank extends KeyedProcessFunction<Integer, Slice, Ranking> {
        private final Scenarios scenarios;
        private transient MapState<Long, Map<String, Double>> slices;

        Rank(Scenarios scenarios) {
            this.scenarios = scenarios;
        }

        @Override
        public void open(OpenContext context) {
            slices = getRuntimeContext().getMapState(new MapStateDescriptor<>("slices", Types.LONG,
                    TypeInformation.of(new TypeHint<Map<String, Double>>() { })));
        }

        @Override
        public void processElement(Slice slice, Context context, Collector<Ranking> out)
                throws Exception {
            Map<String, Double> items = slices.get(slice.f2);
            if (items == null) {
                items = new HashMap<>();
                slices.put(slice.f2, items);
                context.timerService().registerEventTimeTimer(slice.f2 - 1);
            }
            items.put(slice.f1, slice.f3);
            slices.put(slice.f2, items);
        }

        @Override
        public void onTimer(long timerMs, OnTimerContext context, Collector<Ranking> out)
                throws Exception {
            Scenario scenario = scenarios.get(context.getCurrentKey());
            long end = timerMs + 1;
            out.collect(Ranking.of(scenario, end, scores(scenario, end)));
            // Items must leave the ranking though no event comes; at the end of all input
            // nothing goes on.
            boolean ended = context.timerService().currentWatermark() == Long.MAX_VALUE;
            if (!slices.isEmpty() && !ended) {
                context.timerService().registerEventTimeTimer(timerMs + scenario.hotSlideMs);
            }
        }

        /** Of the window that ends at `end`; drops the slices that no later one holds. */
        private Map<String, Double> scores(Scenario scenario, long end) throws Exception {
            Map<String, Double> scores = new HashMap<>();
            List<Long> over = new ArrayList<>();
            for (long sliceEnd = end - scenario.hotSizeMs + scenario.hotSlideMs; sliceEnd <= end;
                    sliceEnd += scenario.hotSlideMs) {
                Map<String, Double> items = slices.get(sliceEnd);
                if (items != null) {
                    double left = Math.exp(-scenario.decayPerMs * (end - sliceEnd));
                    items.forEach((item, sum) -> scores.merge(item, sum * left, Double::sum));
                }
            }
            for (long sliceEnd : slices.keys()) {
                if (sliceEnd <= end - scenario.hotSizeMs + scenario.hotSlideMs) {
                    over.add(sliceEnd);
                }
            }
            for (long sliceEnd : over) {
                slices.remove(sliceEnd);
            }
            return scores;
        }
    }
}
