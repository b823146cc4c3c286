/*  owed: results wait, fly in chunks, are acknowledged, fly again; and what of that a commit keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/owed.h"
#include "common/pack.h"

enum { CHUNK = 4, SINKS = 2 };

static int make (void **state)
{
    *state = owed_new (SINKS);
    return 0;
}

static int unmake (void **state)
{
    owed_destroy ((owed_t **)state);
    owed_destroy ((owed_t **)state);
    return 0;
}

static void put (owed_t *owed, const char *key, uint64_t route, const char *body)
{
    owed_put (owed, key, strlen (key), route, body, body ? strlen (body) : 0);
}

static bool has (const owed_t *owed, const char *key)
{
    return owed_has (owed, key, strlen (key));
}

/*  The oldest that waits for sink 0, as it must be. */
static void assert_waits (owed_t *owed, const char *key, const char *body)
{
    owed_waiting_t waiting;
    assert_true (owed_waiting (owed, 0, &waiting));
    assert_int_equal (waiting.key_size, strlen (key));
    assert_memory_equal (waiting.key, key, waiting.key_size);
    assert_int_equal (waiting.body.bytes != NULL, body != NULL);
    if (body)
        assert_true (span_equal (waiting.body, span_of (body)));
}

/*  That one enters the pipe rendered as `body`. */
static void enter (owed_t *owed, const char *key, const char *body)
{
    owed_waiting_t waiting;
    assert_true (owed_waiting (owed, 0, &waiting));
    assert_memory_equal (waiting.key, key, waiting.key_size);
    owed_enter (owed, 0, body, strlen (body), CHUNK);
}

/*  Sends all that is unsent to sink 0; it must be `expected`: "1:abcd 2:ef" (sequence:chunk). */
static void assert_sends (owed_t *owed, const char *expected)
{
    char sent[256] = "";
    owed_chunk_t chunk;
    while (owed_to_send (owed, 0, &chunk)) {
        size_t at = strlen (sent);
        snprintf (sent + at, sizeof sent - at, "%s%d:%.*s", at ? " " : "", (int)chunk.sequence,
                  (int)chunk.body.size, chunk.body.bytes);
        owed_sent (owed, 0);
    }
    assert_string_equal (sent, expected);
}

static void assert_none_waits (owed_t *owed)
{
    owed_waiting_t waiting;
    assert_false (owed_waiting (owed, 0, &waiting));
}

static void waits_flies_settles (void **state)
{
    owed_t *owed = *state;
    put (owed, "a", 0, NULL);
    put (owed, "b", 0, "kept");
    assert_true (has (owed, "a"));
    assert_int_equal (owed_count (owed), 2);
    assert_waits (owed, "a", NULL);
    enter (owed, "a", "one");
    assert_waits (owed, "b", "kept");
    enter (owed, "b", "kept");
    assert_none_waits (owed);
    assert_int_equal (owed_pipe_bytes (owed, 0), 7);
    assert_int_equal (owed_next_sequence (owed, 0), 0); /* nothing is sent */
    assert_sends (owed, "1:one 2:kept");
    assert_int_equal (owed_next_sequence (owed, 0), 3);
    owed_again (owed, 0, 2);
    assert_int_equal (owed_next_sequence (owed, 0), 2);
    assert_sends (owed, "2:kept");
    assert_true (has (owed, "a"));
    owed_acknowledged (owed, 0, 1);
    assert_false (has (owed, "a"));
    assert_true (has (owed, "b"));
    assert_int_equal (owed_pipe_bytes (owed, 0), 4);
    owed_acknowledged (owed, 0, 1);
    owed_acknowledged (owed, 0, 0);
    owed_acknowledged (owed, 0, UINT64_MAX);
    assert_int_equal (owed_count (owed), 0);
    assert_int_equal (owed_pipe_bytes (owed, 0), 0);
    assert_int_equal (owed_next_sequence (owed, 0), 0); /* all is acknowledged */
    assert_sends (owed, "");
}

static void chunks (void **state)
{
    owed_t *owed = *state;
    put (owed, "a", 0, NULL);
    put (owed, "b", 0, NULL);
    enter (owed, "a", "123456789");
    enter (owed, "b", "abcd");
    owed_chunk_t chunk;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true (owed_to_send (owed, 0, &chunk));
        assert_int_equal (chunk.sequence, i + 1);
        assert_int_equal (chunk.chunk, i);
        assert_int_equal (chunk.chunk_count, 3);
        owed_sent (owed, 0);
    }
    assert_true (owed_to_send (owed, 0, &chunk));
    assert_int_equal (chunk.chunk, 0);
    assert_int_equal (chunk.chunk_count, 1);
    /* it is settled by its last chunk alone */
    owed_acknowledged (owed, 0, 2);
    assert_true (has (owed, "a"));
    owed_acknowledged (owed, 0, 3);
    assert_false (has (owed, "a"));
    assert_sends (owed, "4:abcd");
}

static void put_again (void **state)
{
    owed_t *owed = *state;
    put (owed, "a", 0, NULL);
    put (owed, "b", 0, NULL);
    put (owed, "a", 0, "body"); /* keeps its place */
    assert_int_equal (owed_count (owed), 2);
    assert_waits (owed, "a", "body");
    put (owed, "a", 0, NULL);
    assert_waits (owed, "a", NULL);
    enter (owed, "a", "old");
    assert_sends (owed, "1:old");
    put (owed, "a", 0, NULL); /* in flight: the newer waits behind b */
    owed_acknowledged (owed, 0, 1);
    assert_true (has (owed, "a"));
    enter (owed, "b", "b");
    enter (owed, "a", "new");
    put (owed, "a", 0, NULL);
    enter (owed, "a", "last");
    assert_sends (owed, "2:b 3:new 4:last");
    owed_acknowledged (owed, 0, 3);
    assert_true (has (owed, "a"));
    owed_acknowledged (owed, 0, 4);
    assert_false (has (owed, "a"));
}

static void dropped (void **state)
{
    owed_t *owed = *state;
    put (owed, "a", 0, NULL);
    put (owed, "b", 0, NULL);
    owed_drop (owed, 0);
    assert_false (has (owed, "a"));
    assert_waits (owed, "b", NULL);
}

static void a_gap (void **state)
{
    static const struct {
        const char *name;
        uint64_t expected;
        const char *sent;
    } cases[] = {
        {"the sink lacks the last", 4, "4:d"},
        {"from the second unacknowledged", 3, "3:c 4:d"},
        {"from the first unacknowledged", 2, "2:b 3:c 4:d"},
        {"from what was acknowledged: all there is", 1, "2:b 3:c 4:d"},
        {"nothing lacks", 5, ""},
        {"beyond everything", 99, ""},
    };
    owed_t *owed = *state;
    for (const char *key = "a\0b\0c\0d\0"; *key; key += 2) {
        put (owed, key, 0, NULL);
        enter (owed, key, key);
    }
    assert_sends (owed, "1:a 2:b 3:c 4:d");
    owed_acknowledged (owed, 0, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message ("# %s\n", cases[i].name);
        owed_again (owed, 0, cases[i].expected);
        assert_sends (owed, cases[i].sent);
    }
    /* what was not sent yet is not skipped by a gap beyond it */
    put (owed, "e", 0, NULL);
    enter (owed, "e", "e");
    owed_again (owed, 0, 99);
    assert_sends (owed, "5:e");
}

static void another_sink (void **state)
{
    owed_t *owed = *state;
    for (const char *key = "a\0b\0c\0d\0e\0"; *key; key += 2)
        put (owed, key, 0, NULL);
    enter (owed, "a", "a");
    enter (owed, "b", "bbbbb");
    enter (owed, "c", "c");
    assert_sends (owed, "1:a 2:bbbb 3:b 4:c");
    owed_acknowledged (owed, 0, 2); /* a, and a half of b */
    put (owed, "c", 0, NULL);       /* superseded: stands behind e */
    owed_restart (owed, 0);
    assert_int_equal (owed_pipe_bytes (owed, 0), 0);
    assert_sends (owed, "");
    enter (owed, "b", "b");
    enter (owed, "d", "d");
    enter (owed, "e", "e");
    enter (owed, "c", "c");
    owed_acknowledged (owed, 0, 4); /* said of numbers that are no longer used */
    assert_int_equal (owed_take_begin (owed, 0), 5);
    assert_int_equal (owed_take_begin (owed, 0), 0);
    assert_sends (owed, "5:b 6:d 7:e 8:c");
    owed_again (owed, 0, 5);
    assert_int_equal (owed_take_begin (owed, 0), 0);
    owed_again (owed, 0, 1); /* it did not hear of it */
    assert_int_equal (owed_take_begin (owed, 0), 5);
    assert_sends (owed, "5:b 6:d 7:e 8:c");
    owed_restart (owed, 1); /* the other pipe is another matter */
    assert_int_equal (owed_take_begin (owed, 1), 0);
    owed_acknowledged (owed, 0, 8);
    assert_int_equal (owed_count (owed), 0);
    owed_restart (owed, 0); /* with nothing in it */
    assert_none_waits (owed);
}

static void routes (void **state)
{
    owed_t *owed = *state;
    owed_waiting_t waiting;
    put (owed, "a", 7, NULL); /* 7 mod 2: the second sink */
    assert_none_waits (owed);
    assert_true (owed_waiting (owed, 1, &waiting));
    owed_enter (owed, 1, "x", 1, CHUNK);
    owed_acknowledged (owed, 0, 1);
    assert_true (has (owed, "a"));
    owed_acknowledged (owed, 1, 1);
    assert_false (has (owed, "a"));
}

/*  More in flight than the ring holds at first, while it wraps round. */
static void a_long_pipe (void **state)
{
    owed_t *owed = *state;
    uint64_t acknowledged = 0;
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf (key, sizeof key, "k%d", i);
        put (owed, key, 0, NULL);
        enter (owed, key, key);
        owed_sent (owed, 0);
        if (i % 3 == 2)
            owed_acknowledged (owed, 0, ++acknowledged);
    }
    assert_int_equal (owed_count (owed), 1000 - acknowledged);
    owed_again (owed, 0, 0);
    owed_chunk_t chunk;
    for (uint64_t sequence = acknowledged + 1; sequence <= 1000; sequence++) {
        assert_true (owed_to_send (owed, 0, &chunk));
        assert_int_equal (chunk.sequence, sequence);
        snprintf (key, sizeof key, "k%d", (int)sequence - 1);
        assert_true (span_equal (chunk.body, span_of (key)));
        owed_sent (owed, 0);
    }
    assert_false (owed_to_send (owed, 0, &chunk));
}

static void visit (void *arg, const void *key, size_t key_size)
{
    strncat (arg, key, key_size);
}

static void each_with_body (void **state)
{
    owed_t *owed = *state;
    char keys[64] = "";
    put (owed, "a", 0, "x");
    put (owed, "b", 0, NULL);
    put (owed, "c", 1, "x");
    enter (owed, "a", "x"); /* in flight: still owed */
    owed_each_with_body (owed, visit, keys);
    assert_string_equal (keys, "ac");
}

/*  ---- commits ---- */

/*  What a commit of the changes since the last call would write: "+oa=body -ob" (nil: no body). */
static void assert_collects (owed_t *owed, const char *expected)
{
    char text[256] = "";
    change_set_t changes = {0};
    change_t change;
    owed_collect (owed, &changes);
    for (size_t at = 0; change_set_next (&changes, &at, &change);) {
        size_t end = strlen (text);
        snprintf (text + end, sizeof text - end, "%s%c%.*s", end ? " " : "",
                  change.kind == CHANGE_PUT ? '+' : '-', (int)change.key_size,
                  (const char *)change.key);
        if (change.kind != CHANGE_PUT)
            continue;
        cursor_t cursor = cursor_of (change.value, change.value_size);
        cursor_uint (&cursor);
        bool nil = cursor_take_nil (&cursor);
        span_t body = nil ? span_of ("nil") : cursor_span (&cursor, 100);
        assert_true (cursor_finished (&cursor));
        end = strlen (text);
        snprintf (text + end, sizeof text - end, "=%.*s", (int)body.size, body.bytes);
    }
    change_set_free (&changes);
    assert_string_equal (text, expected);
}

static void commits (void **state)
{
    owed_t *owed = *state;
    put (owed, "a", 0, "body");
    put (owed, "b", 0, NULL);
    put (owed, "c", 0, NULL);
    owed_drop (owed, 0); /* a came and went between two commits */
    assert_collects (owed, "+ob=nil +oc=nil");
    assert_collects (owed, "");
    enter (owed, "b", "b");
    assert_collects (owed, ""); /* in flight is as owed as waiting */
    put (owed, "c", 0, "new");
    owed_acknowledged (owed, 0, 1);
    assert_collects (owed, "-ob +oc=new");
    enter (owed, "c", "c");
    owed_acknowledged (owed, 0, 2);
    put (owed, "c", 0, "again"); /* the removal comes before the new record */
    assert_collects (owed, "-oc +oc=again");
    enter (owed, "c", "c");
    owed_acknowledged (owed, 0, 3);
    put (owed, "c", 0, NULL);
    enter (owed, "c", "c");
    owed_acknowledged (owed, 0, 4); /* never stored anew, but the old record must still go */
    assert_collects (owed, "-oc");
}

static void loads (void **state)
{
    owed_t *owed = *state;
    put (owed, "a", 3, "body");
    put (owed, "b", 4, NULL);
    change_set_t changes = {0};
    owed_collect (owed, &changes);
    owed_t *other = owed_new (SINKS);
    change_t change;
    for (size_t at = 0; change_set_next (&changes, &at, &change);)
        assert_int_equal (
            owed_load (other, change.key, change.key_size, change.value, change.value_size), 0);
    change_set_free (&changes);
    assert_int_equal (owed_count (other), 2);
    assert_collects (other, ""); /* as stored */
    assert_waits (other, "b", NULL);
    owed_waiting_t waiting;
    assert_true (owed_waiting (other, 1, &waiting));
    assert_true (span_equal (waiting.body, span_of ("body")));
    owed_drop (other, 1);
    assert_collects (other, "-oa");
    owed_destroy (&other);
}

static void forgotten_wherever_it_is (void **state)
{
    owed_t *owed = *state;
    for (const char *key = "abcd"; *key; key++)
        owed_put (owed, key, 1, 0, "body", 4);
    change_set_t changes = {0};
    owed_collect (owed, &changes);
    change_set_free (&changes);
    enter (owed, "a", "aa");
    enter (owed, "b", "bb");
    assert_sends (owed, "1:aa 2:bb");
    owed_forget (owed, "a", 1); /* under way */
    owed_forget (owed, "d", 1); /* waiting */
    owed_forget (owed, "x", 1);
    assert_int_equal (owed_count (owed), 2);
    assert_collects (owed, "-oa -od");
    put (owed, "a", 0, "new"); /* what is under way settles nothing of it */
    owed_acknowledged (owed, 0, 1);
    assert_true (has (owed, "a"));
    owed_restart (owed, 0);
    assert_waits (owed, "b", "body");
    owed_drop (owed, 0);
    assert_waits (owed, "c", "body");
}

static void remembers_the_generation (void **state)
{
    owed_t *owed = *state;
    assert_int_equal (owed_generation (owed, 1), 0);
    owed_set_generation (owed, 1, UINT64_MAX);
    put (owed, "a", 0, "body");
    change_set_t changes = {0};
    owed_collect (owed, &changes);
    assert_int_equal (changes.count, 2); /* one commit has both */
    owed_t *other = owed_new (SINKS), *fewer = owed_new (1);
    change_t change;
    for (size_t at = 0; change_set_next (&changes, &at, &change);) {
        assert_int_equal (
            owed_load (other, change.key, change.key_size, change.value, change.value_size), 0);
        assert_int_equal (
            owed_load (fewer, change.key, change.key_size, change.value, change.value_size), 0);
    }
    assert_true (owed_generation (other, 1) == UINT64_MAX);
    assert_int_equal (owed_generation (other, 0), 0);
    assert_int_equal (owed_generation (fewer, 0), 0);
    assert_int_equal (owed_count (other), 1);
    assert_collects (other, "");
    change_set_free (&changes);
    owed_destroy (&other);
    owed_destroy (&fewer);
}

static void refuses (void **state)
{
    static const struct {
        const char *name, *key, *value;
        size_t key_size, value_size;
    } cases[] = {
        {"no value", "oa", "", 2, 0},
        {"no body field", "oa", "\x01", 2, 1},
        {"an empty body", "oa", "\x01\xc4\0", 2, 3},
        {"a body cut short", "oa", "\x01\xc4\x05xx", 2, 5},
        {"something behind it", "oa", "\x01\xc0\xc0", 2, 3},
        {"a negative route", "oa", "\xff\xc0", 2, 2},
        {"a generation cut short", "o\xff\x01", "", 3, 0},
        {"something behind a generation", "o\xff\x01", "\x01\x01", 3, 2},
        {"a generation of no sink", "o\xff", "\x01", 2, 1},
        {"no key", "o", "\x01\xc0", 1, 2},
        {"a key too long", "o34567890123456789012345678901234", "\x01\xc0", 34, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (owed_load (*state, (const uint8_t *)cases[i].key, cases[i].key_size,
                       (const uint8_t *)cases[i].value, cases[i].value_size) != -1)
            fail_msg ("%s: taken", cases[i].name);
    }
    assert_int_equal (owed_count (*state), 0);
}

/*  A watch waits for what was put in its time, as it was then or later, and for nothing else. */
static void watches (void **state)
{
    owed_t *owed = *state;
    put (owed, "before", 0, NULL);
    owed_watch (owed, 7);
    put (owed, "a", 0, NULL);
    put (owed, "b", 0, NULL);
    owed_watch_end (owed);
    put (owed, "after", 0, NULL);
    assert_int_equal (owed_watched (owed, 7), 2);
    assert_int_equal (owed_watched (owed, 8), 0);
    enter (owed, "before", "1");
    enter (owed, "a", "2");
    enter (owed, "b", "3");
    put (owed, "a", 0, NULL); /* owed again: what is on its way counts all the same */
    owed_acknowledged (owed, 0, 1);
    assert_int_equal (owed_watched (owed, 7), 2);
    owed_acknowledged (owed, 0, 2);
    assert_int_equal (owed_watched (owed, 7), 1);
    assert_true (has (owed, "a"));
    owed_restart (owed, 0); /* another sink: it comes again */
    assert_int_equal (owed_watched (owed, 7), 1);
    owed_watch (owed, 7); /* a later change, before the first is through */
    put (owed, "b", 0, NULL);
    owed_watch_end (owed);
    assert_int_equal (owed_watched (owed, 7), 1);
    enter (owed, "b", "4");
    owed_acknowledged (owed, 0, 4);
    assert_int_equal (owed_watched (owed, 7), 0);
    owed_watch (owed, 7);
    owed_watch_end (owed); /* nothing was put */
    assert_int_equal (owed_watched (owed, 7), 0);
    assert_int_equal (owed_count (owed), 2);
    owed_watch_present (owed, OWED_WATCH_FRESH);
    assert_int_equal (owed_watched (owed, OWED_WATCH_FRESH), 2);
    owed_watch (owed, 9);
    put (owed, "after", 0, NULL); /* changes over */
    owed_watch_end (owed);
    assert_int_equal (owed_watched (owed, OWED_WATCH_FRESH), 1);
    owed_drop (owed, 0); /* has no content any more */
    owed_drop (owed, 0);
    assert_int_equal (owed_watched (owed, OWED_WATCH_FRESH), 0);
    assert_int_equal (owed_watched (owed, 9), 0);
    put (owed, "c", 0, NULL);
    owed_watch_present (owed, 11); /* freed with it */
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (waits_flies_settles, make, unmake),
        cmocka_unit_test_setup_teardown (chunks, make, unmake),
        cmocka_unit_test_setup_teardown (put_again, make, unmake),
        cmocka_unit_test_setup_teardown (dropped, make, unmake),
        cmocka_unit_test_setup_teardown (a_gap, make, unmake),
        cmocka_unit_test_setup_teardown (another_sink, make, unmake),
        cmocka_unit_test_setup_teardown (routes, make, unmake),
        cmocka_unit_test_setup_teardown (a_long_pipe, make, unmake),
        cmocka_unit_test_setup_teardown (each_with_body, make, unmake),
        cmocka_unit_test_setup_teardown (commits, make, unmake),
        cmocka_unit_test_setup_teardown (loads, make, unmake),
        cmocka_unit_test_setup_teardown (forgotten_wherever_it_is, make, unmake),
        cmocka_unit_test_setup_teardown (remembers_the_generation, make, unmake),
        cmocka_unit_test_setup_teardown (refuses, make, unmake),
        cmocka_unit_test_setup_teardown (watches, make, unmake),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
