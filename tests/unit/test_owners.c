/*  owners: announces of several workers become owners of shards, vectors and rewinds; others change
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/incarnation.h"
#include "common/stage.h"
#include "ingestor/owners.h"

#define NONE EVENT_TIME_NONE

enum { SHARDS = 2, SCORER_AND_METRICS = 1 << STAGE_SCORER | 1 << STAGE_METRICS };

typedef struct {
    partition_names_t *names;
    owners_t *owners;
    char events[512]; /* what was called back: "owned 1" "rewind 0 1 30 4" */
} world_t;

static void note (world_t *world, const char *text)
{
    size_t at = strlen (world->events);
    snprintf (world->events + at, sizeof world->events - at, "%s%s", at ? ", " : "", text);
}

static void on_owned (void *arg, uint32_t slot)
{
    char text[64];
    snprintf (text, sizeof text, "owned %u", slot);
    note (arg, text);
}

static void on_rewind (void *arg, uint32_t slot, uint32_t partition, vector_entry_t entry,
                       uint64_t rewinds)
{
    char text[64];
    snprintf (text, sizeof text, "rewind %u %u %d %d", slot, partition, (int)entry.next,
              (int)rewinds);
    note (arg, text);
}

static int make (void **state)
{
    world_t *world = memory_new (sizeof *world);
    const owners_events_t events = {world, on_owned, on_rewind};
    world->names = partition_names_new ();
    world->owners =
        owners_new (SCORER_AND_METRICS, SHARDS, world->names, span_of ("me"), 9, &events);
    *state = world;
    return 0;
}

static int unmake (void **state)
{
    world_t *world = *state;
    owners_destroy (&world->owners);
    owners_destroy (&world->owners);
    partition_names_destroy (&world->names);
    free (world);
    return 0;
}

static void assert_events (world_t *world, const char *expected)
{
    assert_string_equal (world->events, expected);
    world->events[0] = '\0';
}

/*  A worker's announce: the partitions "p0" and "p1" (idle: bits), one entry of p1 in each shard.
 */
typedef struct {
    const char *worker;
    uint64_t incarnation;
    const char *endpoint;
    stage_id_t stage;
    uint32_t shards_total, shard_count;
    struct {
        uint32_t shard;
        uint64_t epoch;
        int64_t next, durable;
        bool settled;
        int64_t watermark_ms;
    } shards[3];
    uint32_t rewind_count;
    wire_rewind_t rewinds[2];
    unsigned idle;
    uint32_t entry_partition; /* 0: the valid one, 1 */
} announce_t;

static void write_announce (const announce_t *announce, buffer_t *frame)
{
    wire_announce_t head = {.stage = (uint8_t)announce->stage,
                            .endpoint = span_of (announce->endpoint),
                            .shards_total =
                                announce->shards_total ? announce->shards_total : SHARDS,
                            .partition_count = 2,
                            .shard_count = announce->shard_count,
                            .rewind_count = announce->rewind_count};
    wire_write_announce (frame, &head);
    for (unsigned i = 0; i < 2; i++) {
        wire_known_partition_t known = {{i ? "p1" : "p0", 2}, announce->idle >> i & 1, false};
        wire_write_known_partition (frame, &known);
    }
    for (uint32_t i = 0; i < announce->shard_count; i++) {
        wire_shard_t shard = {.shard = announce->shards[i].shard,
                              .epoch = announce->shards[i].epoch,
                              .watermark_ms = announce->shards[i].watermark_ms,
                              .settled = announce->shards[i].settled,
                              .entry_count = announce->shards[i].next >= 0};
        wire_entry_t entry = {announce->entry_partition ? announce->entry_partition : 1,
                              announce->shards[i].next, announce->shards[i].next * 10,
                              announce->shards[i].durable};
        wire_write_shard (frame, &shard);
        if (shard.entry_count)
            wire_write_entry (frame, &entry);
    }
    for (uint32_t i = 0; i < announce->rewind_count; i++)
        wire_write_rewind (frame, &announce->rewinds[i]);
}

static int take (world_t *world, const announce_t *announce, int64_t now_ms)
{
    buffer_t frame = {0};
    write_announce (announce, &frame);
    cursor_t cursor = cursor_of (frame.bytes, frame.size);
    wire_header_t header = {WIRE_ANNOUNCE, span_of (announce->worker), announce->incarnation};
    int result = owners_take (world->owners, &header, &cursor, now_ms);
    buffer_free (&frame);
    return result;
}

static int owner (const world_t *world, uint32_t slot)
{
    return owners_slot (world->owners, slot)->worker;
}

static announce_t scorer (void)
{
    return (announce_t){.worker = "a",
                        .incarnation = 1,
                        .endpoint = "tcp://a:1",
                        .stage = STAGE_SCORER,
                        .shard_count = 2,
                        .shards = {{0, 100, 30, 20, true}, {1, 100, 40, 40, true}}};
}

static announce_t metrics (void)
{
    return (announce_t){.worker = "b",
                        .incarnation = 1,
                        .endpoint = "tcp://b:1",
                        .stage = STAGE_METRICS,
                        .shard_count = 2,
                        .shards = {{0, 200, 35, 25, true}, {1, 200, 50, 10, true}}};
}

static void complete (void **state)
{
    world_t *world = *state;
    announce_t first = scorer (), second = metrics ();
    assert_int_equal (owners_slot_count (world->owners), STAGE_COUNT * SHARDS);
    assert_true (owners_takes_part (world->owners, 0) && owners_takes_part (world->owners, 5));
    assert_false (owners_takes_part (world->owners, 2) || owners_takes_part (world->owners, 3));
    assert_false (owners_complete (world->owners));
    assert_true (owners_watermark_ms (world->owners) == NONE);
    assert_int_equal (take (world, &first, 0), 0);
    assert_events (world, "owned 0, owned 1");
    assert_false (owners_complete (world->owners));
    assert_int_equal (take (world, &second, 0), 0);
    assert_events (world, "owned 4, owned 5"); /* the profiler takes no part */
    assert_true (owners_complete (world->owners) && owners_settled (world->owners));
    assert_int_equal (owner (world, 0), 0);
    assert_int_equal (owner (world, 5), 1);
    assert_int_equal (owner (world, 2), OWNERS_NOBODY);
    assert_true (owners_worker (world->owners, 1)->changed);
    assert_string_equal (owners_worker (world->owners, 1)->endpoint, "tcp://b:1");
    assert_int_equal (owners_applied (world->owners, 1), 30);
    assert_int_equal (owners_durable (world->owners, 1), 10);
    assert_int_equal (owners_greatest_ms (world->owners, 1), 500);
    assert_int_equal (owners_applied (world->owners, 0), -1); /* known, but applied nowhere */
    assert_int_equal (owners_durable (world->owners, 0), -1);
    assert_true (owners_greatest_ms (world->owners, 0) == NONE);
    assert_int_equal (owners_durable (world->owners, 99), -1);
    assert_int_equal (owners_watermark_ms (world->owners), 0);

    first.shards[1].watermark_ms = 700;
    first.shards[1].settled = false;
    first.shards[0].next = 60;
    first.shards[0].durable = 60;
    first.idle = 2;
    assert_int_equal (take (world, &first, 0), 0);
    assert_events (world, "");
    assert_false (owners_settled (world->owners));
    assert_int_equal (owners_applied (world->owners, 1), 35);
    assert_int_equal (owners_watermark_ms (world->owners), 700);
    assert_true (owners_partition_idle (world->owners, 1));
    assert_false (owners_partition_idle (world->owners, 0));
    assert_false (owners_partition_idle (world->owners, 99));
}

static void changes_of_owner (void **state)
{
    world_t *world = *state;
    announce_t first = scorer (), other = scorer ();
    take (world, &first, 0);
    assert_events (world, "owned 0, owned 1");
    owners_worker (world->owners, 0)->changed = false;

    /* It gives shard 1 away, and another takes it. */
    first.shard_count = 1;
    take (world, &first, 0);
    assert_events (world, "");
    assert_int_equal (owner (world, 1), OWNERS_NOBODY);
    other.worker = "c";
    other.shard_count = 1;
    other.shards[0].shard = 1;
    other.shards[0].epoch = 101;
    other.shards[0].next = -1; /* its vector knows nothing: what the older owner said is void */
    take (world, &other, 0);
    assert_events (world, "owned 1");
    assert_int_equal (owner (world, 1), 1);
    assert_int_equal (vector_get (&owners_slot (world->owners, 1)->applied, 1).next, VECTOR_ABSENT);

    /* A late word of the old owner, of a lower epoch, does not take it back. */
    announce_t late = scorer ();
    late.shards[1].next = 999;
    take (world, &late, 0);
    assert_events (world, "");
    assert_int_equal (owner (world, 1), 1);
    assert_int_equal (vector_get (&owners_slot (world->owners, 1)->applied, 1).next, VECTOR_ABSENT);
    assert_false (owners_worker (world->owners, 0)->changed);

    /* A new life of the worker: all that it owns was sent in vain. */
    first.incarnation = 2;
    first.shards[0].epoch = 102;
    take (world, &first, 0);
    assert_events (world, "owned 0");
    assert_true (owners_worker (world->owners, 0)->changed);
    first.incarnation = 1; /* and the older one is not heard any more */
    first.shards[0].epoch = 999;
    take (world, &first, INCARNATION_SILENT_MS);
    assert_events (world, "");
    /* The same life at another endpoint is new as well. */
    first.incarnation = 2;
    first.shards[0].epoch = 102;
    first.endpoint = "tcp://a:2";
    take (world, &first, 0);
    assert_events (world, "owned 0");
}

/*  The clock was set back, and the state folder made anew: lesser lives and epochs count once the greater
 *  ones have been silent. */
static void set_back (void **state)
{
    world_t *world = *state;
    announce_t first = scorer ();
    first.incarnation = 9000;
    take (world, &first, 1000);
    assert_events (world, "owned 0, owned 1");
    first.incarnation = 50;
    first.shards[0].epoch = first.shards[1].epoch = 60;
    take (world, &first, 1000 + INCARNATION_SILENT_MS);
    assert_events (world, "");
    assert_int_equal (owners_slot (world->owners, 0)->epoch, 100);
    take (world, &first, 1001 + INCARNATION_SILENT_MS);
    assert_events (world, "owned 0, owned 1");
    assert_int_equal (owners_slot (world->owners, 0)->epoch, 60);
    assert_true (owners_worker (world->owners, 0)->changed);
    /* A lesser epoch of another worker, while the shard's owner is heard. */
    announce_t other = first;
    other.worker = "b";
    other.shards[0].epoch = other.shards[1].epoch = 59;
    take (world, &other, 1001 + INCARNATION_SILENT_MS);
    assert_events (world, "");
    assert_int_equal (owner (world, 0), 0);
}

/*  An absent entry counts once the worker has announced with the partition in mind. */
static void known (void **state)
{
    world_t *world = *state;
    announce_t first = scorer (), other = metrics ();
    take (world, &first, 0);
    uint32_t p1 = partition_names_intern (world->names, span_of ("p1"));
    uint32_t p2 = partition_names_intern (world->names, span_of ("p2"));
    assert_false (owners_know (world->owners, p1)); /* the metrics have no owner yet */
    take (world, &other, 0);
    assert_true (owners_know (world->owners, p1));
    assert_false (owners_know (world->owners, p2));
    other.shard_count = 0; /* given back */
    take (world, &other, 0);
    assert_false (owners_know (world->owners, p1));
}

static void rewinds (void **state)
{
    world_t *world = *state;
    announce_t announce = scorer ();
    announce.rewind_count = 2;
    announce.rewinds[0] = (wire_rewind_t){1, 1, 40, 400, span_of ("me"), 9, 3};
    announce.rewinds[1] = (wire_rewind_t){0, 0, -1, NONE, span_of ("me"), 9, 0};
    assert_int_equal (take (world, &announce, 0), 0);
    assert_events (world, "owned 0, owned 1, rewind 1 1 40 3, rewind 0 0 -1 0");
    static const struct {
        const char *ingestor;
        uint64_t incarnation;
        uint32_t shard;
    } others[] = {{"you", 9, 0}, {"me", 8, 0}, {"me", 10, 0}, {"me", 9, SHARDS}};
    announce.rewind_count = 1;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        announce.rewinds[0].ingestor = span_of (others[i].ingestor);
        announce.rewinds[0].incarnation = others[i].incarnation;
        announce.rewinds[0].shard = others[i].shard;
        assert_int_equal (take (world, &announce, 0), 0);
        assert_events (world, "");
    }
}

static void refused (void **state)
{
    world_t *world = *state;
    static const struct {
        const char *name;
        uint32_t shards_total, shard_count, first_shard, second_shard, entry, rewind_partition;
        int result;
    } cases[] = {
        {"another number of shards", 3, 2, 0, 1, 1, 0, -2},
        {"a shard beyond", SHARDS, 2, 0, SHARDS, 1, 0, -1},
        {"a shard twice", SHARDS, 2, 0, 0, 1, 0, -1},
        {"shards that descend", SHARDS, 2, 1, 0, 1, 0, -1},
        {"an entry of no partition", SHARDS, 2, 0, 1, 2, 0, -1},
        {"a rewind of no partition", SHARDS, 2, 0, 1, 1, 2, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        announce_t announce = scorer ();
        announce.shards_total = cases[i].shards_total;
        announce.shard_count = cases[i].shard_count;
        announce.shards[0].shard = cases[i].first_shard;
        announce.shards[1].shard = cases[i].second_shard;
        announce.shards[1].epoch = 101;
        announce.entry_partition = cases[i].entry;
        announce.rewind_count = 1;
        announce.rewinds[0] =
            (wire_rewind_t){1, cases[i].rewind_partition, 40, 400, span_of ("me"), 9, 3};
        if (take (world, &announce, 0) != cases[i].result)
            fail_msg ("%s", cases[i].name);
        assert_events (world, "");
        assert_int_equal (owners_worker_count (world->owners), 0);
        assert_int_equal (owner (world, 0), OWNERS_NOBODY);
    }
    buffer_t frame = {0};
    announce_t announce = scorer ();
    announce.rewind_count = 1;
    announce.rewinds[0] = (wire_rewind_t){1, 1, 40, 400, span_of ("me"), 9, 3};
    write_announce (&announce, &frame);
    wire_header_t header = {WIRE_ANNOUNCE, span_of ("a"), 1};
    for (size_t size = 0; size < frame.size; size++) {
        uint8_t *alone = memory_new (size);
        memcpy (alone, frame.bytes, size);
        cursor_t cursor = cursor_of (alone, size);
        assert_int_equal (owners_take (world->owners, &header, &cursor, 0), -1);
        free (alone);
    }
    assert_events (world, "");
    buffer_free (&frame);
}

static void silent_workers (void **state)
{
    world_t *world = *state;
    announce_t first = scorer (), idle = metrics ();
    idle.shard_count = 0;
    take (world, &first, 0);
    take (world, &idle, 0);
    owners_worker (world->owners, 0)->changed = owners_worker (world->owners, 1)->changed = false;
    owners_sweep (world->owners, OWNERS_WORKER_TTL_MS);
    assert_true (owners_worker (world->owners, 1)->live);
    owners_sweep (world->owners, OWNERS_WORKER_TTL_MS + 1);
    assert_true (owners_worker (world->owners, 0)->live); /* it owns something */
    assert_false (owners_worker (world->owners, 1)->live);
    assert_true (owners_worker (world->owners, 1)->changed);
    /* its number is used again */
    announce_t another = metrics ();
    another.worker = "d";
    take (world, &another, OWNERS_WORKER_TTL_MS + 2);
    assert_int_equal (owners_worker_count (world->owners), 2);
    assert_string_equal (owners_worker (world->owners, 1)->name, "d");
    assert_int_equal (owner (world, 4), 1);
}

static void too_many_workers (void **state)
{
    world_t *world = *state;
    char name[16];
    announce_t announce = metrics ();
    announce.worker = name;
    announce.shard_count = 0;
    for (int i = 0; i <= OWNERS_WORKERS_MAX; i++) {
        snprintf (name, sizeof name, "w%d", i);
        assert_int_equal (take (world, &announce, 0), 0);
    }
    assert_int_equal (owners_worker_count (world->owners), OWNERS_WORKERS_MAX);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (complete, make, unmake),
        cmocka_unit_test_setup_teardown (changes_of_owner, make, unmake),
        cmocka_unit_test_setup_teardown (set_back, make, unmake),
        cmocka_unit_test_setup_teardown (known, make, unmake),
        cmocka_unit_test_setup_teardown (rewinds, make, unmake),
        cmocka_unit_test_setup_teardown (refused, make, unmake),
        cmocka_unit_test_setup_teardown (silent_workers, make, unmake),
        cmocka_unit_test_setup_teardown (too_many_workers, make, unmake),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
