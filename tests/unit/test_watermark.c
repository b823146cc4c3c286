/*  watermark: which partitions hold it back, and what the ingestors' frames change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/incarnation.h"
#include "common/memory.h"
#include "common/watermark.h"

#define NONE   EVENT_TIME_NONE
#define ABSENT VECTOR_ABSENT

enum { BUSY = 0, IDLE = 1, ENDED = 2, UNSAID = 4, UNLISTED = 8, PARTITIONS = 3, LATENESS_MS = 5 };

typedef struct {
    partition_names_t *names;
    watermark_t *watermark;
} world_t;

static int make (void **state)
{
    world_t *world = memory_new (sizeof *world);
    world->names = partition_names_new ();
    world->watermark = watermark_new (world->names, LATENESS_MS);
    *state = world;
    return 0;
}

static int unmake (void **state)
{
    world_t *world = *state;
    watermark_destroy (&world->watermark);
    watermark_destroy (&world->watermark);
    partition_names_destroy (&world->names);
    free (world);
    return 0;
}

static uint32_t number (world_t *world, int partition)
{
    char name[16];
    snprintf (name, sizeof name, "p%d", partition);
    return partition_names_intern (world->names, span_of (name));
}

typedef struct {
    int flags;
    int64_t at;
} said_t;

/*  One whole frame. Those UNSAID are listed, but not the sender's own. */
static bool say (world_t *world, const char *sender, uint64_t incarnation, int64_t idle_time_ms,
                 const said_t said[PARTITIONS])
{
    if (!watermark_begin (world->watermark, span_of (sender), incarnation, idle_time_ms))
        return false;
    for (int i = 0; i < PARTITIONS; i++) {
        if (!(said[i].flags & UNLISTED))
            watermark_list (world->watermark, number (world, i));
    }
    for (int i = 0; i < PARTITIONS; i++) {
        if (!(said[i].flags & (UNLISTED | UNSAID)))
            watermark_own (world->watermark, number (world, i), said[i].flags & IDLE,
                           said[i].flags & ENDED, said[i].at);
    }
    watermark_end (world->watermark);
    return true;
}

static int64_t of (world_t *world, const vector_entry_t entries[PARTITIONS], bool *ended)
{
    vector_t vector = {0};
    for (int i = 0; i < PARTITIONS; i++)
        vector_set (&vector, number (world, i), entries[i]);
    int64_t watermark_ms = watermark_of (world->watermark, &vector);
    *ended = watermark_all_ended (world->watermark, &vector);
    vector_free (&vector);
    return watermark_ms;
}

static void one_frame (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        said_t said[PARTITIONS];
        int64_t idle_time_ms;
        vector_entry_t entries[PARTITIONS];
        int64_t watermark_ms;
        bool ended;
    } cases[] = {
        {"the least of all",
         {{BUSY, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         95,
         false},
        {"one was never heard of",
         {{BUSY, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 100}, {ABSENT, NONE}, {1, 200}},
         NONE,
         false},
        {"one had no event yet",
         {{BUSY, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 100}, {9, NONE}, {1, 200}},
         NONE,
         false},
        {"an idle one at its position holds nothing",
         {{IDLE, 1}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         195,
         false},
        {"idle, but the vector is not there yet",
         {{IDLE, 2}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         95,
         false},
        {"idle was said before what has come since",
         {{IDLE, 1}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{2, 100}, {1, 300}, {1, 200}},
         95,
         false},
        {"idle at the base, begun",
         {{IDLE, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{0, NONE}, {1, 300}, {1, 200}},
         195,
         false},
        {"idle at the base, not begun",
         {{IDLE, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{ABSENT, NONE}, {1, 300}, {1, 200}},
         NONE,
         false},
        {"one that is not listed",
         {{UNLISTED, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         195,
         false},
        {"listed, its own ingestor silent",
         {{UNSAID, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         95,
         false},
        {"all idle, no time told",
         {{IDLE, 1}, {IDLE, 1}, {IDLE, 1}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         NONE,
         false},
        {"all idle, time goes on",
         {{IDLE, 1}, {IDLE, 1}, {IDLE, 1}},
         1234,
         {{1, 100}, {1, 300}, {1, 200}},
         1234,
         false},
        {"time told, but one is not there",
         {{IDLE, 1}, {IDLE, 1}, {IDLE, 2}},
         1234,
         {{1, 100}, {1, 300}, {1, 200}},
         195,
         false},
        {"all ended",
         {{ENDED, 1}, {ENDED, 1}, {ENDED, 1}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         95,
         true},
        {"ended and idle",
         {{ENDED | IDLE, 1}, {ENDED, 1}, {ENDED, 1}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         195,
         true},
        {"one end not reached",
         {{ENDED, 1}, {ENDED, 2}, {ENDED, 1}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         95,
         false},
        {"one has not ended",
         {{ENDED, 1}, {BUSY, 1}, {ENDED, 1}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         95,
         false},
        {"an empty one that ended, not begun",
         {{ENDED | IDLE, 0}, {ENDED, 1}, {ENDED, 1}},
         NONE,
         {{ABSENT, NONE}, {1, 300}, {1, 200}},
         NONE,
         false},
        {"an empty one that ended",
         {{ENDED | IDLE, 0}, {ENDED, 1}, {ENDED, 1}},
         NONE,
         {{0, NONE}, {1, 300}, {1, 200}},
         195,
         true},
        {"no partition at all",
         {{UNLISTED, 0}, {UNLISTED, 0}, {UNLISTED, 0}},
         NONE,
         {{1, 100}, {1, 300}, {1, 200}},
         NONE,
         true},
        {"a watermark below zero",
         {{BUSY, 0}, {BUSY, 0}, {BUSY, 0}},
         NONE,
         {{1, 3}, {1, 300}, {1, 200}},
         -2,
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        void *world;
        make (&world);
        assert_true (say (world, "a", 1, cases[i].idle_time_ms, cases[i].said));
        bool ended;
        int64_t watermark_ms = of (world, cases[i].entries, &ended);
        if (watermark_ms != cases[i].watermark_ms || ended != cases[i].ended)
            fail_msg ("%s: %lld, %d", cases[i].name, (long long)watermark_ms, ended);
        unmake (&world);
    }
}

static const vector_entry_t entries[PARTITIONS] = {{1, 100}, {1, 300}, {1, 200}};

static void before_any_frame (void **state)
{
    bool ended;
    assert_true (of (*state, entries, &ended) == NONE);
    assert_false (ended);
}

/*  The list is the union; each says what is idle of its own; the least idle time holds. */
static void several_senders (void **state)
{
    world_t *world = *state;
    bool ended;
    say (world, "a", 1, 900, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNLISTED, 0}});
    assert_int_equal (of (world, entries, &ended), 295);
    say (world, "b", 1, NONE, (said_t[]){{UNLISTED, 0}, {IDLE, 1}, {IDLE, 1}});
    assert_true (of (world, entries, &ended) == NONE); /* b says that not all are idle */
    say (world, "b", 1, 800, (said_t[]){{UNLISTED, 0}, {IDLE, 1}, {IDLE, 1}});
    assert_int_equal (of (world, entries, &ended), 800);
    say (world, "a", 1, NONE, (said_t[]){{BUSY, 1}, {UNSAID, 0}, {UNLISTED, 0}});
    assert_int_equal (of (world, entries, &ended), 95);
    assert_false (watermark_is_idle (world->watermark, number (world, 0)));
    assert_true (watermark_is_idle (world->watermark, number (world, 1)));
    assert_false (watermark_is_idle (world->watermark, 77));
    assert_false (watermark_is_listed (world->watermark, 77));
    assert_true (watermark_is_listed (world->watermark, number (world, 2)));
}

/*  Somebody listens for so long, a turn of 20 ms after the other. */
static void listen_for (world_t *world, int64_t *clock_ms, int64_t ms, bool drained)
{
    for (int64_t until_ms = *clock_ms + ms; *clock_ms < until_ms; *clock_ms += 20)
        watermark_listen (world->watermark, *clock_ms, drained);
    watermark_listen (world->watermark, *clock_ms, drained);
}

static void incarnations (void **state)
{
    world_t *world = *state;
    bool ended;
    int64_t clock_ms = 1000000;
    const said_t all_ended[] = {{IDLE | ENDED, 1}, {IDLE | ENDED, 1}, {IDLE | ENDED, 1}};
    assert_true (say (world, "a", 7, 900, all_ended));
    assert_int_equal (of (world, entries, &ended), 900);
    assert_true (ended);
    listen_for (world, &clock_ms, INCARNATION_SILENT_MS - 100, true);
    assert_false (say (world, "a", 6, NONE, (said_t[]){{BUSY, 0}, {BUSY, 0}, {BUSY, 0}}));
    assert_int_equal (of (world, entries, &ended), 900);
    /* A new life that has not begun to read: what the old one called idle may have much behind it.
     */
    assert_true (say (world, "a", 8, NONE, (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {UNSAID, 0}}));
    assert_int_equal (of (world, entries, &ended), 95);
    assert_false (ended);
    assert_true (say (world, "a", 8, NONE, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}}));
    assert_int_equal (of (world, entries, &ended), 195);
    /* A frame is all that it says: the first one is no longer named, so nothing is known of it. */
    assert_true (say (world, "a", 8, NONE, (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {IDLE, 1}}));
    assert_int_equal (of (world, entries, &ended), 95);
    assert_true (say (world, "a", 8, NONE, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {IDLE, 1}}));
    assert_int_equal (of (world, entries, &ended), 295);
    /* A life that looks older, since the clock was set back: the new one, once the other is silent. */
    listen_for (world, &clock_ms, INCARNATION_SILENT_MS + 100, true);
    assert_true (say (world, "a", 2, NONE, (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {UNSAID, 0}}));
    assert_int_equal (of (world, entries, &ended), 95);
}

/*  A partition goes to another ingestor: the first one's restart says nothing of it any more. */
static void moved (void **state)
{
    world_t *world = *state;
    bool ended;
    say (world, "a", 1, NONE, (said_t[]){{BUSY, 0}, {BUSY, 0}, {BUSY, 0}});
    say (world, "b", 1, NONE, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}});
    say (world, "a", 2, NONE, (said_t[]){{UNSAID, 0}, {BUSY, 0}, {BUSY, 0}});
    assert_int_equal (of (world, entries, &ended), 195);
}

static const said_t all_idle[] = {{IDLE, 1}, {IDLE, 1}, {IDLE, 1}};

/*  What one that is dead or frozen said last lets the watermark pass for WATERMARK_SILENCE_MS at most. */
static void silence_is_not_idleness (void **state)
{
    world_t *world = *state;
    bool ended;
    int64_t clock_ms = 1000000;
    listen_for (world, &clock_ms, 100, true);
    say (world, "a", 1, 900, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}});
    say (world, "b", 1, 900, (said_t[]){{UNSAID, 0}, {IDLE, 1}, {IDLE, 1}});
    listen_for (world, &clock_ms, WATERMARK_SILENCE_MS, true);
    assert_int_equal (of (world, entries, &ended), 900);
    say (world, "b", 1, 950, (said_t[]){{UNSAID, 0}, {IDLE, 1}, {IDLE, 1}});
    listen_for (world, &clock_ms, 20, true);
    assert_int_equal (of (world, entries, &ended), 95); /* a holds it back, b does not run on alone */
    assert_false (watermark_is_idle (world->watermark, number (world, 0)));
    assert_true (watermark_is_idle (world->watermark, number (world, 1)));
    say (world, "a", 1, 930, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}});
    assert_int_equal (of (world, entries, &ended), 930);
    /* Another has taken its partitions over: its old word about the time holds nobody back either. */
    listen_for (world, &clock_ms, WATERMARK_SILENCE_MS + 20, true);
    say (world, "b", 1, 990, all_idle);
    assert_int_equal (of (world, entries, &ended), 990);
    /* At a busy listener, too, a silence is one. */
    listen_for (world, &clock_ms, WATERMARK_SILENCE_MS + 20, false);
    assert_int_equal (of (world, entries, &ended), 95);
}

static void an_end_stays (void **state)
{
    world_t *world = *state;
    bool ended;
    int64_t clock_ms = 1000000;
    listen_for (world, &clock_ms, 100, true);
    say (world, "a", 1, NONE, (said_t[]){{ENDED | IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}});
    say (world, "b", 1, NONE, (said_t[]){{UNSAID, 0}, {ENDED, 1}, {ENDED, 1}});
    assert_int_equal (of (world, entries, &ended), 195);
    listen_for (world, &clock_ms, 2 * WATERMARK_SILENCE_MS, true);
    assert_int_equal (of (world, entries, &ended), 95);
    assert_true (ended);
    /* Both are forgotten but one. */
    listen_for (world, &clock_ms, WATERMARK_SENDER_TTL_MS, true);
    say (world, "b", 1, NONE, (said_t[]){{UNSAID, 0}, {ENDED, 1}, {ENDED, 1}});
    assert_int_equal (of (world, entries, &ended), 95);
    assert_true (ended);
}

/*  The listener was frozen: that is nobody's silence, but what waits for it may be old. */
static void a_pause_of_ones_own (void **state)
{
    world_t *world = *state;
    bool ended;
    int64_t clock_ms = 1000000;
    listen_for (world, &clock_ms, 100, true);
    say (world, "a", 1, 900, all_idle);
    assert_int_equal (of (world, entries, &ended), 900);
    clock_ms += 10 * WATERMARK_SENDER_TTL_MS;
    say (world, "b", 1, 900, (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {UNSAID, 0}});
    watermark_listen (world->watermark, clock_ms, true); /* the kernel has more for it */
    assert_int_equal (of (world, entries, &ended), 95);
    listen_for (world, &clock_ms, WATERMARK_BEHIND_LEAST_MS + 20, false);
    assert_int_equal (of (world, entries, &ended), 95);
    watermark_listen (world->watermark, clock_ms, true);
    assert_int_equal (of (world, entries, &ended), 900);
    /* One that never catches up believes again after a while. */
    clock_ms += WATERMARK_PAUSE_MS + 1;
    watermark_listen (world->watermark, clock_ms, false);
    assert_int_equal (of (world, entries, &ended), 95);
    listen_for (world, &clock_ms, WATERMARK_SILENCE_MS / 2, false);
    say (world, "a", 1, 900, all_idle);
    say (world, "b", 1, 900, (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {UNSAID, 0}});
    assert_int_equal (of (world, entries, &ended), 95);
    listen_for (world, &clock_ms, WATERMARK_SILENCE_MS / 2 + 20, false);
    assert_int_equal (of (world, entries, &ended), 900);
    /* A turn that took long is no pause. */
    clock_ms += WATERMARK_PAUSE_MS;
    watermark_listen (world->watermark, clock_ms, false);
    assert_int_equal (of (world, entries, &ended), 900);
}

/*  After a while a silent one's list counts no more, but never the last one's. */
static void silent_senders (void **state)
{
    world_t *world = *state;
    bool ended;
    int64_t clock_ms = 1000000;
    const said_t first[] = {{BUSY, 0}, {UNLISTED, 0}, {UNLISTED, 0}};
    const said_t second[] = {{UNLISTED, 0}, {BUSY, 0}, {UNLISTED, 0}};
    listen_for (world, &clock_ms, 20, true);
    say (world, "a", 1, NONE, first);
    listen_for (world, &clock_ms, WATERMARK_SENDER_TTL_MS, true);
    say (world, "b", 1, NONE, second);
    assert_int_equal (of (world, entries, &ended), 95);
    listen_for (world, &clock_ms, 20, true);
    say (world, "b", 1, NONE, second);
    assert_int_equal (of (world, entries, &ended), 295);
    listen_for (world, &clock_ms, 2 * WATERMARK_SENDER_TTL_MS, true);
    assert_int_equal (of (world, entries, &ended), 295);
    say (world, "b", 1, NONE, second);
    assert_int_equal (of (world, entries, &ended), 295);
    say (world, "a", 1, NONE, first);
    assert_int_equal (of (world, entries, &ended), 95);
}

/*  What one that is forgotten called idle holds back again. */
static void forgotten_idleness (void **state)
{
    world_t *world = *state;
    bool ended;
    int64_t clock_ms = 1000000;
    listen_for (world, &clock_ms, 20, true);
    say (world, "a", 1, NONE, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}});
    listen_for (world, &clock_ms, WATERMARK_SENDER_TTL_MS + 20, true);
    say (world, "b", 1, NONE, (said_t[]){{UNSAID, 0}, {BUSY, 1}, {BUSY, 1}});
    assert_int_equal (of (world, entries, &ended), 95);
}

static void too_many_senders (void **state)
{
    world_t *world = *state;
    int64_t clock_ms = 1000000;
    const said_t said[] = {{BUSY, 0}, {BUSY, 0}, {BUSY, 0}};
    char name[16];
    for (int i = 0; i <= WATERMARK_SENDERS_MAX; i++) {
        snprintf (name, sizeof name, "s%d", i);
        assert_int_equal (say (world, name, 1, NONE, said), i < WATERMARK_SENDERS_MAX);
    }
    listen_for (world, &clock_ms, WATERMARK_SENDER_TTL_MS + 20, true);
    assert_true (say (world, "s0", 2, NONE, said));
    assert_true (say (world, name, 1, NONE, said));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (one_frame),
        cmocka_unit_test_setup_teardown (before_any_frame, make, unmake),
        cmocka_unit_test_setup_teardown (several_senders, make, unmake),
        cmocka_unit_test_setup_teardown (incarnations, make, unmake),
        cmocka_unit_test_setup_teardown (moved, make, unmake),
        cmocka_unit_test_setup_teardown (silence_is_not_idleness, make, unmake),
        cmocka_unit_test_setup_teardown (an_end_stays, make, unmake),
        cmocka_unit_test_setup_teardown (a_pause_of_ones_own, make, unmake),
        cmocka_unit_test_setup_teardown (silent_senders, make, unmake),
        cmocka_unit_test_setup_teardown (forgotten_idleness, make, unmake),
        cmocka_unit_test_setup_teardown (too_many_senders, make, unmake),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
