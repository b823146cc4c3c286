/*  shard_owner, on disk: workers share the shards fairly, never two of them one; a dead one's go at
 * once. The workers are several in one process (locks belong to open files), one is a process that
 * is killed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/memory.h"
#include "common/shard_owner.h"
#include "tests/unit/temp_folder.h"

enum { SHARDS = 16, WORKERS_MAX = 20 };

/*  A worker that gives back its surplus at the next turn, as one does after its last commit. */
typedef struct {
    shard_owner_t *owner;
    bool holds[SHARDS], surplus[SHARDS];
    int refuses; /* a shard that cannot be opened, or -1 */
    int tries;   /* … how often it was */
    int lost;    /* shards whose lock was no longer in place */
    bool keeps_lost; /* … are not given back yet: a commit is under way */
    int64_t due_ms;  /* what the last step said */
    char error[256];
} member_t;

static int on_taken (void *arg, uint32_t shard)
{
    member_t *member = arg;
    assert_false (member->holds[shard]);
    member->tries += member->refuses == (int)shard;
    if (member->refuses == (int)shard)
        return -1;
    member->holds[shard] = true;
    return 0;
}

static void on_surplus (void *arg, uint32_t shard)
{
    member_t *member = arg;
    assert_true (member->holds[shard]);
    member->surplus[shard] = true;
}

static void on_lost (void *arg, uint32_t shard)
{
    member_t *member = arg;
    assert_true (member->holds[shard]);
    member->lost++;
    if (member->keeps_lost)
        return;
    shard_owner_release (member->owner, shard);
    member->holds[shard] = member->surplus[shard] = false;
}

static void join (member_t *member, const char *folder, int number)
{
    char name[32], error[256] = "";
    const shard_owner_events_t events = {member, on_taken, on_surplus, on_lost};
    *member = (member_t){.refuses = -1};
    snprintf (name, sizeof name, "worker-%02d", number);
    member->owner = shard_owner_new (folder, name, SHARDS, &events, error, sizeof error);
    if (!member->owner)
        fail_msg ("%s", error);
}

static uint32_t held (const member_t *member)
{
    uint32_t count = 0;
    for (int i = 0; i < SHARDS; i++)
        count += member->holds[i];
    return count;
}

static void step (member_t *member, int64_t now_ms)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (!member->surplus[i])
            continue;
        shard_owner_release (member->owner, i);
        member->surplus[i] = member->holds[i] = false;
    }
    member->due_ms = shard_owner_step (member->owner, now_ms, member->error, sizeof member->error);
}

/*  Every shard has one owner, and nobody more or less than its share. */
static void assert_fair (const member_t *members, uint32_t count)
{
    for (int shard = 0; shard < SHARDS; shard++) {
        uint32_t owners = 0;
        for (uint32_t i = 0; i < count; i++)
            owners += members[i].holds[shard];
        assert_int_equal (owners, 1);
    }
    for (uint32_t i = 0; i < count; i++)
        assert_in_range (held (&members[i]), SHARDS / count, (SHARDS + count - 1) / count);
}

static void turns (member_t *members, uint32_t count, int64_t *now_ms)
{
    for (int turn = 0; turn < 6; turn++) {
        *now_ms += SHARD_OWNER_STEP_MS;
        for (uint32_t i = 0; i < count; i++)
            step (&members[i], *now_ms);
    }
}

static void come_and_go (void **state)
{
    member_t *members = memory_new_array (WORKERS_MAX, sizeof *members);
    int64_t now_ms = 1000000;
    join (&members[0], *state, 0);
    step (&members[0], now_ms);
    step (&members[0], now_ms + SHARD_OWNER_SETTLE_MS - 1);
    assert_int_equal (held (&members[0]), 0); /* others may be about to come */
    assert_int_equal (members[0].due_ms, SHARD_OWNER_HASTE_MS);
    step (&members[0], now_ms + SHARD_OWNER_SETTLE_MS);
    assert_int_equal (held (&members[0]), SHARDS);
    assert_int_equal (members[0].due_ms, SHARD_OWNER_STEP_MS);
    for (uint32_t count = 2; count <= WORKERS_MAX; count++) {
        join (&members[count - 1], *state, (int)count - 1);
        turns (members, count, &now_ms);
        assert_fair (members, count);
    }
    for (uint32_t count = WORKERS_MAX - 1; count >= 1; count--) {
        shard_owner_destroy (&members[count].owner);
        members[count] = (member_t){0};
        turns (members, count, &now_ms);
        assert_fair (members, count);
    }
    assert_int_equal (held (&members[0]), SHARDS);
    shard_owner_destroy (&members[0].owner);
    shard_owner_destroy (&members[0].owner);
    free (members);
}

/*  It is tried again, less and less often, and at once by another who gets it. */
static void one_that_cannot_be_opened (void **state)
{
    member_t members[2];
    int64_t now_ms = 0;
    join (&members[0], *state, 0);
    members[0].refuses = 3;
    for (int i = 0; i < 600; i++)
        step (&members[0], now_ms += 100);
    assert_int_equal (held (&members[0]), SHARDS - 1);
    /* After 1, 2 and 4 s, then each 5. */
    assert_in_range (members[0].tries, 12, 15);
    join (&members[1], *state, 1); /* given back: another may have more luck */
    for (int i = 0; i < 4; i++)
        turns (members, 2, &now_ms);
    assert_true (members[1].holds[3]);
    assert_fair (members, 2);
    for (int i = 0; i < 2; i++)
        shard_owner_destroy (&members[i].owner);
}

/*  One that holds too little waits for others to give back, in haste at first. */
static void haste (void **state)
{
    member_t members[2];
    int64_t now_ms = 0;
    join (&members[0], *state, 0);
    turns (members, 1, &now_ms);
    join (&members[1], *state, 1);
    for (int64_t until_ms = now_ms + SHARD_OWNER_HASTE_MAX_MS; now_ms < until_ms; now_ms += 50) {
        step (&members[1], now_ms);
        assert_int_equal (members[1].due_ms, SHARD_OWNER_HASTE_MS);
    }
    step (&members[1], now_ms + SHARD_OWNER_SETTLE_MS);
    assert_int_equal (members[1].due_ms, SHARD_OWNER_STEP_MS);
    turns (members, 2, &now_ms);
    assert_fair (members, 2);
    assert_int_equal (members[1].due_ms, SHARD_OWNER_STEP_MS);
    for (int i = 0; i < 2; i++)
        shard_owner_destroy (&members[i].owner);
}

/*  One that does not step any more keeps what it has; what it would be due goes to the others. */
static void a_frozen_one (void **state)
{
    member_t members[3];
    int64_t now_ms = 0;
    join (&members[0], *state, 0);
    turns (members, 1, &now_ms);
    join (&members[1], *state, 1);
    join (&members[2], *state, 2);
    step (&members[2], now_ms);       /* frozen before it took anything */
    for (int i = 0; i < 40; i++) {
        now_ms += SHARD_OWNER_STEP_MS;
        step (&members[0], now_ms);
        step (&members[1], now_ms);
    }
    assert_int_equal (held (&members[2]), 0);
    assert_fair (members, 2);
    turns (members, 3, &now_ms);      /* it goes on */
    turns (members, 3, &now_ms);
    assert_fair (members, 3);
    for (int i = 0; i < 40; i++) {    /* frozen with its share */
        now_ms += SHARD_OWNER_STEP_MS;
        step (&members[0], now_ms);
        step (&members[1], now_ms);
    }
    assert_fair (members, 3);
    for (int i = 0; i < 3; i++)
        shard_owner_destroy (&members[i].owner);
}

/*  A drain: the others share all there is, and take each shard as soon as it is given back. */
static void leaving (void **state)
{
    member_t members[2];
    int64_t now_ms = 0;
    join (&members[0], *state, 0);
    join (&members[1], *state, 1);
    turns (members, 2, &now_ms);
    assert_fair (members, 2);
    shard_owner_leave (members[1].owner);
    shard_owner_leave (members[1].owner);
    turns (members, 2, &now_ms);
    assert_int_equal (held (&members[1]), SHARDS / 2);
    assert_int_equal (held (&members[0]), SHARDS / 2);
    for (uint32_t i = 0; i < SHARDS; i++)
        members[1].surplus[i] = members[1].holds[i];
    step (&members[1], now_ms);
    step (&members[0], now_ms + SHARD_OWNER_STEP_MS);
    assert_int_equal (held (&members[0]), SHARDS);
    assert_int_equal (held (&members[1]), 0); /* and takes none of them again */
    for (int i = 0; i < 2; i++)
        shard_owner_destroy (&members[i].owner);
}

/*  ---- folders that are removed under it ---- */

static void sweep (const char *folder, const char *name)
{
    char path[512];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    nftw (path, temp_folder_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static void a_removed_shard (void **state)
{
    static const char *const removed[] = {"5", "5/lock"};
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
        member_t members[2];
        int64_t now_ms = 0;
        join (&members[0], *state, 0);
        turns (members, 1, &now_ms);
        assert_int_equal (members[0].lost, 0);
        sweep (*state, removed[i]);
        members[0].keeps_lost = true;
        step (&members[0], now_ms);
        assert_int_equal (members[0].lost, 1);
        step (&members[0], now_ms);
        assert_int_equal (members[0].lost, 2); /* asked again until it lets go */
        members[0].keeps_lost = false;
        step (&members[0], now_ms);
        assert_true (members[0].holds[5]); /* taken anew */
        assert_int_equal (members[0].lost, 3);
        turns (members, 1, &now_ms);
        assert_int_equal (members[0].lost, 3);
        assert_int_equal (held (&members[0]), SHARDS);
        shard_owner_destroy (&members[0].owner);
    }
}

/*  Another was faster: it stays its. */
static void a_removed_shard_that_another_took (void **state)
{
    member_t members[2];
    int64_t now_ms = 0;
    join (&members[0], *state, 0);
    turns (members, 1, &now_ms);
    members[0].keeps_lost = true; /* as one that is frozen */
    sweep (*state, "");
    join (&members[1], *state, 1);
    now_ms += SHARD_OWNER_STEP_MS;
    step (&members[1], now_ms);
    step (&members[1], now_ms + SHARD_OWNER_SETTLE_MS);
    assert_true (held (&members[1]) >= SHARDS / 2);
    members[0].keeps_lost = false;
    turns (members, 2, &now_ms);
    assert_fair (members, 2);
    assert_int_equal (members[0].lost, SHARDS); /* each of its own once */
    assert_int_equal (members[1].lost, 0);
    for (int i = 0; i < 2; i++)
        shard_owner_destroy (&members[i].owner);
}

static void a_removed_membership (void **state)
{
    member_t members[2];
    int64_t now_ms = 0;
    join (&members[0], *state, 0);
    turns (members, 1, &now_ms);
    sweep (*state, "members");
    step (&members[0], now_ms);
    join (&members[1], *state, 1); /* is counted, and counts the other */
    turns (members, 2, &now_ms);
    assert_fair (members, 2);
    /* Its name was taken over meanwhile. */
    sweep (*state, "members");
    member_t other;
    join (&other, *state, 0);
    step (&members[0], now_ms);
    assert_int_equal (members[0].due_ms, -1);
    assert_non_null (strstr (members[0].error, *state));
    shard_owner_destroy (&other.owner);
    for (int i = 0; i < 2; i++)
        shard_owner_destroy (&members[i].owner);
}

static void a_killed_process (void **state)
{
    member_t members[2];
    int64_t now_ms = 0;
    int ends[2];
    char byte;
    assert_int_equal (pipe (ends), 0);
    pid_t child = fork ();
    if (child == 0) {
        join (&members[1], *state, 1);
        turns (&members[1], 1, &now_ms);
        _exit (write (ends[1], "x", 1) == 1 && held (&members[1]) == SHARDS ? pause () : 1);
    }
    close (ends[1]);
    assert_int_equal (read (ends[0], &byte, 1), 1);
    close (ends[0]);
    join (&members[0], *state, 0);
    turns (members, 1, &now_ms);
    assert_int_equal (held (&members[0]), 0);
    kill (child, SIGKILL);
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFSIGNALED (status));
    turns (members, 1, &now_ms);
    assert_int_equal (held (&members[0]), SHARDS);
    /* Its name is free as well: it starts anew under it. */
    join (&members[1], *state, 1);
    turns (members, 2, &now_ms);
    assert_fair (members, 2);
    for (int i = 0; i < 2; i++)
        shard_owner_destroy (&members[i].owner);
}

static void names (void **state)
{
    member_t member;
    char error[256] = "";
    const shard_owner_events_t events = {&member, on_taken, on_surplus, on_lost};
    join (&member, *state, 7);
    assert_null (shard_owner_new (*state, "worker-07", SHARDS, &events, error, sizeof error));
    assert_non_null (strstr (error, *state));
    assert_null (shard_owner_new (*state, "a/b", SHARDS, &events, error, sizeof error));
    char path[256];
    snprintf (path, sizeof path, "%s/5", (char *)*state);
    assert_string_equal (shard_owner_folder (member.owner, 5), path);
    shard_owner_release (member.owner, 5); /* not held: nothing */
    shard_owner_destroy (&member.owner);
    join (&member, *state, 7);
    shard_owner_destroy (&member.owner);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown (test, temp_folder_make, temp_folder_remove)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK (come_and_go),
        ON_DISK (one_that_cannot_be_opened),
        ON_DISK (haste),
        ON_DISK (a_frozen_one),
        ON_DISK (leaving),
        ON_DISK (a_removed_shard),
        ON_DISK (a_removed_shard_that_another_took),
        ON_DISK (a_removed_membership),
        ON_DISK (a_killed_process),
        ON_DISK (names),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
