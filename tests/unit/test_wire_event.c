/*  wire_event: rows of every stage go round along the chain of differences; hostile ones are
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/event_time.h"
#include "common/wire_event.h"

#define NONE EVENT_TIME_NONE
#define USER UINT64_C (0xfedcba9876543210)
#define ITEM UINT64_C (0x0123456789abcdef)

/*  Offsets, greatest time before, time: as an ingestor reads them, also with gaps and disorder. */
typedef struct {
    int64_t offset, greatest_ms, time_ms;
} place_t;

static const place_t places[] = {
    {100, NONE, 5000},
    {101, 5000, 5000},
    {101, 5000, 4000}, /* two rows of one offset do not occur, but would be read */
    {5000000000, 5000, 0},
    {5000000001, 5000, EVENT_TIME_MS_MAX},
    {5000000002, EVENT_TIME_MS_MAX, 7},
    {INT64_MAX - 1, EVENT_TIME_MS_MAX, EVENT_TIME_MS_MAX},
};
enum { PLACES = sizeof places / sizeof *places };

static event_t full_event (void)
{
    event_t event = {.tenant = {"t", 1},
                     .scenario = {"s", 1},
                     .user = {"user", 4},
                     .item = {"item", 4},
                     .category = {"news", 4},
                     .tags = {{"a", 1}, {"", 0}, {"ccc", 3}},
                     .tag_count = 3,
                     .watched_ms = EVENT_WATCHED_MS_MAX,
                     .rate = EVENT_RATE_DONE};
    return event;
}

static event_t bare_event (void)
{
    event_t event = {.user = {"u", 1}, .item = {"i", 1}, .watched_ms = EVENT_MS_NONE};
    return event;
}

static void assert_fields (stage_id_t stage, const stage_event_t *read, const event_t *event,
                           bool item_stats)
{
    bool scorer = stage == STAGE_SCORER, profiler = stage == STAGE_PROFILER;
    assert_true (read->key_hash == (scorer ? ITEM : USER));
    assert_true (span_equal (read->item, profiler || scorer ? event->item : (span_t){0}));
    assert_true (span_equal (read->user, profiler ? event->user : (span_t){0}));
    assert_int_equal (read->has_stats, scorer && item_stats);
    assert_true (read->user_hash == (scorer && item_stats ? USER : 0));
    assert_true (read->item_hash == (stage == STAGE_METRICS ? ITEM : 0));
    bool watched = stage == STAGE_METRICS || (scorer && item_stats);
    assert_true (read->watched_ms == (watched ? event->watched_ms : EVENT_MS_NONE));
    assert_int_equal (read->rate, stage == STAGE_METRICS ? event->rate : EVENT_RATE_UNKNOWN);
    assert_int_equal (read->category.bytes != NULL, profiler && event->category.bytes);
    assert_int_equal (read->tag_count, profiler ? event->tag_count : 0);
    for (uint32_t i = 0; i < read->tag_count; i++)
        assert_true (span_equal (read->tags[i], event->tags[i]));
    if (profiler)
        assert_true (span_equal (read->category, event->category));
}

static void chain_goes_round (stage_id_t stage, wire_chain_t start, event_t event, bool item_stats,
                              const place_t *at, size_t count)
{
    buffer_t rows = {0};
    wire_chain_t chain = start;
    for (size_t i = 0; i < count; i++) {
        wire_row_t row = {at[i].offset, at[i].greatest_ms, (uint32_t)i * 1000000,
                          (uint16_t)(i ? ACTION_NUMBER_MAX - i : 0)};
        event.time_ms = at[i].time_ms;
        wire_event_write (&rows, &chain, stage, &row, &event, USER, ITEM, item_stats);
    }
    cursor_t cursor = cursor_of (rows.bytes, rows.size);
    wire_chain_t read_chain = start;
    for (size_t i = 0; i < count; i++) {
        wire_row_t row;
        stage_event_t read;
        span_t tags[EVENT_TAGS_MAX];
        assert_true (wire_event_read (&cursor, &read_chain, stage, &row, &read, tags));
        assert_true (row.offset == at[i].offset && row.greatest_ms == at[i].greatest_ms);
        assert_true (read.time_ms == at[i].time_ms);
        assert_int_equal (row.scenario, i * 1000000);
        assert_int_equal (row.action, i ? ACTION_NUMBER_MAX - i : 0);
        assert_fields (stage, &read, &event, item_stats);
    }
    assert_true (cursor_finished (&cursor));
    assert_true (chain.offset == read_chain.offset && chain.greatest_ms == read_chain.greatest_ms);
    buffer_free (&rows);
}

static void round_trips (void **state)
{
    (void)state;
    const wire_chain_t starts[] = {{100, NONE}, {0, NONE}, {7, 4000}, {0, EVENT_TIME_MS_MAX}};
    for (stage_id_t stage = 0; stage < STAGE_COUNT; stage++)
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
            for (int item_stats = 0; item_stats < 2; item_stats++) {
                chain_goes_round (stage, starts[i], full_event (), item_stats, places, PLACES);
                chain_goes_round (stage, starts[i], bare_event (), item_stats, places, PLACES);
            }
}

/*  After lost offsets a partition begins without a greatest time, while a slot's chain still has
 * one. */
static void none_behind_a_known_greatest (void **state)
{
    (void)state;
    const place_t begun_anew[] = {{10, NONE, 900}, {11, 900, 950}, {12, NONE, 3}, {13, 3, 4}};
    for (stage_id_t stage = 0; stage < STAGE_COUNT; stage++)
        chain_goes_round (stage, (wire_chain_t){10, 5000}, full_event (), true, begun_anew, 4);
}

static void limits (void **state)
{
    (void)state;
    char id[EVENT_ID_BYTES_MAX];
    memset (id, 'x', sizeof id);
    event_t event = full_event ();
    event.user = event.item = event.category = (span_t){id, sizeof id};
    event.tag_count = EVENT_TAGS_MAX;
    for (int i = 0; i < EVENT_TAGS_MAX; i++)
        event.tags[i] = (span_t){id, sizeof id};
    for (stage_id_t stage = 0; stage < STAGE_COUNT; stage++)
        chain_goes_round (stage, (wire_chain_t){100, NONE}, event, true, places, 1);
}

static bool is_taken (const uint8_t *bytes, size_t size, wire_chain_t chain, stage_id_t stage)
{
    uint8_t *alone = memory_new (size);
    if (size)
        memcpy (alone, bytes, size);
    cursor_t cursor = cursor_of (alone, size);
    wire_row_t row;
    stage_event_t event;
    span_t tags[EVENT_TAGS_MAX];
    bool taken =
        wire_event_read (&cursor, &chain, stage, &row, &event, tags) && cursor_finished (&cursor);
    free (alone);
    return taken;
}

static void truncated (void **state)
{
    (void)state;
    for (stage_id_t stage = 0; stage < STAGE_COUNT; stage++) {
        buffer_t rows = {0};
        wire_chain_t chain = {0, NONE};
        wire_row_t row = {300, 70000, 9, ACTION_CUSTOM};
        event_t event = full_event ();
        event.time_ms = 80000;
        wire_event_write (&rows, &chain, stage, &row, &event, USER, ITEM, true);
        assert_true (is_taken (rows.bytes, rows.size, (wire_chain_t){0, NONE}, stage));
        for (size_t size = 0; size < rows.size; size++)
            assert_false (is_taken (rows.bytes, size, (wire_chain_t){0, NONE}, stage));
        for (size_t at = 0; at < rows.size; at++) {
            uint8_t kept = rows.bytes[at];
            for (int value = 0; value < 256; value++) {
                rows.bytes[at] = (uint8_t)value;
                is_taken (rows.bytes, rows.size, (wire_chain_t){0, NONE}, stage);
            }
            rows.bytes[at] = kept;
        }
        buffer_free (&rows);
    }
}

/*  Offset step, greatest, time; behind them what makes a valid row of metrics. */
#define STEP_MAX  "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"
#define STEP_OVER "\xcf\x80\0\0\0\0\0\0\0"
#define MIN       "\xd3\x80\0\0\0\0\0\0\0"

static void hostile (void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t size;
        wire_chain_t chain;
        bool taken;
    } cases[] = {
        {"valid", "\x01\xc0\x05", 3, {0, NONE}, true},
        {"valid, before the greatest", "\x01\x00\xff", 3, {0, 5}, true},
        {"the greatest offset", STEP_MAX "\xc0\x05", 11, {0, NONE}, true},
        {"offset overflows", STEP_MAX "\xc0\x05", 11, {1, NONE}, false},
        {"step beyond an int64", STEP_OVER "\xc0\x05", 11, {0, NONE}, false},
        {"a negative step", "\xff\xc0\x05", 3, {5, NONE}, false},
        {"a negative chain stays negative", "\x01\xc0\x05", 3, {-9, NONE}, false},
        {"a negative greatest", "\x01\xff\x05", 3, {0, NONE}, false},
        {"a greatest that comes to be negative", "\x01\xfa\x05", 3, {0, 5}, false},
        {"the greatest overflows", "\x01" MIN "\x05", 11, {0, -1}, false},
        {"none in disguise", "\x01" MIN "\x05", 11, {0, NONE}, false},
        {"a negative time", "\x01\xc0\xff", 3, {0, NONE}, false},
        {"a time that comes to be negative", "\x01\x00\xfa", 3, {0, 5}, false},
        {"the time overflows", "\x01\x00" STEP_MAX, 11, {0, 5}, false},
        {"a time beyond the year 9999", "\x01\xc0" STEP_MAX, 11, {0, NONE}, false},
        {"the last time there is", "\x01\x00\x00", 3, {0, EVENT_TIME_MS_MAX}, true},
        {"one later", "\x01\x00\x01", 3, {0, EVENT_TIME_MS_MAX}, false},
        {"a greatest one later", "\x01\x01\xff", 3, {0, EVENT_TIME_MS_MAX}, false},
    };
    static const char rest[] =
        "\x07\x01\x01\x02\xc0\x02"; /* scenario, action, hashes, watched, rate */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buffer_t bytes = {0};
        buffer_append (&bytes, cases[i].bytes, cases[i].size);
        buffer_append (&bytes, rest, sizeof rest - 1);
        if (is_taken (bytes.bytes, bytes.size, cases[i].chain, STAGE_METRICS) != cases[i].taken)
            fail_msg ("%s", cases[i].name);
        buffer_free (&bytes);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (round_trips), cmocka_unit_test (none_behind_a_known_greatest),
        cmocka_unit_test (limits),      cmocka_unit_test (truncated),
        cmocka_unit_test (hostile),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
