/*  result_keys: see result_keys.h. */
#include "sink/result_keys.h"

#include "common/check.h"

static bool needs_encoding (unsigned char byte)
{
    return byte <= ' ' || byte == 0x7f || byte == '%' || byte == ':' || byte == '{' || byte == '}';
}

static void append_text (buffer_t *key, const char *text)
{
    buffer_append (key, text, strlen (text));
}

static void append_id (buffer_t *key, span_t id)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t plain = 0; /* where bytes begin that stay as they are */
    for (size_t i = 0; i < id.size; i++) {
        unsigned char byte = (unsigned char)id.bytes[i];
        if (!needs_encoding (byte))
            continue;
        char encoded[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        buffer_append (key, id.bytes + plain, i - plain);
        buffer_append (key, encoded, sizeof encoded);
        plain = i + 1;
    }
    if (plain < id.size)
        buffer_append (key, id.bytes + plain, id.size - plain);
}

span_t result_keys_make (buffer_t *key, const key_style_t *style, result_key_t kind, span_t tenant,
                         span_t scenario, span_t id)
{
    static const struct {
        const char *stem, *tail;
        bool has_id;
    } forms[] = {
        [KEY_HOT_ITEMS] = {"hot:items:", "", false},
        [KEY_HOT_ITEMS_META] = {"hot:items:", ":meta", false},
        [KEY_HOT_ITEMS_TEMPORARY] = {"hot:items:", ":tmp", false},
        [KEY_METRICS] = {"rec:metrics:", "", false},
        [KEY_METRICS_HISTORY] = {"rec:metrics:", ":history", false},
        [KEY_ITEM_STATS] = {"item:stats:", ":", true},
        [KEY_USER_PROFILE] = {"user:profile:", "", false},
    };
    CHECK ((size_t)kind < sizeof forms / sizeof *forms);
    buffer_clear (key);
    append_text (key, style->prefix);
    append_text (key, forms[kind].stem);
    append_text (key, style->cluster ? "{" : "");
    append_id (key, tenant);
    if (kind == KEY_USER_PROFILE) {
        append_text (key, ":");
        append_id (key, id);
    }
    append_text (key, ":");
    append_id (key, scenario);
    append_text (key, style->cluster ? "}" : "");
    append_text (key, forms[kind].tail);
    if (forms[kind].has_id)
        append_id (key, id);
    return (span_t){(const char *)key->bytes, key->size};
}
