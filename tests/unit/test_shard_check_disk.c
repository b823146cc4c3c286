/*  shard_check, on disk: whatever became of a store's bytes, a process of its own finds out, and
 *  this one never reads records that were not written; what is broken is set aside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/crash_mark.h"
#include "common/shard_check.h"
#include "tests/unit/temp_folder.h"

static const size_t bound = SHARD_STORE_BYTES_MAX;

static void path_of (char path[256], const char *folder, const char *name)
{
    snprintf (path, 256, "%s/%s", folder, name);
}

/*  ---- a store with some commits, and what it holds ---- */

static shard_fault_t add_hash (void *arg, const uint8_t *key, size_t key_size, const uint8_t *value,
                               size_t value_size)
{
    uint64_t *hash = arg;
    *hash = XXH3_64bits_withSeed (key, key_size, *hash);
    *hash = XXH3_64bits_withSeed (value, value_size, *hash);
    return SHARD_FAULT_NONE;
}

/*  A hash over all records; 0 with *fault where they cannot be read. */
static uint64_t read_all (const char *folder, shard_fault_t *fault)
{
    char error[512];
    uint64_t hash = 1;
    shard_store_t *store = shard_store_open (folder, bound, true, fault, error, sizeof error);
    if (store)
        *fault = shard_store_load (store, add_hash, &hash, error, sizeof error);
    shard_store_close (&store);
    return *fault ? 0 : hash;
}

static void put_some (change_set_t *changes, uint32_t first, uint32_t count, char fill)
{
    char key[16], value[9000];
    memset (value, fill, sizeof value);
    for (uint32_t i = first; i < first + count; i++) {
        snprintf (key, sizeof key, "c%06u", i);
        change_set_put (changes, key, 7, value, i % 50 ? 40 + i % 300 : sizeof value);
    }
}

static void make_store (const char *folder, uint64_t commits, uint64_t hashes[2])
{
    char error[512];
    shard_fault_t fault;
    change_set_t changes = {0};
    shard_store_t *store = shard_store_open (folder, bound, true, &fault, error, sizeof error);
    for (uint64_t epoch = 1; epoch <= commits; epoch++) {
        put_some (&changes, 0, 1500, (char)epoch);
        change_set_delete_range (&changes, "c000700", 7, "c000800", 7);
        assert_int_equal (shard_store_commit (store, &changes, epoch, error, sizeof error), 0);
        change_set_clear (&changes);
        hashes[epoch - 1] = 1;
        shard_store_load (store, add_hash, &hashes[epoch - 1], error, sizeof error);
    }
    change_set_free (&changes);
    shard_store_close (&store);
}

typedef struct {
    uint8_t *bytes;
    size_t size;
} file_t;

static file_t read_file (const char *path)
{
    struct stat found;
    assert_int_equal (stat (path, &found), 0);
    file_t file = {malloc ((size_t)found.st_size), (size_t)found.st_size};
    FILE *from = fopen (path, "r");
    assert_int_equal (fread (file.bytes, 1, file.size, from), file.size);
    fclose (from);
    return file;
}

static void write_file (const char *path, file_t file)
{
    FILE *to = fopen (path, "w");
    assert_int_equal (fwrite (file.bytes, 1, file.size, to), file.size);
    fclose (to);
}

/*  ---- verdicts ---- */

static int progressed;

static void on_progress (void *arg)
{
    ++*(int *)arg;
}

static shard_fault_t verify (const char *folder)
{
    char error[512];
    shard_fault_t fault = shard_check_verify (folder, on_progress, &progressed, error, sizeof error);
    if (fault && (!strstr (error, folder) || strlen (error) < strlen (folder) + 20))
        fail_msg ("fault %d says: %s", (int)fault, error);
    return fault;
}

static void a_good_one (void **state)
{
    uint64_t hashes[2];
    assert_int_equal (verify (*state), SHARD_FAULT_NONE); /* none at all: nothing is wrong, nothing is made */
    char path[256];
    path_of (path, *state, "data.mdb");
    assert_int_not_equal (access (path, F_OK), 0);
    make_store (*state, 2, hashes);
    file_t before = read_file (path);
    progressed = 0;
    assert_int_equal (verify (*state), SHARD_FAULT_NONE);
    assert_true (progressed > 0);
    file_t after = read_file (path);
    assert_int_equal (before.size, after.size);
    assert_memory_equal (before.bytes, after.bytes, before.size);
    free (before.bytes);
    free (after.bytes);
}

/*  Places in a file of 4096-byte pages, and what is done there. */
static void damaged (void **state)
{
    static const struct {
        const char *name;
        size_t keep;             /* pages of the file that stay, 0: all */
        size_t from, count;      /* bytes that are overwritten … */
        int with;                /* … with this */
        shard_fault_t expected;
    } cases[] = {
        {"much of it is cut", 60, 0, 0, 0, SHARD_FAULT_BROKEN},
        {"cut to its first pages", 2, 0, 0, 0, SHARD_FAULT_BROKEN},
        {"zeros in the middle", 0, 20 * 4096, 40 * 4096, 0, SHARD_FAULT_BROKEN},
        {"ones in the middle", 0, 20 * 4096, 40 * 4096, 0xff, SHARD_FAULT_BROKEN},
        {"all but the first pages are zeros", 0, 2 * 4096, SIZE_MAX, 0, SHARD_FAULT_BROKEN},
        {"all is ones", 0, 0, SIZE_MAX, 0xff, SHARD_FAULT_BROKEN},
        {"one byte of a record", 0, 30 * 4096 + 2000, 1, 0x55, SHARD_FAULT_BROKEN},
    };
    uint64_t hashes[2];
    char path[256];
    make_store (*state, 1, hashes); /* all pages but a few are in use */
    path_of (path, *state, "data.mdb");
    file_t good = read_file (path);
    assert_true (good.size > 100 * 4096);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        file_t bad = {malloc (good.size), cases[i].keep ? cases[i].keep * 4096 : good.size};
        memcpy (bad.bytes, good.bytes, good.size);
        size_t most = good.size - cases[i].from;
        memset (bad.bytes + cases[i].from, cases[i].with, cases[i].count < most ? cases[i].count : most);
        write_file (path, bad);
        free (bad.bytes);
        if (verify (*state) != cases[i].expected)
            fail_msg ("%s", cases[i].name);
    }
    free (good.bytes);
}

/*  Damage at random: what is called good is what one of the two commits wrote. (The pages at
 *  which LMDB begins are two, each with its commit: without the newer one the older holds, all
 *  of it.) */
static void damaged_at_random (void **state)
{
    enum { ROUNDS = 400 };
    uint64_t hashes[2], random = 88172645463325252;
    char path[256];
    int broken = 0;
    make_store (*state, 2, hashes);
    path_of (path, *state, "data.mdb");
    file_t good = read_file (path);
    file_t bad = {malloc (good.size), good.size};
    for (int round = 0; round < ROUNDS; round++) {
        memcpy (bad.bytes, good.bytes, good.size);
        bad.size = good.size;
        for (int i = 0; i < 3; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            size_t at = (size_t)(random >> 8) % good.size, page = at / 4096 * 4096;
            uint8_t byte = (uint8_t)(random >> 40);
            switch (round % 8) {
            case 0:
                bad.bytes[at] ^= (uint8_t)(1 << byte % 8);
                break;
            case 1:
                bad.bytes[page + byte % 64] = byte; /* where a page says what it is */
                break;
            case 2:
                memset (bad.bytes + page, byte, 4096);
                break;
            case 3:
                memcpy (bad.bytes + page, good.bytes + (size_t)(random >> 20) % (good.size / 4096) * 4096, 4096);
                break;
            case 4:
                bad.bytes[(size_t)byte % 2 * 4096 + at % 160] ^= (uint8_t)(random >> 48);
                break;
            case 5:
                bad.size = bad.size - at % 4096 > 8192 ? page + 8192 : bad.size;
                bad.size = bad.size > good.size ? good.size : bad.size;
                break;
            case 6:
                memset (bad.bytes + at, byte, good.size - at < 700 ? good.size - at : 700);
                break;
            default:
                for (size_t word = page; word < page + 4096; word += 512)
                    bad.bytes[word + byte] ^= byte;
            }
        }
        write_file (path, bad);
        shard_fault_t fault = verify (*state);
        broken += fault == SHARD_FAULT_BROKEN;
        if (fault)
            continue;
        uint64_t hash = read_all (*state, &fault);
        if (fault || (hash != hashes[0] && hash != hashes[1]))
            fail_msg ("round %d: called good, fault %d, hash %llx", round, (int)fault,
                      (unsigned long long)hash);
    }
    assert_in_range (broken, ROUNDS / 4, ROUNDS); /* else nothing was damaged */
    free (good.bytes);
    free (bad.bytes);
}

/*  ---- what processes died of ---- */

/*  A child that cuts the file under its own feet, at work on the store; returns its signal. */
static int die_at_work (const char *folder, int by)
{
    pid_t child = fork ();
    if (child == 0) {
        char error[512], path[256], mark[256];
        shard_fault_t fault;
        for (int number = 1; number < 32; number++)
            signal (number, SIG_DFL);
        freopen ("/dev/null", "w", stderr);
        crash_mark_install ();
        path_of (path, folder, "data.mdb");
        if (by == SIGBUS) {
            truncate (path, 3 * 4096);
            shard_store_t *store = shard_store_open (folder, bound, true, &fault, error, sizeof error);
            uint64_t hash = 0;
            if (store)
                shard_store_load (store, add_hash, &hash, error, sizeof error);
            _exit (1);
        }
        shard_check_mark (folder, mark, sizeof mark);
        crash_mark_begin (mark);
        if (by == SIGSEGV)
            *(volatile int *)mmap (NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) = 1;
        if (by == SIGABRT)
            abort ();
        crash_mark_end ();
        raise (by == SIGKILL ? SIGKILL : SIGSEGV); /* no longer at work on it */
    }
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    return WIFSIGNALED (status) ? WTERMSIG (status) : 0;
}

static void crashes (void **state)
{
    uint64_t hashes[2];
    make_store (*state, 2, hashes);
    char path[256];
    path_of (path, *state, "data.mdb");
    file_t good = read_file (path);
    assert_false (shard_check_is_suspect (*state));
    assert_int_equal (die_at_work (*state, SIGKILL), SIGKILL);
    assert_int_equal (die_at_work (*state, SIGTERM), SIGSEGV); /* elsewhere */
    assert_false (shard_check_is_suspect (*state));

    assert_int_equal (die_at_work (*state, SIGSEGV), SIGSEGV);
    assert_true (shard_check_is_suspect (*state));
    assert_int_equal (verify (*state), SHARD_FAULT_NONE); /* once may be chance */
    assert_int_equal (die_at_work (*state, SIGABRT), SIGABRT);
    assert_int_equal (verify (*state), SHARD_FAULT_BROKEN);
    shard_check_clear (*state);
    assert_false (shard_check_is_suspect (*state));
    assert_int_equal (verify (*state), SHARD_FAULT_NONE);

    assert_int_equal (die_at_work (*state, SIGBUS), SIGBUS);
    assert_true (shard_check_is_suspect (*state));
    assert_int_equal (verify (*state), SHARD_FAULT_BROKEN);
    shard_check_clear (*state);
    write_file (path, good);
    shard_check_suspect (*state);
    shard_check_suspect (*state);
    assert_int_equal (verify (*state), SHARD_FAULT_BROKEN);
    free (good.bytes);
}

static void any_of_a_stage (void **state)
{
    char folder[256];
    for (int i = 0; i < 4; i++) {
        snprintf (folder, sizeof folder, "%s/%d", (char *)*state, i);
        mkdir (folder, 0755);
    }
    assert_false (shard_check_any (*state, 4));
    shard_check_suspect (folder); /* 3 */
    assert_true (shard_check_any (*state, 4));
    assert_false (shard_check_any (*state, 3));
    assert_false (shard_check_any ("/nowhere/at/all", 3));
    shard_check_suspect ("/nowhere/at/all");
}

/*  ---- aside ---- */

static int count_aside (const char *folder)
{
    int count = 0;
    DIR *entries = opendir (folder);
    for (struct dirent *entry; (entry = readdir (entries)) != NULL;)
        count += strncmp (entry->d_name, "data.mdb.corrupt-", 17) == 0;
    closedir (entries);
    return count;
}

static void aside (void **state)
{
    char path[256], to[512], expected[512], error[512] = "broken";
    path_of (path, *state, "data.mdb");
    assert_int_equal (shard_check_set_aside (*state, 5, to, sizeof to, error, sizeof error),
                      SHARD_FAULT_ACCESS); /* there is none */
    assert_string_equal (error, "broken; and it cannot be set aside: No such file or directory");
    for (int i = 0; i < 5; i++) {
        fclose (fopen (path, "w"));
        shard_check_suspect (*state);
        assert_int_equal (
            shard_check_set_aside (*state, 1700000000000 + i, to, sizeof to, error, sizeof error), 0);
        snprintf (expected, sizeof expected, "%s/data.mdb.corrupt-%lld", (char *)*state,
                  1700000000000LL + i);
        assert_string_equal (to, expected);
        assert_int_equal (access (to, F_OK), 0);
        assert_int_not_equal (access (path, F_OK), 0);
        assert_false (shard_check_is_suspect (*state));
        assert_int_equal (count_aside (*state), i < 1 ? 1 : SHARD_CHECK_KEPT);
    }
    snprintf (expected, sizeof expected, "%s/data.mdb.corrupt-1700000000003", (char *)*state);
    assert_int_equal (access (expected, F_OK), 0); /* the newest stay */
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown (test, temp_folder_make, temp_folder_remove)

int main (void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK (a_good_one), ON_DISK (damaged),        ON_DISK (damaged_at_random),
        ON_DISK (crashes),    ON_DISK (any_of_a_stage), ON_DISK (aside),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
