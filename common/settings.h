/*  settings: one table an executable, from which come the command line, the environment, --help and
 *  the checks. A flag beats HOTPATH_<NAME> (upper case, - as _), which beats the default.
 *
 *  settings_load prints --help / --version and exits 0, or explains what is wrong in one line on stderr
 *  and exits 64 (EX_USAGE): it is called first in main and nowhere else.
 */
#ifndef HOTPATH_SETTINGS_H
#define HOTPATH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    SETTING_TEXT,     /* char *: NULL where absent */
    SETTING_LIST,     /* settings_list_t: may be given again; commas separate (in the environment too) */
    SETTING_LINES,    /* settings_list_t: may be given again; never split at commas (file names, -X) */
    SETTING_FLAG,     /* bool: --name, --no-name, or --name=true|false|on|off */
    SETTING_INTEGER,  /* int64_t within least .. most */
    SETTING_DURATION, /* int64_t ms: "250ms" "5s" "10m" "2h"; a bare number is seconds */
    SETTING_BYTES,    /* int64_t bytes: "64M" "2G" "1T" (powers of 1024); a bare number is bytes */
    SETTING_CHOICE,   /* char *: one of `choices` ("a|b|c") */
} setting_type_t;

typedef struct {
    char **list;
    size_t count;
} settings_list_t;

typedef struct {
    const char *name;     /* "commit-interval" */
    setting_type_t type;
    size_t offset;        /* in the settings struct of the executable */
    const char *otherwise;/* default, written as on the command line; NULL: absent, false or 0 */
    const char *value;    /* what the help calls the value: "ENDPOINT,…" */
    const char *help;     /* one sentence */
    int64_t least, most;  /* of integers, of durations in ms, of bytes; both 0: no limit but >= 0 */
    const char *choices;
    char letter;          /* a short flag such as 'X', or 0 */
    bool secret;          /* never on the command line: only its environment variable or its --name-file */
} setting_t;

#define SETTING_END ((setting_t){.name = NULL})

typedef struct {
    const char *program;  /* "hotpath-scorer" */
    const char *summary;  /* one sentence */
    const setting_t *table;
    const char *operands; /* what comes beside the flags, for the help: "[NAME...]"; NULL: nothing may */
} settings_program_t;

/*  Fills *settings (a zeroed struct) from argv and the environment. Returns the index of the first operand
 *  in argv. Texts are allocated and live until settings_free. */
int settings_load (const settings_program_t *program, int argc, char **argv, void *settings);
void settings_free (const settings_program_t *program, void *settings);
/*  One line "PROGRAM: TEXT" on stderr and exit (code): for what main finds wrong before logging starts. */
_Noreturn void settings_fail (int code, const char *format, ...) __attribute__ ((format (printf, 2, 3)));

#endif
