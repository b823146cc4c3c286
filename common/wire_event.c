#include "common/wire_event.h"

#include "common/event_time.h"

/*  Offsets and times come from outside: sums of them must not overflow. */
static int64_t add_or_fail (cursor_t *rows, int64_t a, int64_t b)
{
    int64_t sum = 0;
    if (__builtin_add_overflow (a, b, &sum))
        rows->failed = true;
    return sum;
}

static uint8_t *write_duration (uint8_t *at, int64_t watched_ms)
{
    return watched_ms == EVENT_MS_NONE ? pack_at_nil (at) : pack_at_uint (at, (uint64_t)watched_ms);
}

static int64_t read_duration (cursor_t *rows)
{
    if (cursor_take_nil (rows))
        return EVENT_MS_NONE;
    return (int64_t)cursor_uint_max (rows, EVENT_WATCHED_MS_MAX);
}

static size_t span_bytes_max (span_t span)
{
    return PACK_SPAN_HEAD_BYTES_MAX + span.size;
}

/*  Room that any row of this event takes at most. */
static size_t row_bytes_max (stage_id_t stage, const event_t *event)
{
    size_t bytes = 10 * PACK_UINT_BYTES_MAX + PACK_ARRAY_BYTES_MAX + span_bytes_max (event->item);
    if (stage != STAGE_PROFILER)
        return bytes;
    bytes += span_bytes_max (event->user) + span_bytes_max (event->category);
    for (uint32_t i = 0; i < event->tag_count; i++)
        bytes += span_bytes_max (event->tags[i]);
    return bytes;
}

static uint8_t *write_profile_fields (uint8_t *at, const event_t *event, uint64_t user_hash)
{
    at = pack_at_uint (at, user_hash);
    at = pack_at_span (at, event->user);
    at = pack_at_span (at, event->item);
    at = event->category.bytes ? pack_at_span (at, event->category) : pack_at_nil (at);
    at = pack_at_array (at, event->tag_count);
    for (uint32_t i = 0; i < event->tag_count; i++)
        at = pack_at_span (at, event->tags[i]);
    return at;
}

static void read_profile_fields (cursor_t *rows, stage_event_t *event, span_t *tags)
{
    event->key_hash = cursor_uint (rows);
    event->user = cursor_span (rows, EVENT_ID_BYTES_MAX);
    event->item = cursor_span (rows, EVENT_ID_BYTES_MAX);
    if (!cursor_take_nil (rows))
        event->category = cursor_span (rows, EVENT_LABEL_BYTES_MAX);
    event->tag_count = (uint32_t)cursor_array (rows, EVENT_TAGS_MAX);
    event->tags = tags;
    for (uint32_t i = 0; i < event->tag_count; i++)
        tags[i] = cursor_span (rows, EVENT_LABEL_BYTES_MAX);
}

void wire_event_write (buffer_t *rows, wire_chain_t *chain, stage_id_t stage, const wire_row_t *row,
                       const event_t *event, uint64_t user_hash, uint64_t item_hash, bool item_stats)
{
    buffer_reserve (rows, row_bytes_max (stage, event));
    uint8_t *at = rows->bytes + rows->size;
    bool first = row->greatest_ms == EVENT_TIME_NONE;
    int64_t known_ms = chain->greatest_ms == EVENT_TIME_NONE ? 0 : chain->greatest_ms;
    at = pack_at_uint (at, (uint64_t)(row->offset - chain->offset));
    at = first ? pack_at_nil (at) : pack_at_int (at, row->greatest_ms - known_ms);
    at = pack_at_int (at, first ? event->time_ms : event->time_ms - row->greatest_ms);
    chain->offset = row->offset;
    chain->greatest_ms = row->greatest_ms > event->time_ms ? row->greatest_ms : event->time_ms;
    at = pack_at_uint (at, row->scenario);
    at = pack_at_uint (at, row->action);
    switch (stage) {
    case STAGE_SCORER:
        at = pack_at_uint (at, item_hash);
        at = pack_at_span (at, event->item);
        at = pack_at_bool (at, item_stats);
        if (item_stats) {
            at = pack_at_uint (at, user_hash);
            at = write_duration (at, event->watched_ms);
        }
        break;
    case STAGE_PROFILER:
        at = write_profile_fields (at, event, user_hash);
        break;
    default:
        at = pack_at_uint (at, user_hash);
        at = pack_at_uint (at, item_hash);
        at = write_duration (at, event->watched_ms);
        at = pack_at_uint (at, event->rate);
    }
    rows->size = (size_t)(at - rows->bytes);
}

/*  Greatest times are those of valid events: what is computed from them cannot overflow. */
static bool is_event_time (int64_t time_ms)
{
    return time_ms >= 0 && time_ms <= EVENT_TIME_MS_MAX;
}

static void read_times (cursor_t *rows, wire_chain_t *chain, wire_row_t *row, stage_event_t *event)
{
    uint64_t step = cursor_uint_max (rows, INT64_MAX);
    row->offset = add_or_fail (rows, chain->offset, (int64_t)step);
    if (cursor_take_nil (rows)) {
        row->greatest_ms = EVENT_TIME_NONE;
    } else {
        row->greatest_ms =
            add_or_fail (rows, cursor_int (rows),
                         chain->greatest_ms == EVENT_TIME_NONE ? 0 : chain->greatest_ms);
        rows->failed |= !is_event_time (row->greatest_ms);
    }
    event->time_ms = add_or_fail (rows, cursor_int (rows),
                                  row->greatest_ms == EVENT_TIME_NONE ? 0 : row->greatest_ms);
    if (!is_event_time (event->time_ms) || row->offset < 0)
        rows->failed = true;
    chain->offset = row->offset;
    chain->greatest_ms = row->greatest_ms > event->time_ms ? row->greatest_ms : event->time_ms;
}

bool wire_event_read (cursor_t *rows, wire_chain_t *chain, stage_id_t stage, wire_row_t *row,
                      stage_event_t *event, span_t *tags)
{
    *event = (stage_event_t){.watched_ms = EVENT_MS_NONE};
    read_times (rows, chain, row, event);
    row->scenario = (uint32_t)cursor_uint_max (rows, UINT32_MAX);
    row->action = (uint16_t)cursor_uint_max (rows, ACTION_NUMBER_MAX);
    switch (stage) {
    case STAGE_SCORER:
        event->key_hash = cursor_uint (rows);
        event->item = cursor_span (rows, EVENT_ID_BYTES_MAX);
        event->has_stats = cursor_bool (rows);
        if (event->has_stats) {
            event->user_hash = cursor_uint (rows);
            event->watched_ms = read_duration (rows);
        }
        break;
    case STAGE_PROFILER:
        read_profile_fields (rows, event, tags);
        break;
    default:
        event->key_hash = cursor_uint (rows);
        event->item_hash = cursor_uint (rows);
        event->watched_ms = read_duration (rows);
        event->rate = (event_rate_t)cursor_uint_max (rows, EVENT_RATE_DONE);
    }
    return !rows->failed;
}
