/*  result_lookup: see result_lookup.h. */
#include "sink/result_lookup.h"

#include <stdlib.h>
#include <yyjson.h>

enum { TEXT_BYTES_MAX = 24 };

/*  A whole number in base 10 or 16; false where it is none. */
static bool read_number (span_t value, int base, uint64_t *number)
{
    char text[TEXT_BYTES_MAX];
    char *end;
    if (!value.bytes || value.size == 0 || value.size >= sizeof text || value.bytes[0] == '-' ||
        value.bytes[0] == '+' || value.bytes[0] == ' ')
        return false;
    memcpy (text, value.bytes, value.size);
    text[value.size] = 0;
    *number = strtoull (text, &end, base);
    return *end == 0;
}

result_order_t result_lookup_order (const span_t *values, size_t count)
{
    uint64_t window_end, shards;
    result_order_t order = {0};
    if (count != RESULT_ORDER_FIELDS)
        return order;
    order.known = read_number (values[0], 16, &order.lineage) &&
                  read_number (values[1], 10, &order.revision.era) &&
                  read_number (values[2], 10, &order.revision.number) &&
                  read_number (values[3], 10, &window_end) && window_end <= INT64_MAX &&
                  read_number (values[4], 10, &shards) && shards <= UINT32_MAX;
    if (!order.known)
        return (result_order_t){0};
    order.window_end_ms = (int64_t)window_end;
    order.shards = (uint32_t)shards;
    return order;
}

result_order_t result_lookup_member (span_t json, bool *empty)
{
    yyjson_doc *doc = yyjson_read (json.bytes, json.size, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root (doc);
    const char *lineage = yyjson_get_str (yyjson_obj_get (root, "lineage"));
    yyjson_val *era = yyjson_obj_get (root, "era");
    yyjson_val *revision = yyjson_obj_get (root, "revision");
    yyjson_val *window_end = yyjson_obj_get (root, "window_end");
    yyjson_val *shards = yyjson_obj_get (root, "shards");
    yyjson_val *total = yyjson_obj_get (root, "total_actions");
    result_order_t order = {0};
    *empty = false;
    if (lineage && read_number (span_of (lineage), 16, &order.lineage) && yyjson_is_uint (era) &&
        yyjson_is_uint (revision) && yyjson_is_uint (window_end) &&
        yyjson_get_uint (window_end) <= INT64_MAX && yyjson_is_uint (shards) &&
        yyjson_get_uint (shards) <= UINT32_MAX && yyjson_is_uint (total)) {
        order.known = true;
        order.revision = (revision_t){yyjson_get_uint (era), yyjson_get_uint (revision)};
        order.window_end_ms = (int64_t)yyjson_get_uint (window_end);
        order.shards = (uint32_t)yyjson_get_uint (shards);
        *empty = yyjson_get_uint (total) == 0;
    }
    yyjson_doc_free (doc);
    return order;
}
