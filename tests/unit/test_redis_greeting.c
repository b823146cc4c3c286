/*  Unit tests of sink/redis_greeting.c and sink/redis_marker.c: who may write, and whether Redis is
 *  still what it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "redis_answers.h"
#include "sink/redis_greeting.h"

enum { LIFE = 500, WALL = 9000 };
#define MASTER  "+role:master\r\nmaster_replid:hist\r\n"
#define SERVER  "+redis_version:7\r\nredis_mode:standalone\r\nrun_id:run\r\n"
#define NOBODY  "+id=7 addr=a name=me age=0 idle=0 flags=N db=0 sub=0\n"
#define FROZEN  "id=3 addr=b name=me age=90 idle=30 flags=N db=0 sub=0\n"
#define LIVING  "id=4 addr=c name=me age=90 idle=1 flags=N db=0 sub=0\n"
#define OTHERS  "id=5 addr=d name=you age=90 idle=1 flags=N db=0 sub=0\n" \
                "id=6 addr=e name=me age=90 idle=1 flags=N db=1 sub=0\n"

/*  Answers in order: those that a case does not give are the usual ones. */
typedef struct {
    const char *name;
    const char *set_name, *id, *list, *server, *replication, *watch, *marker; /* first batch */
    const char *set, *exec, *list_again;                                      /* second */
    const char *kill;                                                         /* third */
    greeting_verdict_t verdict;
    uint64_t generation, life;
    uint32_t ended;
    const char *reason; /* a part of it */
    bool warns;
} case_t;

static const char *given (const char *answer, const char *usual)
{
    return answer ? answer : usual;
}

static greeting_verdict_t greet (redis_greeting_t *greeting, const case_t *c)
{
    static const redis_url_t url = {0};
    const char *answers[] = {
        given (c->set_name, "+OK"),  given (c->id, ":7"),           given (c->list, NOBODY),
        given (c->server, SERVER),   given (c->replication, MASTER), given (c->watch, "+OK"),
        given (c->marker, "_"),      "+OK",                          given (c->set, "+QUEUED"),
        given (c->exec, "*+OK"),     given (c->list_again, given (c->list, NOBODY)),
        given (c->kill, ":1"),       given (c->kill, ":1"),
    };
    const commands_t *next = redis_greeting_begin (greeting, &url);
    size_t sent = next->count, taken = 0;
    greeting_verdict_t verdict = GREETING_GOES_ON;
    while (verdict == GREETING_GOES_ON && taken < sizeof answers / sizeof *answers) {
        made_answer_t made;
        assert_true (taken < sent); /* no answer without a question */
        verdict = redis_greeting_take (greeting, make_answer (&made, answers[taken++]), WALL, &next);
        sent += next ? next->count : 0;
    }
    if (verdict == GREETING_DONE)
        assert_int_equal (taken, sent);
    return verdict;
}

static void judge (redis_greeting_t *greeting, const case_t *c)
{
    print_message ("  %s\n", c->name);
    greeting_verdict_t verdict = greet (greeting, c);
    if (verdict != c->verdict && verdict > GREETING_DONE)
        print_message ("    %s\n", redis_greeting_reason (greeting));
    assert_int_equal (verdict, c->verdict);
    if (c->reason && !strstr (redis_greeting_reason (greeting), c->reason))
        fail_msg ("'%s' is not in '%s'", c->reason, redis_greeting_reason (greeting));
    assert_int_equal (redis_greeting_warning (greeting) != NULL, c->warns);
    assert_null (redis_greeting_warning (greeting));
    if (c->verdict != GREETING_DONE)
        return;
    assert_int_equal (redis_greeting_marker (greeting)->generation, c->generation);
    assert_int_equal (redis_greeting_marker (greeting)->life, c->life);
    assert_int_equal (redis_greeting_ended (greeting), c->ended);
}

static redis_greeting_t *make (bool cluster)
{
    return redis_greeting_new ("me", "hotpath:marker:me", cluster, LIFE);
}

static void a_first_greeting (void **state)
{
    (void)state;
    static const case_t cases[] = {
        {"nothing is there", .verdict = GREETING_DONE, .generation = WALL, .life = LIFE},
        {"what the life before left", .marker = "+40 run hist 400", .verdict = GREETING_DONE,
         .generation = 40, .life = LIFE},
        {"our clock was set back", .marker = "+40 run hist 600", .verdict = GREETING_DONE,
         .generation = 40, .life = 601},
        {"the server was restarted", .marker = "+40 runs hist 400", .verdict = GREETING_DONE,
         .generation = WALL, .life = LIFE},
        {"it went through a failover", .marker = "+40 run histo 400", .verdict = GREETING_DONE,
         .generation = WALL, .life = LIFE},
        {"of a time ahead of our clock", .marker = "+9999 runs hist 400", .verdict = GREETING_DONE,
         .generation = 10000, .life = LIFE},
        {"a marker of an older form", .marker = "+40 run", .verdict = GREETING_DONE,
         .generation = WALL, .life = LIFE},
        {"a frozen one of our name ends", .list = NOBODY FROZEN, .verdict = GREETING_DONE,
         .generation = WALL, .life = LIFE, .ended = 1},
        {"one that has just gone", .list = NOBODY FROZEN, .kill = "-ERR No such client",
         .verdict = GREETING_DONE, .generation = WALL, .life = LIFE},
        {"strangers stay", .list = NOBODY OTHERS, .verdict = GREETING_DONE, .generation = WALL,
         .life = LIFE},
        {"one of our name is alive", .list = NOBODY LIVING, .verdict = GREETING_RIVAL,
         .reason = "--name"},
        {"CLIENT is not permitted", .set_name = "-NOPERM no", .id = "-NOPERM no",
         .list = "-NOPERM no", .verdict = GREETING_DONE, .generation = WALL, .life = LIFE,
         .warns = true},
        {"INFO is not permitted", .server = "-NOPERM no", .replication = "-NOPERM no",
         .verdict = GREETING_DONE, .generation = WALL, .life = LIFE, .warns = true},
        {"no password", .set_name = "-NOAUTH Authentication required.",
         .verdict = GREETING_REFUSED, .reason = "NOAUTH"},
        {"the marker cannot be read", .marker = "-NOPERM no", .verdict = GREETING_REFUSED,
         .reason = "GET: NOPERM"},
        {"it is loading", .marker = "-LOADING it is", .verdict = GREETING_FAILED,
         .reason = "LOADING"},
        {"too many clients", .set_name = "-ERR max number of clients reached",
         .verdict = GREETING_FAILED, .reason = "max number"},
        {"a replica", .replication = "+role:slave\r\nmaster_host:h\r\nmaster_port:1\r\n",
         .verdict = GREETING_FAILED, .reason = "READONLY it is a replica of h:1"},
        {"a cluster, and plain keys", .server = "+redis_mode:cluster\r\nrun_id:run\r\n",
         .verdict = GREETING_REFUSED, .reason = "--key-style=cluster"},
        {"out of memory", .set = "-OOM command not allowed", .exec = "-EXECABORT discarded",
         .verdict = GREETING_FAILED, .reason = "OOM"},
        {"the marker cannot be written", .set = "-NOPERM no", .exec = "-EXECABORT discarded",
         .verdict = GREETING_REFUSED, .reason = "NOPERM"},
        {"another was faster", .exec = "_", .verdict = GREETING_FAILED, .reason = "meantime"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        redis_greeting_t *greeting = make (false);
        judge (greeting, &cases[i]);
        redis_greeting_destroy (&greeting);
        redis_greeting_destroy (&greeting);
    }
}

static void a_greeting_in_the_midst_of_a_life (void **state)
{
    (void)state;
    static const case_t first = {"the first", .verdict = GREETING_DONE, .generation = WALL,
                                 .life = LIFE};
    static const case_t cases[] = {
        {"nothing has changed", .marker = "+9000 run hist 500", .verdict = GREETING_DONE,
         .generation = WALL, .life = LIFE},
        {"our own last connection still hangs", .marker = "+9000 run hist 500",
         .list = NOBODY LIVING, .verdict = GREETING_DONE, .generation = WALL, .life = LIFE,
         .ended = 1},
        {"it was emptied", .verdict = GREETING_DONE, .generation = WALL + 1, .life = LIFE},
        {"an older dump", .marker = "+40 runs hist 400", .verdict = GREETING_DONE,
         .generation = WALL + 1, .life = LIFE},
        {"back after a failover and back", .marker = "+9000 run hist 500",
         .replication = "+role:master\r\nmaster_replid:third\r\n", .verdict = GREETING_DONE,
         .generation = WALL + 1, .life = LIFE},
        {"a later life has taken over", .marker = "+9000 run hist 501",
         .verdict = GREETING_SUPERSEDED, .reason = "501"},
        {"also where it made a new generation", .marker = "+9500 runs hist 501",
         .verdict = GREETING_SUPERSEDED},
        {"a former life wrote in the meantime", .marker = "+9400 run hist 400",
         .verdict = GREETING_DONE, .generation = 9400, .life = LIFE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        redis_greeting_t *greeting = make (false);
        assert_int_equal (greet (greeting, &first), GREETING_DONE);
        judge (greeting, &cases[i]);
        redis_greeting_destroy (&greeting);
    }
}

static void a_cluster_with_its_keys (void **state)
{
    (void)state;
    static const case_t cluster = {"a cluster", .server = "+redis_mode:cluster\r\nrun_id:run\r\n",
                                   .verdict = GREETING_DONE, .generation = WALL, .life = LIFE};
    redis_greeting_t *greeting = make (true);
    judge (greeting, &cluster);
    redis_greeting_destroy (&greeting);
}

static void markers (void **state)
{
    (void)state;
    char text[REDIS_MARKER_BYTES];
    redis_marker_t marker = {UINT64_MAX, "r", "h", 1};
    redis_marker_write (&marker, text);
    redis_marker_t read = redis_marker_parse (span_of (text));
    assert_int_equal (read.generation, UINT64_MAX);
    assert_int_equal (read.life, 1);
    assert_true (redis_marker_same_server (&read, &marker));
    static const char *const none[] = {"", "x", "1 2", "1 r h", "1 r h x", "-"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal (redis_marker_parse (span_of (none[i])).generation, 0);
    assert_int_equal (redis_marker_parse ((span_t){NULL, 0}).generation, 0);
    memset (text, '1', sizeof text);
    assert_int_equal (redis_marker_parse ((span_t){text, sizeof text}).generation, 0);
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_first_greeting),
        cmocka_unit_test (a_greeting_in_the_midst_of_a_life),
        cmocka_unit_test (a_cluster_with_its_keys),
        cmocka_unit_test (markers),
    };
    return cmocka_run_group_tests_name ("redis_greeting", tests, NULL, NULL);
}
