package peers.streams;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Says when the end of input has reached every computation: Streams itself knows no end. Counts
 * what was parsed, and what was sent to and taken by the computations; all are in one JVM.
 */
final class Progress {
    static final int COMPUTATIONS = 3;

    private final long end;
    private final AtomicLong parsed = new AtomicLong();
    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong taken = new AtomicLong();
    private final CountDownLatch written = new CountDownLatch(COMPUTATIONS);

    Progress(long end) {
        this.end = end;
    }

    /** Counted after what it leads to was sent. */
    void countParsed() {
        parsed.incrementAndGet();
    }

    void countSent() {
        sent.incrementAndGet();
    }

    void countTaken() {
        taken.incrementAndGet();
    }

    boolean isAtEnd() {
        return parsed.get() == end && taken.get() == sent.get();
    }

    /** A computation has written its last results. */
    void countWritten() {
        written.countDown();
    }

    void awaitEnd() throws InterruptedException {
        written.await();
    }
}
