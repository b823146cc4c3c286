/*  results: see results.h. One fixed msgpack array for each structure; nothing optional but what a
 *  nil or the size of the array says. It does not know frames, sequences or shards (wire.h).
 */
#include "common/results.h"

#include <math.h>

#include "common/event.h"

enum {
    HEADER_FIELDS = 10,
    HEADER_FIELDS_BEFORE = 9, /* without since_ms: owed by an earlier version */
    RANKING_FIELDS = 3,
    ITEM_FIELDS = 2,
    ITEM_STATS_FIELDS = 6,
    METRICS_FIELDS = 10,
    METRICS_FIELDS_BEFORE = 9, /* without empty_until_ms: owed by an earlier version */
    PROFILE_FIELDS = 2,
    STR_32_BYTES = 5,
};

static void write_actions (buffer_t *body, const result_action_t *actions, uint32_t count)
{
    pack_array (body, (size_t)count * 2);
    for (uint32_t i = 0; i < count; i++) {
        pack_span (body, actions[i].name);
        pack_uint (body, actions[i].count);
    }
}

void results_write_header (buffer_t *body, const result_header_t *header)
{
    pack_array (body, HEADER_FIELDS);
    pack_uint (body, header->kind);
    pack_span (body, header->tenant);
    pack_span (body, header->scenario);
    pack_uint (body, header->revision.era);
    pack_uint (body, header->revision.number);
    pack_int (body, header->window_start_ms);
    pack_int (body, header->window_end_ms);
    pack_bool (body, header->exact);
    pack_int (body, header->ttl_ms);
    pack_int (body, header->since_ms);
}

void results_write_ranking (buffer_t *body, const result_ranking_t *ranking)
{
    pack_array (body, RANKING_FIELDS);
    pack_uint (body, ranking->top_k);
    pack_bool (body, ranking->item_stats);
    pack_uint (body, ranking->item_count);
}

void results_write_item (buffer_t *body, const result_item_t *item, bool item_stats)
{
    pack_array (body, item_stats ? ITEM_STATS_FIELDS : ITEM_FIELDS);
    pack_span (body, item->item);
    pack_double (body, item->score);
    if (!item_stats)
        return;
    write_actions (body, item->actions, item->action_count);
    pack_uint (body, item->unique_users);
    pack_uint (body, item->watched_ms);
    pack_uint (body, item->watched_count);
}

static void write_distinct (buffer_t *body, const distinct_t *set)
{
    if (set)
        distinct_write (set, body);
    else
        pack_nil (body);
}

void results_write_metrics (buffer_t *body, const result_metrics_t *metrics)
{
    pack_array (body, METRICS_FIELDS);
    pack_span (body, metrics->metrics_json);
    pack_uint (body, metrics->total_actions);
    write_actions (body, metrics->actions, metrics->action_count);
    pack_uint (body, metrics->watched_ms);
    pack_uint (body, metrics->watched_count);
    pack_uint (body, metrics->rate_known);
    pack_uint (body, metrics->rate_done);
    write_distinct (body, metrics->users);
    write_distinct (body, metrics->items);
    pack_int (body, metrics->empty_until_ms);
}

void results_write_profile (buffer_t *body, const result_profile_t *profile)
{
    size_t began = results_begin_profile (body, profile->user);
    buffer_append (body, profile->json.bytes, profile->json.size);
    results_end_profile (body, began);
}

/*  A text whose size is not known yet is a msgpack str 32, whatever its size. */
size_t results_begin_profile (buffer_t *body, span_t user)
{
    static const uint8_t str_32[STR_32_BYTES] = {0xdb};
    pack_array (body, PROFILE_FIELDS);
    pack_span (body, user);
    buffer_append (body, str_32, sizeof str_32);
    return body->size;
}

void results_end_profile (buffer_t *body, size_t began)
{
    size_t size = body->size - began;
    for (size_t i = 1; i < STR_32_BYTES; i++, size >>= 8)
        body->bytes[began - i] = (uint8_t)size;
}

static void require (cursor_t *cursor, bool condition)
{
    if (!condition)
        cursor->failed = true;
}

static void read_fields (cursor_t *cursor, size_t count)
{
    require (cursor, cursor_array (cursor, count) == count);
}

/*  An id: never empty. */
static span_t read_name (cursor_t *cursor, size_t size_max)
{
    span_t name = cursor_span (cursor, size_max);
    require (cursor, name.size > 0);
    return name;
}

static uint32_t read_actions (cursor_t *cursor, result_action_t *actions, uint32_t actions_max)
{
    size_t room = actions_max < RESULT_ACTIONS_MAX ? actions_max : RESULT_ACTIONS_MAX;
    size_t count = cursor_array (cursor, room * 2);
    require (cursor, count % 2 == 0);
    for (size_t i = 0; i < count / 2 && !cursor->failed; i++) {
        actions[i].name = read_name (cursor, EVENT_ACTION_BYTES_MAX);
        actions[i].count = cursor_uint (cursor);
        if (i > 0 && !cursor->failed)
            require (cursor, span_compare (actions[i - 1].name, actions[i].name) < 0);
    }
    return cursor->failed ? 0 : (uint32_t)(count / 2);
}

void results_read_header (cursor_t *cursor, result_header_t *header)
{
    *header = (result_header_t){0};
    size_t fields = cursor_array (cursor, HEADER_FIELDS);
    require (cursor, fields >= HEADER_FIELDS_BEFORE);
    header->kind = (result_kind_t)cursor_uint_max (cursor, RESULT_PROFILE);
    header->tenant = read_name (cursor, EVENT_ID_BYTES_MAX);
    header->scenario = read_name (cursor, EVENT_ID_BYTES_MAX);
    header->revision.era = cursor_uint (cursor);
    header->revision.number = cursor_uint (cursor);
    header->window_start_ms = cursor_int (cursor);
    header->window_end_ms = cursor_int (cursor);
    header->exact = cursor_bool (cursor);
    header->ttl_ms = cursor_int (cursor);
    header->since_ms = fields == HEADER_FIELDS ? cursor_int (cursor) : EVENT_TIME_NONE;
    require (cursor, header->kind >= RESULT_RANKING);
    require (cursor, header->window_start_ms <= header->window_end_ms && header->ttl_ms > 0);
}

void results_read_ranking (cursor_t *cursor, result_ranking_t *ranking)
{
    *ranking = (result_ranking_t){0};
    read_fields (cursor, RANKING_FIELDS);
    ranking->top_k = (uint32_t)cursor_uint_max (cursor, RESULT_ITEMS_MAX);
    ranking->item_stats = cursor_bool (cursor);
    ranking->item_count = (uint32_t)cursor_uint_max (cursor, ranking->top_k);
    /*  An item takes more than a byte: so that a count from outside bounds an allocation. */
    require (cursor, ranking->item_count <= (size_t)(cursor->end - cursor->at));
    if (cursor->failed)
        ranking->item_count = 0;
}

void results_read_item (cursor_t *cursor, result_item_t *item, bool item_stats,
                        result_action_t *actions, uint32_t actions_max)
{
    *item = (result_item_t){0};
    read_fields (cursor, item_stats ? ITEM_STATS_FIELDS : ITEM_FIELDS);
    item->item = read_name (cursor, EVENT_ID_BYTES_MAX);
    item->score = cursor_double (cursor);
    require (cursor, isfinite (item->score) && item->score > 0);
    if (!item_stats)
        return;
    item->actions = actions;
    item->action_count = read_actions (cursor, actions, actions_max);
    item->unique_users = cursor_uint (cursor);
    item->watched_ms = cursor_uint (cursor);
    item->watched_count = cursor_uint (cursor);
}

static const distinct_t *read_distinct (cursor_t *cursor, distinct_t *set)
{
    distinct_clear (set);
    if (cursor_take_nil (cursor))
        return NULL;
    distinct_read (set, cursor);
    return set;
}

void results_read_metrics (cursor_t *cursor, result_metrics_t *metrics, result_action_t *actions,
                           uint32_t actions_max, distinct_t *users, distinct_t *items)
{
    *metrics = (result_metrics_t){0};
    size_t fields = cursor_array (cursor, METRICS_FIELDS);
    require (cursor, fields >= METRICS_FIELDS_BEFORE);
    metrics->metrics_json = cursor_span (cursor, RESULT_JSON_BYTES_MAX);
    metrics->total_actions = cursor_uint (cursor);
    metrics->actions = actions;
    metrics->action_count = read_actions (cursor, actions, actions_max);
    metrics->watched_ms = cursor_uint (cursor);
    metrics->watched_count = cursor_uint (cursor);
    metrics->rate_known = cursor_uint (cursor);
    metrics->rate_done = cursor_uint (cursor);
    metrics->users = read_distinct (cursor, users);
    metrics->items = read_distinct (cursor, items);
    metrics->empty_until_ms = fields == METRICS_FIELDS ? cursor_int (cursor) : 0;
    require (cursor, metrics->rate_done <= metrics->rate_known);
}

void results_read_profile (cursor_t *cursor, result_profile_t *profile)
{
    *profile = (result_profile_t){0};
    read_fields (cursor, PROFILE_FIELDS);
    profile->user = read_name (cursor, EVENT_ID_BYTES_MAX);
    profile->json = cursor_span (cursor, RESULT_JSON_BYTES_MAX);
}
