/*  results: what a worker tells the sink, one body a result (the frames around them: wire.h).
 *
 *  A body says everything that the sink needs to write it (ttl, top_k, the metrics block to evaluate),
 *  so that the sink has no view of the configuration that could be of another revision.
 *  Encoded as msgpack by results_write_*, read by results_read_*; readers trust nothing, and their
 *  spans borrow from the body.
 */
#ifndef HOTPATH_RESULTS_H
#define HOTPATH_RESULTS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/distinct.h"
#include "common/pack.h"
#include "common/span.h"

typedef enum { RESULT_RANKING = 1, RESULT_METRICS = 2, RESULT_PROFILE = 3 } result_kind_t;

/*  Revision of a scenario's config: ordered by era, then number. */
typedef struct {
    uint64_t era, number;
} revision_t;

static inline int revision_compare (revision_t a, revision_t b)
{
    if (a.era != b.era)
        return a.era < b.era ? -1 : 1;
    return (a.number > b.number) - (a.number < b.number);
}

typedef struct {
    result_kind_t kind;
    span_t tenant, scenario;
    revision_t revision;
    int64_t window_start_ms, window_end_ms; /* profile: 0, and u (time of the newest event) */
    bool exact;                             /* windows: every event of the window was counted */
    int64_t ttl_ms;
    int64_t since_ms; /* event time from which on the revision has run (revision_since.h) */
} result_header_t;

typedef struct {
    span_t name;
    uint64_t count;
} result_action_t;

/*  One ranked item of one shard. With item_stats the fields behind `score` are given. */
typedef struct {
    span_t item;
    double score;
    const result_action_t *actions; /* sorted by name */
    uint32_t action_count;
    uint64_t unique_users;      /* estimate of the whole item: items live in one shard */
    uint64_t watched_ms;        /* sum over the window's events with watched seconds */
    uint64_t watched_count;     /* how many those are */
} result_item_t;

/*  The head of a ranking part; its items follow one by one. */
typedef struct {
    uint32_t top_k;
    bool item_stats;
    uint32_t item_count; /* at most top_k, in order: score descending, then item ascending */
} result_ranking_t;

/*  One shard's share of one metrics window. */
typedef struct {
    span_t metrics_json;            /* scenario_config_write_metrics of the header's revision */
    uint64_t total_actions;
    const result_action_t *actions; /* sorted by name; read: into the caller's array */
    uint32_t action_count;
    uint64_t watched_ms, watched_count;
    uint64_t rate_known, rate_done; /* events with a known rate, and those above 0.8 */
    const distinct_t *users, *items; /* NULL: not collected */
    /*  Of this shard no event counts in a window that ends by then, and it may send no part of those: one part
     *  stands for all of them. 0: nothing is said. */
    int64_t empty_until_ms;
} result_metrics_t;

typedef struct {
    span_t user;
    span_t json;
} result_profile_t;

enum { RESULT_ACTIONS_MAX = 65536, RESULT_ITEMS_MAX = 100000, RESULT_JSON_BYTES_MAX = 1 << 24 };

void results_write_header (buffer_t *body, const result_header_t *header);
void results_write_ranking (buffer_t *body, const result_ranking_t *ranking);
void results_write_item (buffer_t *body, const result_item_t *item, bool item_stats);
void results_write_metrics (buffer_t *body, const result_metrics_t *metrics);
void results_write_profile (buffer_t *body, const result_profile_t *profile);
/*  The same of JSON that is appended to the body between the two; end () takes what begin () returned. */
size_t results_begin_profile (buffer_t *body, span_t user);
void results_end_profile (buffer_t *body, size_t began);

/*  Readers leave cursor->failed set where the bytes are not valid. */
void results_read_header (cursor_t *cursor, result_header_t *header);
void results_read_ranking (cursor_t *cursor, result_ranking_t *ranking);
/*  `actions` has room for `actions_max`; item->actions points to it. */
void results_read_item (cursor_t *cursor, result_item_t *item, bool item_stats,
                        result_action_t *actions, uint32_t actions_max);
/*  `users` and `items` are filled (both must be distinct_new'd with DISTINCT_METRICS), and metrics->users /
 *  ->items point to them or are NULL where not collected. */
void results_read_metrics (cursor_t *cursor, result_metrics_t *metrics, result_action_t *actions,
                           uint32_t actions_max, distinct_t *users, distinct_t *items);
void results_read_profile (cursor_t *cursor, result_profile_t *profile);

#endif
