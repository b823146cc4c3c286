#include "ctl/scenario_print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = 512 };

/*  ---- values ---- */

static const char *text_at (yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_str (yyjson_obj_get (object, key));
    return text ? text : "";
}

static unsigned long long number_at (yyjson_val *object, const char *key)
{
    return (unsigned long long)yyjson_get_uint (yyjson_obj_get (object, key));
}

/*  Control bytes do not reach the terminal. */
static void print_clean (FILE *to, const char *text)
{
    for (; *text; text++)
        fputc ((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
}

static void print_cell (const char *text, int width)
{
    int size = 0;
    for (const char *at = text; *at; at++)
        size += ((unsigned char)*at & 0xc0) != 0x80;
    print_clean (stdout, text);
    printf ("%*s", size < width ? width - size + 2 : 2, "");
}

/*  A value in one line: strings as they are, the rest as JSON. */
static void print_value (yyjson_val *value)
{
    if (!value) {
        fputs ("(none)", stdout);
        return;
    }
    char *text = yyjson_val_write (value, YYJSON_WRITE_NOFLAG, NULL);
    fputs (text ? text : "?", stdout);
    free (text);
}

static void print_pretty (yyjson_val *value)
{
    char *text = yyjson_val_write (value, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
    puts (text ? text : "null");
    free (text);
}

/*  "/hot_score/top_k" -> hot_score.top_k, as `set` takes it. */
static void print_pointer (const char *pointer)
{
    if (strchr (pointer, '~') || strchr (pointer, '.')) {
        print_clean (stdout, pointer);
        return;
    }
    for (const char *at = pointer + (*pointer == '/'); *at; at++)
        fputc (*at == '/' ? '.' : *at, stdout);
}

static void print_changes (yyjson_val *changes)
{
    size_t index, count;
    yyjson_val *change;
    yyjson_arr_foreach (changes, index, count, change)
    {
        fputs ("  ", stdout);
        print_pointer (text_at (change, "pointer"));
        fputs (": ", stdout);
        print_value (yyjson_obj_get (change, "from"));
        fputs (" -> ", stdout);
        print_value (yyjson_obj_get (change, "to"));
        putchar ('\n');
    }
}

static void print_state (yyjson_val *state)
{
    if (yyjson_is_true (yyjson_obj_get (state, "applied")))
        printf ("applied by all %llu processes\n", number_at (state, "processes"));
    else if (!yyjson_obj_get (state, "published"))
        puts ("not published yet");
    else if (!number_at (state, "processes"))
        puts ("published; no process runs");
    else
        printf ("not applied yet: %llu of %llu processes are behind, of %llu Redis does not have "
                "the first result, %llu shards have no owner\n",
                number_at (state, "behind"), number_at (state, "processes"),
                number_at (state, "unwritten"), number_at (state, "unowned_shards"));
}

static void print_name (yyjson_val *body)
{
    print_clean (stdout, text_at (body, "tenant_id"));
    putchar ('/');
    print_clean (stdout, text_at (body, "scenario_id"));
}

/*  ---- answers ---- */

void scenario_print_list (yyjson_val *body, int page)
{
    size_t index, count;
    yyjson_val *one;
    if (page == 0)
        printf ("%-18s%-26s%-12s%-10s%s\n", "TENANT", "SCENARIO", "STATUS", "REVISION", "DOCUMENT");
    yyjson_arr_foreach (yyjson_obj_get (body, "scenarios"), index, count, one)
    {
        char revision[32] = "-";
        if (yyjson_obj_get (one, "revision"))
            snprintf (revision, sizeof revision, "%llu", number_at (one, "revision"));
        print_cell (text_at (one, "tenant_id"), 16);
        print_cell (text_at (one, "scenario_id"), 24);
        print_cell (text_at (one, "status"), 10);
        print_cell (revision, 8);
        print_clean (stdout, text_at (one, "document"));
        yyjson_val *problem = yyjson_obj_get (one, "problem");
        if (problem) {
            fputs (": ", stdout);
            print_clean (stdout, text_at (problem, "path"));
            fputs (": ", stdout);
            print_clean (stdout, text_at (problem, "detail"));
        }
        putchar ('\n');
    }
}

static void print_errors (FILE *to, yyjson_val *errors)
{
    size_t index, count;
    yyjson_val *error;
    yyjson_arr_foreach (errors, index, count, error)
    {
        fputs ("  ", to);
        print_clean (to, text_at (error, "pointer"));
        fputs (": ", to);
        print_clean (to, text_at (error, "detail"));
        fputc ('\n', to);
    }
}

void scenario_print_one (yyjson_val *body)
{
    yyjson_val *change = yyjson_obj_get (body, "change");
    print_name (body);
    printf (": %s, %s, revision %llu, document %s\n", text_at (body, "status"),
            yyjson_is_true (yyjson_obj_get (body, "active")) ? "runs" : "does not run",
            number_at (body, "revision"), text_at (body, "document"));
    if (!yyjson_get_bool (yyjson_obj_get (body, "store_answers")))
        puts ("the store does not answer: this is what runs");
    if (change) {
        printf ("changed %s by ", text_at (change, "time"));
        print_clean (stdout, text_at (change, "author"));
        if (*text_at (change, "reason")) {
            fputs (": ", stdout);
            print_clean (stdout, text_at (change, "reason"));
        }
        putchar ('\n');
    }
    print_errors (stdout, yyjson_obj_get (body, "errors"));
    print_state (yyjson_obj_get (body, "applied"));
    print_pretty (yyjson_obj_get (body, "effective"));
}

void scenario_print_change (yyjson_val *body)
{
    bool dry = yyjson_is_true (yyjson_obj_get (body, "dry_run"));
    bool changed = !yyjson_is_false (yyjson_obj_get (body, "changed"));
    print_name (body);
    if (!changed)
        fputs (": nothing changes", stdout);
    else if (dry)
        fputs (": would change", stdout);
    else if (yyjson_obj_get (body, "revision"))
        printf (": revision %llu%s", number_at (body, "revision"),
                yyjson_obj_get (body, "repeated") ? ", made before by this key" : "");
    if (*text_at (body, "status"))
        printf ("%s%s", !changed || dry || yyjson_obj_get (body, "revision") ? ", " : ": ",
                text_at (body, "status"));
    if (dry) {
        putchar ('\n');
    } else {
        fputs ("; ", stdout);
        print_state (yyjson_obj_get (body, "applied"));
    }
    print_changes (yyjson_obj_get (body, "changes"));
}

void scenario_print_validation (yyjson_val *body)
{
    if (yyjson_is_true (yyjson_obj_get (body, "valid")))
        puts ("valid");
    else
        puts ("not valid:");
    print_errors (stdout, yyjson_obj_get (body, "errors"));
    print_changes (yyjson_obj_get (body, "changes"));
}

void scenario_print_history (yyjson_val *body)
{
    size_t index, count;
    yyjson_val *one;
    printf ("%-10s%-26s%-18s%s\n", "REVISION", "TIME", "AUTHOR", "REASON");
    yyjson_arr_foreach (yyjson_obj_get (body, "revisions"), index, count, one)
    {
        char revision[32];
        snprintf (revision, sizeof revision, "%llu", number_at (one, "revision"));
        print_cell (revision, 8);
        print_cell (text_at (one, "time"), 24);
        print_cell (text_at (one, "author"), 16);
        print_clean (stdout, text_at (one, "reason"));
        putchar ('\n');
    }
}

void scenario_print_diff (yyjson_val *body)
{
    if (!yyjson_arr_size (yyjson_obj_get (body, "changes")))
        puts ("no difference");
    print_changes (yyjson_obj_get (body, "changes"));
}

void scenario_print_preview (yyjson_val *body)
{
    size_t index, count;
    yyjson_val *one;
    print_changes (yyjson_obj_get (body, "changes"));
    if (!yyjson_arr_size (yyjson_obj_get (body, "after")))
        puts ("no item would be in the ranking");
    else
        printf ("%-6s%-7s%-20s%-20s%s\n", "RANK", "WAS", "SCORE", "WAS", "ITEM");
    yyjson_arr_foreach (yyjson_obj_get (body, "after"), index, count, one)
    {
        char cells[4][CELL_BYTES];
        yyjson_val *before = yyjson_obj_get (one, "score_before");
        snprintf (cells[0], CELL_BYTES, "%llu", number_at (one, "rank"));
        snprintf (cells[1], CELL_BYTES, "%s", "-");
        snprintf (cells[3], CELL_BYTES, "%s", "-");
        if (before) {
            snprintf (cells[1], CELL_BYTES, "%llu", number_at (one, "rank_before"));
            snprintf (cells[3], CELL_BYTES, "%.10g", yyjson_get_num (before));
        }
        snprintf (cells[2], CELL_BYTES, "%.10g", yyjson_get_num (yyjson_obj_get (one, "score")));
        print_cell (cells[0], 4);
        print_cell (cells[1], 5);
        print_cell (cells[2], 18);
        print_cell (cells[3], 18);
        print_clean (stdout, text_at (one, "item"));
        putchar ('\n');
    }
}

void scenario_print_applied (yyjson_val *body)
{
    print_name (body);
    printf (", revision %llu: ", number_at (body, "revision"));
    print_state (body);
}

void scenario_print_problem (yyjson_val *body, int status)
{
    fprintf (stderr, "hotpath: %d ", status);
    print_clean (stderr, text_at (body, "title"));
    if (*text_at (body, "detail")) {
        fputs (": ", stderr);
        print_clean (stderr, text_at (body, "detail"));
    }
    fputc ('\n', stderr);
    print_errors (stderr, yyjson_obj_get (body, "errors"));
}
