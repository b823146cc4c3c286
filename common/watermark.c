#include "common/watermark.h"

#include <stdlib.h>

#include "common/incarnation.h"
#include "common/memory.h"

typedef struct sender {
    char *name;
    size_t name_size;
    uint64_t incarnation;
    int64_t heard_ms; /* of the time listened */
    int64_t idle_time_ms;
    uint32_t *list;
    uint32_t count, capacity;
    struct sender *next;
} sender_t;

/*  What was last said of a partition, and by whom (NULL: by one that is forgotten). */
typedef struct {
    bool idle, ended;
    int64_t at;
    const sender_t *sender;
} state_t;

struct watermark {
    partition_names_t *partitions;
    int64_t out_of_orderness_ms;
    sender_t *senders, *current;
    uint32_t sender_count;
    state_t *states; /* by partition number */
    bool *listed;
    uint32_t count;
    bool heard;
    int64_t listened_ms;  /* how long this process has listened: its own pauses are left out */
    int64_t now_ms;       /* own clock at the last watermark_listen, or 0 */
    int64_t behind_ms;    /* to be listened to before idleness is believed again */
};

watermark_t *watermark_new (partition_names_t *partitions, int64_t out_of_orderness_ms)
{
    watermark_t *self = memory_new (sizeof *self);
    self->partitions = partitions;
    self->out_of_orderness_ms = out_of_orderness_ms;
    return self;
}

static void free_sender (sender_t *sender)
{
    free (sender->name);
    free (sender->list);
    free (sender);
}

void watermark_destroy (watermark_t **self_p)
{
    watermark_t *self = *self_p;
    if (!self)
        return;
    while (self->senders) {
        sender_t *next = self->senders->next;
        free_sender (self->senders);
        self->senders = next;
    }
    free (self->states);
    free (self->listed);
    free (self);
    *self_p = NULL;
}

static void make_room (watermark_t *self)
{
    uint32_t count = partition_names_count (self->partitions);
    if (count <= self->count)
        return;
    self->states = memory_resize (self->states, count * sizeof *self->states);
    self->listed = memory_resize (self->listed, count * sizeof *self->listed);
    for (uint32_t i = self->count; i < count; i++) {
        self->states[i] = (state_t){0};
        self->listed[i] = false;
    }
    self->count = count;
}

void watermark_listen (watermark_t *self, int64_t now_ms, bool drained)
{
    int64_t passed_ms = self->now_ms ? now_ms - self->now_ms : 0;
    self->now_ms = now_ms;
    if (passed_ms > WATERMARK_PAUSE_MS) {
        passed_ms = WATERMARK_PAUSE_MS;
        self->behind_ms = WATERMARK_SILENCE_MS;
    } else if (self->behind_ms > 0)
        self->behind_ms -= passed_ms;
    if (drained && self->behind_ms <= WATERMARK_SILENCE_MS - WATERMARK_BEHIND_LEAST_MS)
        self->behind_ms = 0;
    self->listened_ms += passed_ms;
}

static bool is_silent (const watermark_t *self, const sender_t *sender)
{
    return self->listened_ms - sender->heard_ms > WATERMARK_SILENCE_MS;
}

static bool is_idle (const watermark_t *self, uint32_t partition)
{
    const state_t *state = &self->states[partition];
    return state->idle && state->sender && self->behind_ms <= 0 && !is_silent (self, state->sender);
}

/*  What the sender said before is no longer known: it says all of it anew, and a new life has not yet looked
 *  where its partitions end. */
static void forget_states (watermark_t *self, const sender_t *sender)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->states[i].sender == sender)
            self->states[i] = (state_t){0};
    }
}

/*  An end that was said stays: one that left in order after it (--once) says nothing more. */
static void remove_sender (watermark_t *self, sender_t **place)
{
    sender_t *sender = *place;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->states[i].sender == sender)
            self->states[i] = (state_t){.ended = self->states[i].ended, .at = self->states[i].at};
    }
    *place = sender->next;
    self->sender_count--;
    free_sender (sender);
}

static sender_t *find_or_add (watermark_t *self, span_t name)
{
    for (sender_t *sender = self->senders; sender; sender = sender->next) {
        if (span_equal ((span_t){sender->name, sender->name_size}, name))
            return sender;
    }
    if (self->sender_count == WATERMARK_SENDERS_MAX)
        return NULL;
    self->sender_count++;
    sender_t *sender = memory_new (sizeof *sender);
    sender->name = memory_copy_string (name.bytes, name.size);
    sender->name_size = name.size;
    sender->next = self->senders;
    self->senders = sender;
    return sender;
}

bool watermark_begin (watermark_t *self, span_t sender_name, uint64_t incarnation,
                      int64_t idle_time_ms)
{
    sender_t *sender = find_or_add (self, sender_name);
    if (!sender)
        return false;
    incarnation_verdict_t verdict = incarnation_judge (sender->incarnation, sender->heard_ms,
                                                       incarnation, self->listened_ms);
    if (verdict == INCARNATION_STALE)
        return false;
    forget_states (self, sender);
    sender->incarnation = incarnation;
    sender->heard_ms = self->listened_ms;
    sender->idle_time_ms = idle_time_ms;
    sender->count = 0;
    self->current = sender;
    return true;
}

void watermark_list (watermark_t *self, uint32_t partition)
{
    sender_t *sender = self->current;
    if (sender->count == sender->capacity) {
        sender->capacity = sender->capacity ? sender->capacity * 2 : 16;
        sender->list = memory_resize (sender->list, sender->capacity * sizeof *sender->list);
    }
    sender->list[sender->count++] = partition;
}

void watermark_own (watermark_t *self, uint32_t partition, bool idle, bool ended, int64_t at)
{
    make_room (self);
    self->states[partition] = (state_t){idle, ended, at, self->current};
}

/*  The list is the union of what the senders say; one that has been silent for long is forgotten, but never
 *  the last: silence is not the end of a source. */
void watermark_end (watermark_t *self)
{
    make_room (self);
    for (sender_t **at = &self->senders; *at;) {
        if (self->listened_ms - (*at)->heard_ms > WATERMARK_SENDER_TTL_MS)
            remove_sender (self, at);
        else
            at = &(*at)->next;
    }
    for (uint32_t i = 0; i < self->count; i++)
        self->listed[i] = false;
    for (const sender_t *sender = self->senders; sender; sender = sender->next) {
        for (uint32_t i = 0; i < sender->count; i++)
            self->listed[sender->list[i]] = true;
    }
    self->current = NULL;
    self->heard = true;
}

/*  Asked while all are idle: a silent sender has no partition then that another has not taken over. */
static int64_t least_idle_time_ms (const watermark_t *self)
{
    int64_t least_ms = INT64_MAX;
    for (const sender_t *sender = self->senders; sender; sender = sender->next) {
        if (!is_silent (self, sender) && sender->idle_time_ms < least_ms)
            least_ms = sender->idle_time_ms;
    }
    return least_ms == INT64_MAX ? EVENT_TIME_NONE : least_ms;
}

int64_t watermark_of (const watermark_t *self, const vector_t *vector)
{
    if (!self->heard)
        return EVENT_TIME_NONE;
    int64_t least_ms = INT64_MAX;
    for (uint32_t i = 0; i < self->count; i++) {
        vector_entry_t entry = vector_get (vector, i);
        /* Beyond `at` it has had more since it was called idle. */
        if (!self->listed[i] || (entry.next == self->states[i].at && is_idle (self, i)))
            continue;
        if (entry.greatest_ms == EVENT_TIME_NONE)
            return EVENT_TIME_NONE;
        if (entry.greatest_ms - self->out_of_orderness_ms < least_ms)
            least_ms = entry.greatest_ms - self->out_of_orderness_ms;
    }
    return least_ms == INT64_MAX ? least_idle_time_ms (self) : least_ms;
}

bool watermark_all_ended (const watermark_t *self, const vector_t *vector)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->listed[i] &&
            !(self->states[i].ended && vector_get (vector, i).next >= self->states[i].at))
            return false;
    }
    return self->heard;
}

bool watermark_is_idle (const watermark_t *self, uint32_t partition)
{
    return partition < self->count && is_idle (self, partition);
}

bool watermark_is_ended (const watermark_t *self, uint32_t partition)
{
    return partition < self->count && self->states[partition].ended;
}

bool watermark_is_listed (const watermark_t *self, uint32_t partition)
{
    return partition < self->count && self->listed[partition];
}
