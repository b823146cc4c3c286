#include "tests/proxy/frame_line.h"

#include "common/check.h"
#include "common/memory.h"

enum { NONE = -1 };

typedef struct {
    uint64_t number; /* by arrival */
    int64_t due_ms;
    bool is_copy;
    buffer_t bytes;
} frame_t;

struct frame_line {
    frame_faults_t faults;
    frame_counts_t counts;
    uint64_t random;
    frame_t frames[FRAME_LINE_FRAMES_MAX];
    int count, next; /* of the frames, the one frame_line_next gave, or NONE */
    uint64_t number, greatest_sent;
    int64_t held_until_ms;
};

frame_line_t *frame_line_new (uint64_t seed)
{
    frame_line_t *self = memory_new (sizeof *self);
    self->random = seed * UINT64_C (0x9e3779b97f4a7c15) + 1;
    self->next = NONE;
    self->held_until_ms = INT64_MIN;
    return self;
}

void frame_line_destroy (frame_line_t **self_p)
{
    frame_line_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < self->count; i++)
        buffer_free (&self->frames[i].bytes);
    free (self);
    *self_p = NULL;
}

void frame_line_set (frame_line_t *self, const frame_faults_t *faults)
{
    self->faults = *faults;
}

const frame_counts_t *frame_line_counts (const frame_line_t *self)
{
    return &self->counts;
}

bool frame_line_has_room (const frame_line_t *self)
{
    return self->count < FRAME_LINE_ROOM;
}

/*  splitmix64: from 0 up to 1. */
static double draw (frame_line_t *self)
{
    uint64_t z = self->random += UINT64_C (0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static int64_t some_ms (frame_line_t *self)
{
    return 1 + (int64_t)(draw (self) * self->faults.hold_ms);
}

static void add (frame_line_t *self, span_t bytes, int64_t due_ms, bool is_copy)
{
    CHECK (self->count < FRAME_LINE_FRAMES_MAX);
    frame_t *frame = &self->frames[self->count++];
    *frame = (frame_t){.number = self->number, .due_ms = due_ms, .is_copy = is_copy};
    buffer_append (&frame->bytes, bytes.bytes, bytes.size);
}

void frame_line_put (frame_line_t *self, span_t frame, int64_t now_ms)
{
    const frame_faults_t *faults = &self->faults;
    CHECK (frame_line_has_room (self));
    /* As many draws for each frame: its fate does not hang on that of the others. */
    bool drop = draw (self) < faults->drop, repeat = draw (self) < faults->repeat;
    bool delay = draw (self) < faults->delay, reorder = draw (self) < faults->reorder;
    int64_t delay_ms = some_ms (self), alone_ms = some_ms (self), copy_ms = some_ms (self);
    self->number++;
    self->counts.came++;
    self->counts.bytes += frame.size;
    if (drop) {
        self->counts.dropped++;
        return;
    }
    if (delay) {
        self->counts.delayed++;
        if (now_ms + delay_ms > self->held_until_ms)
            self->held_until_ms = now_ms + delay_ms;
    }
    int64_t due_ms = now_ms > self->held_until_ms ? now_ms : self->held_until_ms;
    due_ms += reorder ? alone_ms : 0;
    add (self, frame, due_ms, false);
    if (repeat) {
        self->counts.repeated++;
        add (self, frame, due_ms + copy_ms, true);
    }
}

static int find_least (const frame_line_t *self)
{
    int least = NONE;
    for (int i = 0; i < self->count; i++) {
        const frame_t *frame = &self->frames[i], *other = &self->frames[least < 0 ? 0 : least];
        if (least < 0 || frame->due_ms < other->due_ms ||
            (frame->due_ms == other->due_ms && frame->number < other->number))
            least = i;
    }
    return least;
}

span_t frame_line_next (frame_line_t *self, int64_t now_ms)
{
    if (self->next == NONE) {
        int least = find_least (self);
        if (least == NONE || self->frames[least].due_ms > now_ms)
            return (span_t){0};
        self->next = least;
    }
    const buffer_t *bytes = &self->frames[self->next].bytes;
    return (span_t){(const char *)bytes->bytes, bytes->size};
}

void frame_line_sent (frame_line_t *self)
{
    CHECK (self->next != NONE);
    frame_t *frame = &self->frames[self->next];
    self->counts.sent++;
    self->counts.reordered += !frame->is_copy && frame->number < self->greatest_sent;
    if (frame->number > self->greatest_sent)
        self->greatest_sent = frame->number;
    buffer_free (&frame->bytes);
    *frame = self->frames[--self->count];
    self->next = NONE;
}

int64_t frame_line_wait_ms (const frame_line_t *self, int64_t now_ms)
{
    int least = self->next == NONE ? find_least (self) : self->next;
    if (least == NONE)
        return -1;
    int64_t wait_ms = self->frames[least].due_ms - now_ms;
    return wait_ms > 0 ? wait_ms : 0;
}
