/*  event_pack: a JSON text as msgpack, written by msgpack-c: what the msgpack reader makes of it
 *  must be what the JSON reader makes of the text. For tests and fuzzers.
 */
#ifndef HOTPATH_TESTS_EVENT_PACK_H
#define HOTPATH_TESTS_EVENT_PACK_H

#include <msgpack.h>
#include <yyjson.h>

/*  Packs a value with all that is in it; strings as bin where as_bin. Recursive: the caller bounds
 *  the depth.
 */
static inline void event_pack_value (msgpack_packer *packer, yyjson_val *value, int as_bin)
{
    yyjson_val *key, *element;
    size_t i, count;
    switch (yyjson_get_type (value)) {
    case YYJSON_TYPE_STR:
        if (as_bin)
            msgpack_pack_bin_with_body (packer, yyjson_get_str (value), yyjson_get_len (value));
        else
            msgpack_pack_str_with_body (packer, yyjson_get_str (value), yyjson_get_len (value));
        return;
    case YYJSON_TYPE_NUM:
        if (yyjson_is_real (value))
            msgpack_pack_double (packer, yyjson_get_real (value));
        else if (yyjson_is_uint (value))
            msgpack_pack_uint64 (packer, yyjson_get_uint (value));
        else
            msgpack_pack_int64 (packer, yyjson_get_sint (value));
        return;
    case YYJSON_TYPE_BOOL:
        if (yyjson_get_bool (value))
            msgpack_pack_true (packer);
        else
            msgpack_pack_false (packer);
        return;
    case YYJSON_TYPE_ARR:
        msgpack_pack_array (packer, yyjson_arr_size (value));
        yyjson_arr_foreach (value, i, count, element)
        {
            event_pack_value (packer, element, as_bin);
        }
        return;
    case YYJSON_TYPE_OBJ:
        msgpack_pack_map (packer, yyjson_obj_size (value));
        yyjson_obj_foreach (value, i, count, key, element)
        {
            event_pack_value (packer, key, as_bin);
            event_pack_value (packer, element, as_bin);
        }
        return;
    default:
        msgpack_pack_nil (packer);
        return;
    }
}

/*  Packs a JSON text behind what is in *buffer. 0, or -1 where yyjson does not take it. */
static inline int event_pack_json (msgpack_sbuffer *buffer, const char *json, size_t size,
                                   int as_bin)
{
    yyjson_doc *document = yyjson_read (json, size, YYJSON_READ_NOFLAG);
    if (!document)
        return -1;
    msgpack_packer packer;
    msgpack_packer_init (&packer, buffer, msgpack_sbuffer_write);
    event_pack_value (&packer, yyjson_doc_get_root (document), as_bin);
    yyjson_doc_free (document);
    return 0;
}

#endif
