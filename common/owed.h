/*  owed: results of one shard that Redis does not have yet, and the order in which they are sent.
 *
 *  Each result has a key (its name within the shard: which scenario, window or user). A result waits
 *  until there is room in the pipe to its sink, is then rendered, sent with the next sequence number
 *  of that (shard, epoch, sink incarnation), and leaves when the sink has acknowledged it. The same
 *  key put again while it waits takes the newer place of the older: results are absolute values.
 *  What is here at a commit is part of the commit. Pure: it sends nothing itself.
 */
#ifndef HOTPATH_OWED_H
#define HOTPATH_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/change_set.h"
#include "common/span.h"

enum {
    OWED_KEY_BYTES_MAX = 32,
    OWED_GENERATION = 0xff, /* no result's key begins with it */
};

typedef struct owed owed_t;

/*  sink_count: 1 .. 64. */
owed_t *owed_new (uint32_t sink_count);
void owed_destroy (owed_t **self_p);

/*  Owes the result `key` (1 .. 32 bytes, the first not OWED_GENERATION) to the sink that `route` (a hash of the scenario, or of the
 *  user) picks. `body` (not empty) is kept and stored with it (metrics: its cells will go); NULL: it is rendered
 *  when it is sent, and only its name is stored. */
void owed_put (owed_t *self, const void *key, size_t key_size, uint64_t route, const void *body,
               size_t body_size);
/*  Asks the processor for the memory where owed_put will look for it, in two steps (0, 1), each for what the one
 * before brought. Changes nothing. */
void owed_prefetch (const owed_t *self, const void *key, size_t key_size, int step);
/*  Is it owed (waiting or sent and not acknowledged)? */
bool owed_has (const owed_t *self, const void *key, size_t key_size);
/*  It is no longer owed, wherever it is: what is of it in a pipe settles nothing. */
void owed_forget (owed_t *self, const void *key, size_t key_size);
/*  Number of owed results, waiting and in flight. */
size_t owed_count (const owed_t *self);

/*  Walks the keys of all owed results that have a body (when a shard has been read): calls back with each key,
 *  which owed_forget may be told then. */
void owed_each_with_body (const owed_t *self,
                          void (*visit) (void *arg, const void *key, size_t key_size), void *arg);

/*  ---- watching: has Redis what was owed because of something? ---- */

/*  From now until owed_watch_end each result that is put belongs to the watch `id` (of a scenario, or
 *  OWED_WATCH_FRESH). A result leaves its watch when the sink has acknowledged it as it was then or
 *  later, or when it is no longer owed; one that is put under another watch changes over. */
enum { OWED_WATCH_FRESH = 0 };
void owed_watch (owed_t *self, uint64_t id);
void owed_watch_end (owed_t *self);
/*  All that is owed now belongs to the watch. */
void owed_watch_present (owed_t *self, uint64_t id);
/*  Results that the watch still waits for. */
uint32_t owed_watched (const owed_t *self, uint64_t id);

/*  ---- the worker's side: the pipe to each sink ---- */

/*  A result that waits; borrowed until the next call on self. body.bytes NULL: to be rendered. */
typedef struct {
    const void *key;
    size_t key_size;
    span_t body;
} owed_waiting_t;

/*  One sequence of the pipe: a chunk of a rendered result. */
typedef struct {
    uint64_t sequence;
    uint32_t chunk, chunk_count;
    span_t body;
} owed_chunk_t;

/*  The oldest result that waits for this sink; false: none does. */
bool owed_waiting (owed_t *self, uint32_t sink, owed_waiting_t *waiting);
/*  The oldest ones, at most list_max; how many. They stay borrowed while the first of them enter the pipe or are
 *  dropped, one after the other. */
uint32_t owed_waiting_next (const owed_t *self, uint32_t sink, owed_waiting_t *list, uint32_t list_max);
/*  That result has no content any more: it is no longer owed. */
void owed_drop (owed_t *self, uint32_t sink);
/*  That result enters the pipe as `body` (copied), in chunks of at most chunk_bytes_max. */
void owed_enter (owed_t *self, uint32_t sink, const void *body, size_t body_size,
                 size_t chunk_bytes_max);
/*  The next chunk of the pipe that has not been sent; false: all have. owed_sent: it has been. */
bool owed_to_send (owed_t *self, uint32_t sink, owed_chunk_t *chunk);
void owed_sent (owed_t *self, uint32_t sink);
/*  The sequence that is sent next, where something is sent and not acknowledged; else 0. */
uint64_t owed_next_sequence (const owed_t *self, uint32_t sink);
/*  Bytes in the pipe, sent or not, not acknowledged. */
size_t owed_pipe_bytes (const owed_t *self, uint32_t sink);
/*  Redis has every sequence <= executed: those results are no longer owed, unless put again since. */
void owed_acknowledged (owed_t *self, uint32_t sink, uint64_t executed);
/*  The sink expects this sequence next: what is behind it is sent again. Where that was of an earlier
 *  numbering, the sink is to be told where this one begins. */
void owed_again (owed_t *self, uint32_t sink, uint64_t expected);
/*  The sink is another incarnation: all in the pipe waits again, in its order, for new numbers. No number is used
 *  twice: a late answer of a former life would be taken for one of this, and where such an answer was believed
 *  for a moment the sink would take what is new for repeats. */
void owed_restart (owed_t *self, uint32_t sink);
/*  Where the numbers begin, if the sink has to be told now, before it is sent more; else 0. */
uint64_t owed_take_begin (owed_t *self, uint32_t sink);

/*  Of Redis behind a sink, the generation for which everything live was owed, or 0: none yet. It is part
 *  of the commit that holds what is owed then: so a shard is not taken to be in an emptied Redis though
 *  its owner died before it had sent anything. */
uint64_t owed_generation (const owed_t *self, uint32_t sink);
void owed_set_generation (owed_t *self, uint32_t sink, uint64_t generation);

/*  ---- the commit's side ---- */

/*  Records of what changed since the last call: 'o' and the result's key; 'o', OWED_GENERATION and the
 *  sink's number: a generation. */
void owed_collect (owed_t *self, change_set_t *changes);
/*  A stored record. -1: not readable. */
int owed_load (owed_t *self, const uint8_t *key, size_t key_size, const uint8_t *value,
               size_t value_size);

#endif
