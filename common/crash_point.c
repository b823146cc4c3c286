#include "common/crash_point.h"

#ifndef HOTPATH_CRASH_POINTS

bool crash_point_is_variable (const char *entry)
{
    (void)entry;
    return false;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { OPTIONS_BYTES_MAX = 256 };

typedef enum { ACT_KILL, ACT_STOP, ACT_DELAY } act_t;

typedef struct {
    bool armed;
    act_t act;
    uint64_t left;   /* passes until it acts; 0: by chance */
    double chance;   /* of each pass */
    uint64_t random; /* state */
    uint32_t delay_ms;
} rule_t;

static const struct {
    const char *name;
    unsigned kinds;
} points[CRASH_POINT_COUNT] = {
#define CRASH_POINT_ENTRY(constant, name, kinds, where) {name, kinds},
    CRASH_POINT_LIST (CRASH_POINT_ENTRY)
#undef CRASH_POINT_ENTRY
};

static const struct {
    const char *program, *name;
    unsigned kind;
} kinds[] = {
    {"hotpath", "run", CRASH_RUN},
    {"hotpath-configd", "configd", CRASH_CONFIGD},
    {"hotpath-ingestor", "ingestor", CRASH_INGESTOR},
    {"hotpath-scorer", "scorer", CRASH_SCORER},
    {"hotpath-profiler", "profiler", CRASH_PROFILER},
    {"hotpath-metrics", "metrics", CRASH_METRICS},
    {"hotpath-sink", "sink", CRASH_SINK},
};

/*  Of the whole process, as the points are: these places have nothing in common to hang it on. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static rule_t rules[CRASH_POINT_COUNT];
static bool is_set_up;
static const char *kind_name, *folder;
static unsigned kind_bit;

static _Noreturn void refuse (const char *what, const char *text)
{
    fprintf (stderr, "hotpath: crash points: %s: %s\n", what, text);
    exit (EX_USAGE);
}

/*  ---- what is said of a point ---- */

static uint64_t number_of (const char *text)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull (text, &end, 10);
    if (errno || end == text || *end)
        refuse ("not a number", text);
    return number;
}

static double chance_of (const char *text)
{
    char *end;
    double chance = strtod (text, &end);
    if (end == text || *end || !(chance > 0 && chance <= 1))
        refuse ("not a chance above 0, up to 1", text);
    return chance;
}

static act_t act_of (const char *text)
{
    static const char *const names[] = {
        [ACT_KILL] = "kill", [ACT_STOP] = "stop", [ACT_DELAY] = "delay"};
    for (act_t act = ACT_KILL; act <= ACT_DELAY; act++) {
        if (strcmp (text, names[act]) == 0)
            return act;
    }
    refuse ("not kill, stop or delay", text);
}

static void take_option (rule_t *rule, char *option)
{
    char *value = strchr (option, '=');
    if (!value) {
        rule->left = number_of (option);
        return;
    }
    *value++ = '\0';
    if (strcmp (option, "nth") == 0)
        rule->left = number_of (value);
    else if (strcmp (option, "p") == 0)
        rule->chance = chance_of (value);
    else if (strcmp (option, "seed") == 0)
        rule->random ^= number_of (value) * UINT64_C (0x9e3779b97f4a7c15);
    else if (strcmp (option, "ms") == 0)
        rule->delay_ms = (uint32_t)number_of (value);
    else if (strcmp (option, "action") == 0)
        rule->act = act_of (value);
    else
        refuse ("unknown option", option);
}

/*  `options` is changed. */
static void arm (crash_point_t point, char *options)
{
    rule_t *rule = &rules[point];
    *rule = (rule_t){.armed = true, .left = 1, .random = UINT64_C (88172645463325252) + point};
    char *rest = NULL;
    for (char *option = strtok_r (options, ", \n", &rest); option;
         option = strtok_r (NULL, ", \n", &rest))
        take_option (rule, option);
    if (rule->chance > 0)
        rule->left = 0;
    else if (!rule->left)
        refuse ("passes are counted from 1", points[point].name);
}

static crash_point_t point_named (const char *name)
{
    for (crash_point_t point = 0; point < CRASH_POINT_COUNT; point++) {
        if (strcmp (points[point].name, name) == 0)
            return point;
    }
    refuse ("no such point", name);
}

static void take_variable (const char *text)
{
    char *copy = strdup (text), *rest = NULL;
    for (char *one = strtok_r (copy, "; ", &rest); one; one = strtok_r (NULL, "; ", &rest)) {
        char nothing[] = "";
        char *options = strchr (one, ':');
        if (options)
            *options++ = '\0';
        char *name = strchr (one, '.');
        bool is_meant = !name || (strlen (kind_name) == (size_t)(name - one) &&
                                  strncmp (one, kind_name, (size_t)(name - one)) == 0);
        crash_point_t point = point_named (name ? name + 1 : one);
        if (is_meant && points[point].kinds & kind_bit)
            arm (point, options ? options : nothing);
    }
    free (copy);
}

static void set_up (void)
{
    is_set_up = true;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp (kinds[i].program, program_invocation_short_name) != 0)
            continue;
        kind_name = kinds[i].name;
        kind_bit = kinds[i].kind;
    }
    if (!kind_name)
        return; /* a unit test's program */
    folder = getenv ("HOTPATH_CRASH_DIR");
    const char *text = getenv ("HOTPATH_CRASH");
    if (text)
        take_variable (text);
}

/*  Whoever renames the file has it. */
static void claim (crash_point_t point)
{
    char from[PATH_MAX], to[PATH_MAX], options[OPTIONS_BYTES_MAX + 1] = "";
    snprintf (from, sizeof from, "%s/armed/%s.%s", folder, kind_name, points[point].name);
    snprintf (to, sizeof to, "%s/taken/%s.%s.%d", folder, kind_name, points[point].name,
              (int)getpid ());
    if (rename (from, to) != 0)
        return;
    int fd = open (to, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read (fd, options, OPTIONS_BYTES_MAX) < 0)
        refuse ("cannot be read", to);
    close (fd);
    arm (point, options);
}

/*  ---- a pass ---- */

static bool is_due (rule_t *rule)
{
    if (rule->left) {
        rule->armed = --rule->left > 0;
        return !rule->armed;
    }
    rule->random ^= rule->random << 13;
    rule->random ^= rule->random >> 7;
    rule->random ^= rule->random << 17;
    return (double)(rule->random >> 11) * 0x1p-53 < rule->chance;
}

static void write_down (crash_point_t point, act_t act)
{
    char path[PATH_MAX], line[256];
    static const char *const words[] = {
        [ACT_KILL] = "killed", [ACT_STOP] = "stopped", [ACT_DELAY] = "delayed"};
    if (!folder)
        return;
    snprintf (path, sizeof path, "%s/acted", folder);
    int size = snprintf (line, sizeof line, "%s.%s %d %s\n", kind_name, points[point].name,
                         (int)getpid (), words[act]);
    int fd = open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write (fd, line, (size_t)size) != size)
        refuse ("cannot be written", path);
    close (fd);
}

void crash_point_pass (crash_point_t point)
{
    pthread_mutex_lock (&mutex);
    if (!is_set_up)
        set_up ();
    rule_t *rule = &rules[point];
    if (!rule->armed && folder && kind_name)
        claim (point);
    bool acts = rule->armed && is_due (rule);
    const rule_t done = *rule;
    pthread_mutex_unlock (&mutex);
    if (!acts)
        return;
    write_down (point, done.act);
    if (done.act == ACT_DELAY)
        usleep (done.delay_ms * 1000U);
    else
        kill (getpid (), done.act == ACT_KILL ? SIGKILL : SIGSTOP);
}

bool crash_point_is_variable (const char *entry)
{
    return strncmp (entry, "HOTPATH_CRASH=", 14) == 0 ||
           strncmp (entry, "HOTPATH_CRASH_DIR=", 18) == 0;
}

#endif
