/*  shard_store, on disk: what a commit did is there after opening again, all of it or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lmdb.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/shard_check.h"
#include "common/shard_store.h"
#include "tests/unit/temp_folder.h"

static shard_store_t *open_bound (const char *folder, size_t bytes_max)
{
    char error[512] = "";
    shard_fault_t fault;
    shard_store_t *store = shard_store_open (folder, bytes_max, false, &fault, error, sizeof error);
    if (!store)
        fail_msg ("%s", error);
    assert_int_equal (fault, SHARD_FAULT_NONE);
    return store;
}

static shard_store_t *open_store (const char *folder)
{
    return open_bound (folder, SHARD_STORE_BYTES_MAX);
}

static void commit (shard_store_t *store, change_set_t *changes, uint64_t epoch)
{
    char error[256] = "";
    if (shard_store_commit (store, changes, epoch, error, sizeof error) != SHARD_FAULT_NONE)
        fail_msg ("%s", error);
    change_set_free (changes);
}

static shard_fault_t append (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value,
                   size_t value_size)
{
    buffer_t *text = arg;
    buffer_append (text, key, key_size);
    buffer_append (text, "=", 1);
    buffer_append (text, value, value_size);
    buffer_append (text, " ", 1);
    return SHARD_FAULT_NONE;
}

static void assert_stored (shard_store_t *store, const char *expected)
{
    char error[256];
    buffer_t text = {0};
    assert_int_equal (shard_store_load (store, append, &text, error, sizeof error), 0);
    buffer_append (&text, "", 1);
    assert_string_equal ((char *)text.bytes, expected);
    buffer_free (&text);
}

static void kept (void **state)
{
    shard_store_t *store = open_store (*state);
    change_set_t changes = {0};
    assert_int_equal (shard_store_epoch (store), 0);
    assert_stored (store, "");
    change_set_put (&changes, "b", 1, "2", 1);
    change_set_put (&changes, "a", 1, "1", 1);
    change_set_put (&changes, "empty", 5, NULL, 0);
    change_set_put (&changes, "zz", 2, "26", 2);
    commit (store, &changes, 5);
    shard_store_close (&store);
    shard_store_close (&store);

    store = open_store (*state);
    assert_int_equal (shard_store_epoch (store), 5);
    assert_stored (store, "a=1 b=2 empty= zz=26 "); /* in order, the epoch is no record */
    change_set_put (&changes, "a", 1, "one", 3);
    change_set_delete (&changes, "b", 1);
    change_set_delete (&changes, "never", 5);
    change_set_put (&changes, "c", 1, "x", 1);
    change_set_delete (&changes, "c", 1); /* in order of the set */
    commit (store, &changes, 5);
    assert_stored (store, "a=one empty= zz=26 ");
    commit (store, &changes, 9); /* nothing but the epoch */
    shard_store_close (&store);
    store = open_store (*state);
    assert_int_equal (shard_store_epoch (store), 9);
    assert_stored (store, "a=one empty= zz=26 ");
    shard_store_close (&store);
}

static void older_epochs (void **state)
{
    shard_store_t *store = open_store (*state);
    change_set_t changes = {0};
    char error[256] = "";
    change_set_put (&changes, "a", 1, "1", 1);
    commit (store, &changes, 7);
    change_set_put (&changes, "a", 1, "2", 1);
    assert_int_equal (shard_store_commit (store, &changes, 6, error, sizeof error), SHARD_FAULT_OWNER);
    assert_non_null (strstr (error, "newer owner"));
    assert_stored (store, "a=1 ");
    assert_int_equal (shard_store_epoch (store), 7);
    commit (store, &changes, 7);
    assert_stored (store, "a=2 ");
    shard_store_close (&store);
}

static shard_fault_t refuse_b (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value,
                     size_t value_size)
{
    (void)key_size, (void)value, (void)value_size;
    ++*(int *)arg;
    return key[0] == 'b' ? SHARD_FAULT_FORMAT : SHARD_FAULT_NONE;
}

static void refused_record (void **state)
{
    shard_store_t *store = open_store (*state);
    change_set_t changes = {0};
    char error[256] = "";
    int seen = 0;
    for (const char *key = "abc"; *key; key++)
        change_set_put (&changes, key, 1, "x", 1);
    commit (store, &changes, 1);
    assert_int_equal (shard_store_load (store, refuse_b, &seen, error, sizeof error), SHARD_FAULT_FORMAT);
    assert_int_equal (seen, 2);
    shard_store_close (&store);
}

/*  ---- what cannot be opened ---- */

static void assert_refused (const char *folder, shard_fault_t expected, const char *says)
{
    char error[512] = "";
    shard_fault_t fault;
    shard_store_t *store = shard_store_open (folder, SHARD_STORE_BYTES_MAX, false, &fault, error, sizeof error);
    assert_null (store);
    assert_int_equal (fault, expected);
    if (!strstr (error, says) || !strstr (error, folder))
        fail_msg ("%s", error);
}

static void path_of (char path[256], const char *folder)
{
    snprintf (path, 256, "%s/data.mdb", folder);
}

static void no_store (void **state)
{
    char path[256];
    assert_refused ("/nowhere/at/all", SHARD_FAULT_ACCESS, "No such file");
    path_of (path, *state);
    FILE *file = fopen (path, "w");
    for (int i = 0; i < 2000; i++)
        fputs ("not a store", file);
    fclose (file);
    assert_refused (*state, SHARD_FAULT_BROKEN, "data.mdb");
    truncate (path, 100);
    assert_refused (*state, SHARD_FAULT_BROKEN, "data.mdb");
    unlink (path);
    mkdir (path, 0755);
    assert_refused (*state, SHARD_FAULT_ACCESS, "not a file: move it away");
    rmdir (path);
    mkfifo (path, 0600);
    assert_refused (*state, SHARD_FAULT_ACCESS, "not a file: move it away");
}

/*  As a killed process leaves it that had just made the file. */
static void an_empty_file (void **state)
{
    char path[256];
    path_of (path, *state);
    fclose (fopen (path, "w"));
    shard_store_t *store = open_store (*state);
    assert_int_equal (shard_store_epoch (store), 0);
    assert_stored (store, "");
    shard_store_close (&store);
}

/*  Writes a record past the store, as another version would have. */
static void put_raw (const char *folder, const char *key, size_t key_size, const void *value, size_t size)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val at = {key_size, (void *)(uintptr_t)key}, what = {size, (void *)(uintptr_t)value};
    assert_int_equal (mdb_env_create (&env), 0);
    assert_int_equal (mdb_env_open (env, folder, MDB_NOLOCK, 0644), 0);
    assert_int_equal (mdb_txn_begin (env, NULL, 0, &txn), 0);
    assert_int_equal (mdb_dbi_open (txn, NULL, 0, &dbi), 0);
    assert_int_equal (mdb_put (txn, dbi, &at, &what, 0), 0);
    assert_int_equal (mdb_txn_commit (txn), 0);
    mdb_env_close (env);
}

/*  The store's own record, as it is of format 2 and later. */
static void put_format (const char *folder, uint32_t format, uint32_t wrong)
{
    struct {
        uint32_t format, zero;
        uint64_t epoch;
        uint32_t more, checksum;
    } record = {format, 0, 77, 5, 0};
    XXH64_hash_t seed = XXH3_64bits ("epoch", sizeof "epoch");
    record.checksum =
        wrong + (uint32_t)XXH3_64bits_withSeed (&record, offsetof (__typeof__ (record), checksum), seed);
    put_raw (folder, "epoch", sizeof "epoch", &record, sizeof record);
}

static void other_formats (void **state)
{
    uint64_t epoch = 77;
    put_raw (*state, "epoch", sizeof "epoch", &epoch, sizeof epoch);
    assert_refused (*state, SHARD_FAULT_FORMAT, "of format 1, this program knows 4: run the older version");
    put_format (*state, SHARD_STORE_FORMAT + 1, 0);
    assert_refused (*state, SHARD_FAULT_FORMAT, "of format 5, this program knows 4: run the newer version");
    put_format (*state, SHARD_STORE_FORMAT, 1);
    assert_refused (*state, SHARD_FAULT_BROKEN, "does not have its checksum");
    for (uint32_t format = SHARD_STORE_FORMAT_LEAST; format <= SHARD_STORE_FORMAT; format++) {
        put_format (*state, format, 0);
        shard_store_t *store = open_store (*state);
        assert_int_equal (shard_store_epoch (store), 77);
        shard_store_close (&store);
    }
}

static void no_epoch (void **state)
{
    put_raw (*state, "cell", 4, "value", 5);
    assert_refused (*state, SHARD_FAULT_BROKEN, "no epoch");
}

/*  ---- what is not what was written ---- */

static void a_wrong_record (void **state)
{
    static const struct {
        const char *name, *value;
        size_t size;
    } cases[] = {{"too short for a checksum", "abc", 3}, {"a checksum of something else", "123456789", 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[256] = "";
        shard_store_t *store = open_store (*state);
        change_set_t changes = {0};
        change_set_put (&changes, "b", 1, "1", 1);
        commit (store, &changes, 1);
        shard_store_close (&store);
        put_raw (*state, "b", 1, cases[i].value, cases[i].size);
        store = open_store (*state);
        buffer_t text = {0};
        if (shard_store_load (store, append, &text, error, sizeof error) != SHARD_FAULT_BROKEN ||
            !strstr (error, "checksum"))
            fail_msg ("%s: %s", cases[i].name, error);
        buffer_free (&text);
        shard_store_close (&store);
    }
}

/*  The same bytes under another key are another record. */
static void a_moved_record (void **state)
{
    shard_store_t *store = open_store (*state);
    change_set_t changes = {0};
    char error[256] = "";
    change_set_put (&changes, "aaaa", 4, "first value", 11);
    commit (store, &changes, 1);
    shard_store_close (&store);
    char path[256], *bytes;
    path_of (path, *state);
    FILE *file = fopen (path, "r+");
    size_t size = 1 << 20;
    bytes = memory_new (size);
    size = fread (bytes, 1, size, file);
    char *at = memmem (bytes, size, "aaaafirst", 9);
    assert_non_null (at);
    fseek (file, at - bytes, SEEK_SET);
    fputs ("aaab", file);
    fclose (file);
    free (bytes);
    store = open_store (*state);
    buffer_t text = {0};
    assert_int_equal (shard_store_load (store, append, &text, error, sizeof error), SHARD_FAULT_BROKEN);
    buffer_free (&text);
    shard_store_close (&store);
}

/*  ---- a file that is removed, replaced or cut while it is open ---- */

static void not_in_place (void **state)
{
    char path[256], aside[300], error[256] = "";
    path_of (path, *state);
    snprintf (aside, sizeof aside, "%s.aside", path);
    change_set_t changes = {0};
    shard_store_t *store = open_store (*state);
    change_set_put (&changes, "a", 1, "1", 1);
    commit (store, &changes, 1);
    assert_true (shard_store_is_in_place (store));
    change_set_put (&changes, "a", 1, "2", 1);

    rename (path, aside);
    assert_false (shard_store_is_in_place (store));
    assert_int_equal (shard_store_commit (store, &changes, 1, error, sizeof error), SHARD_FAULT_GONE);
    assert_non_null (strstr (error, "removed or replaced"));
    shard_store_t *other = open_store (*state);
    assert_int_equal (shard_store_epoch (other), 0);
    assert_false (shard_store_is_in_place (store));
    assert_int_equal (shard_store_commit (store, &changes, 1, error, sizeof error), SHARD_FAULT_GONE);
    shard_store_close (&other);

    rename (aside, path); /* it is back: nothing had been written */
    assert_true (shard_store_is_in_place (store));
    assert_stored (store, "a=1 ");
    commit (store, &changes, 1);
    truncate (path, 8192);
    change_set_put (&changes, "a", 1, "3", 1);
    assert_int_equal (shard_store_commit (store, &changes, 1, error, sizeof error), SHARD_FAULT_BROKEN);
    assert_non_null (strstr (error, "cut short"));
    change_set_free (&changes);
    shard_store_close (&store);
}

/*  A file system gives the number of a removed file to the next one. */
static void of_the_same_number (void **state)
{
    char path[256], error[256] = "";
    path_of (path, *state);
    change_set_t changes = {0};
    shard_store_t *store = open_store (*state);
    change_set_put (&changes, "a", 1, "1", 1);
    commit (store, &changes, 1);
    change_set_put (&changes, "b", 1, "2", 1);
    unlink (path);
    shard_store_t *other = open_store (*state);
    assert_false (shard_store_is_in_place (store));
    assert_int_equal (shard_store_commit (store, &changes, 1, error, sizeof error), SHARD_FAULT_GONE);
    assert_stored (other, "");
    change_set_free (&changes);
    shard_store_close (&other);
    shard_store_close (&store);
}

/*  Pages that a transaction allocates at the end and gives back are never written: such a file is short, and well. */
static void short_and_well (void **state)
{
    static const char value[400000];
    char error[512];
    shard_fault_t fault;
    change_set_t changes = {0};
    shard_store_t *store = open_store (*state);
    for (int i = 0; i < 8; i++) { /* until there are free pages to take */
        change_set_put (&changes, "a", 1, "1", 1);
        commit (store, &changes, 1);
    }
    change_set_put (&changes, "b", 1, "2", 1);
    change_set_put (&changes, "large", 5, value, sizeof value);
    change_set_delete (&changes, "large", 5);
    commit (store, &changes, 1);
    shard_store_close (&store);
    assert_null (shard_store_open (*state, SHARD_STORE_BYTES_MAX, false, &fault, error, sizeof error));
    assert_int_equal (fault, SHARD_FAULT_SHORT);
    const shard_check_options_t how = {.bytes_max = SHARD_STORE_BYTES_MAX};
    store = shard_check_open (*state, &how, &fault, error, sizeof error);
    assert_non_null (store);
    assert_stored (store, "a=1 b=2 ");
    change_set_put (&changes, "c", 1, "3", 1);
    commit (store, &changes, 1);
    assert_stored (store, "a=1 b=2 c=3 ");
    shard_store_close (&store);
}

static void a_short_file (void **state)
{
    static const char value[100000];
    char path[256];
    struct stat found;
    path_of (path, *state);
    change_set_t changes = {0};
    shard_store_t *store = open_store (*state);
    for (char key = 'a'; key < 'z'; key++)
        change_set_put (&changes, &key, 1, value, sizeof value);
    commit (store, &changes, 1);
    shard_store_close (&store);
    assert_int_equal (stat (path, &found), 0);
    truncate (path, found.st_size / 2);
    assert_refused (*state, SHARD_FAULT_SHORT, "shorter than its pages");
    char error[512];
    const shard_check_options_t how = {.bytes_max = SHARD_STORE_BYTES_MAX};
    shard_fault_t fault;
    assert_null (shard_check_open (*state, &how, &fault, error, sizeof error));
    assert_int_equal (fault, SHARD_FAULT_BROKEN); /* it was cut, not short from the beginning */
    assert_non_null (strstr (error, "ended in signal 7"));
}

/*  ---- against a model ---- */

enum { ROUNDS = 60, CHANGES = 120, KEYS = 3000 };

static uint64_t next_random (uint64_t *random)
{
    *random ^= *random << 13, *random ^= *random >> 7, *random ^= *random << 17;
    return *random;
}

/*  A map of the KEYS possible records: value size + 1, 0: absent. */
static void apply_to_model (uint32_t *model, change_set_t *changes, uint64_t *random)
{
    static const char zeros[5000];
    char key[16], other[16];
    uint32_t a = (uint32_t)(next_random (random) % KEYS),
             b = a + (uint32_t)(next_random (random) % 400);
    snprintf (key, sizeof key, "c%05u", a);
    snprintf (other, sizeof other, "c%05u", b);
    switch (next_random (random) % 8) {
    case 0:
        change_set_delete_range (changes, key, 6, other, 6);
        for (uint32_t i = a; i < b && i < KEYS; i++)
            model[i] = 0;
        break;
    case 1:
        change_set_delete_range (changes, other, 6, key, 6); /* empty: nothing */
        break;
    case 2:
        change_set_delete (changes, key, 6);
        model[a] = 0;
        break;
    default: {
        uint32_t size = (uint32_t)(next_random (random) % (a % 50 ? 60 : sizeof zeros));
        change_set_put (changes, key, 6, zeros, size);
        model[a] = size + 1;
    }
    }
}

typedef struct {
    const uint32_t *model;
    uint32_t seen;
} check_t;

static shard_fault_t check_record (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value,
                         size_t value_size)
{
    (void)value;
    check_t *check = arg;
    char text[16] = "";
    assert_int_equal (key_size, 6);
    memcpy (text, key + 1, 5);
    unsigned long number = strtoul (text, NULL, 10);
    assert_int_equal (check->model[number], value_size + 1);
    check->seen++;
    return SHARD_FAULT_NONE;
}

static void as_a_model (void **state)
{
    uint32_t *model = memory_new_array (KEYS, sizeof *model);
    uint64_t random = 88172645463325252;
    shard_store_t *store = open_store (*state);
    for (int round = 0; round < ROUNDS; round++) {
        change_set_t changes = {0};
        for (int i = 0; i < CHANGES; i++)
            apply_to_model (model, &changes, &random);
        if (round % 20 == 19) { /* all of it at once */
            change_set_delete_range (&changes, "c", 1, "d", 1);
            memset (model, 0, KEYS * sizeof *model);
        }
        commit (store, &changes, (uint64_t)round + 1);
        if (round % 7 == 0) {
            shard_store_close (&store);
            store = open_store (*state);
        }
        char error[256];
        check_t check = {model, 0};
        uint32_t wanted = 0;
        for (uint32_t i = 0; i < KEYS; i++)
            wanted += model[i] != 0;
        assert_int_equal (shard_store_load (store, check_record, &check, error, sizeof error), 0);
        assert_int_equal (check.seen, wanted);
    }
    shard_store_close (&store);
    free (model);
}

/*  ---- room ---- */

static shard_fault_t count_records (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value,
                          size_t value_size)
{
    (void)key, (void)key_size, (void)value, (void)value_size;
    ++*(uint32_t *)arg;
    return SHARD_FAULT_NONE;
}

static void put_large (change_set_t *changes, uint32_t first, uint32_t count)
{
    static const char value[1 << 20];
    for (uint32_t i = first; i < first + count; i++)
        change_set_put (changes, &i, sizeof i, value, sizeof value);
}

static uint32_t count_of (shard_store_t *store)
{
    char error[256];
    uint32_t count = 0;
    assert_int_equal (shard_store_load (store, count_records, &count, error, sizeof error), 0);
    return count;
}

/*  More than the map's first size: it grows by itself, and is opened again at its size. */
static void grows (void **state)
{
    shard_store_t *store = open_store (*state);
    change_set_t changes = {0};
    put_large (&changes, 0, 150);
    commit (store, &changes, 1);
    assert_int_equal (count_of (store), 150);
    shard_store_close (&store);
    store = open_store (*state);
    assert_int_equal (count_of (store), 150);
    put_large (&changes, 1000, 2);
    commit (store, &changes, 2);
    assert_int_equal (count_of (store), 152);
    shard_store_close (&store);
}

/*  At its bound it refuses, and says what to do; opened with a greater one it goes on. */
static void bounded (void **state)
{
    enum { BOUND = 8 << 20 };
    shard_store_t *store = open_bound (*state, BOUND);
    change_set_t changes = {0};
    char error[512] = "";
    put_large (&changes, 0, 5);
    commit (store, &changes, 1);
    put_large (&changes, 100, 5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal (shard_store_commit (store, &changes, 2, error, sizeof error), SHARD_FAULT_ROOM);
        assert_non_null (strstr (error, "its bound of 8388608 bytes: start again with a greater "
                                        "--shard-bytes-max"));
    }
    assert_int_equal (count_of (store), 5);
    assert_int_equal (shard_store_epoch (store), 1);
    shard_store_close (&store);
    store = open_bound (*state, BOUND); /* the same again: it can be read */
    assert_int_equal (count_of (store), 5);
    shard_store_close (&store);
    store = open_bound (*state, 2 * BOUND);
    commit (store, &changes, 2);
    assert_int_equal (count_of (store), 10);
    put_large (&changes, 200, 100); /* doubled once and once more, to the bound and not beyond */
    assert_int_equal (shard_store_commit (store, &changes, 2, error, sizeof error), SHARD_FAULT_ROOM);
    assert_non_null (strstr (error, "16777216"));
    change_set_free (&changes);
    shard_store_close (&store);
    store = open_bound (*state, BOUND); /* lower than what it has already: it can be read */
    assert_int_equal (count_of (store), 10);
    shard_store_close (&store);
}

/*  No room on the disk (here: a limit of the file's size): nothing has changed, and it goes on
 * after. */
static void a_full_disk (void **state)
{
    shard_store_t *store = open_store (*state);
    change_set_t changes = {0};
    char error[256] = "";
    put_large (&changes, 0, 1);
    commit (store, &changes, 1);
    struct rlimit limit, low = {4 << 20, RLIM_INFINITY};
    getrlimit (RLIMIT_FSIZE, &limit);
    low.rlim_max = limit.rlim_max;
    void (*handler) (int) = signal (SIGXFSZ, SIG_IGN);
    setrlimit (RLIMIT_FSIZE, &low);
    put_large (&changes, 1, 10);
    shard_fault_t fault = shard_store_commit (store, &changes, 2, error, sizeof error);
    setrlimit (RLIMIT_FSIZE, &limit);
    signal (SIGXFSZ, handler);
    assert_true (fault == SHARD_FAULT_ROOM || fault == SHARD_FAULT_ACCESS); /* may pass */
    assert_true (error[0] != '\0');
    assert_int_equal (count_of (store), 1);
    assert_int_equal (shard_store_epoch (store), 1);
    commit (store, &changes, 2);
    assert_int_equal (count_of (store), 11);
    shard_store_close (&store);
}

/*  A large commit closes the environment: what comes next finds all of it, and still guards the
 * epoch. */
static void large (void **state)
{
    enum { COUNT = 3000, VALUE_BYTES = 1000 };
    shard_store_t *store = open_store (*state);
    char error[256];
    uint8_t value[VALUE_BYTES] = {0};
    change_set_t changes = {0};
    for (uint8_t round = 1; round <= 3; round++) {
        memset (value, round, sizeof value);
        for (uint32_t i = 0; i < COUNT; i++)
            change_set_put (&changes, &i, sizeof i, value, sizeof value);
        commit (store, &changes, round);
    }
    assert_int_equal (shard_store_epoch (store), 3);
    change_set_put (&changes, "small", 5, "1", 1);
    assert_int_equal (shard_store_commit (store, &changes, 2, error, sizeof error), SHARD_FAULT_OWNER);
    commit (store, &changes, 4);
    buffer_t all = {0};
    assert_int_equal (shard_store_load (store, append, &all, error, sizeof error), 0);
    assert_int_equal (all.size,
                      COUNT * (sizeof (uint32_t) + 1 + VALUE_BYTES + 1) + strlen ("small=1 "));
    for (size_t at = sizeof (uint32_t) + 1; at < 2 * VALUE_BYTES; at += VALUE_BYTES + 6)
        assert_int_equal (all.bytes[at], 3);
    buffer_free (&all);
    shard_store_close (&store);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown (test, temp_folder_make, temp_folder_remove)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK (kept),           ON_DISK (large),          ON_DISK (older_epochs),
        ON_DISK (refused_record), ON_DISK (no_store),       ON_DISK (an_empty_file),
        ON_DISK (other_formats),  ON_DISK (no_epoch),       ON_DISK (a_wrong_record),
        ON_DISK (a_moved_record), ON_DISK (not_in_place),   ON_DISK (a_short_file),
        ON_DISK (of_the_same_number), ON_DISK (short_and_well),
        ON_DISK (as_a_model),     ON_DISK (grows),          ON_DISK (bounded),
        ON_DISK (a_full_disk),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
