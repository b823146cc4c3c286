/*  wire: every frame goes round with every field; every shorter or other one is refused, and
 * nothing beyond its end is read (each stands alone on the heap: a sanitizer sees it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/event_time.h"
#include "tests/support/wire_frames.h"

#define NONE EVENT_TIME_NONE

static const span_t sender = {"scorer-host-1", 13};
static const uint64_t incarnation = UINT64_C (1763800000123);

/*  ---- one frame of each kind ---- */

static const wire_sections_t sections = {STAGE_METRICS, 11, 12, 2, 1, 2};
static const wire_scenario_t scenarios[] = {{0, 1}, {UINT32_MAX, UINT64_MAX}};
static const wire_action_t action = {UINT16_MAX, {"own", 3}};
static const wire_section_t both_sections[] = {
    {0, {"topic/0", 7}, 0, 0, 0, true, NONE, NONE, 0, 0, {"", 0}},
    {WIRE_SHARDS_MAX - 1,
     {"p", 1},
     5,
     INT64_MAX,
     -1,
     false,
     0,
     EVENT_TIME_MS_MAX,
     9,
     1,
     {"rows", 4}}};

static void make_sections (buffer_t *frame)
{
    wire_write_header (frame, WIRE_SECTIONS, sender, incarnation);
    wire_write_sections (frame, &sections);
    for (int i = 0; i < 2; i++)
        wire_write_scenario (frame, &scenarios[i]);
    wire_write_action (frame, &action);
    for (int i = 0; i < 2; i++)
        wire_write_section (frame, &both_sections[i]);
}

static const wire_partitions_t partitions = {-4997, true, false, 2, 1};
static const wire_own_partition_t own = {{"p0", 2}, true, false, INT64_MAX};

static void make_partitions (buffer_t *frame)
{
    wire_write_header (frame, WIRE_PARTITIONS, sender, incarnation);
    wire_write_partitions (frame, &partitions);
    pack_span (frame, span_of ("p0"));
    pack_span (frame, span_of ("p1"));
    wire_write_own_partition (frame, &own);
}

static const wire_announce_t announce = {STAGE_PROFILER, {"tcp://h:1", 9}, 1024, 1, 2, 1, true};
static const wire_known_partition_t known = {{"p0", 2}, false, true};
static const wire_shard_t shards[] = {{0, 1, NONE, true, false, 2, 3, 4, 0},
                                      {1023, UINT64_MAX, -5000, false, true, 5, 6, UINT64_MAX, 1}};
static const wire_entry_t entry = {0, 100, NONE, -1};
static const wire_rewind_t rewind_wanted = {7, 0, -1, NONE, {"ingestor-0", 10}, 5, 6};

static void make_announce (buffer_t *frame)
{
    wire_write_header (frame, WIRE_ANNOUNCE, sender, incarnation);
    wire_write_announce (frame, &announce);
    wire_write_known_partition (frame, &known);
    wire_write_shard (frame, &shards[0]);
    wire_write_shard (frame, &shards[1]);
    wire_write_entry (frame, &entry);
    wire_write_rewind (frame, &rewind_wanted);
}

static const wire_results_t results = {{"ipc:///a", 8}, UINT64_MAX, STAGE_SCORER, 3, 16, 77, 1};
static const wire_result_t result = {15, 1, 2, 3, 4, {"body", 4}};

static void make_results (buffer_t *frame)
{
    wire_write_header (frame, WIRE_RESULTS, sender, incarnation);
    wire_write_results (frame, &results);
    wire_write_result (frame, &result);
}

static const wire_acks_t acks = {3, 9, 1};
static const wire_ack_t ack = {15, 1, 2, 3, true};

static void make_acks (buffer_t *frame)
{
    wire_write_header (frame, WIRE_ACKS, sender, incarnation);
    wire_write_acks (frame, &acks);
    wire_write_ack (frame, &ack);
}

static const struct {
    const char *name;
    wire_kind_t kind;
    void (*make) (buffer_t *frame);
} kinds[] = {{"sections", WIRE_SECTIONS, make_sections},
             {"partitions", WIRE_PARTITIONS, make_partitions},
             {"announce", WIRE_ANNOUNCE, make_announce},
             {"results", WIRE_RESULTS, make_results},
             {"acks", WIRE_ACKS, make_acks}};
enum { KINDS = sizeof kinds / sizeof *kinds };

/*  ---- fields ---- */

/*  Each field by itself: what the copy in every_kind_goes_round would not see, a field that is
 * neither written nor read. */
static void sections_fields (void **state)
{
    (void)state;
    buffer_t frame = {0};
    make_sections (&frame);
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    wire_header_t header;
    wire_sections_t head;
    assert_true (wire_read_header (&cursor, &header));
    assert_int_equal (header.kind, WIRE_SECTIONS);
    assert_true (span_equal (header.sender, sender));
    assert_int_equal (header.incarnation, incarnation);
    wire_read_sections (&cursor, &head);
    assert_int_equal (head.stage, STAGE_METRICS);
    assert_int_equal (head.config_incarnation, 11);
    assert_int_equal (head.config_sequence, 12);
    assert_int_equal (head.scenario_count * 100 + head.action_count * 10 + head.section_count, 212);
    for (int i = 0; i < 2; i++) {
        wire_scenario_t read;
        wire_read_scenario (&cursor, &read);
        assert_true (read.index == scenarios[i].index && read.hash == scenarios[i].hash);
    }
    wire_action_t read_action;
    wire_read_action (&cursor, &read_action);
    assert_int_equal (read_action.number, UINT16_MAX);
    assert_true (span_equal (read_action.name, action.name));
    for (int i = 0; i < 2; i++) {
        const wire_section_t *wanted = &both_sections[i];
        wire_section_t read;
        wire_read_section (&cursor, &read);
        assert_int_equal (read.shard, wanted->shard);
        assert_true (span_equal (read.partition, wanted->partition));
        assert_true (read.from == wanted->from && read.to == wanted->to);
        assert_true (read.base == wanted->base && read.base_lost == wanted->base_lost);
        assert_true (read.greatest_from_ms == wanted->greatest_from_ms);
        assert_true (read.greatest_to_ms == wanted->greatest_to_ms);
        assert_true (read.rewinds == wanted->rewinds && read.event_count == wanted->event_count);
        assert_true (span_equal (read.rows, wanted->rows));
    }
    assert_true (cursor_finished (&cursor));
    buffer_free (&frame);
}

static void partitions_fields (void **state)
{
    (void)state;
    buffer_t frame = {0};
    wire_write_partitions (&frame, &partitions);
    wire_write_own_partition (&frame, &own);
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    wire_partitions_t head;
    wire_own_partition_t read;
    wire_read_partitions (&cursor, &head);
    wire_read_own_partition (&cursor, &read);
    assert_true (cursor_finished (&cursor));
    assert_true (head.idle_time_ms == -4997 && head.once);
    assert_int_equal (head.partition_count * 10 + head.own_count, 21);
    assert_true (span_equal (read.partition, own.partition) && read.idle && !read.ended);
    assert_true (read.at == INT64_MAX);
    buffer_free (&frame);
}

static void announce_fields (void **state)
{
    (void)state;
    buffer_t frame = {0};
    make_announce (&frame);
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    wire_header_t header;
    wire_announce_t head;
    wire_known_partition_t read_known;
    wire_shard_t shard;
    wire_entry_t read_entry;
    wire_rewind_t rewind;
    wire_read_header (&cursor, &header);
    wire_read_announce (&cursor, &head);
    assert_true (head.stage == STAGE_PROFILER && span_equal (head.endpoint, announce.endpoint));
    assert_true (head.shards_total == 1024 && head.partition_count == 1 && head.leaving);
    assert_true (head.shard_count == 2 && head.rewind_count == 1);
    wire_read_known_partition (&cursor, &read_known);
    assert_true (span_equal (read_known.name, known.name) && !read_known.idle && read_known.ended);
    for (int i = 0; i < 2; i++) {
        wire_read_shard (&cursor, &shard);
        assert_true (shard.shard == shards[i].shard && shard.epoch == shards[i].epoch);
        assert_true (shard.watermark_ms == shards[i].watermark_ms);
        assert_true (shard.settled == shards[i].settled && shard.exact == shards[i].exact);
        assert_true (shard.counted == shards[i].counted && shard.late == shards[i].late);
        assert_true (shard.skipped == shards[i].skipped);
        assert_true (shard.entry_count == shards[i].entry_count);
    }
    wire_read_entry (&cursor, &read_entry);
    assert_true (read_entry.partition == 0 && read_entry.next == 100);
    assert_true (read_entry.greatest_ms == NONE && read_entry.durable == -1);
    wire_read_rewind (&cursor, &rewind);
    assert_true (rewind.shard == 7 && rewind.partition == 0 && rewind.next == -1);
    assert_true (rewind.greatest_ms == NONE &&
                 span_equal (rewind.ingestor, rewind_wanted.ingestor));
    assert_true (rewind.incarnation == 5 && rewind.rewinds == 6);
    assert_true (cursor_finished (&cursor));
    buffer_free (&frame);
}

static void results_and_acks_fields (void **state)
{
    (void)state;
    buffer_t frame = {0};
    wire_write_results (&frame, &results);
    wire_write_result (&frame, &result);
    wire_write_acks (&frame, &acks);
    wire_write_ack (&frame, &ack);
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    wire_results_t head;
    wire_result_t read;
    wire_acks_t acks_head;
    wire_ack_t read_ack;
    wire_read_results (&cursor, &head);
    wire_read_result (&cursor, &read);
    wire_read_acks (&cursor, &acks_head);
    wire_read_ack (&cursor, &read_ack);
    assert_true (cursor_finished (&cursor));
    assert_true (span_equal (head.answers, results.answers) && head.lineage == UINT64_MAX);
    assert_true (head.stage == STAGE_SCORER && head.sink_index == 3 && head.shards_total == 16);
    assert_true (head.sink_incarnation == 77 && head.result_count == 1);
    assert_true (read.shard == 15 && read.epoch == 1 && read.sequence == 2);
    assert_true (read.chunk == 3 && read.chunk_count == 4 && span_equal (read.body, result.body));
    assert_true (acks_head.sink_index == 3 && acks_head.redis_generation == 9);
    assert_true (acks_head.ack_count == 1 && read_ack.shard == 15 && read_ack.epoch == 1);
    assert_true (read_ack.executed == 2 && read_ack.expected == 3 && read_ack.gap);
    buffer_free (&frame);
}

static void every_kind_goes_round (void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        buffer_t frame = {0}, copy = {0};
        kinds[i].make (&frame);
        if (!frames_copy (frame.bytes, frame.size, &copy))
            fail_msg ("%s: not read", kinds[i].name);
        assert_int_equal (copy.size, frame.size);
        assert_memory_equal (copy.bytes, frame.bytes, frame.size);
        buffer_free (&frame);
        buffer_free (&copy);
    }
}

/*  ---- what is refused ---- */

static bool is_taken (const uint8_t *bytes, size_t size)
{
    uint8_t *alone = memory_new (size);
    buffer_t copy = {0};
    if (size)
        memcpy (alone, bytes, size);
    bool taken = frames_copy (alone, size, &copy);
    buffer_free (&copy);
    free (alone);
    return taken;
}

static void truncated (void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        buffer_t frame = {0};
        kinds[i].make (&frame);
        for (size_t size = 0; size < frame.size; size++) {
            if (is_taken (frame.bytes, size))
                fail_msg ("%s: taken with %zu of %zu bytes", kinds[i].name, size, frame.size);
        }
        buffer_append (&frame, "\0", 1);
        assert_false (is_taken (frame.bytes, frame.size));
        buffer_free (&frame);
    }
}

/*  Any byte changed: taken or not, but nothing beyond is read. Deterministic garbage likewise. */
static void changed_bytes (void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        buffer_t frame = {0};
        kinds[i].make (&frame);
        for (size_t at = 0; at < frame.size; at++) {
            uint8_t kept = frame.bytes[at];
            for (int value = 0; value < 256; value++) {
                frame.bytes[at] = (uint8_t)value;
                is_taken (frame.bytes, frame.size);
            }
            frame.bytes[at] = kept;
        }
        buffer_free (&frame);
    }
    uint64_t random = 88172645463325252;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[64];
        for (size_t at = 0; at < sizeof bytes; at++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            bytes[at] = (uint8_t)(random >> 32);
        }
        bytes[0] = WIRE_VERSION;
        bytes[1] = (uint8_t)(1 + i % KINDS);
        assert_false (is_taken (bytes, sizeof bytes));
    }
}

static void headers (void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
        bool valid;
    } cases[] = {
        {"valid", "\x02\x01\xa1s\x05", 5, true},
        {"the last kind", "\x02\x05\xa1s\x05", 5, true},
        {"no bytes", "", 0, false},
        {"another version", "\x01\x01\xa1s\x05", 5, false},
        {"kind 0", "\x02\x00\xa1s\x05", 5, false},
        {"kind 6", "\x02\x06\xa1s\x05", 5, false},
        {"a sender without a name", "\x02\x01\xa0\x05", 4, false},
        {"a NUL in the sender", "\x02\x01\xa2s\0\x05", 6, false},
        {"a negative incarnation", "\x02\x01\xa1s\xff", 5, false},
        {"no incarnation", "\x02\x01\xa1s", 4, false},
        {"text", "GET / HTTP/1.1", 14, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cursor_t cursor = cursor_of (cases[i].bytes, cases[i].size);
        wire_header_t header;
        if (wire_read_header (&cursor, &header) != cases[i].valid)
            fail_msg ("%s", cases[i].name);
    }
    uint8_t *large = memory_new ((size_t)WIRE_FRAME_BYTES_MAX + 1);
    memcpy (large, "\x02\x01\xa1s\x05", 5);
    wire_header_t header;
    cursor_t cursor = cursor_of (large, WIRE_FRAME_BYTES_MAX);
    assert_true (wire_read_header (&cursor, &header));
    cursor = cursor_of (large, (size_t)WIRE_FRAME_BYTES_MAX + 1);
    assert_false (wire_read_header (&cursor, &header));
    free (large);
}

/*  A number out of its range fails the frame. */
static bool section_taken (wire_section_t section)
{
    buffer_t frame = {0};
    wire_write_section (&frame, &section);
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    wire_read_section (&cursor, &section);
    bool taken = cursor_finished (&cursor);
    buffer_free (&frame);
    return taken;
}

static void out_of_range (void **state)
{
    (void)state;
    wire_section_t valid = both_sections[1];
    assert_true (section_taken (valid));
    static const struct {
        uint32_t shard;
        int64_t greatest_from_ms, greatest_to_ms;
    } cases[] = {
        {WIRE_SHARDS_MAX, 0, 0},          {0, -1, 0},          {0, 0, -1}, {0, INT64_MIN + 1, 0},
        {0, EVENT_TIME_MS_MAX + 1, NONE}, {0, NONE, INT64_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        wire_section_t section = valid;
        section.shard = cases[i].shard;
        section.greatest_from_ms = cases[i].greatest_from_ms;
        section.greatest_to_ms = cases[i].greatest_to_ms;
        if (section_taken (section))
            fail_msg ("case %zu", i);
    }
    static const struct {
        int64_t idle_time_ms;
        bool taken;
    } times[] = {{NONE, true},
                 {-WIRE_TIME_MS_MAX, true},
                 {WIRE_TIME_MS_MAX, true},
                 {-WIRE_TIME_MS_MAX - 1, false},
                 {WIRE_TIME_MS_MAX + 1, false},
                 {NONE + 1, false}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        buffer_t frame = {0};
        wire_partitions_t head = {.idle_time_ms = times[i].idle_time_ms};
        wire_write_partitions (&frame, &head);
        cursor_t cursor = cursor_of (frame.bytes, frame.size);
        wire_read_partitions (&cursor, &head);
        assert_int_equal (cursor_finished (&cursor), times[i].taken);
        buffer_free (&frame);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (sections_fields),       cmocka_unit_test (partitions_fields),
        cmocka_unit_test (announce_fields),       cmocka_unit_test (results_and_acks_fields),
        cmocka_unit_test (every_kind_goes_round), cmocka_unit_test (truncated),
        cmocka_unit_test (changed_bytes),         cmocka_unit_test (headers),
        cmocka_unit_test (out_of_range),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
