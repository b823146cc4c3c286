/*  sums: what became of the events of one `hotpath run --once`: events in = applied + skipped by
 * reason + late + dead, made of what the children say on their beat pipes. Pure.
 *
 *      taken STAGE SHARD COUNTED LATE SKIPPED    a worker has a shard, with its totals ever
 *      given STAGE SHARD COUNTED LATE SKIPPED    … and gives it back
 *      done in=N unknown=N … dead.REASON=N …     an ingestor has read all of its input
 *
 *  A shard's part of the sum is its totals when last heard of, less those when first taken: so a
 * worker that died between, and the shard's way through several workers, do not matter.
 */
#ifndef HOTPATH_CTL_SUMS_H
#define HOTPATH_CTL_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sums sums_t;

sums_t *sums_new (void);
void sums_destroy (sums_t **self_p);

/*  Takes one line of a child. `ingestor`: which one said it, for "done" (one of the same replaces
 * the earlier). True where it was one of the lines above; a line of that kind that is malformed is
 * false too. */
bool sums_take (sums_t *self, uint32_t ingestor, const char *line);
/*  An ingestor began a second life: what it says in the end is of that life only. */
void sums_note_restart (sums_t *self);

/*  Events in less all that became of them: 0 where it adds up. */
int64_t sums_difference (const sums_t *self);
/*  The sum for a person: some lines, each ended; a last one says where it does not add up. The
 * caller frees it with free (). */
char *sums_text (const sums_t *self);

#endif
