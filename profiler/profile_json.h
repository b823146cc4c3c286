/*  profile_json: the JSON that readers of Redis see (design 6): tenant_id, user_id, scenario_id,
 * stats, preferences, active_hours, recent_items, first_seen, updated_at. It does not decide when
 * it is written.
 */
#ifndef HOTPATH_PROFILE_JSON_H
#define HOTPATH_PROFILE_JSON_H

#include "common/buffer.h"
#include "profiler/profile.h"

typedef struct {
    span_t tenant, scenario, user;
    const profile_t *profile; /* of profile_read; with at least one event */
    const profile_shared_t *shared;
    profile_weights_t *weights;
    uint32_t top_categories, top_tags; /* at most PROFILE_CATEGORIES_MAX, PROFILE_TAGS_MAX */
    uint32_t recent_items;
} profile_json_t;

/*  Appends one JSON object, valid UTF-8 whatever the strings hold; not NUL-terminated. Equal
 * profiles give equal bytes. Scores are the shortest decimals that read back to the same double. */
void profile_json_write (buffer_t *to, const profile_json_t *what);

/*  Appends a JSON string: escapes what must be, and puts U+FFFD where bytes are not UTF-8. */
void profile_json_write_string (buffer_t *to, span_t text);
/*  Appends "YYYY-MM-DDTHH:MM:SS.mmmZ" (in quotes) of a time that is not negative. */
void profile_json_write_time (buffer_t *to, int64_t time_ms);

#endif
