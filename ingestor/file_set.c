/*  file_set: see file_set.h. */
#include "ingestor/file_set.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/log.h"
#include "common/memory.h"

enum { LOOK_INTERVAL_MS = 100 }; /* how often paths are looked at */

file_partition_t *file_set_find (const file_set_t *self, span_t base)
{
    for (uint32_t i = 0; i < self->partition_count; i++)
        if (!self->partitions[i]->replaced && span_equal (span_of (self->partitions[i]->base), base))
            return self->partitions[i];
    return NULL;
}

static void set_file (file_partition_t *partition, int fd)
{
    if (partition->tail.fd >= 0)
        close (partition->tail.fd);
    partition->tail.fd = fd;
}

/*  Takes the base name. */
static file_partition_t *add (file_set_t *self, uint32_t input, char *base, generation_t generation)
{
    file_partition_t *partition = memory_new (sizeof *partition);
    *partition = (file_partition_t){.set = self,
                                    .index = self->partition_count,
                                    .input = input,
                                    .base = base,
                                    .name = generation_name (base, generation),
                                    .generation = generation,
                                    .recorded_end = -1,
                                    .lost_wanted = -1,
                                    .end_told = -1,
                                    .own = self->inputs[input].own,
                                    .tail = {.fd = -1}};
    self->partitions = memory_resize (self->partitions,
                                      (self->partition_count + 1) * sizeof *self->partitions);
    self->partitions[self->partition_count++] = partition;
    self->changed = true;
    return partition;
}

static void check_truncated (file_partition_t *partition)
{
    int64_t end;
    if (partition->started && file_partition_is_beyond (partition, partition->tail.position, &end))
        partition->lost_wanted = partition->tail.position;
}

/*  The path now holds the partition that was seen; takes the look's fd and name. */
static file_partition_t *adopt (file_set_t *self, uint32_t input, file_look_t *look)
{
    file_partition_t *partition = file_set_find (self, span_of (look->name));
    if (!partition)
        partition = add (self, input, look->name, (generation_t){0});
    else
        free (look->name);
    look->name = NULL;
    set_file (partition, look->fd);
    if (!partition->own)
        set_file (partition, -1);
    partition->empty = look->empty;
    partition->listed = true;
    partition->rotated = false;
    self->inputs[input].current = partition;
    self->changed = true;
    check_truncated (partition);
    return partition;
}

bool file_set_enter (file_set_t *self, file_partition_t *partition, generation_t generation)
{
    if (generation_compare (partition->generation, generation) >= 0)
        return false;
    char *base = memory_copy_string (partition->base, strlen (partition->base));
    file_partition_t *next = add (self, partition->input, base, generation);
    next->tail.fd = partition->tail.fd;
    next->listed = partition->listed;
    next->empty = partition->empty;
    next->rotated = partition->rotated;
    next->rotated_ms = partition->rotated_ms;
    if (self->inputs[partition->input].current == partition)
        self->inputs[partition->input].current = next;
    partition->tail.fd = -1;
    partition->replaced = true;
    partition->listed = partition->started = partition->rotated = false;
    partition->lost_wanted = -1;
    log_info ("a file goes on as another generation", F_STR ("partition", next->name),
              F_INT ("begin", generation.begin));
    return true;
}

static void unlist (file_set_t *self, file_partition_t *partition)
{
    partition->listed = false;
    partition->started = false;
    partition->rotated = false;
    partition->lost_wanted = -1;
    set_file (partition, -1);
    self->changed = true;
}

/*  The path no longer holds this partition. */
static void leave (file_set_t *self, file_partition_t *partition, bool moved, int64_t now_ms)
{
    if (partition->empty || !partition->own) {
        unlist (self, partition);
        return;
    }
    partition->rotated = true;
    partition->rotated_ms = now_ms;
    if (!moved) {
        partition->overwritten = true;
        log_warning (
            "file was overwritten with another first line: what was not read of it is lost",
            F_STR ("partition", partition->name), F_INT ("position", partition->tail.position));
        set_file (partition, -1);
    } else
        log_info ("file was rotated", F_STR ("partition", partition->name));
}

spool_t *file_partition_spool (const file_partition_t *self)
{
    return self->set->inputs[self->input].spool;
}

int64_t file_partition_oldest (const file_partition_t *self)
{
    spool_t *spool = file_partition_spool (self);
    int64_t oldest = spool ? spool_forget (spool, 0) : 0;
    return oldest > self->generation.begin ? oldest : self->generation.begin;
}

bool file_partition_is_beyond (const file_partition_t *partition, int64_t wanted, int64_t *end)
{
    const spool_t *spool = file_partition_spool (partition);
    struct stat now;
    if (spool) {
        *end = spool_size (spool);
        return spool_ended (spool) && wanted > *end;
    }
    if (partition->tail.fd < 0) {
        *end = partition->tail.position;
        return partition->rotated && wanted != *end;
    }
    if (fstat (partition->tail.fd, &now))
        return false;
    *end = now.st_size;
    return wanted > *end || (partition->overwritten && wanted > 0);
}

/*  Looks at one path; -1 where there is nothing (errno). */
int file_set_look_at (file_set_t *self, uint32_t index, int64_t now_ms)
{
    file_set_input_t *input = &self->inputs[index];
    file_partition_t *current = input->current;
    int fd = -1;
    if (input->spool) {
        if (current && !current->empty)
            return 0;
        fd = spool_fd (input->spool);
    } else if (!self->follow && current && current->own)
        fd = current->tail.fd;
    bool complete = input->spool ? spool_ended (input->spool) : self->once;
    file_look_t look;
    switch (file_input_look (&input->file, fd, complete, self->buffer, &look)) {
    case FILE_INPUT_SAME:
        /*  Of a spool the end may have come, which makes a line of its last bytes. */
        if (!input->spool || !complete || input->file.size == 0)
            return 0;
        input->file.known = false;
        return file_set_look_at (self, index, now_ms);
    case FILE_INPUT_ABSENT:
        return -1;
    case FILE_INPUT_CHANGED:
        break;
    }
    if (!current || strcmp (current->base, look.name)) {
        if (current)
            leave (self, current, look.moved, now_ms);
        adopt (self, index, &look);
        return 0;
    }
    if (look.moved && current->own)
        set_file (current, look.fd);
    else
        close (look.fd);
    free (look.name);
    check_truncated (current);
    return 0;
}

/*  A rotated partition goes when its writer had time to finish, and all that was read is durable.
 */
static void drop_rotated (file_set_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->partition_count; i++) {
        file_partition_t *partition = self->partitions[i];
        if (partition->rotated && now_ms - partition->rotated_ms >= FILE_SET_ROTATED_GRACE_MS &&
            partition->started && partition->end_told == partition->tail.position &&
            partition->durable >= partition->tail.position)
            unlist (self, partition);
    }
}

void file_set_look_around (file_set_t *self, int64_t now_ms)
{
    bool due = !self->once && now_ms - self->looked_ms >= LOOK_INTERVAL_MS;
    for (uint32_t i = 0; i < self->input_count; i++)
        if (due || self->inputs[i].spool)
            file_set_look_at (self, i, now_ms);
    if (due) {
        self->looked_ms = now_ms;
        drop_rotated (self, now_ms);
    }
}

void file_set_free (file_set_t *self)
{
    for (uint32_t i = 0; i < self->partition_count; i++) {
        set_file (self->partitions[i], -1);
        free (self->partitions[i]->base);
        free (self->partitions[i]->name);
        free (self->partitions[i]);
    }
    for (uint32_t i = 0; i < self->input_count; i++)
        spool_destroy (&self->inputs[i].spool);
    free (self->partitions);
    free (self->inputs);
    free (self->buffer);
}
