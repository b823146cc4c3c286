/*  sim_network: see sim_network.h. The functions of zmq.h and czmq.h that hotpath calls; one that is missing
 *  here is an error of the linker, since the model is not linked with the real libraries. */
#include "sim_network.h"

#include <czmq.h>
#include <stdarg.h>

#include "common/memory.h"
#include "sim.h"

enum { ENDPOINT_BYTES = 64, SLOW_MS_MAX = 8000, CALM_MS_MAX = 100 };

typedef struct frame {
    struct frame *next;
    int64_t ready_ms; /* it has arrived from then on */
    size_t size;
    uint8_t bytes[];
} frame_t;

/*  One connection. */
typedef struct pipe {
    struct pipe *next;
    char endpoint[ENDPOINT_BYTES];
    frame_t *first;
    uint32_t count, capacity;
    int64_t last_ms;     /* nothing arrives before it */
    bool open;           /* the sender still has it */
    bool delivered;      /* a frame of it was received */
    bool conflate;
    process_t *sender;
    uint32_t sender_life;
    const zsock_t *receiver; /* NULL: nobody listens at the endpoint */
} pipe_t;

struct _zsock_t {
    struct _zsock_t *next; /* of those bound */
    int type;
    bool bound, conflate;
    uint32_t send_max, receive_max;
    int linger_ms;
    char endpoint[ENDPOINT_BYTES];
    process_t *owner;
    pipe_t *pipe;
};

static struct {
    network_t network;
    pipe_t *pipes;
    zsock_t *bound;
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
static void lose_received (const zsock_t *socket)
{
    for (pipe_t *pipe = net.pipes, *next; pipe; pipe = next) {
        next = pipe->next;
        if (pipe->receiver != socket)
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

/*  The sender closes it: what had arrived stays to be read; of the rest some of the last is lost. */
static void close_pipe (pipe_t *pipe, bool linger)
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
    net.bound = NULL;
}

/*  ---- czmq: sockets ---- */

zsock_t *zsock_new_checked (int type, const char *file, size_t line)
{
    (void) file, (void) line;
    zsock_t *self = memory_new (sizeof *self);
    self->type = type;
    self->send_max = self->receive_max = 1000;
    self->owner = sim.current;
    return self;
}

void zsock_destroy_checked (zsock_t **self_p, const char *file, size_t line)
{
    (void) file, (void) line;
    zsock_t *self = *self_p;
    if (!self)
        return;
    if (self->bound) {
        zsock_t **place = &net.bound;
        while (*place != self)
            place = &(*place)->next;
        *place = self->next;
        lose_received (self);
    }
    if (self->pipe)
        close_pipe (self->pipe, self->linger_ms != 0 && !sim_is_dead ());
    free (self);
    *self_p = NULL;
}

void zsock_set_conflate (void *self, int conflate)
{
    ((zsock_t *) self)->conflate = conflate != 0;
}

void zsock_set_linger (void *self, int linger)
{
    ((zsock_t *) self)->linger_ms = linger;
}

void zsock_set_sndhwm (void *self, int frames)
{
    ((zsock_t *) self)->send_max = (uint32_t) frames;
}

void zsock_set_rcvhwm (void *self, int frames)
{
    ((zsock_t *) self)->receive_max = (uint32_t) frames;
}

void zsock_set_maxmsgsize (void *self, int bytes)
{
    (void) self, (void) bytes;
}

int zsock_connect (zsock_t *self, const char *format, ...)
{
    if (!sim_call ("zsock_connect"))
        return 0;
    pipe_t *pipe = memory_new (sizeof *pipe);
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (pipe->endpoint, sizeof pipe->endpoint, format, arguments);
    va_end (arguments);
    uint32_t most = self->send_max + self->receive_max;
    pipe->capacity = most < net.network.frames_max ? most : net.network.frames_max;
    pipe->open = true;
    pipe->conflate = self->conflate;
    pipe->sender = sim.current;
    pipe->sender_life = sim.current ? sim.current->lives : 0;
    for (const zsock_t *socket = net.bound; socket; socket = socket->next) {
        if (strcmp (socket->endpoint, pipe->endpoint) == 0)
            pipe->receiver = socket;
    }
    pipe->next = net.pipes;
    net.pipes = pipe;
    self->pipe = pipe;
    return 0;
}

int zsock_bind (zsock_t *self, const char *format, ...)
{
    if (!sim_call ("zsock_bind"))
        return 0;
    char endpoint[ENDPOINT_BYTES];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (endpoint, sizeof endpoint, format, arguments);
    va_end (arguments);
    size_t size = strlen (endpoint);
    if (size && endpoint[size - 1] == '*')
        snprintf (self->endpoint, sizeof self->endpoint, "%.*s%u", (int) size - 1, endpoint,
                  30000 + net.ports++);
    else
        memcpy (self->endpoint, endpoint, sizeof endpoint);
    for (const zsock_t *other = net.bound; other; other = other->next) {
        if (strcmp (other->endpoint, self->endpoint) == 0) {
            errno = EADDRINUSE;
            return -1;
        }
    }
    self->bound = true;
    self->next = net.bound;
    net.bound = self;
    for (pipe_t *pipe = net.pipes; pipe; pipe = pipe->next) {
        if (strcmp (pipe->endpoint, self->endpoint) == 0)
            pipe->receiver = self;
    }
    return 0;
}

const char *zsock_endpoint (zsock_t *self)
{
    return self->endpoint;
}

void *zsock_resolve (void *self)
{
    return self;
}

void *zsys_init (void)
{
    return NULL;
}

void zsys_handler_set (zsys_handler_fn *handler)
{
    (void) handler;
}

/*  ---- zmq: frames ---- */

/*  A pipe whose first frame has arrived, by chance among them; NULL: there is none. */
static pipe_t *find_ready (const zsock_t *socket)
{
    pipe_t *found = NULL;
    uint32_t count = 0;
    for (pipe_t *pipe = net.pipes; pipe; pipe = pipe->next) {
        if (pipe->receiver == socket && pipe->first && pipe->first->ready_ms <= sim.now_ms &&
            chance_below (&sim.chance, ++count) == 0)
            found = pipe;
    }
    return found;
}

static bool is_readable (const zsock_t *socket)
{
    for (const pipe_t *pipe = net.pipes; pipe; pipe = pipe->next) {
        if (pipe->receiver == socket && pipe->first && pipe->first->ready_ms <= sim.now_ms)
            return true;
    }
    return false;
}

static bool has_room (const pipe_t *pipe)
{
    return pipe && (pipe->conflate || pipe->count < pipe->capacity);
}

int zsock_events (void *socket)
{
    const zsock_t *self = socket;
    if (self->type == ZMQ_PUSH)
        return has_room (self->pipe) ? ZMQ_POLLOUT : 0;
    return is_readable (self) ? ZMQ_POLLIN : 0;
}

/*  Has a newer connection of the same sender been read from? */
static bool is_overtaken (const pipe_t *pipe)
{
    for (const pipe_t *other = net.pipes; other; other = other->next) {
        if (other == pipe)
            return false; /* newer ones come first in the list */
        if (other->sender == pipe->sender && other->delivered && other->receiver == pipe->receiver)
            return true;
    }
    return false;
}

/*  What a zmq_msg_t holds here. */
typedef struct {
    void *bytes;
    size_t size;
} message_t;

_Static_assert (sizeof (message_t) <= sizeof (zmq_msg_t), "fits");

int zmq_msg_init (zmq_msg_t *message)
{
    memset (message, 0, sizeof *message);
    return 0;
}

int zmq_msg_close (zmq_msg_t *message)
{
    free (((message_t *) message)->bytes);
    return zmq_msg_init (message);
}

int zmq_msg_move (zmq_msg_t *to, zmq_msg_t *from)
{
    zmq_msg_close (to);
    *to = *from;
    return zmq_msg_init (from);
}

void *zmq_msg_data (zmq_msg_t *message)
{
    return ((message_t *) message)->bytes;
}

size_t zmq_msg_size (const zmq_msg_t *message)
{
    return ((const message_t *) message)->size;
}

int zmq_msg_recv (zmq_msg_t *message, void *socket, int flags)
{
    (void) flags;
    zsock_t *self = socket;
    pipe_t *pipe = sim_call ("zmq_msg_recv") ? find_ready (self) : NULL;
    if (!pipe) {
        errno = EAGAIN;
        return -1;
    }
    if (is_overtaken (pipe))
        sim_event (EVENT_FRAMES_OVERTAKEN);
    frame_t *frame = take_first (pipe);
    pipe->delivered = true;
    message_t *held = (message_t *) message;
    held->size = frame->size;
    held->bytes = memory_copy_string ((const char *) frame->bytes, frame->size);
    free (frame);
    if (!pipe->open && !pipe->first)
        remove_pipe (pipe);
    return (int) held->size;
}

int zmq_send (void *socket, const void *bytes, size_t size, int flags)
{
    (void) flags;
    zsock_t *self = socket;
    if (!sim_call ("zmq_send"))
        return (int) size;
    if (!has_room (self->pipe)) {
        sim_event (EVENT_PIPES_FULL);
        errno = EAGAIN;
        return -1;
    }
    if (self->pipe->conflate) {
        /* Only the newest waits; one that is on its way goes on. */
        while (self->pipe->first && self->pipe->count > 1)
            free (take_first (self->pipe));
    }
    push (self->pipe, bytes, size);
    return (int) size;
}

int zmq_poll (zmq_pollitem_t *items, int count, long timeout_ms)
{
    int ready = 0;
    if (sim_call ("zmq_poll"))
        sim_wait (timeout_ms);
    for (int i = 0; i < count; i++) {
        bool readable = items[i].socket && is_readable (items[i].socket);
        items[i].revents = readable ? ZMQ_POLLIN : 0;
        ready += readable;
    }
    return ready;
}

int zmq_errno (void)
{
    return errno;
}

const char *zmq_strerror (int code)
{
    return strerror (code);
}
