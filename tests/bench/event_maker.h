/*  event_maker: made behaviour events, as JSON or msgpack, always the same ones for the same options.
 *  The actions are a funnel; items and users are Zipf, uniform, in turn, or have one hot item. It makes
 *  nothing invalid, nothing late and no odd spelling (tests/support/maker.py does). Who writes them
 *  where, and when: make_events.c.
 */
#ifndef HOTPATH_BENCH_EVENT_MAKER_H
#define HOTPATH_BENCH_EVENT_MAKER_H

#include "common/buffer.h"

#include <stdint.h>

typedef struct {
    int64_t seed;
    int64_t jitter_ms; /* an event's time is up to so much before that of its place in the stream */
    int64_t items, users;
    int64_t tenants, scenarios; /* scenarios: of each tenant */
    double item_skew, user_skew; /* of the Zipf law; 0: uniform */
    int64_t in_turn;             /* 1: event i has item i and user i, so that each occurs */
    int64_t hot_percent;         /* so many of 100 events are of item 0 */
    int64_t drift_events;        /* every so many events the oldest keys go and new ones come; 0: never */
    int64_t lean;                /* 1: only what the stages read, about 200 bytes */
    int64_t extra_bytes;         /* an object of about so many bytes that no stage reads */
    int64_t msgpack;             /* 1: msgpack, not JSON */
} event_maker_options_t;

typedef struct event_maker event_maker_t;

/*  What make bench calls the reference: 6 scenarios, 20,000 items, 100,000 users, Zipf. */
event_maker_options_t event_maker_defaults (void);
/*  NULL where an option is out of its range. */
event_maker_t *event_maker_new (const event_maker_options_t *options);
void event_maker_destroy (event_maker_t **self_p);
/*  Appends the next event, without a newline, at `time_ms` less its jitter. */
void event_maker_next (event_maker_t *self, int64_t time_ms, buffer_t *out);

#endif
