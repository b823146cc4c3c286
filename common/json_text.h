/*  json_text: what yyjson leaves open: the one canonical text of a value, how deep it is, and JSON
 *  pointers (RFC 6901). Pure.
 */
#ifndef HOTPATH_JSON_TEXT_H
#define HOTPATH_JSON_TEXT_H

#include <stdbool.h>
#include <yyjson.h>
#include "common/buffer.h"
#include "common/digest.h"
#include "common/span.h"

enum { JSON_DEPTH_MAX = 32 };

/*  Is it nested at most `most` deep (a plain value: 0, a list of these: 1)? */
bool json_text_within (yyjson_val *value, int most);

/*  Appends the text of a value (at most JSON_DEPTH_MAX deep) in which equal values have equal
 *  bytes: no space, keys sorted bytewise, whole numbers without a fraction. */
void json_text_canonical (yyjson_val *value, buffer_t *text);
/*  Appends a document for people: indented by two, a line break behind it; frees it. */
void json_text_pretty (yyjson_mut_doc *document, buffer_t *text);
/*  SHA-256 of the canonical text of a JSON text, as hexadecimal digits; false where that is no JSON
 *  or too deep. */
bool json_text_hash (span_t json, char hex[DIGEST_HEX_BYTES + 1]);

/*  Appends "/" and the key, with ~ and / of it escaped. */
void json_text_point (buffer_t *pointer, span_t key);
/*  The JSON pointer of a path as errors of scenario_config name it
 *  ("hot_score.action_weights.view", "definitions.x.numerator[2]"), below `root` (NULL: every dot
 *  parts): a key of `root` that holds a dot is found as it is. Appends to `pointer`; nothing for
 *  an empty path. */
void json_text_pointer (yyjson_val *root, const char *path, buffer_t *pointer);

#endif
