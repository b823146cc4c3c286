package peers.flink;

import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import peers.common.Event;
import peers.common.MetricsCell;
import peers.common.Scenario;
import peers.common.Scenarios;

/** A window of metrics per scenario, as one incremental aggregate. */
final class Metrics {
    private Metrics() { }

    /** What a window came to. */
    public static final class Window {
        public int scenario;
        public long endMs;
        public MetricsCell cell;
    }

    static DataStream<Window> of(DataStream<Event> events, Scenarios scenarios) {
        return events.flatMap(new Projections.ToAction(scenarios)).name("action")
                .keyBy(action -> action.f0, Types.INT)
                .window(new ScenarioWindows(scenarios, scenario -> scenario.metricsSizeMs))
                .aggregate(new Add(scenarios), new ToWindow()).name("metrics").uid("metrics");
    }

    private static final class Add
            implements AggregateFunction<Projections.Action, MetricsCell, MetricsCell> {
        private final Scenarios scenarios;

        Add(Scenarios scenarios) {
            this.scenarios = scenarios;
        }

        @Override
        public MetricsCell createAccumulator() {
            return new MetricsCell();
        }

        @Override
        public MetricsCell add(Projections.Action action, MetricsCell cell) {
            Scenario scenario = scenarios.get(action.f0);
            cell.add(scenario, action.f1, action.f2, action.f3, action.f4, action.f5);
            return cell;
        }

        @Override
        public MetricsCell getResult(MetricsCell cell) {
            return cell;
        }

        @Override
        public MetricsCell merge(MetricsCell one, MetricsCell other) {
            throw new UnsupportedOperationException("tumbling windows do not merge");
        }
    }

    private static final class ToWindow
            implements WindowFunction<MetricsCell, Window, Integer, TimeWindow> {
        @Override
        public void apply(Integer scenario, TimeWindow window, Iterable<MetricsCell> cells,
                          Collector<Window> out) {
            Window found = new Window();
            found.scenario = scenario;
            found.endMs = window.getEnd();
            found.cell = cells.iterator().next();
            out.collect(found);
        }
    }
}
