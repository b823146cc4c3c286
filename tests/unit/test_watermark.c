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
                 int64_t now_ms, const said_t said[PARTITIONS])
{
    if (!watermark_begin (world->watermark, span_of (sender), incarnation, idle_time_ms, now_ms))
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
        assert_true (say (world, "a", 1, cases[i].idle_time_ms, 0, cases[i].said));
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
    say (world, "a", 1, 900, 0, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNLISTED, 0}});
    assert_int_equal (of (world, entries, &ended), 295);
    say (world, "b", 1, NONE, 0, (said_t[]){{UNLISTED, 0}, {IDLE, 1}, {IDLE, 1}});
    assert_true (of (world, entries, &ended) == NONE); /* b says that not all are idle */
    say (world, "b", 1, 800, 0, (said_t[]){{UNLISTED, 0}, {IDLE, 1}, {IDLE, 1}});
    assert_int_equal (of (world, entries, &ended), 800);
    say (world, "a", 1, NONE, 0, (said_t[]){{BUSY, 1}, {UNSAID, 0}, {UNLISTED, 0}});
    assert_int_equal (of (world, entries, &ended), 95);
    assert_false (watermark_is_idle (world->watermark, number (world, 0)));
    assert_true (watermark_is_idle (world->watermark, number (world, 1)));
    assert_false (watermark_is_idle (world->watermark, 77));
    assert_false (watermark_is_listed (world->watermark, 77));
    assert_true (watermark_is_listed (world->watermark, number (world, 2)));
}

static void incarnations (void **state)
{
    world_t *world = *state;
    bool ended;
    const said_t all_idle[] = {{IDLE | ENDED, 1}, {IDLE | ENDED, 1}, {IDLE | ENDED, 1}};
    assert_true (say (world, "a", 7, 900, 0, all_idle));
    assert_int_equal (of (world, entries, &ended), 900);
    assert_true (ended);
    assert_false (say (world, "a", 6, NONE, INCARNATION_SILENT_MS,
                       (said_t[]){{BUSY, 0}, {BUSY, 0}, {BUSY, 0}}));
    assert_int_equal (of (world, entries, &ended), 900);
    /* A new life that has not begun to read: what the old one called idle may have much behind it.
     */
    assert_true (say (world, "a", 8, NONE, 0, (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {UNSAID, 0}}));
    assert_int_equal (of (world, entries, &ended), 95);
    assert_false (ended);
    assert_true (say (world, "a", 8, NONE, 0, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}}));
    assert_int_equal (of (world, entries, &ended), 195);
    /* The same life again changes only what it says. */
    assert_true (say (world, "a", 8, NONE, 0, (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {IDLE, 1}}));
    assert_int_equal (of (world, entries, &ended), 295);
    /* A life that looks older, since the clock was set back: the new one, once the other is silent. */
    assert_true (say (world, "a", 2, NONE, INCARNATION_SILENT_MS + 1,
                      (said_t[]){{UNSAID, 0}, {UNSAID, 0}, {UNSAID, 0}}));
    assert_int_equal (of (world, entries, &ended), 95);
}

/*  A partition goes to another ingestor: the first one's restart says nothing of it any more. */
static void moved (void **state)
{
    world_t *world = *state;
    bool ended;
    say (world, "a", 1, NONE, 0, (said_t[]){{BUSY, 0}, {BUSY, 0}, {BUSY, 0}});
    say (world, "b", 1, NONE, 0, (said_t[]){{IDLE, 1}, {UNSAID, 0}, {UNSAID, 0}});
    say (world, "a", 2, NONE, 0, (said_t[]){{UNSAID, 0}, {BUSY, 0}, {BUSY, 0}});
    assert_int_equal (of (world, entries, &ended), 195);
}

static void silent_senders (void **state)
{
    world_t *world = *state;
    bool ended;
    const said_t first[] = {{BUSY, 0}, {UNLISTED, 0}, {UNLISTED, 0}};
    const said_t second[] = {{UNLISTED, 0}, {BUSY, 0}, {UNLISTED, 0}};
    say (world, "a", 1, NONE, 0, first);
    say (world, "b", 1, NONE, WATERMARK_SENDER_TTL_MS, second);
    assert_int_equal (of (world, entries, &ended), 95);
    say (world, "b", 1, NONE, WATERMARK_SENDER_TTL_MS + 1, second);
    assert_int_equal (of (world, entries, &ended), 295);
    /* alone, it stays however long it was silent */
    say (world, "b", 1, NONE, 100 * WATERMARK_SENDER_TTL_MS, second);
    assert_int_equal (of (world, entries, &ended), 295);
    say (world, "a", 1, NONE, 100 * WATERMARK_SENDER_TTL_MS, first);
    assert_int_equal (of (world, entries, &ended), 95);
}

static void too_many_senders (void **state)
{
    world_t *world = *state;
    const said_t said[] = {{BUSY, 0}, {BUSY, 0}, {BUSY, 0}};
    char name[16];
    for (int i = 0; i <= WATERMARK_SENDERS_MAX; i++) {
        snprintf (name, sizeof name, "s%d", i);
        assert_int_equal (say (world, name, 1, NONE, 0, said), i < WATERMARK_SENDERS_MAX);
    }
    assert_true (say (world, "s0", 2, NONE, WATERMARK_SENDER_TTL_MS + 1, said));
    assert_true (say (world, name, 1, NONE, WATERMARK_SENDER_TTL_MS + 1, said));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (one_frame),
        cmocka_unit_test_setup_teardown (before_any_frame, make, unmake),
        cmocka_unit_test_setup_teardown (several_senders, make, unmake),
        cmocka_unit_test_setup_teardown (incarnations, make, unmake),
        cmocka_unit_test_setup_teardown (moved, make, unmake),
        cmocka_unit_test_setup_teardown (silent_senders, make, unmake),
        cmocka_unit_test_setup_teardown (too_many_senders, make, unmake),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
