/*  config_publisher: the sockets of configd: PUB of snapshots, updates and beacons; PULL of
 *  "snapshot wanted", "applied" and "scenario" (config_wire.h). A subscriber that is too slow loses
 * messages (the PUB drops what is beyond its bound) and finds out by the sequence. One thread.
 * Decides nothing about configs.
 */
#ifndef HOTPATH_CONFIG_PUBLISHER_H
#define HOTPATH_CONFIG_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/config_wire.h"

typedef struct config_publisher config_publisher_t;

/*  Who follows, and how far. */
typedef struct {
    uint64_t sequence;          /* published last */
    uint32_t processes, behind; /* heard of lately; of these, those that have not applied it */
    int64_t behind_ms;          /* how long ago it was published, where some have not; else 0 */
} config_applied_t;

/*  The i-th scenario of a snapshot; false past the last; an entry without a tenant is left out. */
typedef bool (config_snapshot_t) (void *arg, uint32_t index, config_entry_t *entry);

/*  Events come of a scenario that `process` has no config of. Spans hold for the call. */
typedef void (config_asked_t) (void *arg, span_t process, span_t tenant, span_t scenario);

/*  Binds `endpoint` and the one of requests beside it. NULL with a line in `error` otherwise. */
config_publisher_t *config_publisher_new (const char *endpoint, uint64_t incarnation,
                                          config_snapshot_t *snapshot, config_asked_t *asked,
                                          void *arg, char *error, size_t error_size);
void config_publisher_destroy (config_publisher_t **self_p);

/*  From now on there is a whole config: requests are answered, beacons go out. */
void config_publisher_start (config_publisher_t *self);

/*  Publishes a change (before config_publisher_start: a snapshot will have it). */
void config_publisher_update (config_publisher_t *self, const config_entry_t *entry);

/*  Waits until a request comes, `fd` is readable (-1: none) or `timeout_ms` have passed. */
void config_publisher_wait (config_publisher_t *self, int fd, long timeout_ms);
/*  Answers requests (a bounded number), sends a beacon when it is time. Monotonic and wall clock
 *  in ms. */
void config_publisher_step (config_publisher_t *self, int64_t now_ms, int64_t wall_ms);
void config_publisher_applied (const config_publisher_t *self, int64_t now_ms,
                               config_applied_t *applied);

#endif
