/*  shard, on disk: what is committed is there again; what fails keeps everything and no more than
 *  that; what is broken is set aside and begun anew. The stage is one that counts keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/memory.h"
#include "common/pack.h"
#include "common/shard.h"
#include "common/shard_check.h"
#include "common/state_clock.h"
#include "tests/unit/temp_folder.h"

/*  ---- the stage: a value of 100 bytes by key, dirty ones are collected ---- */

enum { KEYS = 64, VALUE_BYTES = 100 };

typedef struct {
    uint8_t values[KEYS]; /* 0: none */
    bool dirty[KEYS];
    bool left[KEYS]; /* to collect_one () */
    int loaded;
} counts_t;

static counts_t *last; /* opened */

static void *open_counts (const stage_context_t *context)
{
    (void)context;
    return last = memory_new (sizeof (counts_t));
}

static void close_counts (void **shard_p)
{
    free (*shard_p);
    *shard_p = NULL;
}

static int load (void *shard, const uint8_t *key, size_t key_size, const uint8_t *value, size_t value_size)
{
    counts_t *self = shard;
    if (key_size != 2 || key[1] >= KEYS || value_size != VALUE_BYTES || value[0] == 0xff)
        return -1;
    self->values[key[1]] = value[0];
    return 0;
}

static void loaded (void *shard, const stage_time_t *time)
{
    (void)time;
    ((counts_t *)shard)->loaded++;
}

static void refresh (void *shard, const stage_time_t *time, stage_refresh_t what)
{
    (void)shard, (void)time, (void)what;
}

static void collect (void *shard, change_set_t *changes)
{
    counts_t *self = shard;
    for (uint8_t i = 0; i < KEYS; i++) {
        uint8_t key[2] = {'c', i}, value[VALUE_BYTES] = {self->values[i]};
        if (self->dirty[i])
            change_set_put (changes, key, sizeof key, value, sizeof value);
        self->dirty[i] = false;
    }
}

/*  Appends one record a call, of the least key that is left. */
static bool collect_one (void *shard, change_set_t *changes)
{
    counts_t *self = shard;
    for (uint8_t i = 0; i < KEYS; i++) {
        uint8_t key[2] = {'c', i}, value[VALUE_BYTES] = {self->values[i]};
        if (!self->left[i])
            continue;
        change_set_put (changes, key, sizeof key, value, sizeof value);
        self->left[i] = false;
        return true;
    }
    return false;
}

static void collect_none (void *shard, change_set_t *changes)
{
    (void)changes;
    counts_t *self = shard;
    memcpy (self->left, self->dirty, sizeof self->left);
    memset (self->dirty, 0, sizeof self->dirty);
}

static const stage_t counting = {.id = STAGE_METRICS,
                                 .name = "counting",
                                 .open = open_counts,
                                 .close = close_counts,
                                 .load = load,
                                 .loaded = loaded,
                                 .refresh = refresh,
                                 .collect = collect};

/*  ---- the world ---- */

typedef struct {
    char *folder, shard_folder[256];
    partition_names_t *partitions;
    stage_context_t context;
    int64_t wall_ms;
    size_t bytes_max;
    bool careful;
} world_t;

static int make (void **state)
{
    world_t *world = memory_new (sizeof *world);
    void *folder = NULL;
    if (temp_folder_make (&folder) != 0)
        return -1;
    world->folder = folder;
    snprintf (world->shard_folder, sizeof world->shard_folder, "%s/3", world->folder);
    mkdir (world->shard_folder, 0755);
    world->partitions = partition_names_new ();
    world->context = (stage_context_t){.shard = 3, .shard_count = 16};
    world->wall_ms = 1000000;
    world->bytes_max = SHARD_STORE_BYTES_MAX;
    *state = world;
    return 0;
}

static int unmake (void **state)
{
    world_t *world = *state;
    void *folder = world->folder;
    partition_names_destroy (&world->partitions);
    free (world);
    return temp_folder_remove (&folder);
}

static shard_t *try_open (world_t *world, shard_fault_t *fault, char *error, size_t error_size)
{
    const shard_options_t options = {.stage = &counting,
                                     .context = &world->context,
                                     .sink_count = 1,
                                     .partitions = world->partitions,
                                     .folder = world->shard_folder,
                                     .state = world->folder,
                                     .bytes_max = world->bytes_max,
                                     .careful = world->careful,
                                     .wall_ms = world->wall_ms};
    return shard_open (&options, fault, error, error_size);
}

static shard_t *open_shard (world_t *world)
{
    char error[512] = "";
    shard_fault_t fault;
    shard_t *shard = try_open (world, &fault, error, sizeof error);
    if (!shard)
        fail_msg ("%s", error);
    return shard;
}

static void set (shard_t *shard, uint8_t key, uint8_t value)
{
    counts_t *counts = shard->state;
    counts->values[key] = value;
    counts->dirty[key] = true;
}

static void apply (world_t *world, shard_t *shard, const char *partition, int64_t next, int64_t time_ms)
{
    vector_set (&shard->applied, partition_names_intern (world->partitions, span_of (partition)),
                (vector_entry_t){next, time_ms});
    shard->changed = true;
}

/*  As the committing thread does it. */
static shard_fault_t commit (shard_t *shard, int64_t now_ms)
{
    assert_true (shard_collect (shard));
    assert_false (shard_collect (shard)); /* one at a time */
    commit_job_t *job = shard_collect_more (shard);
    assert_non_null (job);
    assert_false (shard_collect (shard));
    job->fault = shard_store_commit (job->store, &job->changes, job->epoch, job->error, sizeof job->error);
    shard_fault_t fault = job->fault;
    shard_committed (shard, job, 5000, now_ms);
    commit_job_destroy (&job);
    return fault;
}

/*  As if it had. */
static void fail_commit (shard_t *shard, shard_fault_t fault)
{
    assert_true (shard_collect (shard));
    commit_job_t *job = shard_collect_more (shard);
    job->fault = fault;
    snprintf (job->error, sizeof job->error, "for the test");
    shard_committed (shard, job, 5000, 0);
    commit_job_destroy (&job);
}

/*  ---- tests ---- */

static void kept (void **state)
{
    world_t *world = *state;
    shard_t *shard = open_shard (world);
    assert_true (shard->fresh && !shard->rebuilt && !shard->reach.count);
    uint64_t epoch = shard->epoch;
    assert_true (epoch >= 1000000);
    set (shard, 5, 55);
    apply (world, shard, "p0", 100, 7000);
    apply (world, shard, "p1", 200, 9000);
    shard->watermark_ms = 6000;
    shard->exact_from_ms = 3000;
    shard->past_ms = 4000;
    shard->counts = (shard_counts_t){1, 2, 3};
    vector_set (&shard->reach, partition_names_intern (world->partitions, span_of ("p1")),
                (vector_entry_t){300, 9500});
    owed_put (shard->owed, "name", 4, 1, "body", 4);
    assert_int_equal (commit (shard, 0), SHARD_FAULT_NONE);
    assert_int_equal (vector_get (&shard->durable, 1).next, 200);
    assert_int_equal (shard->next_commit_ms, 5000);
    shard_destroy (&shard);
    shard_destroy (&shard);

    partition_names_destroy (&world->partitions); /* another process, that numbers them otherwise */
    world->partitions = partition_names_new ();
    partition_names_intern (world->partitions, span_of ("p1"));
    world->wall_ms = 10; /* and a clock that was set back */
    shard = open_shard (world);
    assert_false (shard->fresh);
    assert_true (shard->epoch > epoch);
    assert_int_equal (last->values[5], 55);
    assert_int_equal (last->loaded, 1);
    assert_int_equal (vector_get (&shard->applied, 0).next, 200);
    assert_int_equal (vector_get (&shard->durable, 1).greatest_ms, 7000);
    assert_int_equal (vector_get (&shard->reach, 0).next, 300);
    assert_true (shard->watermark_ms == 6000 && shard->exact_from_ms == 3000 && shard->past_ms == 4000);
    assert_true (shard->counts.counted == 1 && shard->counts.late == 2 && shard->counts.skipped == 3);
    assert_true (owed_has (shard->owed, "name", 4));
    assert_int_equal (shard_time (shard, 0).greatest_ms, 9000);
    shard->exact_from_ms = 9900;
    assert_int_equal (shard_time (shard, 0).greatest_ms, 9900);
    shard_destroy (&shard);
}

/*  A store without room: what failed is kept, and does not grow as long as nothing else changes. */
static void without_room (void **state)
{
    world_t *world = *state;
    world->bytes_max = SHARD_STORE_BYTES_LEAST;
    shard_t *shard = open_shard (world);
    for (int i = 0; i < 40000; i++) { /* a head that does not fit */
        char name[64];
        snprintf (name, sizeof name, "a partition with a long name, number %d", i);
        apply (world, shard, name, i, i);
    }
    set (shard, 9, 99);
    assert_int_equal (commit (shard, 1000), SHARD_FAULT_ROOM);
    assert_true (shard_is_stuck (shard) && !shard_is_lost (shard));
    assert_non_null (strstr (shard->trouble, "--shard-bytes-max"));
    assert_int_equal (shard->next_commit_ms, 2000);
    size_t bytes = shard->failed.log.size;
    assert_true (bytes < 1000);
    for (int i = 0; i < 50; i++)
        assert_int_equal (commit (shard, 2000), SHARD_FAULT_ROOM);
    assert_int_equal (shard->failed.log.size, bytes);
    assert_int_equal (shard->failed.count, 1);
    shard_destroy (&shard);

    world->bytes_max = SHARD_STORE_BYTES_MAX;
    shard = open_shard (world);
    assert_int_equal (last->values[9], 0);
    set (shard, 9, 98);
    fail_commit (shard, SHARD_FAULT_ROOM);
    set (shard, 9, 99);
    set (shard, 1, 11);
    fail_commit (shard, SHARD_FAULT_ACCESS);
    assert_int_equal (commit (shard, 0), SHARD_FAULT_NONE); /* all of it, in order */
    assert_false (shard_is_stuck (shard));
    assert_int_equal (shard->failed.count, 0);
    shard_destroy (&shard);
    shard = open_shard (world);
    assert_int_equal (last->values[9], 99);
    assert_int_equal (last->values[1], 11);
    shard_destroy (&shard);
}

/*  What is collected in parts is of when that began, but for what the stage says later; a shard that goes in between
 *  leaves no more behind than before. */
static void in_parts (void **state)
{
    world_t *world = *state;
    stage_t stepping = counting;
    stepping.collect = collect_none;
    stepping.collect_more = collect_one;
    for (int finished = 0; finished < 2; finished++) {
        shard_t *shard = open_shard (world);
        shard->stage = &stepping;
        assert_false (shard_collect (shard)); /* nothing has changed */
        set (shard, 1, (uint8_t)(10 + finished));
        set (shard, 2, 20);
        set (shard, 3, 30);
        apply (world, shard, "p0", 100 + finished, 7000);
        assert_true (shard_collect (shard));
        assert_false (shard->changed);
        assert_null (shard_collect_more (shard));
        set (shard, 1, 99);
        apply (world, shard, "p0", 200, 8000);
        shard->watermark_ms = 7500;
        assert_true (shard->changed);
        assert_null (shard_collect_more (shard));
        commit_job_t *job = finished ? shard_collect_more (shard) : NULL;
        if (job) {
            char error[256];
            assert_int_equal (
                shard_store_commit (job->store, &job->changes, job->epoch, error, sizeof error), 0);
            shard_committed (shard, job, 5000, 0);
            assert_int_equal (vector_get (&shard->durable, 0).next, 101);
            commit_job_destroy (&job);
        }
        shard_destroy (&shard);
        shard = open_shard (world);
        assert_int_equal (last->values[1], finished ? 11 : 0);
        assert_int_equal (last->values[3], finished ? 30 : 0);
        assert_int_equal (vector_get (&shard->applied, 0).next, finished ? 101 : VECTOR_ABSENT);
        assert_int_equal (shard->watermark_ms, EVENT_TIME_NONE);
        shard_destroy (&shard);
    }
}

static void lost (void **state)
{
    static const struct {
        shard_fault_t fault;
        bool lost, suspect;
    } cases[] = {{SHARD_FAULT_ROOM, false, false},
                 {SHARD_FAULT_ACCESS, false, false},
                 {SHARD_FAULT_OWNER, true, false},
                 {SHARD_FAULT_GONE, true, false},
                 {SHARD_FAULT_BROKEN, true, true}};
    world_t *world = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        shard_t *shard = open_shard (world);
        shard->changed = true;
        fail_commit (shard, cases[i].fault);
        assert_int_equal (shard_is_lost (shard), cases[i].lost);
        assert_int_equal (shard_is_stuck (shard), !cases[i].lost);
        assert_int_equal (shard_check_is_suspect (world->shard_folder), cases[i].suspect);
        shard_destroy (&shard);
    }
    /* Under suspicion: verified, and clear of it with the first commit. */
    shard_t *shard = open_shard (world);
    assert_true (shard_check_is_suspect (world->shard_folder));
    shard->changed = true;
    commit (shard, 0);
    assert_false (shard_check_is_suspect (world->shard_folder));
    shard_destroy (&shard);
}

/*  Puts one record into the store as it is. */
static void put (world_t *world, const char *key, size_t key_size, const void *value, size_t size)
{
    char error[256];
    shard_fault_t fault;
    change_set_t changes = {0};
    shard_store_t *store =
        shard_store_open (world->shard_folder, SHARD_STORE_BYTES_MAX, false, &fault, error, sizeof error);
    change_set_put (&changes, key, key_size, value, size);
    uint64_t epoch = shard_store_epoch (store);
    assert_int_equal (shard_store_commit (store, &changes, epoch, error, sizeof error), 0);
    change_set_free (&changes);
    shard_store_close (&store);
}

/*  Records that have their checksum, and cannot be read all the same; and bytes that are not
 *  what was written. */
static void broken (void **state)
{
    world_t *world = *state;
    for (int kind = 0; kind < 6; kind++) {
        shard_t *shard = open_shard (world);
        set (shard, 7, 77);
        apply (world, shard, "p0", 100, 7000);
        commit (shard, 0);
        uint64_t epoch = shard->epoch;
        shard_destroy (&shard);
        char path[300];
        snprintf (path, sizeof path, "%s/data.mdb", world->shard_folder);
        FILE *file = kind == 5 ? fopen (path, "r+") : NULL;
        switch (kind) {
        case 0:
            put (world, "c\x01", 2, "too short", 9);
            break;
        case 1:
            put (world, "h", 1, "\x02", 1);
            break;
        case 2:
            put (world, "oname", 5, "", 0);
            break;
        case 3:
            put (world, "z", 1, "a letter that is none of ours", 29);
            break;
        case 4:
            assert_int_equal (truncate (path, 4096 + 2000), 0);
            world->careful = true;
            break;
        default:
            for (int i = 0; i < 30000; i++)
                fputc (i, file);
            fclose (file);
        }
        world->wall_ms += 5;
        shard = open_shard (world);
        if (!shard->fresh || !shard->rebuilt || last->values[7] || shard->applied.count)
            fail_msg ("kind %d", kind);
        assert_true (shard->epoch > epoch);
        snprintf (path, sizeof path, "%s/data.mdb.corrupt-%lld", world->shard_folder,
                  (long long)world->wall_ms);
        assert_int_equal (access (path, F_OK), 0);
        shard_destroy (&shard);
    }
}

static void other_formats (void **state)
{
    static const struct {
        uint64_t format;
        const char *says;
    } cases[] = {{1, "the shard's head is of format 1, this program knows 2: run the older version"},
                 {3, "the shard's head is of format 3, this program knows 2: run the newer version"}};
    world_t *world = *state;
    char path[300];
    snprintf (path, sizeof path, "%s/data.mdb", world->shard_folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[512] = "";
        shard_fault_t fault;
        buffer_t head = {0};
        pack_uint (&head, cases[i].format);
        pack_uint (&head, 12345);
        put (world, "h", 1, head.bytes, head.size);
        buffer_free (&head);
        assert_null (try_open (world, &fault, error, sizeof error));
        assert_int_equal (fault, SHARD_FAULT_FORMAT);
        if (!strstr (error, cases[i].says) || !strstr (error, world->shard_folder))
            fail_msg ("%s", error);
        assert_int_equal (access (path, F_OK), 0); /* it stays where it is */
    }
}

/*  An entry of a partition that is gone is kept apart, over restarts; and comes back as it was. */
static void retires (void **state)
{
    world_t *world = *state;
    shard_t *shard = open_shard (world);
    apply (world, shard, "p0", 100, 9000);
    apply (world, shard, "p1", 200, 7000);
    assert_false (shard_retire (shard, 0)); /* not durable yet */
    assert_false (shard_retire (shard, 5)); /* never heard of */
    commit (shard, 0);
    assert_true (shard_retire (shard, 0));
    assert_false (shard_retire (shard, 0));
    assert_int_equal (vector_get (&shard->applied, 0).next, VECTOR_ABSENT);
    assert_int_equal (vector_get (&shard->durable, 0).next, VECTOR_ABSENT);
    assert_int_equal (shard_time (shard, 0).greatest_ms, 9000); /* it had that time */
    commit (shard, 0);
    shard_destroy (&shard);
    shard = open_shard (world);
    assert_int_equal (vector_get (&shard->applied, 0).next, VECTOR_ABSENT);
    assert_int_equal (vector_get (&shard->applied, 1).next, 200);
    assert_int_equal (shard_time (shard, 0).greatest_ms, 9000);
    assert_false (shard_revive (shard, 1)); /* has one */
    assert_true (shard_revive (shard, 0));
    assert_int_equal (vector_get (&shard->applied, 0).next, 100);
    assert_int_equal (vector_get (&shard->durable, 0).greatest_ms, 9000);
    commit (shard, 0);
    shard_destroy (&shard);
    shard = open_shard (world);
    assert_int_equal (retired_count (shard->retired), 0);
    assert_int_equal (vector_get (&shard->applied, 0).next, 100);
    shard_destroy (&shard);
}

static bool all_listed (const void *arg, uint32_t partition)
{
    return partition != *(const uint32_t *)arg;
}

static void behind (void **state)
{
    world_t *world = *state;
    uint32_t unlisted = UINT32_MAX;
    shard_t *shard = open_shard (world);
    assert_false (shard_is_behind (shard, all_listed, &unlisted));
    vector_set (&shard->reach, 0, (vector_entry_t){100, 0});
    vector_set (&shard->reach, 2, (vector_entry_t){50, 0});
    assert_true (shard_is_behind (shard, all_listed, &unlisted));
    apply (world, shard, "p0", 100, 1);
    assert_true (shard_is_behind (shard, all_listed, &unlisted));
    unlisted = 2; /* will never come */
    assert_false (shard_is_behind (shard, all_listed, &unlisted));
    unlisted = UINT32_MAX;
    shard->finished = true; /* nothing more will (--once) */
    assert_false (shard_is_behind (shard, all_listed, &unlisted));
    shard->finished = false;
    apply (world, shard, "p1", 1, 1);
    apply (world, shard, "p2", 49, 1);
    assert_true (shard_is_behind (shard, all_listed, &unlisted));
    apply (world, shard, "p2", 51, 1);
    assert_false (shard_is_behind (shard, all_listed, &unlisted));
    shard_destroy (&shard);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown (test, make, unmake)

int main (void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD (kept), IN_WORLD (without_room),  IN_WORLD (in_parts), IN_WORLD (lost),
        IN_WORLD (broken), IN_WORLD (other_formats), IN_WORLD (retires),  IN_WORLD (behind),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
