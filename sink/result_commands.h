/*  result_commands: a result -> the Redis commands that write it (docs/redis-keys.md). Pure.
 *
 *  All commands of one result are meant for one transaction, so that a reader never sees half of
 * two windows. A ranking of more than RANKING_DIRECT_MAX items is first built under a temporary key
 * (the `prepare` list, outside of the transaction, so that it does not stop Redis for long) and
 * then renamed. Every key has its TTL.
 *
 *  Keys are deleted before they are written, so that one of a foreign type does no harm; only the
 * metrics history is written in place (WRONGTYPE where somebody put another type there).
 */
#ifndef HOTPATH_SINK_RESULT_COMMANDS_H
#define HOTPATH_SINK_RESULT_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/results.h"
#include "sink/commands.h"
#include "sink/gather.h"
#include "sink/result_keys.h"

enum {
    RANKING_DIRECT_MAX = 1000,  /* items; more go through the temporary key */
    RANKING_CHUNK_ITEMS = 1000, /* members of one ZADD */
    TEMPORARY_TTL_MS = 3600000, /* of a temporary key that a sink left behind */
};

typedef struct result_commands result_commands_t; /* scratch memory and the style of keys */

/*  `prefix` is copied ("" or NULL: none). */
result_commands_t *result_commands_new (const char *prefix, bool cluster);
void result_commands_destroy (result_commands_t **self_p);

/*  Appends what writes a gathered ranking or metrics window, or members of a history again; `now_ms` is
 *  the wall clock (computed_at). -1: its metrics block cannot be read (nothing is appended). */
int result_commands_window (result_commands_t *self, const gather_result_t *result, int64_t now_ms,
                            commands_t *prepare, commands_t *commands);

/*  After result_commands_window of metrics: the member of the history, as JSON; borrowed until the next
 *  call. */
span_t result_commands_member (const result_commands_t *self);

/*  Appends what writes a profile: one SET. */
void result_commands_profile (result_commands_t *self, const result_header_t *header,
                              const result_profile_t *profile, commands_t *commands);

/*  Appends one HMGET of the order of what Redis has (answer: see result_lookup.h); and for metrics
 *  (`history`) one ZRANGE of the history's members. */
void result_commands_lookup_order (result_commands_t *self, const gather_key_t *key,
                                   commands_t *commands);
void result_commands_lookup_history (result_commands_t *self, const gather_key_t *key,
                                     commands_t *commands);

/*  The main key of a result, for messages; borrowed until the next call. */
span_t result_commands_key_name (result_commands_t *self, const gather_key_t *key);

#endif
