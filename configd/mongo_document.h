/*  mongo_document: BSON documents as the plain JSON that scenario_document_parse reads. Part of
 *  mongo_watch: the two alone know libbson. Pure.
 */
#ifndef HOTPATH_MONGO_DOCUMENT_H
#define HOTPATH_MONGO_DOCUMENT_H

#include <bson/bson.h>
#include <stddef.h>

/*  Relaxed JSON of a document, NUL-terminated, the caller's: its integers and finite doubles are
 *  plain numbers, and so are its decimals; NaN and the infinities become objects, which no
 *  parameter takes. A document that has no JSON (invalid UTF-8) becomes an empty text, which is
 *  not valid either. */
char *mongo_document_text (const bson_t *document, size_t *size);

/*  {"_id": …} as text, the caller's: the name of a document. NULL if it has none. */
char *mongo_document_name (const bson_t *document);

#endif
