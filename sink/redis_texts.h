/*  redis_texts: what Redis's errors and texts (CLIENT LIST, INFO) say, and what an operator can do about
 *  an error. Pure.
 */
#ifndef HOTPATH_SINK_REDIS_TEXTS_H
#define HOTPATH_SINK_REDIS_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  Is this an error that passes by itself or by an operator's doing (OOM, LOADING), whatever the
 * command? */
bool redis_texts_passing (const char *error);
/*  Is it one of the password's or the permissions' (WRONGPASS, NOAUTH, NOPERM)? */
bool redis_texts_denied (const char *error);
/*  What an operator can do about it; "" where the error says it itself, or it passes. A fixed text. */
const char *redis_texts_remedy (const char *error);

/*  A connection as CLIENT LIST tells it. */
typedef struct {
    int64_t id;
    int64_t idle_s; /* since it last said or was told anything */
} redis_client_t;

/*  The connections named `name` with this database selected in the text of CLIENT LIST, at most
 *  `clients_max`; returns how many. */
size_t redis_texts_clients (const char *list, const char *name, int database,
                            redis_client_t *clients, size_t clients_max);

/*  Copies a field's value out of the text of INFO; left as it is where it is absent or too long. */
void redis_texts_field (const char *info, const char *field, char *value, size_t size);

#endif
