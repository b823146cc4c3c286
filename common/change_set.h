/*  change_set: what a shard's next commit will do to its stored records, in order. Collected by the
 *  loop, handed whole to the committing thread; a set that could not be committed is kept, and later
 *  ones are appended to it.
 */
#ifndef HOTPATH_CHANGE_SET_H
#define HOTPATH_CHANGE_SET_H

#include <stddef.h>
#include <stdint.h>
#include "common/buffer.h"

typedef enum { CHANGE_PUT = 1, CHANGE_DELETE = 2, CHANGE_DELETE_RANGE = 3 } change_kind_t;

enum { CHANGE_KEY_BYTES_MAX = 511 };

typedef struct {
    buffer_t log; /* private: entries one after the other */
    size_t count;
    size_t open_at; /* private: the entry between begin () and end () */
} change_set_t;

/*  Keys are 1 .. 511 bytes. Both are copied. */
void change_set_put (change_set_t *self, const void *key, size_t key_size, const void *value,
                     size_t value_size);
/*  The same of a value that is appended to what begin () returns, and nothing else to it, before
 * end (). */
buffer_t *change_set_put_begin (change_set_t *self, const void *key, size_t key_size);
void change_set_put_end (change_set_t *self);
void change_set_delete (change_set_t *self, const void *key, size_t key_size);
/*  Deletes every key k with from <= k < to (bytewise). */
void change_set_delete_range (change_set_t *self, const void *from, size_t from_size, const void *to,
                              size_t to_size);
/*  Moves all of `other` behind all of self; other is empty afterwards. */
void change_set_append (change_set_t *self, change_set_t *other);
/*  Takes the last entries back: what was put since `size` and `count` were those of self. */
void change_set_cut (change_set_t *self, size_t size, size_t count);
/*  Makes room for bytes that will be put. */
void change_set_reserve (change_set_t *self, size_t more);
void change_set_clear (change_set_t *self);
void change_set_free (change_set_t *self);

/*  One entry, borrowed from the set. */
typedef struct {
    change_kind_t kind;
    const void *key, *value; /* value: of a put; the end of a range */
    size_t key_size, value_size;
} change_t;

/*  Walks it: *at starts as 0; 1 with *change filled, 0 at the end. */
int change_set_next (const change_set_t *self, size_t *at, change_t *change);

#endif
