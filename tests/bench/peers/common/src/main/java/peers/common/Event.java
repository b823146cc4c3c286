package peers.common;

/** A parsed event: the fields that any of the three computations reads. Reused by its parser. */
public final class Event {
    public static final int NO_SCENARIO = -1;
    public static final String[] NO_TAGS = {};

    /** Index in Scenarios, or NO_SCENARIO: then it moves event time and counts nowhere. */
    public int scenario;
    public String user;
    public String item;
    /** Index in the scenario's actions. */
    public int action;
    public long timeMs;
    /** "" where there is none. */
    public String category;
    public String[] tags;
    /** -1 where it is not known. */
    public long watchedMs;
    /** Completion; -1 where it is not known. */
    public double rate;
}
