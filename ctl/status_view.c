#include "ctl/status_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/metrics_text.h"

enum { CLOCK_BYTES = 32, DAY_S = 86400 };

const char *status_state_name (status_state_t state)
{
    static const char *const names[] = {[STATUS_READY] = "ready",
                                        [STATUS_NOT_READY] = "not ready",
                                        [STATUS_SILENT] = "silent",
                                        [STATUS_GONE] = "gone"};
    return names[state];
}

__attribute__ ((format (printf, 2, 3))) static void add_problem (status_view_t *view,
                                                                 const char *format, ...)
{
    if (view->problem_count == STATUS_PROBLEMS_MAX)
        return;
    va_list args;
    va_start (args, format);
    vsnprintf (view->problems[view->problem_count++], STATUS_PROBLEM_BYTES, format, args);
    va_end (args);
}

/*  ---- the numbers of each kind ---- */

/*  "18:52:45 UTC", with the date where that is another day than now. */
static void write_time (double seconds, int64_t now_ms, char text[CLOCK_BYTES])
{
    time_t at = (time_t)seconds;
    struct tm parts;
    gmtime_r (&at, &parts);
    bool today = at / DAY_S == now_ms / 1000 / DAY_S;
    strftime (text, CLOCK_BYTES, today ? "%H:%M:%S UTC" : "%Y-%m-%d %H:%M:%S UTC", &parts);
}

/*  How long ago, as people say it. */
static void write_ago (double seconds, char text[CLOCK_BYTES])
{
    if (seconds < 120)
        snprintf (text, CLOCK_BYTES, "%.1f s", seconds);
    else if (seconds < 2 * 3600)
        snprintf (text, CLOCK_BYTES, "%.0f min", seconds / 60);
    else if (seconds < 2 * DAY_S)
        snprintf (text, CLOCK_BYTES, "%.0f h", seconds / 3600);
    else
        snprintf (text, CLOCK_BYTES, "%.0f days", seconds / DAY_S);
}

static void view_configd (const char *metrics, status_view_t *view)
{
    double invalid = metrics_text_sum (metrics, "hotpath_config_invalid_documents", NULL, 0);
    snprintf (view->what, sizeof view->what, "%.0f scenarios, %.0f processes follow, %.0f behind",
              metrics_text_sum (metrics, "hotpath_config_scenarios", NULL, 0),
              metrics_text_sum (metrics, "hotpath_config_processes", NULL, 0),
              metrics_text_sum (metrics, "hotpath_config_processes_behind", NULL, 0));
    if (invalid > 0)
        add_problem (view, "%.0f documents are not valid: their last good config stays (see its log)",
                     invalid);
    if (metrics_text_sum (metrics, "hotpath_mongodb_reachable", NULL, 1) == 0)
        add_problem (view, "MongoDB cannot be reached: changes do not come through");
}

static void view_ingestor (const char *metrics, status_view_t *view)
{
    metrics_number_t messages, bytes, behind;
    char lag[96] = "lag not known";
    bool is_kafka = metrics_text_find (metrics, "hotpath_lag_messages", NULL, &messages);
    if (is_kafka)
        snprintf (lag, sizeof lag, "lag %.0f messages", messages.sum);
    else if (metrics_text_find (metrics, "hotpath_lag_bytes", NULL, &bytes))
        snprintf (lag, sizeof lag, "lag %.0f bytes", bytes.sum);
    if (metrics_text_find (metrics, "hotpath_event_time_lag_seconds", NULL, &behind)) {
        char ago[CLOCK_BYTES];
        write_ago (behind.most, ago);
        snprintf (lag + strlen (lag), sizeof lag - strlen (lag), " and %s of event time", ago);
    }
    snprintf (view->what, sizeof view->what, "%.0f partitions, %s",
              metrics_text_sum (metrics, "hotpath_partitions", NULL, 0), lag);
}

static void view_worker (const char *metrics, int64_t now_ms, status_view_t *view)
{
    metrics_number_t watermark;
    char complete[2 * CLOCK_BYTES + 32] = "nothing complete yet";
    if (metrics_text_find (metrics, "hotpath_watermark_timestamp_seconds", NULL, &watermark)) {
        char clock[CLOCK_BYTES], ago[CLOCK_BYTES];
        write_time (watermark.least, now_ms, clock);
        write_ago ((double)now_ms / 1000 - watermark.least, ago);
        snprintf (complete, sizeof complete, "complete to %s (%s ago)", clock, ago);
    }
    snprintf (view->what, sizeof view->what, "%.0f of %.0f shards, %s, %.0f results owed",
              metrics_text_sum (metrics, "hotpath_shards_owned", NULL, 0),
              metrics_text_sum (metrics, "hotpath_shards", NULL, 0), complete,
              metrics_text_sum (metrics, "hotpath_owed_results", NULL, 0));
}

static void view_sink (const char *metrics, status_view_t *view)
{
    bool connected = metrics_text_sum (metrics, "hotpath_redis_connected", NULL, 0) > 0;
    snprintf (view->what, sizeof view->what, "Redis %s, %.0f results written, %.0f writes wait",
              connected ? "takes commands" : "does not take commands",
              metrics_text_sum (metrics, "hotpath_results_written_total", "outcome=\"ok\"", 0),
              metrics_text_sum (metrics, "hotpath_redis_writes_waiting", NULL, 0));
}

static bool is_worker (const char *kind)
{
    return strcmp (kind, "scorer") == 0 || strcmp (kind, "profiler") == 0 ||
           strcmp (kind, "metrics") == 0;
}

/*  ---- one process ---- */

/*  The lines of /readyz that begin with "[-] ". */
static void take_problems (const char *text, status_view_t *view)
{
    for (const char *line = text; line && *line;) {
        size_t size = strcspn (line, "\n");
        if (size > 4 && memcmp (line, "[-] ", 4) == 0)
            add_problem (view, "%.*s", (int)(size - 4), line + 4);
        line += size + (line[size] == '\n');
    }
}

void status_view_process (const status_found_t *found, int64_t now_ms, status_view_t *view)
{
    view->what[0] = '\0';
    view->problem_count = 0;
    view->state = found->ready_code == 200 ? STATUS_READY : STATUS_NOT_READY;
    if (!found->note.alive && !found->ready_code) {
        view->state = STATUS_GONE;
        add_problem (view, "it has died, and nothing has started it again");
        return;
    }
    if (!found->ready_code) {
        view->state = STATUS_SILENT;
        const char *error = found->error ? found->error : "nothing came";
        if (found->note.pid)
            add_problem (view, "it lives (pid %ld) and does not answer at %s: %s", found->note.pid,
                         found->note.address, error);
        else
            add_problem (view, "no answer at %s: %s", found->note.address, error);
        return;
    }
    const char *kind = found->note.kind, *metrics = found->metrics ? found->metrics : "";
    if (strcmp (kind, "configd") == 0)
        view_configd (metrics, view);
    else if (strcmp (kind, "ingestor") == 0)
        view_ingestor (metrics, view);
    else if (is_worker (kind))
        view_worker (metrics, now_ms, view);
    else if (strcmp (kind, "sink") == 0)
        view_sink (metrics, view);
    take_problems (found->ready_text, view);
    if (view->state == STATUS_NOT_READY && !view->problem_count)
        add_problem (view, "/readyz answers %ld", found->ready_code);
}

/*  ---- the whole ---- */

static void view_shards (const status_found_t *found, size_t count, const char *kind,
                         status_view_t *view)
{
    double owned = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        const char *metrics = found[i].metrics;
        if (strcmp (found[i].note.kind, kind) != 0 || !metrics)
            continue;
        double one = metrics_text_sum (metrics, "hotpath_shards", NULL, 0);
        all = one > all ? one : all;
        owned += metrics_text_sum (metrics, "hotpath_shards_owned", NULL, 0);
    }
    if (owned < all)
        add_problem (view, "%s: %.0f of %.0f shards are with no process that answers", kind,
                     all - owned, all);
}

void status_view_whole (const status_found_t *found, size_t count, status_view_t *view)
{
    static const char *const kinds[] = {"configd",  "ingestor", "scorer",
                                        "profiler", "metrics",  "sink"};
    view->what[0] = '\0';
    view->problem_count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t known = 0;
        for (size_t at = 0; at < count; at++)
            known += strcmp (found[at].note.kind, kinds[i]) == 0;
        if (!known)
            add_problem (view, "no %s is known: none runs, or it serves no status (--status-listen)",
                         kinds[i]);
        else if (is_worker (kinds[i]))
            view_shards (found, count, kinds[i], view);
    }
    view->state = view->problem_count ? STATUS_NOT_READY : STATUS_READY;
}
