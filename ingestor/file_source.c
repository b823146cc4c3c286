/*  file_source: see file_source.h. */
#include "ingestor/file_source.h"
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "common/check.h"
#include "common/clock.h"
#include "common/event.h"
#include "common/log.h"
#include "common/memory.h"
#include "ingestor/file_set.h"
#include "ingestor/file_lines.h"

enum {
    CHUNKS_PER_POLL_MAX = 4,
};

typedef struct {
    source_t base;
    source_events_t events;
    file_set_t set;
    uint32_t turn; /* the partition that read last */
} file_source_t;

static file_source_t *self_of (source_t *base)
{
    return (file_source_t *)base;
}

static const file_source_t *self_of_const (const source_t *base)
{
    return (const file_source_t *)base;
}

static void tell_list (file_source_t *self)
{
    if (!self->set.changed)
        return;
    self->set.changed = false;
    const source_events_t *events = &self->events;
    for (uint32_t i = 0; i < self->set.partition_count; i++)
        if (!self->set.partitions[i]->listed && self->set.partitions[i]->told) {
            self->set.partitions[i]->told = false;
            events->revoked (events->arg, i);
        }
    events->listed (events->arg);
    for (uint32_t i = 0; i < self->set.partition_count; i++) {
        file_partition_t *partition = self->set.partitions[i];
        if (partition->listed && partition->own && !partition->told) {
            partition->told = true;
            events->assigned (events->arg, i);
        }
    }
}

/*  ---- reading ---- */

static file_source_t *source_of (const file_partition_t *partition)
{
    return (file_source_t *)((char *)partition->set - offsetof (file_source_t, set));
}

static void give_line (void *arg, int64_t offset, int64_t next, span_t value, uint64_t value_bytes)
{
    file_partition_t *partition = arg;
    const source_events_t *events = &source_of (partition)->events;
    source_record_t record = {.partition = partition->index,
                              .offset = offset,
                              .next = next,
                              .record_time_ms = EVENT_TIME_NONE,
                              .value = value,
                              .value_bytes = value_bytes};
    events->record (events->arg, &record);
}

static void give_position (void *arg, int64_t next)
{
    file_partition_t *partition = arg;
    const source_events_t *events = &source_of (partition)->events;
    events->position (events->arg, partition->index, next);
}

static void tell_lost (file_partition_t *partition)
{
    const source_events_t *events = &source_of (partition)->events;
    int64_t wanted = partition->lost_wanted, end = 0;
    file_partition_is_beyond (partition, wanted, &end);
    bool gone = partition->tail.fd < 0; /* overwritten, and another partition has the path */
    int64_t oldest = file_partition_oldest (partition);
    partition->lost_wanted = -1;
    partition->started = false;
    events->lost (events->arg, partition->index, wanted, oldest, gone ? oldest : end);
}

/*  All that there is was given. */
static void reach_end (file_partition_t *partition)
{
    file_source_t *self = source_of (partition);
    const spool_t *spool = file_partition_spool (partition);
    int64_t at = partition->tail.position;
    if (spool && !spool_ended (spool) && (self->set.once || at > spool_size (spool)))
        return;
    if (self->set.once && partition->recorded_end < 0)
        partition->recorded_end = at;
    partition->end_known_ms = clock_ms ();
    if (partition->end_told == at)
        return;
    partition->end_told = at;
    self->events.end (self->events.arg, partition->index, at);
}

/*  Reads one chunk of it; true where there may be more. */
static bool read_chunk (file_partition_t *partition)
{
    file_source_t *self = source_of (partition);
    const spool_t *spool = file_partition_spool (partition);
    int64_t end;
    if (spool && file_partition_is_beyond (partition, partition->tail.position, &end))
        partition->lost_wanted = partition->tail.position;
    if (partition->lost_wanted >= 0) {
        tell_lost (partition);
        return true;
    }
    if (partition->empty) {
        /*  What is in the file by now belongs to the partition that the next look finds. */
        reach_end (partition);
        return false;
    }
    bool complete = self->set.once;
    if (spool)
        complete = spool_ended (spool);
    else if (partition->rotated)
        complete = clock_ms () - partition->rotated_ms >= FILE_SET_ROTATED_GRACE_MS;
    file_tail_sink_t sink = {.arg = partition, .line = give_line, .position = give_position};
    switch (file_tail_read (&partition->tail, self->set.buffer, partition->recorded_end, complete,
                            &sink)) {
    case FILE_TAIL_MORE:
        return true;
    case FILE_TAIL_END:
        reach_end (partition);
        return false;
    case FILE_TAIL_ERROR:
        log_error ("cannot read a file; trying again", F_STR ("partition", partition->name),
                   F_STR ("error", strerror (errno)));
        return false;
    }
    return false;
}

/*  Reads a few chunks, one partition after the other; true where there may be more. */
static bool read_some (file_source_t *self)
{
    uint32_t idle = 0;
    int chunks = 0;
    while (idle < self->set.partition_count && chunks < CHUNKS_PER_POLL_MAX) {
        self->turn = (self->turn + 1) % self->set.partition_count;
        file_partition_t *partition = self->set.partitions[self->turn];
        bool reads = partition->started && partition->told && !partition->tail.paused;
        if (reads && read_chunk (partition)) {
            chunks++;
            idle = 0;
        } else
            idle++;
    }
    return chunks > 0;
}

/*  How far the spool's reader wants it. */
static int64_t spool_wanted (const file_set_input_t *input)
{
    return input->current ? input->current->tail.position : 0;
}

static void wait_for_more (const file_source_t *self, int timeout_ms)
{
    struct pollfd wait = {.fd = -1, .events = POLLIN};
    for (uint32_t i = 0; i < self->set.input_count; i++)
        if (self->set.inputs[i].spool)
            wait.fd =
                spool_wait_fd (self->set.inputs[i].spool, spool_wanted (&self->set.inputs[i]));
    if (timeout_ms > 0)
        poll (&wait, 1, timeout_ms);
}

static void do_poll (source_t *base, int timeout_ms)
{
    file_source_t *self = self_of (base);
    bool moved = false;
    for (uint32_t i = 0; i < self->set.input_count; i++)
        if (self->set.inputs[i].spool)
            moved |= spool_fill (self->set.inputs[i].spool, spool_wanted (&self->set.inputs[i]));
    file_set_look_around (&self->set, clock_ms ());
    moved |= self->set.changed;
    tell_list (self);
    moved |= read_some (self);
    if (!moved)
        wait_for_more (self, timeout_ms);
}

/*  ---- the rest of the interface ---- */

static int64_t do_heard_ms (const source_t *base)
{
    (void)base;
    return 0;
}

static uint32_t do_partition_count (const source_t *base)
{
    return self_of_const (base)->set.partition_count;
}

static file_partition_t *partition_at (const file_source_t *self, uint32_t index)
{
    CHECK (index < self->set.partition_count);
    return self->set.partitions[index];
}

static const char *do_partition_name (const source_t *base, uint32_t index)
{
    return partition_at (self_of_const (base), index)->name;
}

static bool do_partition_listed (const source_t *base, uint32_t index)
{
    return partition_at (self_of_const (base), index)->listed;
}

static bool do_partition_gone (const source_t *base, uint32_t index)
{
    (void)base;
    (void)index;
    return false; /* what left the list was read to its end */
}

static outcome_t do_start (source_t *base, uint32_t index, int64_t offset, int64_t most,
                           int64_t *first, bool *first_lost)
{
    file_partition_t *partition = partition_at (self_of (base), index);
    if (!partition->told || partition->replaced)
        return OUTCOME_RETRY;
    int64_t end, oldest = file_partition_oldest (partition);
    bool from_oldest = offset == SOURCE_OLDEST;
    if (from_oldest)
        offset = oldest;
    *first = offset;
    *first_lost = from_oldest && (oldest > 0 || partition->generation.number);
    if (most < offset)
        most = offset;
    partition->started = true;
    partition->end_told = -1;
    partition->end_known_ms = 0;
    partition->lost_wanted = -1;
    if (offset < oldest)
        partition->lost_wanted = offset;
    else if (file_partition_is_beyond (partition, most, &end))
        partition->lost_wanted = most;
    else
        file_tail_start (&partition->tail, offset);
    return OUTCOME_OK;
}

/*  As tail -F has it: a file that became shorter is another one, and read from its beginning. What a pipe
 *  brought again is what it brought before. */
static outcome_t do_renew (source_t *base, uint32_t index)
{
    file_partition_t *partition = partition_at (self_of (base), index);
    const spool_t *spool = file_partition_spool (partition);
    generation_t next = {partition->generation.number + 1, spool ? spool_size (spool) : 0};
    if (!partition->told || partition->replaced)
        return OUTCOME_RETRY;
    log_warning (spool ? "less came than was read before: what comes behind it is read"
                       : "the file was cut or overwritten: it is read from its beginning",
                 F_STR ("partition", partition->name));
    file_set_enter (partition->set, partition, next);
    return OUTCOME_OK;
}

static void do_learn (source_t *base, span_t name)
{
    file_set_t *set = &self_of (base)->set;
    span_t base_name;
    generation_t generation = generation_parse (name, &base_name);
    file_partition_t *partition = generation.number ? file_set_find (set, base_name) : NULL;
    if (partition)
        file_set_enter (set, partition, generation);
}

static void do_pause (source_t *base, uint32_t index, bool paused)
{
    partition_at (self_of (base), index)->tail.paused = paused;
}

static void do_commit (source_t *base, uint32_t index, int64_t next)
{
    file_partition_t *partition = partition_at (self_of (base), index);
    if (next <= partition->durable)
        return;
    partition->durable = next;
    spool_t *spool = file_partition_spool (partition);
    if (spool)
        spool_forget (spool, next);
}

static int64_t do_lag (const source_t *base, uint32_t index, int64_t next)
{
    const file_partition_t *partition = partition_at (self_of_const (base), index);
    int64_t end = -1;
    if (partition->own)
        file_partition_is_beyond (partition, next, &end);
    return end < 0 ? -1 : end > next ? end - next : 0;
}

static int64_t do_end_known_ms (const source_t *base, uint32_t index)
{
    return partition_at (self_of_const (base), index)->end_known_ms;
}

static void do_destroy (source_t **base_p)
{
    file_source_t *self = self_of (*base_p);
    if (!self)
        return;
    *base_p = NULL;
    file_set_free (&self->set);
    free (self);
}

static const source_ops_t file_source_ops = {
    .offsets_are_bytes = true,
    .destroy = do_destroy,
    .poll = do_poll,
    .heard_ms = do_heard_ms,
    .partition_count = do_partition_count,
    .partition_name = do_partition_name,
    .partition_listed = do_partition_listed,
    .partition_gone = do_partition_gone,
    .start = do_start,
    .renew = do_renew,
    .learn = do_learn,
    .pause = do_pause,
    .commit = do_commit,
    .end_known_ms = do_end_known_ms,
    .lag = do_lag,
};

/*  Adds one path; 0 or an exit code with a message. */
static int add_input (file_source_t *self, const file_source_settings_t *settings, const char *path,
                      char *error, size_t error_size)
{
    for (uint32_t i = 0; i < self->set.input_count; i++)
        if (strcmp (self->set.inputs[i].file.path, path) == 0) {
            snprintf (error, error_size, "file %s is named twice", path);
            return EX_USAGE;
        }
    bool own = file_lines_reader (path, settings->reader_count) == settings->reader_index;
    bool standard_input = strcmp (path, "-") == 0;
    if (standard_input && !own)
        return 0;
    uint32_t index = self->set.input_count++;
    self->set.inputs[index] = (file_set_input_t){.file.path = path, .own = own};
    if (standard_input) {
        self->set.inputs[index].spool =
            spool_new (settings->spool_folder, settings->input, error, error_size);
        if (!self->set.inputs[index].spool)
            return EX_CANTCREAT;
    }
    if (file_set_look_at (&self->set, index, clock_ms ()) &&
        !(settings->follow && errno == ENOENT)) {
        snprintf (error, error_size, "cannot read file %s: %s", path, strerror (errno));
        return EX_NOINPUT;
    }
    return 0;
}

source_t *file_source_new (const file_source_settings_t *settings, const source_events_t *events,
                           char *error, size_t error_size, int *exit_code)
{
    CHECK (settings->reader_count > settings->reader_index);
    file_source_t *self = memory_new (sizeof *self);
    self->base.ops = &file_source_ops;
    self->events = *events;
    self->set.follow = settings->follow && !settings->once;
    self->set.once = settings->once;
    self->set.changed = true;
    self->set.inputs = memory_new_array (settings->path_count, sizeof *self->set.inputs);
    self->set.buffer = memory_new (FILE_TAIL_BUFFER_BYTES);
    self->set.looked_ms = clock_ms ();
    for (size_t i = 0; i < settings->path_count; i++) {
        int code = add_input (self, settings, settings->paths[i], error, error_size);
        if (code) {
            source_t *base = &self->base;
            do_destroy (&base);
            *exit_code = code;
            return NULL;
        }
    }
    return &self->base;
}
