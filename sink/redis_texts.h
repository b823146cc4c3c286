/*  redis_texts: what Redis's errors and texts (CLIENT LIST, INFO) say. Pure. */
#ifndef HOTPATH_SINK_REDIS_TEXTS_H
#define HOTPATH_SINK_REDIS_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*  Is this an error that passes by itself or by an operator's doing (OOM, LOADING), whatever the
 * command? */
bool redis_texts_passing (const char *error);

/*  Ids of the connections named `name` in the text of CLIENT LIST, at most `ids_max`; returns how
 * many. */
size_t redis_texts_clients (const char *list, const char *name, int64_t *ids, size_t ids_max);

/*  Copies run_id out of the text of INFO server; left as it is where there is none. */
void redis_texts_run_id (const char *info, char *run_id, size_t size);

#endif
