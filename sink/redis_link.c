/*  redis_link: see redis_link.h. Commands are written from where they lie (writev); answers are made by
 *  hiredis's reader straight into redis_answer_t, and those that come by the thousand (OK, QUEUED) are
 *  one constant.
 */
#include "sink/redis_link.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/check.h"
#include "common/memory.h"
#include "sink/redis_address.h"

typedef enum { STATE_OFF, STATE_LOOKING_UP, STATE_CONNECTING, STATE_UP, STATE_BROKEN } state_t;

struct redis_link {
    state_t state;
    const redis_url_t *url;
    redis_address_t *address;
    redisContext *context; /* the socket */
    redisReader *reader;
    struct iovec *spans; /* to be written, from span_first on */
    size_t span_first, span_count, span_capacity;
    uint64_t awaited;
    int64_t progress_ms; /* when the last byte went, or waiting began */
    redis_answer_t *answer;
    char error[256];
    char bytes[LINK_READ_BYTES];
};

/*  ---- answers, as hiredis's reader makes them ---- */

static redis_answer_t answer_ok = {.kind = ANSWER_TEXT, .text = {"OK", 2}};
static redis_answer_t answer_queued = {.kind = ANSWER_TEXT, .text = {"QUEUED", 6}};

static void free_answer (void *object)
{
    redis_answer_t *self = object;
    if (!self || self == &answer_ok || self == &answer_queued)
        return;
    for (size_t i = 0; i < self->count; i++)
        free_answer (self->list[i]);
    free (self->list);
    free (self);
}

static void *attach (const redisReadTask *task, redis_answer_t *answer)
{
    if (task->parent) {
        redis_answer_t *parent = task->parent->obj;
        parent->list[task->idx] = answer;
    }
    return answer;
}

static void *make_text (const redisReadTask *task, char *bytes, size_t size)
{
    if (task->type == REDIS_REPLY_STATUS && size == 2 && memcmp (bytes, "OK", 2) == 0)
        return attach (task, &answer_ok);
    if (task->type == REDIS_REPLY_STATUS && size == 6 && memcmp (bytes, "QUEUED", 6) == 0)
        return attach (task, &answer_queued);
    redis_answer_t *self = memory_new (sizeof *self + size + 1);
    char *text = (char *)(self + 1);
    memcpy (text, bytes, size);
    self->kind = task->type == REDIS_REPLY_ERROR ? ANSWER_ERROR : ANSWER_TEXT;
    self->text = (span_t){text, size};
    return attach (task, self);
}

#if HIREDIS_MAJOR >= 1
static void *make_list (const redisReadTask *task, size_t count)
#else
static void *make_list (const redisReadTask *task, int count)
#endif
{
    redis_answer_t *self = memory_new (sizeof *self);
    self->kind = ANSWER_LIST;
    self->count = (size_t)count;
    self->list = memory_new_array (self->count, sizeof (redis_answer_t *));
    return attach (task, self);
}

static void *make_integer (const redisReadTask *task, long long value)
{
    redis_answer_t *self = memory_new (sizeof *self);
    self->kind = ANSWER_INTEGER;
    self->integer = value;
    return attach (task, self);
}

static void *make_nil (const redisReadTask *task)
{
    return attach (task, memory_new (sizeof (redis_answer_t)));
}

#if HIREDIS_MAJOR >= 1
/*  Of the newer protocol, which is never asked for. */
static void *make_double (const redisReadTask *task, double value, char *bytes, size_t size)
{
    (void)value;
    return make_text (task, bytes, size);
}

static void *make_bool (const redisReadTask *task, int value)
{
    return make_integer (task, value);
}
#endif

static redisReplyObjectFunctions answer_makers = {
    .createString = make_text,
    .createArray = make_list,
    .createInteger = make_integer,
    .createNil = make_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = make_double,
    .createBool = make_bool,
#endif
    .freeObject = free_answer,
};

/*  ---- life ---- */

redis_link_t *redis_link_new (void)
{
    redis_link_t *self = memory_new (sizeof *self);
    self->address = redis_address_new ();
    return self;
}

void redis_link_close (redis_link_t *self)
{
    free_answer (self->answer);
    self->answer = NULL;
    if (self->reader)
        redisReaderFree (self->reader);
    if (self->context)
        redisFree (self->context);
    self->reader = NULL;
    self->context = NULL;
    self->span_first = self->span_count = 0;
    self->awaited = 0;
    self->state = STATE_OFF;
}

void redis_link_destroy (redis_link_t **self_p)
{
    redis_link_t *self = *self_p;
    if (!self)
        return;
    redis_link_close (self);
    redis_address_destroy (&self->address);
    free (self->spans);
    free (self);
    *self_p = NULL;
}

static int break_link (redis_link_t *self, const char *reason)
{
    if (self->state != STATE_BROKEN)
        snprintf (self->error, sizeof self->error, "%s", reason);
    self->state = STATE_BROKEN;
    return -1;
}

/*  ---- connecting ---- */

void redis_link_open (redis_link_t *self, const redis_url_t *url, int64_t now_ms)
{
    CHECK (self->state == STATE_OFF);
    self->url = url;
    self->progress_ms = now_ms;
    self->state = STATE_LOOKING_UP;
}

static int begin_connect (redis_link_t *self)
{
    char address[REDIS_ADDRESS_BYTES];
    const char *reason;
    if (self->url->path) {
        self->context = redisConnectUnixNonBlock (self->url->path);
    } else {
        outcome_t found =
            redis_address_find (self->address, self->url->host, address, &reason);
        if (found == OUTCOME_RETRY)
            return 0;
        if (found == OUTCOME_ERROR) {
            char text[sizeof self->error];
            snprintf (text, sizeof text, "its name cannot be resolved: %s", reason);
            return break_link (self, text);
        }
        self->context = redisConnectNonBlock (address, self->url->port);
    }
    if (!self->context || self->context->err)
        return break_link (self, self->context ? self->context->errstr : "no memory");
    self->state = STATE_CONNECTING;
    return 0;
}

static int finish_connect (redis_link_t *self)
{
    struct pollfd poll_fd = {.fd = self->context->fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    if (poll (&poll_fd, 1, 0) < 1)
        return 0;
    if (getsockopt (self->context->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error)
        return break_link (self, strerror (error));
    self->reader = redisReaderCreateWithFunctions (&answer_makers);
    CHECK (self->reader);
    self->state = STATE_UP;
    return 0;
}

/*  ---- bytes ---- */

void redis_link_send (redis_link_t *self, span_t bytes, uint32_t commands, int64_t now_ms)
{
    CHECK (self->state == STATE_UP || self->state == STATE_BROKEN);
    if (self->awaited == 0)
        self->progress_ms = now_ms;
    self->awaited += commands;
    if (self->span_first == self->span_count)
        self->span_first = self->span_count = 0;
    if (self->span_count == self->span_capacity) {
        self->span_capacity = self->span_capacity ? self->span_capacity * 2 : LINK_WRITE_SPANS;
        self->spans = memory_resize (self->spans, self->span_capacity * sizeof *self->spans);
    }
    self->spans[self->span_count++] = (struct iovec){(char *)bytes.bytes, bytes.size};
}

static void pass_written (redis_link_t *self, size_t written)
{
    while (written > 0) {
        struct iovec *span = &self->spans[self->span_first];
        size_t part = written < span->iov_len ? written : span->iov_len;
        span->iov_base = (char *)span->iov_base + part;
        span->iov_len -= part;
        written -= part;
        if (span->iov_len == 0)
            self->span_first++;
    }
}

static int write_spans (redis_link_t *self, int64_t now_ms)
{
    while (self->span_first < self->span_count) {
        size_t count = self->span_count - self->span_first;
        struct msghdr message = {.msg_iov = self->spans + self->span_first,
                                 .msg_iovlen = count < LINK_WRITE_SPANS ? count : LINK_WRITE_SPANS};
        ssize_t written = sendmsg (self->context->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (written < 0)
            return break_link (self, strerror (errno));
        self->progress_ms = now_ms;
        pass_written (self, (size_t)written);
    }
    return 0;
}

static int read_bytes (redis_link_t *self, int64_t now_ms)
{
    for (int i = 0; i < LINK_READS_A_TURN; i++) {
        ssize_t got = recv (self->context->fd, self->bytes, sizeof self->bytes, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (got <= 0)
            return break_link (self, got ? strerror (errno) : "the server closed the connection");
        self->progress_ms = now_ms;
        if (redisReaderFeed (self->reader, self->bytes, (size_t)got) != REDIS_OK)
            return break_link (self, self->reader->errstr);
        if ((size_t)got < sizeof self->bytes)
            return 0;
    }
    return 0;
}

int redis_link_work (redis_link_t *self, int64_t now_ms)
{
    if (self->state == STATE_LOOKING_UP && begin_connect (self) != 0)
        return -1;
    if (self->state == STATE_CONNECTING && finish_connect (self) != 0)
        return -1;
    if (self->state == STATE_UP &&
        (read_bytes (self, now_ms) != 0 || write_spans (self, now_ms) != 0))
        return -1;
    return self->state == STATE_BROKEN ? -1 : 0;
}

const redis_answer_t *redis_link_take (redis_link_t *self)
{
    void *answer = NULL;
    free_answer (self->answer);
    self->answer = NULL;
    if (self->state != STATE_UP)
        return NULL;
    if (redisReaderGetReply (self->reader, &answer) != REDIS_OK) {
        break_link (self, self->reader->errstr);
        return NULL;
    }
    self->answer = answer;
    if (self->answer && self->awaited == 0) {
        break_link (self, "an answer that nobody asked for");
        return NULL;
    }
    self->awaited -= self->answer != NULL;
    return self->answer;
}

/*  ---- what is ---- */

const char *redis_link_error (const redis_link_t *self)
{
    return self->error;
}

bool redis_link_off (const redis_link_t *self)
{
    return self->state == STATE_OFF;
}

bool redis_link_up (const redis_link_t *self)
{
    return self->state == STATE_UP;
}

uint64_t redis_link_awaited (const redis_link_t *self)
{
    return self->awaited;
}

int64_t redis_link_silent_ms (const redis_link_t *self, int64_t now_ms)
{
    bool waits = self->state == STATE_LOOKING_UP || self->state == STATE_CONNECTING ||
                 (self->state == STATE_UP && self->awaited > 0);
    return waits ? now_ms - self->progress_ms : 0;
}

int redis_link_fd (const redis_link_t *self)
{
    return self->context ? self->context->fd : -1;
}

short redis_link_events (const redis_link_t *self)
{
    bool write = self->state == STATE_CONNECTING ||
                 (self->state == STATE_UP && self->span_first < self->span_count);
    return (short)(write ? POLLIN | POLLOUT : POLLIN);
}
