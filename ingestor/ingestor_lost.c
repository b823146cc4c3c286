/*  ingestor_lost: partitions whose next offset is gone: they stand still and say so, or go on as they were told
 *  to (--on-lost-offsets): at the oldest kept offset where retention has passed what was applied, as another
 *  generation (generation.h) where the partition was made anew or cut. What went missing makes the shards say
 *  exact=0. It finds no loss: the source does. */
#include "ingestor/ingestor_parts.h"

#include "common/log.h"

void ingestor_lose (ingestor_t *self, ledger_partition_t *partition, int64_t wanted, int64_t oldest,
                    int64_t end)
{
    const char *name = self->source->ops->partition_name (self->source, partition->source_index);
    bool passed = wanted < oldest, skip = self->settings.skip_lost_offsets;
    const char *text = passed ? "lost offsets: the oldest kept one is beyond what was applied; to go on there, "
                                "without what is gone: --on-lost-offsets=skip"
                              : "lost offsets: the partition was made anew, or cut below what was applied; to "
                                "go on with what it holds now: --on-lost-offsets=skip; or restore it";
    if (skip)
        text = passed ? "lost offsets: it goes on at the oldest kept one (--on-lost-offsets=skip)"
                      : "lost offsets: it goes on as another generation (--on-lost-offsets=skip)";
    log_write (skip ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR, text,
               (const log_field_t[]){F_STR ("partition", name), F_INT ("applied", wanted),
                                     F_INT ("oldest", oldest), F_INT ("end", end), {.key = NULL}});
    partition->started = false;
    partition->stopped = !skip;
    partition->skip_to_oldest = skip && passed;
    partition->renew = skip && !passed;
    partition->lost_wanted = wanted;
    partition->lost_oldest = oldest;
    partition->lost_end = end;
    self->lost_offsets |= partition->stopped;
    self->told_ms = 0; /* what was said of it is true no longer */
}

void ingestor_renew (ingestor_t *self, ledger_partition_t *partition)
{
    if (self->source->ops->renew (self->source, partition->source_index) == OUTCOME_OK)
        partition->renew = false;
}

void ingestor_learn (ingestor_t *self)
{
    for (; self->learned_count < partition_names_count (self->partitions); self->learned_count++)
        self->source->ops->learn (self->source, partition_names_get (self->partitions,
                                                                      self->learned_count));
}
