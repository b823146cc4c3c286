package peers.common;

import java.util.Comparator;
import java.util.Map;
import java.util.PriorityQueue;

/** The ranking of one window. Public fields: engines hand it from one operator to the next. */
public final class Ranking {
    public int scenario;
    public long windowEnd;
    public String[] items = {};
    public double[] scores = {};

    private record Entry(String item, double score) { }

    /** The best top_k of the scores above 0; equal scores by item, ascending. */
    public static Ranking of(Scenario scenario, long windowEnd, Map<String, Double> scoreOf) {
        Comparator<Entry> worstFirst = Comparator.comparingDouble(Entry::score)
                .thenComparing(Entry::item, Comparator.reverseOrder());
        PriorityQueue<Entry> best = new PriorityQueue<>(worstFirst);
        scoreOf.forEach((item, score) -> {
            if (score > 0) {
                best.add(new Entry(item, score));
                if (best.size() > scenario.topK) {
                    best.poll();
                }
            }
        });
        Ranking ranking = new Ranking();
        ranking.scenario = scenario.index;
        ranking.windowEnd = windowEnd;
        ranking.items = best.stream().map(Entry::item).toArray(String[]::new);
        ranking.scores = best.stream().mapToDouble(Entry::score).toArray();
        return ranking;
    }
}
