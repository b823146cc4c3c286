/*  config_publisher: see config_publisher.h. */
#include "configd/config_publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"

enum {
    SEND_HWM = 2048,
    RECEIVE_HWM = 4096,
    REQUESTS_A_STEP_MAX = 512,
};

struct config_publisher {
    void *context, *publish, *requests;
    uint64_t incarnation, sequence;
    config_publisher_events_t events;
    bool started;
    int64_t beacon_ms, wall_ms;
    buffer_t frame, entries;
};

static int bind_sockets (config_publisher_t *self, const char *endpoint, char *error,
                         size_t error_size)
{
    char requests[CONFIG_ENDPOINT_BYTES_MAX];
    if (config_wire_requests_endpoint (endpoint, requests, sizeof requests) != 0) {
        snprintf (error, error_size, "%s is not an endpoint (ipc://PATH or tcp://HOST:PORT)",
                  endpoint);
        return -1;
    }
    int none = 0, send_hwm = SEND_HWM, receive_hwm = RECEIVE_HWM, heartbeat_ms = 2000;
    self->context = zmq_ctx_new ();
    self->publish = self->context ? zmq_socket (self->context, ZMQ_PUB) : NULL;
    self->requests = self->context ? zmq_socket (self->context, ZMQ_PULL) : NULL;
    const char *place = endpoint;
    int failed = !self->publish || !self->requests;
    if (!failed) {
        failed |= zmq_setsockopt (self->publish, ZMQ_LINGER, &none, sizeof none);
        failed |= zmq_setsockopt (self->publish, ZMQ_SNDHWM, &send_hwm, sizeof send_hwm);
        failed |=
            zmq_setsockopt (self->publish, ZMQ_HEARTBEAT_IVL, &heartbeat_ms, sizeof heartbeat_ms);
        failed |= zmq_setsockopt (self->requests, ZMQ_LINGER, &none, sizeof none);
        failed |= zmq_setsockopt (self->requests, ZMQ_RCVHWM, &receive_hwm, sizeof receive_hwm);
    }
    if (!failed)
        failed = zmq_bind (self->publish, endpoint);
    if (!failed) {
        place = requests;
        failed = zmq_bind (self->requests, requests);
    }
    if (failed)
        snprintf (error, error_size, "cannot bind %s: %s", place, zmq_strerror (zmq_errno ()));
    return failed ? -1 : 0;
}

config_publisher_t *config_publisher_new (const char *endpoint, uint64_t incarnation,
                                          const config_publisher_events_t *events, char *error,
                                          size_t error_size)
{
    config_publisher_t *self = memory_new (sizeof *self);
    self->incarnation = incarnation;
    self->events = *events;
    if (bind_sockets (self, endpoint, error, error_size) != 0)
        config_publisher_destroy (&self);
    return self;
}

void config_publisher_destroy (config_publisher_t **self_p)
{
    config_publisher_t *self = *self_p;
    if (!self)
        return;
    if (self->requests)
        zmq_close (self->requests);
    if (self->publish)
        zmq_close (self->publish);
    if (self->context)
        zmq_ctx_term (self->context);
    buffer_free (&self->frame);
    buffer_free (&self->entries);
    free (self);
    *self_p = NULL;
}

void config_publisher_start (config_publisher_t *self)
{
    self->started = true;
}

/*  PUB never blocks: beyond its bound it drops, and subscribers notice by the sequence. */
void config_publisher_send (config_publisher_t *self, const buffer_t *frame)
{
    if (zmq_send (self->publish, frame->bytes, frame->size, ZMQ_DONTWAIT) < 0)
        log_warning ("cannot publish", F_STR ("reason", zmq_strerror (zmq_errno ())));
}

static config_message_t message_of (const config_publisher_t *self, config_wire_kind_t kind)
{
    return (config_message_t){.kind = kind,
                              .incarnation = self->incarnation,
                              .sequence = self->sequence,
                              .wall_ms = self->wall_ms,
                              .chunk_count = 1};
}

void config_publisher_update (config_publisher_t *self, const config_entry_t *entry)
{
    self->sequence++;
    if (!self->started)
        return;
    config_message_t message = message_of (self, CONFIG_WIRE_UPDATE);
    message.entry_count = 1;
    buffer_clear (&self->frame);
    config_wire_write_message (&self->frame, span_of (CONFIG_TOPIC_ALL), &message);
    config_wire_write_entry (&self->frame, entry);
    config_publisher_send (self, &self->frame);
}

/*  Appends entries from *index on until the chunk is full; how many. */
static uint32_t fill_chunk (config_publisher_t *self, uint32_t *index)
{
    uint32_t count = 0;
    config_entry_t entry;
    buffer_clear (&self->entries);
    while (self->entries.size < CONFIG_CHUNK_BYTES_GOAL &&
           self->events.snapshot (self->events.arg, *index, &entry)) {
        ++*index;
        if (!entry.tenant.size)
            continue;
        config_wire_write_entry (&self->entries, &entry);
        count++;
    }
    return count;
}

static void send_snapshot (config_publisher_t *self, span_t topic)
{
    config_message_t message = message_of (self, CONFIG_WIRE_SNAPSHOT);
    config_entry_t entry;
    uint32_t index = 0;
    message.chunk_count = 0;
    do { /* twice the same walk: the number of chunks comes first */
        fill_chunk (self, &index);
        message.chunk_count++;
    } while (self->events.snapshot (self->events.arg, index, &entry));
    index = 0;
    for (message.chunk = 0; message.chunk < message.chunk_count; message.chunk++) {
        message.entry_count = fill_chunk (self, &index);
        buffer_clear (&self->frame);
        config_wire_write_message (&self->frame, topic, &message);
        buffer_append (&self->frame, self->entries.bytes, self->entries.size);
        config_publisher_send (self, &self->frame);
        CRASH_POINT (SNAPSHOT_SENT);
    }
}

static void answer (config_publisher_t *self, span_t frame, int64_t now_ms)
{
    config_request_t request;
    const config_publisher_events_t *events = &self->events;
    if (!config_wire_read_request (frame, &request))
        log_warning ("config request that cannot be read", F_INT ("bytes", frame.size));
    else if (request.kind == CONFIG_WIRE_APPLIED)
        events->applied (events->arg, &request, now_ms);
    else if (request.kind == CONFIG_WIRE_ANSWER)
        events->answer (events->arg, &request, frame);
    else if (!self->started)
        return; /* it asks again */
    else if (request.kind == CONFIG_WIRE_SCENARIO)
        events->asked (events->arg, request.process, request.tenant, request.scenario);
    else {
        log_debug ("config snapshot sent", F_SPAN ("process", request.process));
        send_snapshot (self, request.topic);
    }
}

uint64_t config_publisher_sequence (const config_publisher_t *self)
{
    return self->sequence;
}

void config_publisher_wait (config_publisher_t *self, const int *fds, int count, long timeout_ms)
{
    zmq_pollitem_t items[1 + CONFIG_PUBLISHER_FDS] = {
        {.socket = self->requests, .events = ZMQ_POLLIN}};
    int used = 1;
    for (int i = 0; i < count && i < CONFIG_PUBLISHER_FDS; i++)
        if (fds[i] >= 0)
            items[used++] = (zmq_pollitem_t){.fd = fds[i], .events = ZMQ_POLLIN};
    if (zmq_poll (items, used, timeout_ms) < 0 && zmq_errno () != EINTR)
        log_error ("cannot poll", F_STR ("reason", zmq_strerror (zmq_errno ())));
}

void config_publisher_step (config_publisher_t *self, int64_t now_ms, int64_t wall_ms)
{
    self->wall_ms = wall_ms;
    for (int i = 0; i < REQUESTS_A_STEP_MAX; i++) {
        zmq_msg_t message;
        zmq_msg_init (&message);
        int size = zmq_msg_recv (&message, self->requests, ZMQ_DONTWAIT);
        if (size >= 0)
            answer (self, (span_t){zmq_msg_data (&message), (size_t)size}, now_ms);
        zmq_msg_close (&message);
        if (size < 0)
            break;
    }
    if (!self->started || now_ms < self->beacon_ms)
        return;
    self->beacon_ms = now_ms + CONFIG_BEACON_MS;
    config_message_t beacon = message_of (self, CONFIG_WIRE_BEACON);
    buffer_clear (&self->frame);
    config_wire_write_message (&self->frame, span_of (CONFIG_TOPIC_ALL), &beacon);
    config_publisher_send (self, &self->frame);
}
