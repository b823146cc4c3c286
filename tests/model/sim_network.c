/*  sim_network: see sim_network.h. */
#include "sim_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum { SLOW_MS_MAX = 8000, CALM_MS_MAX = 100, PORTS_FIRST = 30000 };

typedef struct frame {
    struct frame *next;
    int64_t ready_ms; /* it has arrived from then on */
    size_t size;
    uint8_t bytes[];
} frame_t;

/*  One connection. */
struct pipe {
    struct pipe *next; /* newer ones come first */
    char endpoint[NETWORK_ENDPOINT_BYTES];
    frame_t *first;
    uint32_t count, capacity;
    int64_t last_ms; /* nothing arrives before it */
    bool open;       /* the sender still has it */
    bool delivered;  /* a frame of it was received */
    bool conflate;
    process_t *sender;
    uint32_t sender_life;
    const listener_t *receiver; /* NULL: nobody listens at the endpoint */
};

static struct {
    network_t network;
    pipe_t *pipes;
    listener_t *listeners;
    uint32_t ports;
    bool calm;
} net;

/*  ---- pipes ---- */

static void count_loss (const pipe_t *pipe)
{
    if (pipe->sender && pipe->sender->lives == pipe->sender_life)
        pipe->sender->frames_lost++;
}

static frame_t *take_first (pipe_t *pipe)
{
    frame_t *frame = pipe->first;
    pipe->first = frame->next;
    pipe->count--;
    return frame;
}

static void free_frames (pipe_t *pipe)
{
    while (pipe->first)
        free (take_first (pipe));
}

static void remove_pipe (pipe_t *pipe)
{
    pipe_t **place = &net.pipes;
    while (*place != pipe)
        place = &(*place)->next;
    *place = pipe->next;
    free_frames (pipe);
    free (pipe);
}

/*  The receiver is gone: all that had arrived, and the first of what was on its way. */
static void lose_received (const listener_t *listener)
{
    for (pipe_t *pipe = net.pipes, *next; pipe; pipe = next) {
        next = pipe->next;
        if (pipe->receiver != listener)
            continue;
        pipe->receiver = NULL;
        while (pipe->first &&
               (pipe->first->ready_ms <= sim.now_ms || chance_is (&sim.chance, 500))) {
            free (take_first (pipe));
            count_loss (pipe);
            sim_event (EVENT_FRAMES_LOST_RECEIVER);
        }
        if (!pipe->open && !pipe->first)
            remove_pipe (pipe);
    }
}

/*  What had arrived stays to be read; of the rest some of the last is lost. */
void network_close (pipe_t *pipe, bool linger)
{
    frame_t **place = &pipe->first;
    while (*place && ((*place)->ready_ms <= sim.now_ms || linger || chance_is (&sim.chance, 500)))
        place = &(*place)->next;
    while (*place) {
        frame_t *lost = *place;
        *place = lost->next;
        free (lost);
        pipe->count--;
        count_loss (pipe);
        sim_event (EVENT_FRAMES_LOST_SENDER);
    }
    pipe->open = false;
    if (!pipe->first)
        remove_pipe (pipe);
}

static int64_t delay_ms (void)
{
    if (!net.calm && chance_is (&sim.chance, net.network.slow)) {
        sim_event (EVENT_FRAMES_DELAYED);
        return chance_between (&sim.chance, 1000, SLOW_MS_MAX);
    }
    return chance_between (&sim.chance, 0, net.network.delay_ms_max);
}

static void append (pipe_t *pipe, const void *bytes, size_t size)
{
    frame_t *frame = memory_new (sizeof *frame + size);
    frame->size = size;
    memcpy (frame->bytes, bytes, size);
    frame->ready_ms = sim.now_ms + delay_ms ();
    if (frame->ready_ms < pipe->last_ms)
        frame->ready_ms = pipe->last_ms;
    pipe->last_ms = frame->ready_ms;
    frame_t **place = &pipe->first;
    while (*place)
        place = &(*place)->next;
    *place = frame;
    pipe->count++;
}

/*  The last two frames change places, in time too. */
static void swap_last (pipe_t *pipe)
{
    frame_t **place = &pipe->first;
    while ((*place)->next->next)
        place = &(*place)->next;
    frame_t *first = *place, *second = first->next;
    int64_t ready_ms = first->ready_ms;
    first->ready_ms = second->ready_ms;
    second->ready_ms = ready_ms;
    second->next = first;
    first->next = NULL;
    *place = second;
}

static void push (pipe_t *pipe, const void *bytes, size_t size)
{
    const network_t *network = &net.network;
    sim_event (EVENT_FRAMES);
    if (!net.calm && chance_is (&sim.chance, network->drop)) {
        count_loss (pipe);
        sim_event (EVENT_FRAMES_DROPPED);
        return;
    }
    append (pipe, bytes, size);
    if (!net.calm && chance_is (&sim.chance, network->repeat)) {
        append (pipe, bytes, size);
        count_loss (pipe);
        sim_event (EVENT_FRAMES_REPEATED);
    }
    if (!net.calm && pipe->count > 1 && chance_is (&sim.chance, network->swap)) {
        swap_last (pipe);
        count_loss (pipe);
        sim_event (EVENT_FRAMES_SWAPPED);
    }
}

void network_push (pipe_t *pipe, const void *bytes, size_t size)
{
    /* Only the newest waits; one that is on its way goes on. */
    while (pipe->conflate && pipe->count > 1)
        free (take_first (pipe));
    push (pipe, bytes, size);
}

bool network_has_room (const pipe_t *pipe)
{
    return pipe->conflate || pipe->count < pipe->capacity;
}

pipe_t *network_connect (const char *endpoint, uint32_t frames_max, bool conflate)
{
    pipe_t *pipe = memory_new (sizeof *pipe);
    snprintf (pipe->endpoint, sizeof pipe->endpoint, "%s", endpoint);
    pipe->capacity = frames_max < net.network.frames_max ? frames_max : net.network.frames_max;
    pipe->open = true;
    pipe->conflate = conflate;
    pipe->sender = sim.current;
    pipe->sender_life = sim.current ? sim.current->lives : 0;
    for (const listener_t *at = net.listeners; at; at = at->next) {
        if (strcmp (at->endpoint, endpoint) == 0)
            pipe->receiver = at;
    }
    pipe->next = net.pipes;
    net.pipes = pipe;
    return pipe;
}

/*  ---- listeners ---- */

int network_listen (listener_t *self, const char *endpoint)
{
    size_t size = strlen (endpoint);
    if (size && endpoint[size - 1] == '*')
        snprintf (self->endpoint, sizeof self->endpoint, "%.*s%u", (int)size - 1, endpoint,
                  PORTS_FIRST + net.ports++);
    else
        snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    for (const listener_t *at = net.listeners; at; at = at->next) {
        if (strcmp (at->endpoint, self->endpoint) == 0)
            return -1;
    }
    self->owner = sim.current;
    self->next = net.listeners;
    net.listeners = self;
    for (pipe_t *pipe = net.pipes; pipe; pipe = pipe->next) {
        if (strcmp (pipe->endpoint, self->endpoint) == 0)
            pipe->receiver = self;
    }
    return 0;
}

void network_leave (listener_t *self)
{
    listener_t **place = &net.listeners;
    while (*place != self)
        place = &(*place)->next;
    *place = self->next;
    lose_received (self);
}

static bool has_come (const pipe_t *pipe, const listener_t *listener)
{
    return pipe->receiver == listener && pipe->first && pipe->first->ready_ms <= sim.now_ms;
}

bool network_is_readable (const listener_t *self)
{
    for (const pipe_t *pipe = net.pipes; pipe; pipe = pipe->next) {
        if (has_come (pipe, self))
            return true;
    }
    return false;
}

/*  Has a newer connection of the same sender been read from? */
static bool is_overtaken (const pipe_t *pipe)
{
    for (const pipe_t *other = net.pipes; other != pipe; other = other->next) {
        if (other->sender == pipe->sender && other->delivered && other->receiver == pipe->receiver)
            return true;
    }
    return false;
}

bool network_pull (const listener_t *self, void **bytes, size_t *size)
{
    pipe_t *pipe = NULL;
    uint32_t count = 0;
    for (pipe_t *at = net.pipes; at; at = at->next) {
        if (has_come (at, self) && chance_below (&sim.chance, ++count) == 0)
            pipe = at;
    }
    if (!pipe)
        return false;
    if (is_overtaken (pipe))
        sim_event (EVENT_FRAMES_OVERTAKEN);
    frame_t *frame = take_first (pipe);
    pipe->delivered = true;
    *size = frame->size;
    *bytes = memory_copy_string ((const char *)frame->bytes, frame->size);
    free (frame);
    if (!pipe->open && !pipe->first)
        remove_pipe (pipe);
    return true;
}

/*  ---- all of it ---- */

void sim_network_begin (const network_t *network)
{
    net.network = *network;
    net.calm = false;
    net.ports = 0;
}

void sim_network_calm (void)
{
    net.calm = true;
    for (pipe_t *pipe = net.pipes; pipe; pipe = pipe->next) {
        pipe->last_ms = sim.now_ms + CALM_MS_MAX;
        for (frame_t *frame = pipe->first; frame; frame = frame->next) {
            if (frame->ready_ms > pipe->last_ms)
                frame->ready_ms = pipe->last_ms;
        }
    }
}

bool sim_network_waits (const process_t *process)
{
    for (const pipe_t *pipe = net.pipes; pipe; pipe = pipe->next) {
        if (pipe->receiver && pipe->receiver->owner == process && pipe->first &&
            pipe->first->ready_ms <= sim.now_ms)
            return true;
    }
    return false;
}

void sim_network_end (void)
{
    while (net.pipes)
        remove_pipe (net.pipes);
    net.listeners = NULL;
}
