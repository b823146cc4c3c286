/*  worker_partitions: partitions that the source does not have any more: what the shards know of
 *  them is kept apart from their vectors, so that neither commits nor announcements grow with every
 *  file that ever was; and comes back with them.
 */
#include "common/worker_parts.h"

#include "common/log.h"
#include "common/memory.h"

static void make_room (worker_t *self)
{
    uint32_t count = partition_names_count (self->partitions);
    if (count <= self->unlisted_count)
        return;
    self->unlisted_ms = memory_resize (self->unlisted_ms, count * sizeof *self->unlisted_ms);
    for (uint32_t i = self->unlisted_count; i < count; i++)
        self->unlisted_ms[i] = 0;
    self->unlisted_count = count;
}

/*  How many shards gave it up. */
static uint32_t retire (worker_t *self, uint32_t partition)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (shard && !shard->dropped && !shard->reach.count)
            count += shard_retire (shard, partition);
    }
    return count;
}

void worker_retire_partitions (worker_t *self, int64_t now_ms)
{
    uint32_t retired = 0;
    if (now_ms - self->retired_ms < WORKER_RETIRE_STEP_MS)
        return;
    self->retired_ms = now_ms;
    make_room (self);
    for (uint32_t i = 0; i < self->unlisted_count; i++) {
        if (watermark_is_listed (self->watermark, i))
            self->unlisted_ms[i] = 0;
        else if (!self->unlisted_ms[i])
            self->unlisted_ms[i] = now_ms;
        else if (now_ms - self->unlisted_ms[i] > self->settings->retire_ms)
            retired += retire (self, i);
    }
    if (retired)
        log_info ("partitions that no ingestor lists any more are kept apart", F_INT ("entries", retired));
}

void worker_revive_partitions (worker_t *self)
{
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (!shard || shard->dropped || !retired_count (shard->retired))
            continue;
        for (uint32_t at = 0; at < partition_names_count (self->partitions); at++) {
            if (watermark_is_listed (self->watermark, at) && shard_revive (shard, at))
                self->announce_now = true;
        }
    }
}
