package peers.common;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A user's profile in one scenario: sums, never events. Public fields: engines keep it as state.
 *
 * An interest is the sum of w * exp (t / decay), with t since `baseMs`, so that one exp () an event
 * is enough and no old sum has to be touched; decayed to the newest event when it is written.
 */
public final class Profile {
    private static final int CATEGORIES_MAX = 64;
    private static final int TAGS_MAX = 256;
    private static final int LIFE_PERIODS = 3;
    private static final double EXPONENT_MAX = 100;     // far from a double's end: then a new base

    public int[] counts = {};
    public int[] hours = {};
    public Map<String, Double> categories = new HashMap<>();
    public Map<String, Double> tags = new HashMap<>();
    /** By time, then name, newest last; `recentCount` of them. */
    public String[] recentItems = {};
    public long[] recentTimes = {};
    public int recentCount;
    public long baseMs;
    public long firstMs;
    public long newestMs;
    /** Changed since it was last written, at that time of the clock. */
    public boolean changed;
    public long writtenClockMs;

    record Interest(String name, double score) { }

    private static final Comparator<Interest> BEST_FIRST =
            Comparator.comparingDouble(Interest::score).reversed().thenComparing(Interest::name);

    public void add(Scenario scenario, String item, int action, long timeMs, String category,
                    String[] eventTags) {
        double lifeMs = LIFE_PERIODS * scenario.profileDecayMs;
        if (counts.length == 0 || timeMs - newestMs >= lifeMs) {
            begin(scenario, timeMs);
        } else if (firstMs - timeMs >= lifeMs) {
            return;
        }
        counts[action]++;
        hours[(int) (timeMs / 3_600_000 % 24)]++;
        firstMs = Math.min(firstMs, timeMs);
        newestMs = Math.max(newestMs, timeMs);
        double weight = scenario.profileWeights[action];
        if (weight != 0) {
            addInterests(scenario, weight, timeMs, category, eventTags);
        }
        // The first of the known actions is the impression.
        if (action != 0 && recentItems.length > 0) {
            addRecent(item, timeMs);
        }
    }

    private void begin(Scenario scenario, long timeMs) {
        counts = new int[scenario.actions.length];
        hours = new int[24];
        categories.clear();
        tags.clear();
        recentItems = new String[scenario.recentItems];
        Arrays.fill(recentItems, "");
        recentTimes = new long[scenario.recentItems];
        recentCount = 0;
        baseMs = firstMs = newestMs = timeMs;
    }

    private void addInterests(Scenario scenario, double weight, long timeMs, String category,
                              String[] eventTags) {
        double exponent = (timeMs - baseMs) / scenario.profileDecayMs;
        if (exponent > EXPONENT_MAX) {
            double factor = Math.exp(-exponent);
            categories.replaceAll((name, sum) -> sum * factor);
            tags.replaceAll((name, sum) -> sum * factor);
            baseMs = timeMs;
            exponent = 0;
        }
        double term = weight * Math.exp(exponent);
        if (!category.isEmpty()) {
            addInterest(categories, category, term, CATEGORIES_MAX);
        }
        for (String tag : eventTags) {
            addInterest(tags, tag, term, TAGS_MAX);
        }
    }

    private static void addInterest(Map<String, Double> interests, String name, double term,
                                    int countMax) {
        interests.merge(name, term, Double::sum);
        if (interests.size() > countMax) {
            interests.remove(interests.entrySet().stream()
                    .min(Map.Entry.comparingByValue()).orElseThrow().getKey());
        }
    }

    /** Names compare as Java's strings do: not as bytes beyond the basic plane. */
    private void addRecent(String item, long timeMs) {
        int at = 0;
        while (at < recentCount && !recentItems[at].equals(item)) {
            at++;
        }
        if (at < recentCount) {
            if (timeMs <= recentTimes[at]) {
                return;
            }
            removeRecent(at);
        } else if (recentCount == recentItems.length) {
            if (timeMs < recentTimes[0]
                    || timeMs == recentTimes[0] && item.compareTo(recentItems[0]) < 0) {
                return;
            }
            removeRecent(0);
        }
        int place = recentCount++;
        while (place > 0 && (recentTimes[place - 1] > timeMs || recentTimes[place - 1] == timeMs
                && recentItems[place - 1].compareTo(item) > 0)) {
            recentTimes[place] = recentTimes[place - 1];
            recentItems[place] = recentItems[place - 1];
            place--;
        }
        recentTimes[place] = timeMs;
        recentItems[place] = item;
    }

    private void removeRecent(int at) {
        recentCount--;
        System.arraycopy(recentItems, at + 1, recentItems, at, recentCount - at);
        System.arraycopy(recentTimes, at + 1, recentTimes, at, recentCount - at);
    }

    /** The best `top` of the interests above 0 at the newest event, by score, then name. */
    List<Interest> best(Map<String, Double> interests, int top, Scenario scenario) {
        double decay = Math.exp(-(newestMs - baseMs) / scenario.profileDecayMs);
        List<Interest> best = new ArrayList<>(interests.size());
        for (Map.Entry<String, Double> entry : interests.entrySet()) {
            double score = entry.getValue() * decay;
            if (score > 0) {
                best.add(new Interest(entry.getKey(), score));
            }
        }
        best.sort(BEST_FIRST);
        return best.size() > top ? best.subList(0, top) : best;
    }
}
