/*  share_plan: who should hold how many; and that workers which follow it, each by what it sees of
 *  the others a while ago, come to fair shares with no move that is not needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "common/memory.h"
#include "common/share_plan.h"

enum { MEMBERS_MAX = 40, SHARDS_MAX = 64 };

/*  Members as "held" with ! for frozen; what each should hold. */
static void table (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t shards;
        int held[6]; /* -1 ends; +100: frozen */
        int should[6];
    } cases[] = {
        {"one takes all", 16, {0, -1}, {16}},
        {"two at once", 16, {0, 0, -1}, {8, 8}},
        {"uneven: the first get one more", 16, {0, 0, 0, -1}, {6, 5, 5}},
        {"uneven: who has one more keeps it", 16, {5, 5, 6, -1}, {5, 5, 6}},
        {"a join: the old ones give", 16, {16, 0, -1}, {8, 8}},
        {"a join of a lesser name", 16, {0, 8, 8, -1}, {5, 6, 5}},
        {"of 4, 4, 4, 4 one keeps 4", 16, {4, 4, 4, 4, 0, -1}, {4, 3, 3, 3, 3}},
        {"a leave: the first takes the rest", 9, {3, 3, -1}, {5, 4}},
        {"a leave: who has more keeps it", 9, {3, 5, -1}, {4, 5}},
        {"more workers than shards", 2, {0, 1, 1, -1}, {0, 1, 1}},
        {"more workers than shards, none taken", 2, {0, 0, 0, -1}, {1, 1, 0}},
        {"one frozen with its share", 16, {8, 108, -1}, {8, 8}},
        {"one frozen with nothing: the others take all", 16, {8, 0, 100, -1}, {8, 8, 5}},
        {"one frozen with more than its share", 16, {2, 112, 2, -1}, {2, 6, 2}},
        {"one frozen with all", 16, {0, 116, -1}, {0, 8}},
        {"no shards to share", 1, {0, 101, -1}, {0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        share_member_t members[6];
        uint32_t count = 0;
        for (; cases[i].held[count] >= 0; count++)
            members[count] = (share_member_t){(uint32_t)cases[i].held[count] % 100,
                                              cases[i].held[count] < 100};
        for (uint32_t at = 0; at < count; at++) {
            uint32_t should = share_plan (cases[i].shards, members, count, at);
            if ((int)should != cases[i].should[at])
                fail_msg ("%s: member %u should hold %d, not %u", cases[i].name, at,
                          cases[i].should[at], should);
        }
    }
}

/*  ---- a world of workers ---- */

typedef struct {
    bool there, frozen;
    uint32_t held, published;
    int giving[SHARDS_MAX]; /* steps left until that shard is given back, or 0 */
} worker_t;

typedef struct {
    uint32_t shard_count;
    worker_t workers[MEMBERS_MAX];
    int owner[SHARDS_MAX]; /* or -1 */
    int former[SHARDS_MAX];
    uint32_t moves;
    bool late; /* what a worker says of itself is now and then not seen by the others for a while */
    uint64_t random;
} world_t;

static uint32_t pick (world_t *world, uint32_t below)
{
    world->random ^= world->random << 13, world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (uint32_t)(world->random % below);
}

static uint32_t see (const world_t *world, uint32_t self, share_member_t *members, uint32_t *rank)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (!world->workers[i].there)
            continue;
        if (i == self)
            *rank = count;
        members[count++] = (share_member_t){
            i == self ? world->workers[i].held : world->workers[i].published,
            !world->workers[i].frozen};
    }
    return count;
}

/*  As shard_owner and worker do it: gives back after a commit of some steps, takes what is free. */
static void step (world_t *world, uint32_t self)
{
    worker_t *worker = &world->workers[self];
    share_member_t members[MEMBERS_MAX];
    uint32_t rank = 0, count = see (world, self, members, &rank);
    uint32_t target = share_plan (world->shard_count, members, count, rank);
    uint32_t surplus = worker->held > target ? worker->held - target : 0;
    for (uint32_t i = world->shard_count; i-- > 0;) {
        if (world->owner[i] != (int)self)
            continue;
        if (!worker->giving[i] && surplus)
            worker->giving[i] = 1 + (int)pick (world, 3);
        surplus -= surplus > 0;
        if (worker->giving[i] && --worker->giving[i] == 0) {
            world->owner[i] = -1;
            worker->held--;
        }
    }
    for (uint32_t i = 0; i < world->shard_count && worker->held < target; i++) {
        uint32_t shard = (rank * target + i) % world->shard_count;
        if (world->owner[shard] >= 0)
            continue;
        world->owner[shard] = (int)self;
        world->moves += world->former[shard] != (int)self;
        worker->held++;
    }
    if (!world->late || pick (world, 4))
        worker->published = worker->held;
}

/*  Everybody steps in some order, again and again. */
static void settle (world_t *world)
{
    for (int turn = 0; turn < 60 * MEMBERS_MAX; turn++) {
        uint32_t self = pick (world, MEMBERS_MAX);
        if (world->workers[self].there && !world->workers[self].frozen)
            step (world, self);
    }
}

static void remember (world_t *world)
{
    for (uint32_t i = 0; i < world->shard_count; i++)
        world->former[i] = world->owner[i];
    world->moves = 0;
}

static uint32_t live (const world_t *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < MEMBERS_MAX; i++)
        count += world->workers[i].there && !world->workers[i].frozen;
    return count;
}

/*  All shards have an owner; whoever works holds floor or ceil of what the frozen do not. */
static void assert_settled (const world_t *world, const char *when)
{
    uint32_t shards = world->shard_count, workers = live (world);
    for (uint32_t i = 0; i < world->shard_count; i++) {
        if (world->owner[i] < 0)
            fail_msg ("%s: shard %u has no owner", when, i);
    }
    for (uint32_t i = 0; i < MEMBERS_MAX; i++)
        shards -= world->workers[i].there && world->workers[i].frozen ? world->workers[i].held : 0;
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        const worker_t *worker = &world->workers[i];
        uint32_t least = shards / workers, most = (shards + workers - 1) / workers;
        if (worker->there && !worker->frozen && (worker->held < least || worker->held > most))
            fail_msg ("%s: worker %u of %u holds %u of %u", when, i, workers, worker->held, shards);
    }
}

static uint32_t pick_worker (world_t *world, bool there)
{
    for (;;) {
        uint32_t i = pick (world, MEMBERS_MAX);
        if (world->workers[i].there == there && !world->workers[i].frozen)
            return i;
    }
}

static void join (world_t *world)
{
    if (live (world) >= MEMBERS_MAX / 2)
        return;
    uint32_t self = pick_worker (world, false);
    world->workers[self] = (worker_t){.there = true};
    settle (world);
    assert_settled (world, "join");
    uint32_t held = world->workers[self].held;
    if (world->moves != held)
        fail_msg ("join: %u shards moved, the new worker holds %u", world->moves, held);
}

static void leave (world_t *world)
{
    if (live (world) < 2)
        return;
    uint32_t self = pick_worker (world, true), held = world->workers[self].held;
    world->workers[self].there = false;
    for (uint32_t i = 0; i < world->shard_count; i++)
        world->owner[i] = world->owner[i] == (int)self ? -1 : world->owner[i];
    settle (world);
    assert_settled (world, "leave");
    if (world->moves != held)
        fail_msg ("leave: %u shards moved, the worker held %u", world->moves, held);
}

static void freeze_and_wake (world_t *world)
{
    if (live (world) < 2)
        return;
    uint32_t self = pick_worker (world, true);
    world->workers[self].frozen = true;
    settle (world);
    assert_settled (world, "frozen");
    world->workers[self].frozen = false;
    settle (world);
    assert_settled (world, "woken");
}

/*  Several at once, from any state: only the end is judged. */
static void upheaval (world_t *world)
{
    world->late = true;
    for (uint32_t i = pick (world, 6); i > 0; i--) {
        bool there = pick (world, 2) != 0;
        if (there ? live (world) < 2 : live (world) >= MEMBERS_MAX / 2)
            continue;
        uint32_t self = pick_worker (world, there);
        world->workers[self] = (worker_t){.there = !there};
        for (uint32_t at = 0; at < world->shard_count && there; at++)
            world->owner[at] = world->owner[at] == (int)self ? -1 : world->owner[at];
    }
    settle (world);
    world->late = false;
    settle (world);
    assert_settled (world, "upheaval");
}

static void few_moves (void **state)
{
    (void)state;
    static void (*const acts[]) (world_t *) = {join, join, leave, freeze_and_wake, upheaval};
    for (uint64_t seed = 1; seed <= 60; seed++) {
        world_t *world = memory_new (sizeof *world);
        world->random = seed * UINT64_C (0x9e3779b97f4a7c15);
        world->shard_count = 1 + pick (world, SHARDS_MAX);
        for (uint32_t i = 0; i < SHARDS_MAX; i++)
            world->owner[i] = -1;
        world->workers[pick (world, MEMBERS_MAX)].there = true;
        settle (world);
        for (int act = 0; act < 20; act++) {
            remember (world);
            acts[pick (world, sizeof acts / sizeof *acts)](world);
        }
        free (world);
    }
}

int main (void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test (table), cmocka_unit_test (few_moves)};
    return cmocka_run_group_tests (tests, NULL, NULL);
}
