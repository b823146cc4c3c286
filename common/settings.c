#include "common/settings.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/memory.h"

enum { SETTINGS_MAX = 96, VALUE_BYTES_MAX = 1 << 20, HELP_CODE = 1000, VERSION_CODE = 1001 };

_Noreturn void settings_fail (int code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    fprintf (stderr, "%s: ", program_invocation_short_name);
    vfprintf (stderr, format, args);
    fputc ('\n', stderr);
    va_end (args);
    exit (code);
}

static size_t table_count (const setting_t *table)
{
    size_t count = 0;
    while (table[count].name)
        count++;
    return count;
}

static void environment_name (const setting_t *setting, const char *suffix, char *name, size_t size)
{
    snprintf (name, size, "HOTPATH_%s%s", setting->name, suffix);
    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper ((unsigned char)*c);
}

/*  ---- values ---- */

static int parse_duration (const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1},     {"s", 1000},       {"", 1000},
                 {"m", 60000.}, {"h", 3600000.},   {"d", 86400000.}};
    char *end;
    errno = 0;
    double value = strtod (text, &end);
    if (errno || end == text || !(value >= 0))
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp (end, units[i].unit) == 0 && value * units[i].ms <= 1e15) {
            *ms = (int64_t)(value * units[i].ms + 0.5);
            return 0;
        }
    }
    return -1;
}

static int parse_bytes (const char *text, int64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    long long value = strtoll (text, &end, 10);
    const char *unit = *end ? strchr (units, toupper ((unsigned char)*end)) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (errno || end == text || value < 0 || (*end && (!unit || end[1])) || value > INT64_MAX >> shift)
        return -1;
    *bytes = (int64_t)value << shift;
    return 0;
}

static void list_add (settings_list_t *list, const char *text, size_t size)
{
    list->list = memory_resize (list->list, (list->count + 1) * sizeof *list->list);
    list->list[list->count++] = memory_copy_string (text, size);
}

static void list_set (const setting_t *setting, settings_list_t *list, const char *text)
{
    if (setting->type == SETTING_LINES) {
        list_add (list, text, strlen (text));
        return;
    }
    for (const char *at = text; *at;) {
        size_t size = strcspn (at, ",");
        if (size)
            list_add (list, at, size);
        at += size + (at[size] == ',');
    }
}

static void list_empty (settings_list_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        free (list->list[i]);
    free (list->list);
    *list = (settings_list_t){0};
}

static bool is_choice (const char *choices, const char *text)
{
    size_t size = strlen (text);
    for (const char *at = choices; *at;) {
        size_t length = strcspn (at, "|");
        if (length == size && memcmp (at, text, size) == 0)
            return true;
        at += length + (at[length] == '|');
    }
    return false;
}

static bool is_one_of (const char *text, const char *a, const char *b, const char *c)
{
    return strcmp (text, a) == 0 || strcmp (text, b) == 0 || strcmp (text, c) == 0;
}

static void set_number (const setting_t *setting, int64_t *field, const char *text, const char *from)
{
    int64_t value = 0;
    if (setting->type == SETTING_DURATION) {
        if (parse_duration (text, &value) != 0)
            settings_fail (EX_USAGE, "%s: '%s' is not a duration (such as 250ms, 5s, 10m, 2h)", from,
                           text);
    } else if (setting->type == SETTING_BYTES) {
        if (parse_bytes (text, &value) != 0)
            settings_fail (EX_USAGE, "%s: '%s' is not a number of bytes (such as 64M, 2G, 1T)", from, text);
    } else {
        char *end;
        errno = 0;
        value = strtoll (text, &end, 10);
        if (errno || end == text || *end)
            settings_fail (EX_USAGE, "%s: '%s' is not a whole number", from, text);
    }
    int64_t most = setting->most || setting->least ? setting->most : INT64_MAX;
    const char *unit = setting->type == SETTING_DURATION ? " ms"
                       : setting->type == SETTING_BYTES  ? " bytes"
                                                         : "";
    if (value < setting->least || value > most)
        settings_fail (EX_USAGE, "%s: %lld%s is outside %lld .. %lld%s", from, (long long)value, unit,
                       (long long)setting->least, (long long)most, unit);
    *field = value;
}

/*  `from` names the place for messages: "--shards" or "HOTPATH_SHARDS". */
static void set_value (const setting_t *setting, void *settings, const char *text, const char *from)
{
    void *field = (char *)settings + setting->offset;
    switch (setting->type) {
    case SETTING_CHOICE:
        if (!is_choice (setting->choices, text))
            settings_fail (EX_USAGE, "%s: '%s' is none of %s", from, text, setting->choices);
        /* fall through */
    case SETTING_TEXT:
        free (*(char **)field);
        *(char **) field = memory_copy_string (text, strlen (text));
        break;
    case SETTING_LIST:
    case SETTING_LINES:
        list_set (setting, field, text);
        break;
    case SETTING_FLAG:
        if (is_one_of (text, "true", "on", "1"))
            *(bool *) field = true;
        else if (is_one_of (text, "false", "off", "0"))
            *(bool *) field = false;
        else
            settings_fail (EX_USAGE, "%s: '%s' is neither true nor false", from, text);
        break;
    default:
        set_number (setting, field, text, from);
    }
}

/*  ---- help ---- */

static void print_help (const settings_program_t *program)
{
    printf ("usage: %s [settings]%s%s\n%s\n\nsettings (each also as an environment variable: "
            "--log-level as HOTPATH_LOG_LEVEL; a flag beats it):\n",
            program->program, program->operands ? " " : "",
            program->operands ? program->operands : "", program->summary);
    for (const setting_t *s = program->table; s->name; s++) {
        char flag[512], variable[128];
        environment_name (s, "", variable, sizeof variable);
        if (s->secret)
            snprintf (flag, sizeof flag, "%s, or --%s-file PATH", variable, s->name);
        else if (s->letter)
            snprintf (flag, sizeof flag, "-%c, --%s %s", s->letter, s->name, s->value ? s->value : "");
        else
            snprintf (flag, sizeof flag, "--%s%s%s", s->name, s->type == SETTING_FLAG ? "" : " ",
                      s->type == SETTING_FLAG ? ""
                      : s->choices            ? s->choices
                      : s->value              ? s->value
                                              : "VALUE");
        printf ("  %-38s %s", flag, s->help);
        if (s->otherwise)
            printf (" [%s]", s->otherwise);
        putchar ('\n');
    }
    printf ("  %-38s %s\n  %-38s %s\n", "--help", "this text", "--version", "the version");
}

/*  ---- sources of values ---- */

static char *read_secret_file (const char *path, const char *from)
{
    FILE *file = fopen (path, "re");
    if (!file)
        settings_fail (EX_NOINPUT, "%s: cannot read %s: %s", from, path, strerror (errno));
    char *text = memory_new (VALUE_BYTES_MAX);
    size_t size = fread (text, 1, VALUE_BYTES_MAX - 1, file);
    bool failed = ferror (file) != 0;
    int reason = errno;
    fclose (file);
    if (failed) {
        free (text);
        settings_fail (EX_NOINPUT, "%s: cannot read %s: %s", from, path, strerror (reason));
    }
    while (size && isspace ((unsigned char)text[size - 1]))
        size--;
    text[size] = '\0';
    return text;
}

static void set_from_environment (const setting_t *setting, void *settings)
{
    char name[128];
    environment_name (setting, "", name, sizeof name);
    const char *text = getenv (name);
    if (text && *text)
        set_value (setting, settings, text, name);
    if (!setting->secret)
        return;
    environment_name (setting, "_FILE", name, sizeof name);
    text = getenv (name);
    if (text && *text) {
        char *secret = read_secret_file (text, name);
        set_value (setting, settings, secret, name);
        free (secret);
    }
}

static void set_defaults (const setting_t *table, void *settings, const bool *on_line)
{
    for (size_t i = 0; table[i].name; i++) {
        if (on_line[i])
            continue;
        char from[96];
        snprintf (from, sizeof from, "--%s", table[i].name);
        void *field = (char *)settings + table[i].offset;
        bool list = table[i].type == SETTING_LIST || table[i].type == SETTING_LINES;
        if (table[i].otherwise && !list)
            set_value (&table[i], settings, table[i].otherwise, from);
        set_from_environment (&table[i], settings);
        if (list && table[i].otherwise && !((settings_list_t *)field)->count)
            set_value (&table[i], settings, table[i].otherwise, from);
    }
}

typedef struct {
    struct option options[2 * SETTINGS_MAX + 3];
    char names[2 * SETTINGS_MAX][80];
    char letters[2 * SETTINGS_MAX + 4];
} long_options_t;

/*  getopt's table: --name (index), --no-name of flags and --name-file of secrets (index + SETTINGS_MAX). */
static void make_options (const setting_t *table, size_t count, long_options_t *made)
{
    size_t at = 0, letters = 0;
    made->letters[letters++] = ':';
    for (size_t i = 0; i < count; i++) {
        const setting_t *s = &table[i];
        int has_value = s->type == SETTING_FLAG ? optional_argument : required_argument;
        if (!s->secret)
            made->options[at++] = (struct option){s->name, has_value, NULL, (int)i + 256};
        if (s->type == SETTING_FLAG || s->secret) {
            snprintf (made->names[at], sizeof made->names[at], s->secret ? "%s-file" : "no-%s",
                      s->name);
            made->options[at] =
                (struct option){made->names[at], s->secret ? required_argument : no_argument, NULL,
                                (int)i + 256 + SETTINGS_MAX};
            at++;
        }
        if (s->letter) {
            made->letters[letters++] = s->letter;
            made->letters[letters++] = ':';
        }
    }
    made->options[at++] = (struct option){"help", no_argument, NULL, HELP_CODE};
    made->options[at++] = (struct option){"version", no_argument, NULL, VERSION_CODE};
    made->options[at] = (struct option){0};
}

static void set_from_line (const setting_t *setting, void *settings, bool other_form)
{
    char from[96];
    snprintf (from, sizeof from, "--%s%s", setting->name, setting->secret ? "-file" : "");
    if (setting->secret) {
        char *secret = read_secret_file (optarg, from);
        set_value (setting, settings, secret, from);
        free (secret);
    } else if (setting->type == SETTING_FLAG) {
        set_value (setting, settings, other_form ? "false" : optarg ? optarg : "true", from);
    } else {
        set_value (setting, settings, optarg, from);
    }
}

int settings_load (const settings_program_t *program, int argc, char **argv, void *settings)
{
    const setting_t *table = program->table;
    size_t count = table_count (table);
    if (count > SETTINGS_MAX)
        abort ();
    long_options_t *made = memory_new (sizeof *made);
    bool on_line[SETTINGS_MAX] = {false};
    make_options (table, count, made);
    opterr = 0;
    optind = 1;
    for (;;) {
        int code = getopt_long (argc, argv, made->letters, made->options, NULL);
        if (code == -1)
            break;
        if (code == HELP_CODE) {
            print_help (program);
            exit (0);
        }
        if (code == VERSION_CODE) {
            printf ("%s %s\n", program->program, HOTPATH_VERSION);
            exit (0);
        }
        if (code == ':')
            settings_fail (EX_USAGE, "%s needs a value (see --help)", argv[optind - 1]);
        if (code == '?')
            settings_fail (EX_USAGE, "unknown setting '%s' (see --help)", argv[optind - 1]);
        size_t index = SIZE_MAX;
        for (size_t i = 0; code < 256 && i < count; i++)
            index = table[i].letter == code ? i : index;
        bool other_form = code >= 256 + SETTINGS_MAX;
        if (code >= 256)
            index = (size_t)code - 256 - (other_form ? SETTINGS_MAX : 0);
        set_from_line (&table[index], settings, other_form);
        on_line[index] = true;
    }
    free (made);
    if (optind < argc && !program->operands)
        settings_fail (EX_USAGE, "unexpected '%s' (see --help)", argv[optind]);
    set_defaults (table, settings, on_line);
    return optind;
}

void settings_free (const settings_program_t *program, void *settings)
{
    for (const setting_t *s = program->table; s->name; s++) {
        void *field = (char *)settings + s->offset;
        if (s->type == SETTING_TEXT || s->type == SETTING_CHOICE) {
            free (*(char **)field);
            *(char **) field = NULL;
        } else if (s->type == SETTING_LIST || s->type == SETTING_LINES) {
            list_empty (field);
        }
    }
}
