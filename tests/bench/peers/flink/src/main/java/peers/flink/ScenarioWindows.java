package peers.flink;

import java.util.Collection;
import java.util.Collections;
import java.util.function.ToLongFunction;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.triggers.EventTimeTrigger;
import org.apache.flink.streaming.api.windowing.triggers.Trigger;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import peers.common.Scenario;
import peers.common.Scenarios;

/** Tumbling windows of event time whose size each scenario's document says. */
final class ScenarioWindows extends WindowAssigner<Object, TimeWindow> {
    /** The size in ms of a scenario's windows. */
    interface Size extends ToLongFunction<Scenario>, java.io.Serializable { }

    private final Scenarios scenarios;
    private final Size size;

    ScenarioWindows(Scenarios scenarios, Size size) {
        this.scenarios = scenarios;
        this.size = size;
    }

    @Override
    public Collection<TimeWindow> assignWindows(Object element, long timeMs,
                                                WindowAssignerContext context) {
        int scenario = ((org.apache.flink.api.java.tuple.Tuple) element).getField(0);
        long sizeMs = size.applyAsLong(scenarios.get(scenario));
        long end = Scenario.sliceEnd(timeMs, sizeMs);
        return Collections.singletonList(new TimeWindow(end - sizeMs, end));
    }

    @Override
    public Trigger<Object, TimeWindow> getDefaultTrigger() {
        return EventTimeTrigger.create();
    }

    @Override
    public TypeSerializer<TimeWindow> getWindowSerializer(ExecutionConfig config) {
        return new TimeWindow.Serializer();
    }

    @Override
    public boolean isEventTime() {
        return true;
    }
}
