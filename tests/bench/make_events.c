/*  make_events: writes made behaviour events (event_maker.h): what the benchmarks read. As JSON lines
 *  to stdout, or to a Kafka topic that exists; all at once with times spread evenly over --span-ms, or
 *  at a pace.
 *
 *      make_events --events 2000000 --span-ms 20000 [--seed 1] [--start-ms T] …
 *      make_events --events 6000000 --rate 100000 [--speed 1] --brokers B --topic T [--compression lz4]
 *
 *  At a pace (--rate, events a second) event i is due i / rate seconds after the start, and its time is
 *  --start-ms (0: now) and --speed times what has passed until then: that of its place, not of its
 *  sending, so that one that is sent late is seen to be late. --marks FILE says how late: a line for each
 *  second of event time, with that second and the clock when its first event was sent, both in ms. On
 *  SIGTERM it ends as if all were sent. To Kafka it prints, at its end, one JSON line: events, bytes,
 *  cpu_seconds, wall_seconds, and late_ms, the most that an event was sent after it was due.
 */
#include "common/memory.h"
#include "event_maker.h"
#include "kafka_feed.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)
#define PACE_STEP_NS 1000000L

typedef struct {
    event_maker_options_t events;
    int64_t event_count, start_ms, span_ms, rate, linger_ms;
    double speed;
    const char *brokers, *topic, *compression, *marks;
} options_t;

typedef struct {
    event_maker_t *maker;
    kafka_feed_t *feed; /* NULL: to stdout */
    buffer_t buffer;
    uint64_t byte_count, event_count;
    double began, late_seconds;
    FILE *marks; /* NULL: none wanted */
    int64_t marked_second;
} run_t;

static volatile sig_atomic_t stopped;

static void stop (int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static double clock_seconds (clockid_t id)
{
    struct timespec now;
    clock_gettime (id, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int flush_buffer (buffer_t *self)
{
    for (size_t done = 0; done < self->size;) {
        ssize_t wrote = write (STDOUT_FILENO, self->bytes + done, self->size - done);
        if (wrote < 0) {
            perror ("make_events: write");
            return -1;
        }
        done += (size_t)wrote;
    }
    buffer_clear (self);
    return 0;
}

static int put_event (run_t *self, int64_t time_ms)
{
    size_t before = self->buffer.size;
    event_maker_next (self->maker, time_ms, &self->buffer);
    self->byte_count += self->buffer.size - before;
    self->event_count++;
    if (!self->feed) {
        buffer_append (&self->buffer, "\n", 1);
        return self->buffer.size >= BUFFER_BYTES ? flush_buffer (&self->buffer) : 0;
    }
    span_t message = {(const char *)self->buffer.bytes, self->buffer.size};
    int result = kafka_feed_send (self->feed, message, time_ms);
    buffer_clear (&self->buffer);
    return result;
}

static int run_at_once (run_t *self, const options_t *options)
{
    for (int64_t i = 0; i < options->event_count && !stopped; i++) {
        int64_t elapsed_ms =
            (int64_t)((double)i * (double)options->span_ms / (double)options->event_count);
        if (put_event (self, options->start_ms + elapsed_ms))
            return -1;
    }
    return 0;
}

static void mark_second (run_t *self, int64_t time_ms)
{
    if (!self->marks || time_ms / 1000 <= self->marked_second)
        return;
    self->marked_second = time_ms / 1000;
    fprintf (self->marks, "%ld %.1f\n", (long)self->marked_second * 1000,
             clock_seconds (CLOCK_REALTIME) * 1000);
    fflush (self->marks);
}

static int run_at_pace (run_t *self, const options_t *options)
{
    double rate = (double)options->rate;
    int64_t start_ms =
        options->start_ms ? options->start_ms : (int64_t)(clock_seconds (CLOCK_REALTIME) * 1000);
    for (int64_t i = 0; i < options->event_count && !stopped;) {
        double elapsed = clock_seconds (CLOCK_MONOTONIC) - self->began;
        int64_t due = (int64_t)(elapsed * rate);
        if (i < due)
            self->late_seconds = fmax (self->late_seconds, elapsed - (double)i / rate);
        for (; i < due && i < options->event_count && !stopped; i++) {
            double offset_ms = (double)i / rate * 1000 * options->speed;
            mark_second (self, start_ms + (int64_t)offset_ms);
            if (put_event (self, start_ms + (int64_t)offset_ms))
                return -1;
        }
        if (self->feed)
            kafka_feed_poll (self->feed);
        else if (flush_buffer (&self->buffer))
            return -1;
        nanosleep (&(struct timespec){0, PACE_STEP_NS}, NULL);
    }
    return 0;
}

static int run (const options_t *options)
{
    int result = -1;
    run_t self = {.maker = event_maker_new (&options->events)};
    if (!self.maker) {
        fprintf (stderr, "make_events: an option is out of its range\n");
        return -1;
    }
    if (options->brokers && !(self.feed = kafka_feed_new (options->brokers, options->topic,
                                                          options->compression, options->linger_ms)))
        goto cleanup;
    if (options->marks && !(self.marks = fopen (options->marks, "w"))) {
        perror (options->marks);
        goto cleanup;
    }
    self.began = clock_seconds (CLOCK_MONOTONIC);
    if ((options->rate ? run_at_pace : run_at_once) (&self, options))
        goto cleanup;
    result = self.feed ? kafka_feed_flush (self.feed) : flush_buffer (&self.buffer);
    if (!self.feed || result)
        goto cleanup;
    double wall = clock_seconds (CLOCK_MONOTONIC) - self.began;
    printf ("{\"events\": %lu, \"bytes\": %lu, \"cpu_seconds\": %.3f, \"wall_seconds\": %.3f, "
            "\"late_ms\": %.1f}\n",
            (unsigned long)self.event_count, (unsigned long)self.byte_count,
            clock_seconds (CLOCK_PROCESS_CPUTIME_ID), wall, self.late_seconds * 1000);
cleanup:
    if (self.marks)
        fclose (self.marks);
    buffer_free (&self.buffer);
    kafka_feed_destroy (&self.feed);
    event_maker_destroy (&self.maker);
    return result;
}

/*  One flag of the command line: where its value goes. */
typedef struct {
    const char *name;
    int64_t *number;
    double *real;
    const char **text;
} flag_t;

/*  0, or -1 said on stderr. */
static int read_options (options_t *options, int argc, char **argv)
{
    event_maker_options_t *events = &options->events;
    const flag_t flags[] = {
        {"--events", &options->event_count, NULL, NULL},
        {"--start-ms", &options->start_ms, NULL, NULL},
        {"--span-ms", &options->span_ms, NULL, NULL},
        {"--rate", &options->rate, NULL, NULL},
        {"--speed", NULL, &options->speed, NULL},
        {"--linger-ms", &options->linger_ms, NULL, NULL},
        {"--brokers", NULL, NULL, &options->brokers},
        {"--topic", NULL, NULL, &options->topic},
        {"--compression", NULL, NULL, &options->compression},
        {"--marks", NULL, NULL, &options->marks},
        {"--seed", &events->seed, NULL, NULL},
        {"--jitter-ms", &events->jitter_ms, NULL, NULL},
        {"--items", &events->items, NULL, NULL},
        {"--users", &events->users, NULL, NULL},
        {"--tenants", &events->tenants, NULL, NULL},
        {"--scenarios", &events->scenarios, NULL, NULL},
        {"--item-skew", NULL, &events->item_skew, NULL},
        {"--user-skew", NULL, &events->user_skew, NULL},
        {"--in-turn", &events->in_turn, NULL, NULL},
        {"--hot-percent", &events->hot_percent, NULL, NULL},
        {"--drift-events", &events->drift_events, NULL, NULL},
        {"--lean", &events->lean, NULL, NULL},
        {"--extra-bytes", &events->extra_bytes, NULL, NULL},
        {"--msgpack", &events->msgpack, NULL, NULL},
    };
    for (int i = 1; i < argc; i += 2) {
        const flag_t *flag = NULL;
        for (size_t f = 0; f < sizeof flags / sizeof *flags; f++)
            if (strcmp (argv[i], flags[f].name) == 0)
                flag = &flags[f];
        char *value = argv[i + 1], *end = value;
        if (flag && value && flag->number)
            *flag->number = strtoll (value, &end, 10);
        else if (flag && value && flag->real)
            *flag->real = strtod (value, &end);
        else if (flag && value)
            *flag->text = value, end = "";
        if (!flag || !value || *end || *value == '-' || !*value) {
            fprintf (stderr, "make_events: %s: a flag that it does not know, or not a value\n",
                     argv[i]);
            return -1;
        }
    }
    if (!options->brokers != !options->topic || (events->msgpack && !options->brokers)) {
        fprintf (stderr, "make_events: --brokers and --topic go together; --msgpack needs them\n");
        return -1;
    }
    return 0;
}

int main (int argc, char **argv)
{
    options_t options = {.events = event_maker_defaults (),
                         .event_count = 2000000,
                         .start_ms = 1700000100000,
                         .span_ms = 20000,
                         .linger_ms = 20,
                         .speed = 1,
                         .compression = "none"};
    if (read_options (&options, argc, argv))
        return 64;
    signal (SIGTERM, stop);
    return run (&options) == 0 ? 0 : 74;
}
