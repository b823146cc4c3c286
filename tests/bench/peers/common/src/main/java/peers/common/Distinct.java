package peers.common;

/**
 * How many distinct hashes were added: exact up to 256, then HyperLogLog of 2^14 registers. Plain
 * public fields, so that engines can keep it as state with their own serializers.
 */
public final class Distinct {
    private static final int EXACT_MAX = 256;
    private static final int SLOTS = 2 * EXACT_MAX;
    private static final int BITS = 14;
    private static final int REGISTERS = 1 << BITS;

    /** An open table while it is exact, 0 is free; then empty. */
    public long[] few = new long[SLOTS];
    public int fewCount;
    /** Empty while it is exact. */
    public byte[] registers = {};

    /** FNV-1a over the characters, then murmur's last step, for bits that are all of use. */
    public static long hash(String text) {
        long hash = 0xcbf29ce484222325L;
        for (int i = 0; i < text.length(); i++) {
            hash = (hash ^ text.charAt(i)) * 0x100000001b3L;
        }
        hash = (hash ^ hash >>> 33) * 0xff51afd7ed558ccdL;
        hash = (hash ^ hash >>> 33) * 0xc4ceb9fe1a85ec53L;
        hash ^= hash >>> 33;
        return hash == 0 ? 1 : hash;
    }

    public void add(long hash) {
        if (registers.length > 0) {
            register(hash);
            return;
        }
        int slot = (int) hash & SLOTS - 1;
        while (few[slot] != 0 && few[slot] != hash) {
            slot = slot + 1 & SLOTS - 1;
        }
        if (few[slot] == hash) {
            return;
        }
        if (fewCount == EXACT_MAX) {
            registers = new byte[REGISTERS];
            for (long one : few) {
                if (one != 0) {
                    register(one);
                }
            }
            few = new long[0];
            register(hash);
            return;
        }
        few[slot] = hash;
        fewCount++;
    }

    private void register(long hash) {
        int index = (int) (hash >>> 64 - BITS);
        byte rank = (byte) (Long.numberOfLeadingZeros(hash << BITS | 1L << BITS - 1) + 1);
        if (rank > registers[index]) {
            registers[index] = rank;
        }
    }

    public long estimate() {
        if (registers.length == 0) {
            return fewCount;
        }
        double sum = 0;
        int empty = 0;
        for (byte rank : registers) {
            sum += 1.0 / (1L << rank);
            empty += rank == 0 ? 1 : 0;
        }
        double raw = 0.7213 / (1 + 1.079 / REGISTERS) * REGISTERS * REGISTERS / sum;
        return Math.round(raw <= 2.5 * REGISTERS && empty > 0
                ? REGISTERS * Math.log((double) REGISTERS / empty) : raw);
    }
}
