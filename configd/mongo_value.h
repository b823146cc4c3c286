/*  mongo_value: JSON values as BSON, as they are: no extended JSON, so that a key such as "$date"
 *  is a key. Part of the mongo_* modules. Pure.
 */
#ifndef HOTPATH_MONGO_VALUE_H
#define HOTPATH_MONGO_VALUE_H

#include <bson/bson.h>
#include <stdbool.h>

/*  Appends a JSON text as the value of `key`. False where it is no JSON, is too deep, or has a key
 *  that BSON cannot have (with a NUL byte). */
bool mongo_value_append (bson_t *to, const char *key, const char *json);
/*  The text of an embedded document at `path` (dotted) of `document`, as JSON; the caller's. NULL
 *  where it is not there. */
char *mongo_value_text (const bson_t *document, const char *path);
/*  A copy of the string at `path`, or NULL. */
char *mongo_value_string (const bson_t *document, const char *path);

#endif
