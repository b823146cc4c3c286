package peers.streams;

import java.util.HashMap;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import org.apache.kafka.streams.processor.api.Record;
import peers.common.MetricsCell;
import peers.common.Results;
import peers.common.Scenario;
import peers.common.Scenarios;
import redis.clients.jedis.AbstractTransaction;

/** A window's sums under "window end|scenario". */
final class Metrics extends Computation<Integer, Stages.Action, MetricsCell> {
    static final String STORE = "metrics";

    /** Per scenario the ends of windows that changed since they were written. */
    private final Map<Integer, SortedSet<Long>> changed = new HashMap<>();

    Metrics(Scenarios scenarios, String url, Progress progress) {
        super(STORE, scenarios, url, progress);
    }

    @Override
    void take(Record<Integer, Stages.Action> record) {
        Stages.Action action = record.value();
        Scenario scenario = scenarios.get(record.key());
        long end = Scenario.sliceEnd(record.timestamp(), scenario.metricsSizeMs);
        String key = key(end, scenario);
        MetricsCell cell = store.get(key);
        if (cell == null) {
            cell = new MetricsCell();
            store.delete(key(end - scenario.metricsSizeMs - GRACE_MS, scenario));
        }
        cell.add(scenario, action.action(), action.userHash(), action.itemHash(),
                action.watchedMs(), action.rate());
        store.put(key, cell);
        changed.computeIfAbsent(record.key(), index -> new TreeSet<>()).add(end);
    }

    /** In the order of their ends, since the newest is the one under the scenario's own key. */
    @Override
    void write(boolean atEnd) {
        changed.forEach((index, ends) -> {
            Scenario scenario = scenarios.get(index);
            long written = atEnd ? Long.MAX_VALUE : newestMs - scenario.metricsSizeMs;
            while (!ends.isEmpty() && ends.first() <= written) {
                writeWindow(scenario, ends.first());
                ends.remove(ends.first());
            }
        });
    }

    private void writeWindow(Scenario scenario, long end) {
        MetricsCell cell = store.get(key(end, scenario));
        try (AbstractTransaction transaction = redis.multi()) {
            Results.addMetrics(transaction, scenario, end, cell);
            transaction.exec();
        }
    }

    private static String key(long end, Scenario scenario) {
        return end + "|" + scenario.index;
    }
}
