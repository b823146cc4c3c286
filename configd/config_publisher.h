/*  config_publisher: the sockets of configd: PUB of snapshots, updates, beacons and questions; PULL
 *  of what everybody sends (config_wire.h). A subscriber that is too slow loses messages (the PUB
 *  drops what is beyond its bound) and finds out by the sequence. One thread. Decides nothing about
 *  configs.
 */
#ifndef HOTPATH_CONFIG_PUBLISHER_H
#define HOTPATH_CONFIG_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/config_wire.h"

typedef struct config_publisher config_publisher_t;

/*  The i-th scenario of a snapshot; false past the last; an entry without a tenant is left out. */
typedef bool (config_snapshot_t)(void *arg, uint32_t index, config_entry_t *entry);

typedef struct {
    void *arg;
    config_snapshot_t *snapshot;
    /*  Events come of a scenario that `process` has no config of. Spans hold for the call. */
    void (*asked) (void *arg, span_t process, span_t tenant, span_t scenario);
    /*  A process says what it runs. */
    void (*applied) (void *arg, config_request_t *report, int64_t now_ms);
    /*  A shard's answer to a question, with the frame that it came in. */
    void (*answer) (void *arg, const config_request_t *answer, span_t frame);
} config_publisher_events_t;

/*  Binds `endpoint` and the one of requests beside it. NULL with a line in `error` otherwise. */
config_publisher_t *config_publisher_new (const char *endpoint, uint64_t incarnation,
                                          const config_publisher_events_t *events, char *error,
                                          size_t error_size);
void config_publisher_destroy (config_publisher_t **self_p);

/*  From now on there is a whole config: requests are answered, beacons go out. */
void config_publisher_start (config_publisher_t *self);

/*  Publishes a change (before config_publisher_start: a snapshot will have it). */
void config_publisher_update (config_publisher_t *self, const config_entry_t *entry);

/*  Publishes a frame that is no part of the sequence: a question. */
void config_publisher_send (config_publisher_t *self, const buffer_t *frame);
/*  Of what was published last. */
uint64_t config_publisher_sequence (const config_publisher_t *self);

enum { CONFIG_PUBLISHER_FDS = 3 };
/*  Waits until a request comes, one of `count` (at most CONFIG_PUBLISHER_FDS) descriptors is
 *  readable (-1: none) or `timeout_ms` have passed. */
void config_publisher_wait (config_publisher_t *self, const int *fds, int count, long timeout_ms);
/*  Answers requests (a bounded number), sends a beacon when it is time. Monotonic and wall clock
 *  in ms. */
void config_publisher_step (config_publisher_t *self, int64_t now_ms, int64_t wall_ms);

#endif
