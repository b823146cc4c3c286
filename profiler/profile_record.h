/*  profile_record: the stored form of one user. Known actions by number, a scenario's own by name,
 * labels and items as text, doubles bit for bit: what is read again behaves and scores the same. It
 * does not know the record's key.
 */
#ifndef HOTPATH_PROFILE_RECORD_H
#define HOTPATH_PROFILE_RECORD_H

#include <stdbool.h>
#include "common/action_names.h"
#include "common/buffer.h"
#include "common/pack.h"
#include "profiler/profile.h"

/*  Appends the record; `dirty`: it changed since it was last owed. The profile has an event. */
void profile_record_write (buffer_t *to, span_t user, bool dirty, const profile_t *profile,
                           const profile_shared_t *shared, const action_names_t *names);

/*  Reads the record, of this version or the first: *user borrows from the value; `profile` is empty
 * and is filled. Interns the actions' names. -1: not valid; what was filled so far is left for
 * profile_free. */
int profile_record_read (const void *value, size_t value_size, span_t *user, bool *dirty,
                         profile_t *profile, profile_shared_t *shared, action_names_t *names);

/*  The same of the first version; profile_record_read calls it. */
int profile_record_read_first (const void *value, size_t value_size, span_t *user, bool *dirty,
                               profile_t *profile, profile_shared_t *shared, action_names_t *names);

#endif
