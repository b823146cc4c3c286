/*  sim_zmq: the functions of zmq.h and czmq.h that hotpath calls, in place of libzmq and libczmq. One
 *  that is missing here is an error of the linker, since the model is not linked with the real ones.
 */
#include <czmq.h>
#include <stdarg.h>

#include "common/memory.h"
#include "sim.h"
#include "sim_network.h"

enum { HIGH_WATER_MARK = 1000 };

struct _zsock_t {
    int type;
    bool bound, conflate;
    uint32_t send_max, receive_max;
    int linger_ms;
    listener_t listener; /* of PULL */
    pipe_t *pipe;        /* of PUSH: it is connected once */
};

/*  ---- czmq ---- */

zsock_t *zsock_new_checked (int type, const char *file, size_t line)
{
    (void)file, (void)line;
    zsock_t *self = memory_new (sizeof *self);
    self->type = type;
    self->send_max = self->receive_max = HIGH_WATER_MARK;
    return self;
}

void zsock_destroy_checked (zsock_t **self_p, const char *file, size_t line)
{
    (void)file, (void)line;
    zsock_t *self = *self_p;
    if (!self)
        return;
    if (self->bound)
        network_leave (&self->listener);
    if (self->pipe)
        network_close (self->pipe, self->linger_ms != 0 && !sim_is_dead ());
    free (self);
    *self_p = NULL;
}

void zsock_set_conflate (void *self, int conflate)
{
    ((zsock_t *)self)->conflate = conflate != 0;
}

void zsock_set_linger (void *self, int linger)
{
    ((zsock_t *)self)->linger_ms = linger;
}

void zsock_set_sndhwm (void *self, int frames)
{
    ((zsock_t *)self)->send_max = (uint32_t)frames;
}

void zsock_set_rcvhwm (void *self, int frames)
{
    ((zsock_t *)self)->receive_max = (uint32_t)frames;
}

void zsock_set_maxmsgsize (void *self, int bytes)
{
    (void)self, (void)bytes;
}

int zsock_connect (zsock_t *self, const char *format, ...)
{
    char endpoint[NETWORK_ENDPOINT_BYTES];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (endpoint, sizeof endpoint, format, arguments);
    va_end (arguments);
    if (sim_call ("zsock_connect"))
        self->pipe =
            network_connect (endpoint, self->send_max + self->receive_max, self->conflate);
    return 0;
}

int zsock_bind (zsock_t *self, const char *format, ...)
{
    char endpoint[NETWORK_ENDPOINT_BYTES];
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (endpoint, sizeof endpoint, format, arguments);
    va_end (arguments);
    if (!sim_call ("zsock_bind"))
        return 0;
    if (network_listen (&self->listener, endpoint) != 0) {
        errno = EADDRINUSE;
        return -1;
    }
    self->bound = true;
    return 0;
}

const char *zsock_endpoint (zsock_t *self)
{
    return self->listener.endpoint;
}

int zsock_events (void *socket)
{
    const zsock_t *self = socket;
    if (self->type == ZMQ_PUSH)
        return self->pipe && network_has_room (self->pipe) ? ZMQ_POLLOUT : 0;
    return network_is_readable (&self->listener) ? ZMQ_POLLIN : 0;
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
    (void)handler;
}

/*  ---- zmq ---- */

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
    free (((message_t *)message)->bytes);
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
    return ((message_t *)message)->bytes;
}

size_t zmq_msg_size (const zmq_msg_t *message)
{
    return ((const message_t *)message)->size;
}

int zmq_msg_recv (zmq_msg_t *message, void *socket, int flags)
{
    (void)flags;
    zsock_t *self = socket;
    message_t *held = (message_t *)message;
    if (!sim_call ("zmq_msg_recv") || !network_pull (&self->listener, &held->bytes, &held->size)) {
        errno = EAGAIN;
        return -1;
    }
    return (int)held->size;
}

int zmq_send (void *socket, const void *bytes, size_t size, int flags)
{
    (void)flags;
    zsock_t *self = socket;
    if (!sim_call ("zmq_send"))
        return (int)size;
    if (!self->pipe || !network_has_room (self->pipe)) {
        sim_event (EVENT_PIPES_FULL);
        errno = EAGAIN;
        return -1;
    }
    network_push (self->pipe, bytes, size);
    return (int)size;
}

int zmq_poll (zmq_pollitem_t *items, int count, long timeout_ms)
{
    int ready = 0;
    if (sim_call ("zmq_poll"))
        sim_wait (timeout_ms);
    for (int i = 0; i < count; i++) {
        bool readable = items[i].socket && (zsock_events (items[i].socket) & ZMQ_POLLIN);
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
