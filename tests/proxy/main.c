/*  frame-proxy: stands between ingestors and workers, and between workers and sinks, and loses, repeats, delays and
 *  reorders their frames. The product knows nothing of it: workers are given its endpoints for --ingestors and
 *  --sinks; where a worker tells its own (announces, results), the proxy puts one of its own in its place.
 *
 *      worker --announces--> IN ~ ingestor        ingestor --sections--> made ~ worker
 *      worker --results----> IN ~ sink            sink --acks----------> made ~ worker
 *
 *  A way is a PULL that is bound, a line of frames, a PUSH that is connected. Its queues are bounded, so that
 *  back-pressure passes through.
 *
 *  frame-proxy --folder DIR [--seed N] --ingestor IN=TARGET … --sink IN=TARGET …
 *
 *  On stdin: "faults HOP drop=P repeat=P delay=P reorder=P hold=MS" (HOP: announces, sections, results, acks, all;
 *  what is not named is 0) and "counts", answered by one line of JSON each. It ends with its stdin.
 */
#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memory.h"
#include "common/wire.h"
#include "tests/proxy/frame_line.h"
#include "tests/proxy/frame_rewrite.h"

enum {
    WAYS_MAX = 1500,
    SOCKETS_MAX = 4096,
    WAY_FRAMES = 16, /* high-water mark on each side */
    FRAMES_A_TURN = 64,
    COMMAND_BYTES_MAX = 1024,
    IDLE_MS = 1000,
};

typedef enum { HOP_ANNOUNCES, HOP_SECTIONS, HOP_RESULTS, HOP_ACKS, HOP_COUNT } hop_t;

static const char *const hop_names[HOP_COUNT] = {
    [HOP_ANNOUNCES] = "announces",
    [HOP_SECTIONS] = "sections",
    [HOP_RESULTS] = "results",
    [HOP_ACKS] = "acks",
};

/*  What travels the other way, to endpoints that the frames of this hop name; and their kind. */
static const struct {
    bool names;
    hop_t back;
    wire_kind_t kind;
} rewrites[HOP_COUNT] = {
    [HOP_ANNOUNCES] = {true, HOP_SECTIONS, WIRE_ANNOUNCE},
    [HOP_RESULTS] = {true, HOP_ACKS, WIRE_RESULTS},
};

typedef struct {
    hop_t hop;
    uint32_t group; /* for which IN it was made: each ingestor has a way of its own to each worker */
    char *listen, *target;
    zsock_t *in, *out;
    frame_line_t *line;
    bool blocked; /* the target takes nothing */
    uint64_t blocks;
} way_t;

typedef struct {
    const char *folder;
    uint64_t seed;
    way_t ways[WAYS_MAX];
    uint32_t way_count;
    uint64_t unreadable;
    frame_faults_t faults[HOP_COUNT];
    buffer_t copy;
    char command[COMMAND_BYTES_MAX];
    size_t command_size;
    int64_t now_ms;
} proxy_t;

static _Noreturn void fail (const char *what, const char *text)
{
    fprintf (stderr, "frame-proxy: %s: %s\n", what, text);
    exit (EX_USAGE);
}

/*  ---- ways ---- */

static way_t *add_way (proxy_t *self, hop_t hop, uint32_t group, const char *listen,
                       const char *target)
{
    if (self->way_count == WAYS_MAX)
        fail ("too many ways", target);
    way_t *way = &self->ways[self->way_count];
    *way = (way_t){.hop = hop,
                   .group = group,
                   .listen = memory_copy_string (listen, strlen (listen)),
                   .target = memory_copy_string (target, strlen (target)),
                   .in = zsock_new (ZMQ_PULL),
                   .out = zsock_new (ZMQ_PUSH),
                   .line = frame_line_new (self->seed * WAYS_MAX + self->way_count)};
    zsock_set_rcvhwm (way->in, WAY_FRAMES);
    zsock_set_sndhwm (way->out, WAY_FRAMES);
    zsock_set_linger (way->out, 0);
    frame_line_set (way->line, &self->faults[hop]);
    if (zsock_bind (way->in, "%s", listen) < 0)
        fail ("cannot listen", listen);
    if (zsock_connect (way->out, "%s", target) != 0)
        fail ("cannot connect", target);
    self->way_count++;
    return way;
}

typedef struct {
    proxy_t *proxy;
    hop_t hop;
    uint32_t group;
} origin_t;

/*  Our endpoint in front of the worker's, made where there is none yet. */
static span_t put_before (void *arg, span_t endpoint)
{
    const origin_t *origin = arg;
    proxy_t *self = origin->proxy;
    char listen[512];
    for (uint32_t i = 0; i < self->way_count; i++) {
        const way_t *way = &self->ways[i];
        if (way->hop == origin->hop && way->group == origin->group &&
            span_equal (span_of (way->target), endpoint))
            return span_of (way->listen);
    }
    snprintf (listen, sizeof listen, "ipc://%s/way-%u", self->folder, self->way_count);
    char *target = memory_copy_string (endpoint.bytes, endpoint.size);
    way_t *way = add_way (self, origin->hop, origin->group, listen, target);
    free (target);
    return span_of (way->listen);
}

/*  By number: making a way may not move the others. */
static void take_frames (proxy_t *self, uint32_t number)
{
    for (int i = 0; i < FRAMES_A_TURN && frame_line_has_room (self->ways[number].line); i++) {
        const way_t *way = &self->ways[number];
        zmq_msg_t message;
        zmq_msg_init (&message);
        bool got = zmq_msg_recv (&message, zsock_resolve (way->in), ZMQ_DONTWAIT) >= 0;
        span_t frame = {zmq_msg_data (&message), zmq_msg_size (&message)};
        if (got && rewrites[way->hop].names) {
            origin_t origin = {self, rewrites[way->hop].back, way->group};
            if (frame_rewrite (frame, rewrites[way->hop].kind, put_before, &origin, &self->copy) ==
                0)
                frame = (span_t){(const char *)self->copy.bytes, self->copy.size};
            else
                self->unreadable++;
        }
        if (got)
            frame_line_put (way->line, frame, self->now_ms);
        zmq_msg_close (&message);
        if (!got)
            return;
    }
}

static void send_frames (proxy_t *self, way_t *way)
{
    bool was_blocked = way->blocked;
    way->blocked = false;
    for (int i = 0; i < FRAMES_A_TURN; i++) {
        span_t frame = frame_line_next (way->line, self->now_ms);
        if (!frame.bytes)
            return;
        if (zmq_send (zsock_resolve (way->out), frame.bytes, frame.size, ZMQ_DONTWAIT) < 0) {
            way->blocked = true;
            way->blocks += !was_blocked;
            return;
        }
        frame_line_sent (way->line);
    }
}

/*  ---- commands ---- */

static void set_fault (frame_faults_t *faults, const char *name, const char *value)
{
    const struct {
        const char *name;
        double *chance;
    } chances[] = {{"drop", &faults->drop},
                   {"repeat", &faults->repeat},
                   {"delay", &faults->delay},
                   {"reorder", &faults->reorder}};
    char *end;
    double number = strtod (value, &end);
    if (end == value || *end || number < 0)
        fail ("not a number", value);
    for (size_t i = 0; i < sizeof chances / sizeof *chances; i++) {
        if (strcmp (name, chances[i].name) == 0) {
            *chances[i].chance = number;
            return;
        }
    }
    if (strcmp (name, "hold") != 0)
        fail ("unknown fault", name);
    faults->hold_ms = (uint32_t)number;
}

static void set_faults (proxy_t *self, char *words)
{
    char *rest = NULL;
    const char *hop_name = strtok_r (words, " ", &rest);
    frame_faults_t faults = {0};
    for (char *word = strtok_r (NULL, " ", &rest); word; word = strtok_r (NULL, " ", &rest)) {
        char *value = strchr (word, '=');
        if (!value)
            fail ("not NAME=NUMBER", word);
        *value++ = '\0';
        set_fault (&faults, word, value);
    }
    bool known = false;
    for (hop_t hop = 0; hop_name && hop < HOP_COUNT; hop++) {
        if (strcmp (hop_name, "all") != 0 && strcmp (hop_name, hop_names[hop]) != 0)
            continue;
        self->faults[hop] = faults;
        known = true;
    }
    if (!known)
        fail ("unknown hop", hop_name ? hop_name : "");
    for (uint32_t i = 0; i < self->way_count; i++)
        frame_line_set (self->ways[i].line, &self->faults[self->ways[i].hop]);
    printf ("{}\n");
}

static void print_hop (const proxy_t *self, hop_t hop)
{
    frame_counts_t sum = {0};
    uint64_t blocks = 0;
    uint32_t ways = 0;
    for (uint32_t i = 0; i < self->way_count; i++) {
        const way_t *way = &self->ways[i];
        const frame_counts_t *counts = frame_line_counts (way->line);
        if (way->hop != hop)
            continue;
        ways++;
        blocks += way->blocks;
        sum.came += counts->came;
        sum.bytes += counts->bytes;
        sum.sent += counts->sent;
        sum.dropped += counts->dropped;
        sum.repeated += counts->repeated;
        sum.delayed += counts->delayed;
        sum.reordered += counts->reordered;
    }
    printf ("\"%s\": {\"ways\": %u, \"came\": %" PRIu64 ", \"bytes\": %" PRIu64
            ", \"sent\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"repeated\": %" PRIu64
            ", \"delayed\": %" PRIu64 ", \"reordered\": %" PRIu64 ", \"blocked\": %" PRIu64 "}, ",
            hop_names[hop], ways, sum.came, sum.bytes, sum.sent, sum.dropped, sum.repeated,
            sum.delayed, sum.reordered, blocks);
}

static void obey (proxy_t *self, char *line)
{
    if (strncmp (line, "faults ", 7) == 0) {
        set_faults (self, line + 7);
    } else if (strcmp (line, "counts") == 0) {
        printf ("{");
        for (hop_t hop = 0; hop < HOP_COUNT; hop++)
            print_hop (self, hop);
        printf ("\"unreadable\": %" PRIu64 "}\n", self->unreadable);
    } else {
        fail ("unknown command", line);
    }
    fflush (stdout);
}

/*  False at the end. */
static bool read_commands (proxy_t *self)
{
    size_t room = sizeof self->command - self->command_size;
    ssize_t got = read (STDIN_FILENO, self->command + self->command_size, room);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    self->command_size += (size_t)got;
    for (char *end; (end = memchr (self->command, '\n', self->command_size)) != NULL;) {
        size_t line = (size_t)(end - self->command) + 1;
        *end = '\0';
        obey (self, self->command);
        self->command_size -= line;
        memmove (self->command, self->command + line, self->command_size);
    }
    if (self->command_size == sizeof self->command)
        fail ("a command is too long", "");
    return true;
}

/*  ---- the loop ---- */

static long longest_wait (const proxy_t *self)
{
    int64_t wait_ms = IDLE_MS;
    for (uint32_t i = 0; i < self->way_count; i++) {
        int64_t ms = self->ways[i].blocked ? -1 : frame_line_wait_ms (self->ways[i].line, self->now_ms);
        if (ms >= 0 && ms < wait_ms)
            wait_ms = ms;
    }
    return (long)wait_ms;
}

static bool turn (proxy_t *self)
{
    zmq_pollitem_t items[1 + 2 * WAYS_MAX];
    uint32_t before = self->way_count;
    int count = 0;
    items[count++] = (zmq_pollitem_t){NULL, STDIN_FILENO, ZMQ_POLLIN, 0};
    for (uint32_t i = 0; i < before; i++) {
        const way_t *way = &self->ways[i];
        if (frame_line_has_room (way->line))
            items[count++] = (zmq_pollitem_t){zsock_resolve (way->in), 0, ZMQ_POLLIN, 0};
        if (way->blocked)
            items[count++] = (zmq_pollitem_t){zsock_resolve (way->out), 0, ZMQ_POLLOUT, 0};
    }
    self->now_ms = clock_ms ();
    if (zmq_poll (items, count, longest_wait (self)) < 0)
        return errno == EINTR;
    self->now_ms = clock_ms ();
    for (uint32_t i = 0; i < before; i++) {
        take_frames (self, i);
        send_frames (self, &self->ways[i]);
    }
    return !(items[0].revents & (ZMQ_POLLIN | ZMQ_POLLERR)) || read_commands (self);
}

static const char *need_value (char **argv, int i)
{
    if (!argv[i + 1])
        fail ("no value", argv[i]);
    return argv[i + 1];
}

int main (int argc, char **argv)
{
    proxy_t *self = memory_new (sizeof *self);
    zsys_init ();
    zsys_set_max_sockets (SOCKETS_MAX);
    for (int i = 1; i < argc; i += 2) {
        const char *value = need_value (argv, i);
        if (strcmp (argv[i], "--folder") == 0)
            self->folder = value;
        else if (strcmp (argv[i], "--seed") == 0)
            self->seed = strtoull (value, NULL, 10);
    }
    if (!self->folder)
        fail ("needed", "--folder");
    for (int i = 1; i < argc; i += 2) {
        bool ingestor = strcmp (argv[i], "--ingestor") == 0;
        if (!ingestor && strcmp (argv[i], "--sink") != 0)
            continue;
        char *listen = memory_copy_string (argv[i + 1], strlen (argv[i + 1]));
        char *target = strchr (listen, '=');
        if (!target)
            fail ("not IN=TARGET", listen);
        *target++ = '\0';
        add_way (self, ingestor ? HOP_ANNOUNCES : HOP_RESULTS, self->way_count, listen, target);
        free (listen);
    }
    while (turn (self))
        ;
    for (uint32_t i = 0; i < self->way_count; i++) {
        zsock_destroy (&self->ways[i].in);
        zsock_destroy (&self->ways[i].out);
        frame_line_destroy (&self->ways[i].line);
        free (self->ways[i].listen);
        free (self->ways[i].target);
    }
    buffer_free (&self->copy);
    free (self);
    return 0;
}
