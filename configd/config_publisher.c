/*  config_publisher: see config_publisher.h. */
#include "configd/config_publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>
#include <zmq.h>
#include "common/crash_point.h"
#include "common/log.h"
#include "common/memory.h"

enum {
    SEND_HWM = 2048,
    RECEIVE_HWM = 1024,
    REQUESTS_A_STEP_MAX = 64,
    SUBSCRIBERS_MAX = 4096,
    SUBSCRIBER_SILENT_MS = 10000, /* five reports missed: it is no more */
};

/*  A process that runs by this config, from its reports. */
typedef struct {
    char *process;
    uint64_t incarnation, sequence; /* of the publisher: applied */
    int64_t heard_ms;
    UT_hash_handle hh;
} subscriber_t;

struct config_publisher {
    void *context, *publish, *requests;
    uint64_t incarnation, sequence;
    config_snapshot_t *snapshot;
    config_asked_t *asked;
    void *arg;
    bool started;
    int64_t beacon_ms, wall_ms;
    subscriber_t *subscribers;
    int64_t updated_ms; /* when the last update was published */
    bool applied_told;
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
                                          config_snapshot_t *snapshot, config_asked_t *asked,
                                          void *arg, char *error, size_t error_size)
{
    config_publisher_t *self = memory_new (sizeof *self);
    self->incarnation = incarnation;
    self->snapshot = snapshot;
    self->asked = asked;
    self->arg = arg;
    self->applied_told = true;
    if (bind_sockets (self, endpoint, error, error_size) != 0)
        config_publisher_destroy (&self);
    return self;
}

static void free_subscriber (config_publisher_t *self, subscriber_t *subscriber)
{
    HASH_DEL (self->subscribers, subscriber);
    free (subscriber->process);
    free (subscriber);
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
    subscriber_t *subscriber, *next;
    HASH_ITER (hh, self->subscribers, subscriber, next)
    {
        free_subscriber (self, subscriber);
    }
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
static void send_frame (config_publisher_t *self)
{
    if (zmq_send (self->publish, self->frame.bytes, self->frame.size, ZMQ_DONTWAIT) < 0)
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
    self->applied_told = false;
    self->updated_ms = 0;
    if (!self->started)
        return;
    config_message_t message = message_of (self, CONFIG_WIRE_UPDATE);
    message.entry_count = 1;
    buffer_clear (&self->frame);
    config_wire_write_message (&self->frame, span_of (CONFIG_TOPIC_ALL), &message);
    config_wire_write_entry (&self->frame, entry);
    send_frame (self);
}

/*  Appends entries from *index on until the chunk is full; how many. */
static uint32_t fill_chunk (config_publisher_t *self, uint32_t *index)
{
    uint32_t count = 0;
    config_entry_t entry;
    buffer_clear (&self->entries);
    while (self->entries.size < CONFIG_CHUNK_BYTES_GOAL &&
           self->snapshot (self->arg, *index, &entry)) {
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
    } while (self->snapshot (self->arg, index, &entry));
    index = 0;
    for (message.chunk = 0; message.chunk < message.chunk_count; message.chunk++) {
        message.entry_count = fill_chunk (self, &index);
        buffer_clear (&self->frame);
        config_wire_write_message (&self->frame, topic, &message);
        buffer_append (&self->frame, self->entries.bytes, self->entries.size);
        send_frame (self);
        CRASH_POINT (SNAPSHOT_SENT);
    }
}

static void note_applied (config_publisher_t *self, const config_request_t *request, int64_t now_ms)
{
    subscriber_t *subscriber = NULL;
    HASH_FIND (hh, self->subscribers, request->process.bytes, request->process.size, subscriber);
    if (!subscriber) {
        if (HASH_COUNT (self->subscribers) >= SUBSCRIBERS_MAX)
            return;
        subscriber = memory_new (sizeof *subscriber);
        subscriber->process = memory_copy_string (request->process.bytes, request->process.size);
        HASH_ADD_KEYPTR (hh, self->subscribers, subscriber->process, request->process.size,
                         subscriber);
    }
    subscriber->incarnation = request->incarnation;
    subscriber->sequence = request->sequence;
    subscriber->heard_ms = now_ms;
}

/*  Says once that every process heard of lately runs the newest config. */
static void tell_applied (config_publisher_t *self, int64_t now_ms)
{
    if (!self->updated_ms)
        self->updated_ms = now_ms;
    if (self->applied_told || !self->subscribers)
        return;
    subscriber_t *subscriber, *next;
    HASH_ITER (hh, self->subscribers, subscriber, next)
    {
        if (now_ms - subscriber->heard_ms > SUBSCRIBER_SILENT_MS)
            free_subscriber (self, subscriber);
        else if (subscriber->incarnation != self->incarnation ||
                 subscriber->sequence != self->sequence)
            return;
    }
    self->applied_told = true;
    log_info ("config applied by all", F_INT ("sequence", self->sequence),
              F_INT ("processes", HASH_COUNT (self->subscribers)),
              F_INT ("ms", now_ms - self->updated_ms));
}

static void answer (config_publisher_t *self, span_t frame, int64_t now_ms)
{
    config_request_t request;
    if (!config_wire_read_request (frame, &request))
        log_warning ("config request that cannot be read", F_INT ("bytes", frame.size));
    else if (request.kind == CONFIG_WIRE_APPLIED)
        note_applied (self, &request, now_ms);
    else if (!self->started)
        return; /* it asks again */
    else if (request.kind == CONFIG_WIRE_SCENARIO)
        self->asked (self->arg, request.process, request.tenant, request.scenario);
    else {
        log_debug ("config snapshot sent", F_SPAN ("process", request.process));
        send_snapshot (self, request.topic);
    }
}

void config_publisher_wait (config_publisher_t *self, int fd, long timeout_ms)
{
    zmq_pollitem_t items[] = {{.socket = self->requests, .events = ZMQ_POLLIN},
                              {.fd = fd, .events = ZMQ_POLLIN}};
    if (zmq_poll (items, fd >= 0 ? 2 : 1, timeout_ms) < 0 && zmq_errno () != EINTR)
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
    tell_applied (self, now_ms);
    if (!self->started || now_ms < self->beacon_ms)
        return;
    self->beacon_ms = now_ms + CONFIG_BEACON_MS;
    config_message_t beacon = message_of (self, CONFIG_WIRE_BEACON);
    buffer_clear (&self->frame);
    config_wire_write_message (&self->frame, span_of (CONFIG_TOPIC_ALL), &beacon);
    send_frame (self);
}

void config_publisher_applied (const config_publisher_t *self, int64_t now_ms,
                               config_applied_t *applied)
{
    *applied = (config_applied_t){.sequence = self->sequence};
    for (const subscriber_t *one = self->subscribers; one; one = one->hh.next) {
        if (now_ms - one->heard_ms > SUBSCRIBER_SILENT_MS)
            continue;
        applied->processes++;
        applied->behind +=
            one->incarnation != self->incarnation || one->sequence != self->sequence;
    }
    if (applied->behind && self->updated_ms)
        applied->behind_ms = now_ms - self->updated_ms;
}
