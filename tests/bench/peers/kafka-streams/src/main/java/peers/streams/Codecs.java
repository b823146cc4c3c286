package peers.streams;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import peers.common.Distinct;
import peers.common.Event;
import peers.common.MetricsCell;
import peers.common.Profile;

/** Bytes of what travels and of what is kept: in Streams a store, in memory too, holds bytes. */
final class Codecs {
    static final Serde<Stages.Behaviour> BEHAVIOUR =
            serde(Codecs::writeBehaviour, Codecs::readBehaviour);
    static final Serde<Stages.Action> ACTION = serde(Codecs::writeAction, Codecs::readAction);
    static final Serde<Profile> PROFILE = serde(Codecs::writeProfile, Codecs::readProfile);
    static final Serde<MetricsCell> METRICS = serde(Codecs::writeMetrics, Codecs::readMetrics);

    private Codecs() { }

    private interface Writer<T> {
        void write(DataOutputStream out, T value) throws IOException;
    }

    private interface Reader<T> {
        T read(DataInputStream in) throws IOException;
    }

    private static <T> Serde<T> serde(Writer<T> writer, Reader<T> reader) {
        return Serdes.serdeFrom((topic, value) -> {
            if (value == null) {
                return null;
            }
            ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
            try (DataOutputStream out = new DataOutputStream(bytes)) {
                writer.write(out, value);
            } catch (IOException error) {
                throw new UncheckedIOException(error);      // of memory: cannot be
            }
            return bytes.toByteArray();
        }, (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
                return reader.read(in);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        });
    }

    private static void writeBehaviour(DataOutputStream out, Stages.Behaviour value)
            throws IOException {
        out.writeUTF(value.item());
        out.writeByte(value.action());
        out.writeUTF(value.category());
        out.writeByte(value.tags().length);
        for (String tag : value.tags()) {
            out.writeUTF(tag);
        }
    }

    private static Stages.Behaviour readBehaviour(DataInputStream in) throws IOException {
        String item = in.readUTF();
        int action = in.readUnsignedByte();
        String category = in.readUTF();
        int count = in.readUnsignedByte();
        String[] tags = count == 0 ? Event.NO_TAGS : new String[count];
        for (int i = 0; i < count; i++) {
            tags[i] = in.readUTF();
        }
        return new Stages.Behaviour(item, action, category, tags);
    }

    private static void writeAction(DataOutputStream out, Stages.Action value) throws IOException {
        out.writeByte(value.action());
        out.writeLong(value.userHash());
        out.writeLong(value.itemHash());
        out.writeLong(value.watchedMs());
        out.writeDouble(value.rate());
    }

    private static Stages.Action readAction(DataInputStream in) throws IOException {
        return new Stages.Action(in.readUnsignedByte(), in.readLong(), in.readLong(), in.readLong(),
                in.readDouble());
    }

    private static void writeProfile(DataOutputStream out, Profile value) throws IOException {
        writeInts(out, value.counts);
        writeInts(out, value.hours);
        writeSums(out, value.categories);
        writeSums(out, value.tags);
        out.writeShort(value.recentItems.length);
        out.writeShort(value.recentCount);
        for (int i = 0; i < value.recentCount; i++) {
            out.writeUTF(value.recentItems[i]);
            out.writeLong(value.recentTimes[i]);
        }
        out.writeLong(value.baseMs);
        out.writeLong(value.firstMs);
        out.writeLong(value.newestMs);
        out.writeBoolean(value.changed);
        out.writeLong(value.writtenClockMs);
    }

    private static Profile readProfile(DataInputStream in) throws IOException {
        Profile value = new Profile();
        value.counts = readInts(in);
        value.hours = readInts(in);
        readSums(in, value.categories);
        readSums(in, value.tags);
        int room = in.readUnsignedShort();
        value.recentItems = new String[room];
        value.recentTimes = new long[room];
        value.recentCount = in.readUnsignedShort();
        for (int i = 0; i < value.recentCount; i++) {
            value.recentItems[i] = in.readUTF();
            value.recentTimes[i] = in.readLong();
        }
        value.baseMs = in.readLong();
        value.firstMs = in.readLong();
        value.newestMs = in.readLong();
        value.changed = in.readBoolean();
        value.writtenClockMs = in.readLong();
        return value;
    }

    private static void writeMetrics(DataOutputStream out, MetricsCell value) throws IOException {
        out.writeByte(value.counts.length);
        for (long count : value.counts) {
            out.writeLong(count);
        }
        out.writeLong(value.total);
        out.writeLong(value.watchedMs);
        out.writeLong(value.watchedCount);
        out.writeLong(value.rateCount);
        out.writeLong(value.completeCount);
        writeDistinct(out, value.users);
        writeDistinct(out, value.items);
    }

    private static MetricsCell readMetrics(DataInputStream in) throws IOException {
        MetricsCell value = new MetricsCell();
        value.counts = new long[in.readUnsignedByte()];
        for (int i = 0; i < value.counts.length; i++) {
            value.counts[i] = in.readLong();
        }
        value.total = in.readLong();
        value.watchedMs = in.readLong();
        value.watchedCount = in.readLong();
        value.rateCount = in.readLong();
        value.completeCount = in.readLong();
        readDistinct(in, value.users);
        readDistinct(in, value.items);
        return value;
    }

    /** The few as they are in the table, without the free places: they find their places again. */
    private static void writeDistinct(DataOutputStream out, Distinct value) throws IOException {
        out.writeShort(value.fewCount);
        out.writeShort(value.registers.length);
        if (value.registers.length > 0) {
            out.write(value.registers);
            return;
        }
        for (long hash : value.few) {
            if (hash != 0) {
                out.writeLong(hash);
            }
        }
    }

    private static void readDistinct(DataInputStream in, Distinct value) throws IOException {
        int fewCount = in.readUnsignedShort();
        int registers = in.readUnsignedShort();
        if (registers > 0) {
            value.registers = in.readNBytes(registers);
            value.few = new long[0];
            value.fewCount = fewCount;
            return;
        }
        for (int i = 0; i < fewCount; i++) {
            value.add(in.readLong());
        }
    }

    private static void writeInts(DataOutputStream out, int[] values) throws IOException {
        out.writeByte(values.length);
        for (int value : values) {
            out.writeInt(value);
        }
    }

    private static int[] readInts(DataInputStream in) throws IOException {
        int[] values = new int[in.readUnsignedByte()];
        for (int i = 0; i < values.length; i++) {
            values[i] = in.readInt();
        }
        return values;
    }

    private static void writeSums(DataOutputStream out, Map<String, Double> sums)
            throws IOException {
        out.writeShort(sums.size());
        for (Map.Entry<String, Double> sum : sums.entrySet()) {
            out.writeUTF(sum.getKey());
            out.writeDouble(sum.getValue());
        }
    }

    private static void readSums(DataInputStream in, Map<String, Double> sums) throws IOException {
        for (int count = in.readUnsignedShort(); count > 0; count--) {
            sums.put(in.readUTF(), in.readDouble());
        }
    }
}
