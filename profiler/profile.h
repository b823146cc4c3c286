/*  profile: what one user did in one scenario (design 5, Profile): counts per action and hour,
 * decayed interest per label and action, the last items. Events come in any order. Interests are
 * kept as counts per action, without weights, so that new weights hold for all of them at once.
 *
 *  A decayed count is S = sum of exp (-(reference - t) / period) over the events of one label and
 * action; its value at u, the newest event, is S * exp (-(u - reference) / period). The reference
 * follows u once it is a period behind, so that S stays within a double's range and most events
 * cost one addition.
 *
 *  Pure: it knows neither users' names nor when to write.
 */
#ifndef HOTPATH_PROFILE_H
#define HOTPATH_PROFILE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/event.h"
#include "common/stage.h"
#include "profiler/profile_log.h"
#include "profiler/profile_slab.h"
#include "profiler/profile_strings.h"
#include "profiler/profile_weights.h"

enum {
    PROFILE_CATEGORIES_MAX = 64,
    PROFILE_TAGS_MAX = 256,
    PROFILE_RECENT_MAX = 1000,
    PROFILE_HOURS = 24,
    /*  An expired user is held this much longer (event time), so that events that come late still
     * find the profile that they belong to. */
    PROFILE_LATE_KEPT_MS = 3600000,
};
#define PROFILE_EXPIRY_PERIODS 3.0

typedef enum { PROFILE_CATEGORY, PROFILE_TAG } profile_kind_t;

/*  Decayed count of one label and action. The key orders by kind, label, action. */
typedef struct {
    uint64_t key; /* kind << 63 | label (profile_strings) << 16 | action */
    double sum;
} profile_interest_t;

/*  12 bytes instead of 16: there are many. */
typedef struct __attribute__ ((packed, aligned (4))) {
    int64_t time_ms; /* newest */
    uint32_t item;   /* profile_strings */
} profile_recent_t;

/*  Codes of counts: an action's number, or PROFILE_HOUR_CODE + hour. Fields may be read; they are
 * changed here and by profile_record only. Zeroed and profile_init'ed: empty. */
enum { PROFILE_HOUR_CODE = 1 << 16 };

typedef struct {
    int64_t first_ms, newest_ms; /* newest_ms EVENT_TIME_NONE: no event yet */
    int64_t reference_ms;
    double period_ms;
    /*  One block of the slab. While there are few events (log_events) it is a list of them
     * (profile_log). Afterwards it holds three arrays, since an event touches all of them: counts, behind
     * them interests, then free room, and recent items at its end. */
    uint64_t *counts; /* code << 47 | count, by code; the block */
    uint32_t block_bytes;
    uint32_t count_count, interest_count;
    uint16_t log_words;
    uint8_t log_events; /* 0: it is none */
    bool borrows; /* its strings' references are another's: what profile_read counts into */
    uint16_t recent_count;    /* at most what the rules keep */
    uint16_t label_counts[2]; /* distinct labels by kind */
} profile_t;

/*  By key. */
static inline profile_interest_t *profile_interests (const profile_t *self)
{
    return (profile_interest_t *)(self->counts + self->count_count);
}
/*  By time, then item's text. */
static inline profile_recent_t *profile_recent (const profile_t *self)
{
    return (profile_recent_t *)((char *)self->counts + self->block_bytes) - self->recent_count;
}

/*  What all profiles of a shard share. */
typedef struct {
    profile_strings_t *strings; /* borrowed */
    profile_slab_t slab;
    uint64_t bytes;   /* of the profiles' blocks */
    uint64_t evicted; /* labels that went because of the caps */
} profile_shared_t;

/*  The scenario's parameters that matter when an event is applied. */
typedef struct {
    double period_ms; /* > 0 */
    uint32_t recent_items;
    profile_weights_t *weights;
} profile_rules_t;

void profile_init (profile_t *self);
/*  Forgets every event; keeps no memory. */
void profile_free (profile_t *self, profile_shared_t *shared);

/*  Makes room for so many more counts, interests and recent items, exactly; what it does have to
 * move changes its place. */
void profile_reserve (profile_t *self, profile_shared_t *shared, uint32_t counts,
                      uint32_t interests, uint32_t recent);
/*  Asks the processor for what the next event will touch; or for all of it. Changes nothing. */
void profile_prefetch (const profile_t *self, bool all);
/*  Asks for its items' texts, once it is there itself: labels are few, and near anyhow. */
void profile_prefetch_items (const profile_t *self, const profile_shared_t *shared);

/*  Has its newest event been 3 periods, and the time for late events, behind `watermark_ms`? */
bool profile_expired (const profile_t *self, double period_ms, int64_t watermark_ms);

/*  Counts one event: 3 periods after u (or where the profile expired before event->complete_ms) it
 * begins a new profile. False: it is 3 periods before the first event, and ignored. */
bool profile_apply (profile_t *self, profile_shared_t *shared, const profile_rules_t *rules,
                    const stage_event_t *event);

/*  What the functions below, and the arrays, are read from: the profile itself; or where it is a list
 * of events, `scratch` (init'ed, and freed by the caller), into which they are counted: but for the
 * interests of actions that weigh nothing, which are nowhere seen. Valid until self changes. */
const profile_t *profile_read (const profile_t *self, profile_shared_t *shared,
                               const profile_rules_t *rules, profile_t *scratch);

/*  Count of a code; 0 where it was never seen. */
uint64_t profile_count (const profile_t *self, uint32_t code);
static inline uint32_t profile_count_code (uint64_t packed)
{
    return (uint32_t)(packed >> 47);
}
static inline uint64_t profile_count_value (uint64_t packed)
{
    return packed & ((UINT64_C (1) << 47) - 1);
}

static inline profile_kind_t profile_interest_kind (uint64_t key)
{
    return (profile_kind_t)(key >> 63);
}
static inline uint32_t profile_interest_label (uint64_t key)
{
    return (uint32_t)(key >> 16) & INT32_MAX;
}
static inline uint16_t profile_interest_action (uint64_t key)
{
    return (uint16_t)key;
}

typedef struct {
    span_t name;
    double score;
} profile_score_t;

/*  The best labels of a kind with a score above 0, by score, then name: the sum over actions of
 * weight * decayed count at u. Fills at most `limit` of `top` (room for the kind's maximum is
 * enough) and returns how many; names are borrowed from shared->strings. */
uint32_t profile_top (const profile_t *self, const profile_shared_t *shared,
                      profile_weights_t *weights, profile_kind_t kind, uint32_t limit,
                      profile_score_t *top);

/*  For profile_record, which fills an empty profile again. Adds to a count (created where absent).
 */
void profile_add_count (profile_t *self, profile_shared_t *shared, uint32_t code, uint64_t count);
/*  Adds to a label's decayed count of one action. Takes over one reference to the label. */
void profile_add_interest (profile_t *self, profile_shared_t *shared, profile_kind_t kind,
                           uint32_t label, uint16_t action, double sum);
/*  An item at a time; at most `recent_items` stay. Takes over one reference to the item. */
void profile_add_recent (profile_t *self, profile_shared_t *shared, uint32_t recent_items,
                         uint32_t item, int64_t time_ms);
/*  One more event of a list that has a period and room for so many more; or of an empty profile. Takes
 * over one reference to each string. */
bool profile_log_has_room (const profile_t *self, const profile_row_t *row);
void profile_log_add (profile_t *self, profile_shared_t *shared, const profile_row_t *row);

#endif
