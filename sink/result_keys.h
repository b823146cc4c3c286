/*  result_keys: the names of the keys in Redis (docs/redis-keys.md). Pure.
 *
 *  In ids `% : { }`, ASCII white space and control bytes are percent-encoded (%3A), so no two
 * tuples of ids share a key. Style plain writes hot:items:TENANT:SCENARIO. Style cluster puts what
 * decides the slot into a hash tag, so that all keys of one transaction lie in one slot:
 *
 *      hot:items:{TENANT:SCENARIO}        item:stats:{TENANT:SCENARIO}:ITEM
 *      hot:items:{TENANT:SCENARIO}:meta   rec:metrics:{TENANT:SCENARIO}
 *      hot:items:{TENANT:SCENARIO}:tmp    rec:metrics:{TENANT:SCENARIO}:history
 *      user:profile:{TENANT:USER:SCENARIO}
 *
 *  (:tmp is where a large ranking is built before it takes its place.) A prefix must hold no braces
 * in style cluster.
 */
#ifndef HOTPATH_SINK_RESULT_KEYS_H
#define HOTPATH_SINK_RESULT_KEYS_H

#include <stdbool.h>
#include "common/buffer.h"
#include "common/span.h"

typedef struct {
    const char *prefix; /* "" for none; borrowed */
    bool cluster;
} key_style_t;

typedef enum {
    KEY_HOT_ITEMS,
    KEY_HOT_ITEMS_META,
    KEY_HOT_ITEMS_TEMPORARY,
    KEY_METRICS,
    KEY_METRICS_HISTORY,
    KEY_ITEM_STATS,   /* id: the item */
    KEY_USER_PROFILE, /* id: the user */
} result_key_t;

/*  Replaces the contents of `key` by the name (not NUL-terminated); returns a span of it. `id` is
 * read only where the kind has one. */
span_t result_keys_make (buffer_t *key, const key_style_t *style, result_key_t kind, span_t tenant,
                         span_t scenario, span_t id);

#endif
