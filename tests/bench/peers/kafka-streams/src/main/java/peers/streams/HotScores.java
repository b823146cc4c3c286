package peers.streams;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import peers.common.Ranking;
import peers.common.Results;
import peers.common.Scenario;
import peers.common.Scenarios;
import redis.clients.jedis.AbstractTransaction;

/** Per slice and item the sum decayed to the slice's end, under "slice end|scenario|item". */
final class HotScores extends Computation<String, Double, Double> {
    static final String STORE = "slices";
    private static final String AFTER_BAR = "}";    // the character after |

    /** Per scenario the ends of the newest slice and of the newest ranking written. */
    private final Map<Integer, Long> newestEnd = new HashMap<>();
    private final Map<Integer, Long> writtenEnd = new HashMap<>();

    HotScores(Scenarios scenarios, String url, Progress progress) {
        super(STORE, scenarios, url, progress);
    }

    @Override
    void take(Record<String, Double> record) {
        int bar = record.key().indexOf('|');
        int scenario = Integer.parseInt(record.key(), 0, bar, 10);
        long end = Scenario.sliceEnd(record.timestamp(), scenarios.get(scenario).hotSlideMs);
        String key = end + "|" + record.key();
        Double sum = store.get(key);
        store.put(key, sum == null ? record.value() : sum + record.value());
        newestEnd.merge(scenario, end, Math::max);
    }

    /** Windows are written when they are over, so the newest slice's only at the end. */
    @Override
    void write(boolean atEnd) {
        newestEnd.forEach((index, newest) -> {
            Scenario scenario = scenarios.get(index);
            long end = atEnd ? newest : newest - scenario.hotSlideMs;
            if (atEnd || end > writtenEnd.getOrDefault(index, end - 1)) {
                writeRanking(scenario, end);
                writtenEnd.put(index, end);
                forget(scenario, end - scenario.hotSizeMs - GRACE_MS);
            } else {
                writtenEnd.putIfAbsent(index, end);
            }
        });
    }

    private void writeRanking(Scenario scenario, long windowEnd) {
        Map<String, Double> scores = new HashMap<>();
        for (long end = windowEnd - scenario.hotSizeMs + scenario.hotSlideMs; end <= windowEnd;
                end += scenario.hotSlideMs) {
            double left = Math.exp(-scenario.decayPerMs * (windowEnd - end));
            String prefix = end + "|" + scenario.index;
            try (KeyValueIterator<String, Double> items =
                    store.range(prefix + "|", prefix + AFTER_BAR)) {
                while (items.hasNext()) {
                    KeyValue<String, Double> item = items.next();
                    scores.merge(item.key.substring(prefix.length() + 1), item.value * left,
                            Double::sum);
                }
            }
        }
        Ranking ranking = Ranking.of(scenario, windowEnd, scores);
        try (AbstractTransaction transaction = redis.multi()) {
            Results.addRanking(transaction, scenario, windowEnd, ranking.items, ranking.scores);
            transaction.exec();
        }
    }

    private void forget(Scenario scenario, long end) {
        List<String> over = new ArrayList<>();
        String prefix = end + "|" + scenario.index;
        try (KeyValueIterator<String, Double> items =
                store.range(prefix + "|", prefix + AFTER_BAR)) {
            items.forEachRemaining(item -> over.add(item.key));
        }
        over.forEach(store::delete);
    }
}
