/*  profile_due: which users come next: a min-heap of (time, slot). Equal times leave in slot order,
 * so that equal input gives equal output. An entry is never changed in place: its owner keeps at
 * most one a slot, and knows when it means nothing any more.
 */
#ifndef HOTPATH_PROFILE_DUE_H
#define HOTPATH_PROFILE_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t at_ms;
    uint32_t slot;
} profile_due_entry_t;

/*  Zeroed: empty. */
typedef struct {
    profile_due_entry_t *list;
    size_t count, capacity;
} profile_due_t;

void profile_due_push (profile_due_t *self, int64_t at_ms, uint32_t slot);
/*  Takes the earliest entry with at_ms <= until_ms; false: there is none. */
bool profile_due_pop (profile_due_t *self, int64_t until_ms, uint32_t *slot);
/*  Empties it and keeps its memory. */
void profile_due_clear (profile_due_t *self);
void profile_due_free (profile_due_t *self);

#endif
