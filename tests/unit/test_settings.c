/*  settings: flag beats environment beats default; what is wrong ends the program with 64 and one
 * line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/settings.h"

typedef struct {
    char *text, *choice, *secret;
    settings_list_t list, lines;
    bool flag, other;
    int64_t integer, duration, natural, bytes;
} values_t;

#define AT(field) offsetof (values_t, field)

static const setting_t table[] = {
    {.name = "text", .type = SETTING_TEXT, .offset = AT (text), .letter = 't', .help = "a text"},
    {.name = "choice",
     .type = SETTING_CHOICE,
     .offset = AT (choice),
     .otherwise = "one",
     .choices = "one|two|three",
     .help = "a choice"},
    {.name = "secret",
     .type = SETTING_TEXT,
     .offset = AT (secret),
     .secret = true,
     .help = "secret"},
    {.name = "list",
     .type = SETTING_LIST,
     .offset = AT (list),
     .otherwise = "x,y",
     .help = "a list"},
    {.name = "lines", .type = SETTING_LINES, .offset = AT (lines), .letter = 'X', .help = "lines"},
    {.name = "flag", .type = SETTING_FLAG, .offset = AT (flag), .help = "a flag"},
    {.name = "other-flag",
     .type = SETTING_FLAG,
     .offset = AT (other),
     .otherwise = "true",
     .help = "on by default"},
    {.name = "integer",
     .type = SETTING_INTEGER,
     .offset = AT (integer),
     .otherwise = "7",
     .least = -5,
     .most = 100,
     .help = "an integer"},
    {.name = "natural", .type = SETTING_INTEGER, .offset = AT (natural), .help = "no limit"},
    {.name = "duration",
     .type = SETTING_DURATION,
     .offset = AT (duration),
     .otherwise = "5s",
     .least = 10,
     .most = 172800000,
     .help = "a duration"},
    {.name = "bytes",
     .type = SETTING_BYTES,
     .offset = AT (bytes),
     .otherwise = "1T",
     .least = 1024,
     .most = INT64_C (1) << 46,
     .help = "a size"},
    {.name = NULL},
};
static const settings_program_t program = {"hotpath-test", "Tests.", table, false};
static const settings_program_t with_operands = {"hotpath-test", "Tests.", table, "[FILE...]"};

enum { WORDS_MAX = 8 };

static int load (const settings_program_t *of, const char *const words[WORDS_MAX], values_t *values)
{
    char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t)"hotpath-test"};
    int argc = 1;
    for (; argc <= WORDS_MAX && words[argc - 1]; argc++)
        argv[argc] = strdup (words[argc - 1]);
    *values = (values_t){0};
    int operand = settings_load (of, argc, argv, values);
    for (int i = 1; i < argc; i++)
        free (argv[i]);
    return operand;
}

static void format_list (const settings_list_t *list, char *text, size_t size)
{
    for (size_t i = 0; i < list->count; i++)
        snprintf (text + strlen (text), size - strlen (text), "<%s>", list->list[i]);
}

static void describe (const values_t *values, char *text, size_t size)
{
    char list[256] = "", lines[256] = "";
    format_list (&values->list, list, sizeof list);
    format_list (&values->lines, lines, sizeof lines);
    snprintf (text, size, "%s %s %s %s %s %d%d %lld %lld %lld", values->text ? values->text : "-",
              values->choice, values->secret ? values->secret : "-", list, lines, values->flag,
              values->other, (long long)values->integer, (long long)values->natural,
              (long long)values->duration);
}

static void sizes (void **state)
{
    (void)state;
    static const struct {
        const char *word;
        int64_t bytes;
    } cases[] = {{"--flag", INT64_C (1) << 40},          {"--bytes=1024", 1024},
                 {"--bytes=1K", 1024},                   {"--bytes=64M", 64 << 20},
                 {"--bytes=2g", INT64_C (2) << 30},      {"--bytes=3T", INT64_C (3) << 40},
                 {"--bytes=70368744177664", INT64_C (1) << 46}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        values_t read;
        load (&program, (const char *const[WORDS_MAX]){cases[i].word}, &read);
        if (read.bytes != cases[i].bytes)
            fail_msg ("%s: %lld", cases[i].word, (long long)read.bytes);
        settings_free (&program, &read);
    }
}

static void values (void **state)
{
    (void)state;
    static const struct {
        const char *name, *words[WORDS_MAX], *variable, *content, *expected;
    } cases[] = {
        {"defaults", {0}, NULL, NULL, "- one - <x><y>  01 7 0 5000"},
        {"text", {"--text", "a,b"}, NULL, NULL, "a,b one - <x><y>  01 7 0 5000"},
        {"text=", {"--text=a=b"}, NULL, NULL, "a=b one - <x><y>  01 7 0 5000"},
        {"a letter", {"-t", "a"}, NULL, NULL, "a one - <x><y>  01 7 0 5000"},
        {"the last one counts",
         {"--text=a", "--text=b"},
         NULL,
         NULL,
         "b one - <x><y>  01 7 0 5000"},
        {"a list", {"--list=a,b", "--list", "c,,"}, NULL, NULL, "- one - <a><b><c>  01 7 0 5000"},
        {"lines", {"-X", "a,b", "--lines=c"}, NULL, NULL, "- one - <x><y> <a,b><c> 01 7 0 5000"},
        {"flags", {"--flag", "--no-other-flag"}, NULL, NULL, "- one - <x><y>  10 7 0 5000"},
        {"flags=", {"--flag=on", "--other-flag=off"}, NULL, NULL, "- one - <x><y>  10 7 0 5000"},
        {"numbers",
         {"--integer=-5", "--natural=9223372036854775807"},
         NULL,
         NULL,
         "- one - <x><y>  01 -5 9223372036854775807 5000"},
        {"ms", {"--duration=250ms"}, NULL, NULL, "- one - <x><y>  01 7 0 250"},
        {"bare seconds", {"--duration=2"}, NULL, NULL, "- one - <x><y>  01 7 0 2000"},
        {"a fraction", {"--duration=1.5m"}, NULL, NULL, "- one - <x><y>  01 7 0 90000"},
        {"the longest", {"--duration=2d"}, NULL, NULL, "- one - <x><y>  01 7 0 172800000"},
        {"environment", {0}, "HOTPATH_TEXT", "e", "e one - <x><y>  01 7 0 5000"},
        {"an empty variable is none", {0}, "HOTPATH_CHOICE", "", "- one - <x><y>  01 7 0 5000"},
        {"environment beats the default",
         {0},
         "HOTPATH_INTEGER",
         "9",
         "- one - <x><y>  01 9 0 5000"},
        {"a flag beats it", {"--integer=8"}, "HOTPATH_INTEGER", "9", "- one - <x><y>  01 8 0 5000"},
        {"even one that is wrong",
         {"--integer=8"},
         "HOTPATH_INTEGER",
         "z",
         "- one - <x><y>  01 8 0 5000"},
        {"a list of it", {0}, "HOTPATH_LIST", "p,q", "- one - <p><q>  01 7 0 5000"},
        {"a list beats it", {"--list=a"}, "HOTPATH_LIST", "p,q", "- one - <a>  01 7 0 5000"},
        {"dashes are underscores",
         {0},
         "HOTPATH_OTHER_FLAG",
         "false",
         "- one - <x><y>  00 7 0 5000"},
        {"a secret of it", {0}, "HOTPATH_SECRET", "s", "- one s <x><y>  01 7 0 5000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        values_t read;
        if (cases[i].variable)
            setenv (cases[i].variable, cases[i].content, 1);
        load (&program, cases[i].words, &read);
        if (cases[i].variable)
            unsetenv (cases[i].variable);
        describe (&read, text, sizeof text);
        settings_free (&program, &read);
        if (strcmp (text, cases[i].expected) != 0)
            fail_msg ("%s: %s", cases[i].name, text);
    }
}

static void operands (void **state)
{
    (void)state;
    values_t read;
    const char *const words[WORDS_MAX] = {"--flag", "file"};
    assert_int_equal (load (&with_operands, words, &read), 2);
    settings_free (&with_operands, &read);
    const char *const behind[WORDS_MAX] = {"--", "--flag"};
    assert_int_equal (load (&with_operands, behind, &read), 2);
    assert_false (read.flag);
    settings_free (&with_operands, &read);
}

static void secret_files_on_disk (void **state)
{
    (void)state;
    char path[] = "/tmp/hotpath-secret-XXXXXX", option[64];
    int fd = mkstemp (path);
    assert_true (fd >= 0 && write (fd, "s e c\n \n", 8) == 8);
    close (fd);
    values_t read;
    snprintf (option, sizeof option, "--secret-file=%s", path);
    const char *const words[WORDS_MAX] = {option}, *const none[WORDS_MAX] = {0};
    load (&program, words, &read);
    assert_string_equal (read.secret, "s e c");
    settings_free (&program, &read);
    setenv ("HOTPATH_SECRET_FILE", path, 1);
    load (&program, none, &read);
    unsetenv ("HOTPATH_SECRET_FILE");
    assert_string_equal (read.secret, "s e c");
    settings_free (&program, &read);
    unlink (path);
}

/*  Loads in a child; returns its exit code, what it wrote on both streams in `said`. */
static int exit_code (const settings_program_t *of, const char *const words[WORDS_MAX], char *said,
                      size_t size)
{
    int ends[2];
    assert_int_equal (pipe (ends), 0);
    fflush (NULL);
    pid_t child = fork ();
    if (child == 0) {
        values_t read;
        dup2 (ends[1], 1);
        dup2 (ends[1], 2);
        close (ends[0]);
        load (of, words, &read);
        _exit (0);
    }
    close (ends[1]);
    size_t at = 0;
    for (ssize_t got; (got = read (ends[0], said + at, size - 1 - at)) > 0;)
        at += (size_t)got;
    said[at] = '\0';
    close (ends[0]);
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

static void refused (void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        int code;
        const char *says;
    } cases[] = {
        {{"--nothing"}, EX_USAGE, "unknown setting '--nothing'"},
        {{"--text"}, EX_USAGE, "--text needs a value"},
        {{"-z"}, EX_USAGE, "unknown setting"},
        {{"file"}, EX_USAGE, "unexpected 'file'"},
        {{"--choice=four"}, EX_USAGE, "--choice: 'four' is none of one|two|three"},
        {{"--choice=on"}, EX_USAGE, "none of"},
        {{"--choice="}, EX_USAGE, "none of"},
        {{"--choice=one|two"}, EX_USAGE, "none of"},
        {{"--flag=maybe"}, EX_USAGE, "neither true nor false"},
        {{"--no-flag=true"}, EX_USAGE, ""},
        {{"--integer=-6"}, EX_USAGE, "--integer: -6 is outside -5 .. 100"},
        {{"--integer=101"}, EX_USAGE, "outside"},
        {{"--integer=1x"}, EX_USAGE, "not a whole number"},
        {{"--integer="}, EX_USAGE, "not a whole number"},
        {{"--integer=9223372036854775808"}, EX_USAGE, "not a whole number"},
        {{"--natural=-1"}, EX_USAGE, "outside"},
        {{"--duration=5 s"}, EX_USAGE, "not a duration"},
        {{"--duration=5w"}, EX_USAGE, "not a duration"},
        {{"--duration=-1s"}, EX_USAGE, "not a duration"},
        {{"--duration=nan"}, EX_USAGE, "not a duration"},
        {{"--duration=inf"}, EX_USAGE, "not a duration"},
        {{"--duration=1e300d"}, EX_USAGE, "not a duration"},
        {{"--duration=9ms"}, EX_USAGE, "9 ms is outside 10 .. 172800000 ms"},
        {{"--bytes=5X"}, EX_USAGE, "not a number of bytes (such as 64M, 2G, 1T)"},
        {{"--bytes=5MB"}, EX_USAGE, "not a number of bytes"},
        {{"--bytes="}, EX_USAGE, "not a number of bytes"},
        {{"--bytes=M"}, EX_USAGE, "not a number of bytes"},
        {{"--bytes=-1M"}, EX_USAGE, "not a number of bytes"},
        {{"--bytes=1.5G"}, EX_USAGE, "not a number of bytes"},
        {{"--bytes=99999999T"}, EX_USAGE, "not a number of bytes"},
        {{"--bytes=1023"}, EX_USAGE, "1023 bytes is outside 1024 .. 70368744177664 bytes"},
        {{"--secret-file=/nowhere/at/all"}, EX_NOINPUT, "/nowhere/at/all"},
        {{"--secret-file=/"}, EX_NOINPUT, "cannot read /"},
        {{"--help"}, 0, "--choice one|two|three"},
        {{"--version"}, 0, "hotpath-test "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[8192];
        int code = exit_code (&program, cases[i].words, said, sizeof said);
        if (code != cases[i].code || !strstr (said, cases[i].says))
            fail_msg ("%s: exit %d, %s", cases[i].words[0], code, said);
        if (code != 0)
            assert_ptr_equal (strchr (said, '\n'), said + strlen (said) - 1);
    }
    /* A secret is not to be had from the command line, and the help does not offer it. */
    char said[8192];
    static const char *const help[WORDS_MAX] = {"--help"};
    exit_code (&program, help, said, sizeof said);
    assert_non_null (strstr (said, "HOTPATH_SECRET, or --secret-file PATH"));
    assert_null (strstr (said, "--secret "));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (sizes), cmocka_unit_test (values),
        cmocka_unit_test (operands),
        cmocka_unit_test (secret_files_on_disk),
        cmocka_unit_test (refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
