/*  Unit tests of sink/redis_jobs.c: lanes, what answers mean, and what a broken connection leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "redis_answers.h"
#include "sink/redis_jobs.h"

static commands_t words (uint32_t count)
{
    commands_t commands = {0};
    for (uint32_t i = 0; i < count; i++)
        commands_append_words (&commands, (const char *const[]){i % 2 ? "PEXPIRE" : "SET", "k", "v",
                                                                NULL});
    return commands;
}

static redis_job_t *make (redis_lane_t lane, uint32_t prepare, uint32_t count, char tag)
{
    commands_t first = words (prepare), second = words (count);
    redis_job_t *job = redis_job_new_write (lane, &first, &second, &tag, 1);
    commands_free (&first);
    commands_free (&second);
    return job;
}

/*  Sends up to `count` jobs; their tags in order. */
static const char *send (redis_jobs_t *jobs, int count)
{
    static char tags[64];
    size_t at = 0;
    for (redis_job_t *job; count-- > 0 && (job = redis_jobs_waiting (jobs));) {
        tags[at++] = (char)job->tag[0];
        redis_jobs_sent (jobs, job);
    }
    tags[at] = 0;
    return tags;
}

static void finish_first (redis_jobs_t *jobs)
{
    redis_job_t *job = redis_jobs_answering (jobs);
    redis_jobs_remove (jobs, job);
    redis_job_destroy (&job);
}

static void free_all (redis_jobs_t *jobs)
{
    for (redis_job_t *job; (job = redis_jobs_take_any (jobs));)
        redis_job_destroy (&job);
    assert_int_equal (jobs->count, 0);
    assert_int_equal (jobs->bytes[LANE_FIRST] + jobs->bytes[LANE_SECOND], 0);
}

static void lanes_and_a_broken_connection (void **state)
{
    (void)state;
    redis_jobs_t jobs;
    redis_jobs_init (&jobs);
    commands_t check = words (1);
    for (const char *tag = "pqr"; *tag; tag++)
        redis_jobs_put (&jobs, make (LANE_SECOND, 0, 1, *tag));
    assert_string_equal (send (&jobs, 1), "p");
    for (const char *tag = "AB"; *tag; tag++)
        redis_jobs_put (&jobs, make (LANE_FIRST, 0, 2, *tag));
    redis_jobs_put_first (&jobs, redis_job_new (JOB_CHECK, LANE_FIRST, &check, "c", 1));
    assert_string_equal (send (&jobs, 3), "cAB");
    finish_first (&jobs); /* p */
    redis_jobs_restart (&jobs);
    assert_int_equal (jobs.count, 4); /* the check was of that connection */
    assert_string_equal (send (&jobs, 9), "ABqr");
    finish_first (&jobs);
    redis_jobs_put_first (&jobs, redis_job_new (JOB_EXPIRE, LANE_FIRST, &check, "e", 1));
    redis_jobs_put (&jobs, make (LANE_FIRST, 0, 1, 'C'));
    redis_jobs_restart (&jobs);
    assert_string_equal (send (&jobs, 9), "BCqr");
    commands_free (&check);
    free_all (&jobs);
}

static void what_is_prepared_goes_before_its_commands (void **state)
{
    (void)state;
    redis_jobs_t jobs;
    made_answer_t made;
    char reason[JOB_REASON_BYTES];
    redis_jobs_init (&jobs);
    redis_jobs_put (&jobs, make (LANE_FIRST, 2, 2, 'A'));
    redis_jobs_put (&jobs, make (LANE_FIRST, 0, 1, 'B'));
    assert_string_equal (send (&jobs, 2), "AB"); /* nobody waits for A */
    redis_job_t *job = redis_jobs_answering (&jobs);
    assert_int_equal (redis_job_batch (job)->count, 2);
    assert_int_equal (redis_job_take (job, make_answer (&made, ":1"), reason), JOB_GOES_ON);
    assert_int_equal (redis_job_take (job, make_answer (&made, ":1"), reason), JOB_PREPARED);
    redis_jobs_prepared (&jobs, job);
    redis_jobs_put (&jobs, make (LANE_FIRST, 0, 1, 'C'));
    assert_int_equal (redis_job_batch (job)->count, 4); /* MULTI and EXEC */
    assert_string_equal (send (&jobs, 1), "A");
    redis_jobs_restart (&jobs); /* what it had prepared may be gone */
    assert_string_equal (send (&jobs, 9), "BAC");
    job = redis_jobs_answering (&jobs);
    finish_first (&jobs);
    job = redis_jobs_answering (&jobs);
    assert_int_equal (redis_job_batch (job)->count, 2);
    assert_int_equal (redis_job_take (job, make_answer (&made, "-OOM no"), reason), JOB_PASSING);
    assert_string_equal (reason, "SET k: OOM no (raise its maxmemory, or let it evict)");
    free_all (&jobs);
}

typedef struct {
    const char *name;
    bool read;
    uint32_t count; /* of commands */
    const char *answers[4];
    job_verdict_t verdict;
    const char *reason;
} answer_case_t;

static void what_answers_mean (void **state)
{
    (void)state;
    static const answer_case_t cases[] = {
        {"a lone command", false, 1, {"+OK"}, JOB_DONE, NULL},
        {"it may pass", false, 1, {"-READONLY no"}, JOB_PASSING,
         "SET k: READONLY no (the address must be the master's)"},
        {"an error that nobody knows is not passed over", false, 1, {"-ERR odd"}, JOB_PASSING,
         "SET k: ERR odd"},
        {"a transaction", false, 2, {"+OK", "+QUEUED", "+QUEUED", "*+OK :1"}, JOB_DONE, NULL},
        {"it was given up", false, 2, {"+OK", "+QUEUED", "+QUEUED", "_"}, JOB_PASSING, NULL},
        {"refused when it was queued", false, 2,
         {"+OK", "+QUEUED", "-NOPERM no", "-EXECABORT discarded"}, JOB_PASSING,
         "PEXPIRE k: NOPERM no (see \"Redis\" in docs/operations.md for the permissions that are "
         "needed)"},
        {"a key of another type", false, 2, {"+OK", "+QUEUED", "+QUEUED", "*+OK -WRONGTYPE"},
         JOB_LASTING, "PEXPIRE k: WRONGTYPE"},
        {"one inside that may pass", false, 2, {"+OK", "+QUEUED", "+QUEUED", "*-OOM +OK"},
         JOB_PASSING, "SET k: OOM (raise its maxmemory, or let it evict)"},
        {"a reading one", true, 1, {"*+a _"}, JOB_DONE, NULL},
        {"nothing is there", true, 1, {"_"}, JOB_DONE, NULL},
        {"of another type", true, 1, {"-WRONGTYPE no"}, JOB_LASTING, "SET k: WRONGTYPE no"},
        {"while it loads", true, 1, {"-LOADING it"}, JOB_PASSING, "SET k: LOADING it"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const answer_case_t *c = &cases[i];
        made_answer_t made;
        char reason[JOB_REASON_BYTES] = "";
        commands_t commands = words (1);
        print_message ("  %s\n", c->name);
        redis_job_t *job = c->read ? redis_job_new (JOB_READ, LANE_FIRST, &commands, NULL, 0)
                                   : make (LANE_FIRST, 0, c->count, 'A');
        uint32_t last = redis_job_batch (job)->count - 1;
        for (uint32_t j = 0; j < last; j++)
            assert_int_equal (redis_job_take (job, make_answer (&made, c->answers[j]), reason),
                              JOB_GOES_ON);
        assert_int_equal (redis_job_take (job, make_answer (&made, c->answers[last]), reason),
                          c->verdict);
        if (c->reason)
            assert_string_equal (reason, c->reason);
        redis_job_destroy (&job);
        commands_free (&commands);
    }
}

static void commands_are_named (void **state)
{
    (void)state;
    span_t name, key;
    commands_t commands = words (2);
    span_t bytes = {(const char *)commands.bytes.bytes, commands.bytes.size};
    assert_true (commands_name (bytes, 1, &name, &key));
    assert_true (span_equal (name, span_of ("PEXPIRE")));
    assert_true (span_equal (key, span_of ("k")));
    assert_false (commands_name (bytes, 2, &name, &key));
    for (size_t size = 0; size < bytes.size; size++) /* cut anywhere, nothing beyond is read */
        commands_name ((span_t){bytes.bytes, size}, 1, &name, &key);
    commands_clear (&commands);
    commands_append_words (&commands, (const char *const[]){"EXEC", NULL});
    bytes = (span_t){(const char *)commands.bytes.bytes, commands.bytes.size};
    assert_true (commands_name (bytes, 0, &name, &key));
    assert_null (key.bytes);
    commands_free (&commands);
}

static void numbers_are_written (void **state)
{
    (void)state;
    command_t command = {0};
    commands_t commands = {0};
    command_begin (&command, "X");
    command_add_int (&command, INT64_MIN);
    command_add_int (&command, -1);
    command_add_uint (&command, UINT64_MAX);
    command_add_uint (&command, 0);
    commands_append (&commands, &command);
    const char expected[] = "*5\r\n$1\r\nX\r\n$20\r\n-9223372036854775808\r\n$2\r\n-1\r\n"
                            "$20\r\n18446744073709551615\r\n$1\r\n0\r\n";
    assert_int_equal (commands.bytes.size, sizeof expected - 1);
    assert_memory_equal (commands.bytes.bytes, expected, sizeof expected - 1);
    command_free (&command);
    commands_free (&commands);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (lanes_and_a_broken_connection),
        cmocka_unit_test (what_is_prepared_goes_before_its_commands),
        cmocka_unit_test (what_answers_mean),
        cmocka_unit_test (commands_are_named),
        cmocka_unit_test (numbers_are_written),
    };
    return cmocka_run_group_tests_name ("redis_jobs", tests, NULL, NULL);
}
