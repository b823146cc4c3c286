#include "ctl/sums.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"

enum {
    STAGES_MAX = 8,
    SHARDS_MAX = 1024, /* of a stage */
    INGESTORS_MAX = 1024,
    REASONS_MAX = 32,
    NAME_BYTES_MAX = 32,
    TEXT_BYTES_MAX = 4096,
};

typedef struct {
    uint64_t counted, late, skipped;
} totals_t;

typedef struct {
    bool known;
    totals_t first, last;
} shard_sum_t;

typedef struct {
    char name[NAME_BYTES_MAX];
    shard_sum_t shards[SHARDS_MAX];
} stage_sum_t;

typedef struct {
    uint64_t in, unknown, inactive, other, unconfirmed, wrong_types, dead;
    uint64_t dead_by_reason[REASONS_MAX]; /* by the index in sums_t.reasons */
} ingestor_sum_t;

struct sums {
    stage_sum_t stages[STAGES_MAX];
    uint32_t stage_count;
    ingestor_sum_t *ingestors;
    uint32_t ingestor_count;
    char reasons[REASONS_MAX][NAME_BYTES_MAX];
    uint32_t reason_count;
    bool restarted;
};

sums_t *sums_new (void)
{
    return memory_new (sizeof (sums_t));
}

void sums_destroy (sums_t **self_p)
{
    if (*self_p)
        free ((*self_p)->ingestors);
    free (*self_p);
    *self_p = NULL;
}

void sums_note_restart (sums_t *self)
{
    self->restarted = true;
}

/*  ---- lines ---- */

static stage_sum_t *find_stage (sums_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->stage_count; i++) {
        if (strcmp (self->stages[i].name, name) == 0)
            return &self->stages[i];
    }
    if (self->stage_count == STAGES_MAX)
        return NULL;
    stage_sum_t *stage = &self->stages[self->stage_count++];
    snprintf (stage->name, sizeof stage->name, "%s", name);
    return stage;
}

static bool take_shard (sums_t *self, const char *text)
{
    char name[NAME_BYTES_MAX];
    uint32_t number;
    totals_t totals;
    int end = -1;
    int found = sscanf (text, "%31s %" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu64 "%n", name,
                        &number, &totals.counted, &totals.late, &totals.skipped, &end);
    if (found != 5 || end < 0 || text[end] || number >= SHARDS_MAX)
        return false;
    stage_sum_t *stage = find_stage (self, name);
    if (!stage)
        return false;
    shard_sum_t *shard = &stage->shards[number];
    if (!shard->known)
        shard->first = totals;
    shard->known = true;
    shard->last = totals;
    return true;
}

/*  Where a reason's count belongs, or NULL where there are too many. */
static uint64_t *find_reason (sums_t *self, ingestor_sum_t *ingestor, const char *name, size_t size)
{
    for (uint32_t i = 0; i < self->reason_count; i++) {
        if (strlen (self->reasons[i]) == size && memcmp (self->reasons[i], name, size) == 0)
            return &ingestor->dead_by_reason[i];
    }
    if (self->reason_count == REASONS_MAX || size >= NAME_BYTES_MAX)
        return NULL;
    snprintf (self->reasons[self->reason_count], NAME_BYTES_MAX, "%.*s", (int)size, name);
    return &ingestor->dead_by_reason[self->reason_count++];
}

static uint64_t *find_field (sums_t *self, ingestor_sum_t *ingestor, const char *name, size_t size)
{
    const struct {
        const char *name;
        uint64_t *field;
    } fields[] = {{"in", &ingestor->in},
                  {"unknown", &ingestor->unknown},
                  {"inactive", &ingestor->inactive},
                  {"other", &ingestor->other},
                  {"unconfirmed", &ingestor->unconfirmed},
                  {"wrong_types", &ingestor->wrong_types},
                  {"dead", &ingestor->dead}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strlen (fields[i].name) == size && memcmp (fields[i].name, name, size) == 0)
            return fields[i].field;
    }
    bool is_reason = size > 5 && memcmp (name, "dead.", 5) == 0;
    return is_reason ? find_reason (self, ingestor, name + 5, size - 5) : NULL;
}

/*  "in=3 dead=1 dead.syntax=1": fields that are not known are passed over. */
static bool take_done (sums_t *self, uint32_t index, const char *text)
{
    ingestor_sum_t sum = {0};
    if (index >= INGESTORS_MAX)
        return false;
    for (const char *at = text; *at;) {
        size_t size = strcspn (at, "= ");
        char *end;
        if (!size || at[size] != '=' || at[size + 1] < '0' || at[size + 1] > '9')
            return false;
        uint64_t value = strtoull (at + size + 1, &end, 10);
        if (*end && *end != ' ')
            return false;
        uint64_t *field = find_field (self, &sum, at, size);
        if (field)
            *field = value;
        at = end + strspn (end, " ");
    }
    if (index >= self->ingestor_count) {
        self->ingestors = memory_resize (self->ingestors, (index + 1) * sizeof *self->ingestors);
        memset (self->ingestors + self->ingestor_count, 0,
                (index + 1 - self->ingestor_count) * sizeof *self->ingestors);
        self->ingestor_count = index + 1;
    }
    self->ingestors[index] = sum;
    return true;
}

bool sums_take (sums_t *self, uint32_t ingestor, const char *line)
{
    if (strncmp (line, "taken ", 6) == 0 || strncmp (line, "given ", 6) == 0)
        return take_shard (self, line + 6);
    if (strncmp (line, "done ", 5) == 0)
        return take_done (self, ingestor, line + 5);
    return false;
}

/*  ---- the sum ---- */

static ingestor_sum_t all_ingestors (const sums_t *self)
{
    ingestor_sum_t all = {0};
    for (uint32_t i = 0; i < self->ingestor_count; i++) {
        const ingestor_sum_t *one = &self->ingestors[i];
        all.in += one->in;
        all.unknown += one->unknown;
        all.inactive += one->inactive;
        all.other += one->other;
        all.unconfirmed += one->unconfirmed;
        all.wrong_types += one->wrong_types;
        all.dead += one->dead;
        for (uint32_t at = 0; at < self->reason_count; at++)
            all.dead_by_reason[at] += one->dead_by_reason[at];
    }
    return all;
}

/*  Differences may wrap where a shard lost its totals: then the sum does not add up, and says so.
 */
static totals_t all_shards (const sums_t *self)
{
    totals_t all = {0};
    for (uint32_t i = 0; i < self->stage_count; i++) {
        for (uint32_t at = 0; at < SHARDS_MAX; at++) {
            const shard_sum_t *shard = &self->stages[i].shards[at];
            all.counted += shard->last.counted - shard->first.counted;
            all.late += shard->last.late - shard->first.late;
            all.skipped += shard->last.skipped - shard->first.skipped;
        }
    }
    return all;
}

int64_t sums_difference (const sums_t *self)
{
    ingestor_sum_t in = all_ingestors (self);
    totals_t shards = all_shards (self);
    return (int64_t)(in.in - in.unknown - in.inactive - in.other - in.unconfirmed - in.dead -
                     shards.counted - shards.late - shards.skipped);
}

__attribute__ ((format (printf, 3, 4))) static void add (char *text, size_t *size,
                                                         const char *format, ...)
{
    va_list args;
    va_start (args, format);
    int added = vsnprintf (text + *size, TEXT_BYTES_MAX - *size, format, args);
    va_end (args);
    if (added > 0)
        *size += (size_t)added;
    if (*size >= TEXT_BYTES_MAX)
        *size = TEXT_BYTES_MAX - 1;
}

static void add_dead (const sums_t *self, const ingestor_sum_t *in, char *text, size_t *size)
{
    const char *between = " (";
    add (text, size, " + dead %" PRIu64, in->dead);
    for (uint32_t i = 0; i < self->reason_count; i++) {
        if (!in->dead_by_reason[i])
            continue;
        add (text, size, "%s%s %" PRIu64, between, self->reasons[i], in->dead_by_reason[i]);
        between = ", ";
    }
    add (text, size, "%s\n", *between == ',' ? ")" : "");
}

char *sums_text (const sums_t *self)
{
    char *text = memory_new (TEXT_BYTES_MAX);
    size_t size = 0;
    ingestor_sum_t in = all_ingestors (self);
    totals_t shards = all_shards (self);
    add (text, &size, "events in %" PRIu64 " = applied %" PRIu64, in.in,
         shards.counted + in.unconfirmed);
    add (text, &size,
         " + skipped %" PRIu64 " (unknown scenario %" PRIu64 ", inactive %" PRIu64
         ", other tenants or scenarios %" PRIu64,
         in.unknown + in.inactive + in.other + shards.skipped, in.unknown, in.inactive, in.other);
    if (shards.skipped)
        add (text, &size, ", scenario changed meanwhile %" PRIu64, shards.skipped);
    add (text, &size, ") + late %" PRIu64, shards.late);
    add_dead (self, &in, text, &size);
    add (text, &size, "optional fields of a wrong type, taken as absent: %" PRIu64 "\n",
         in.wrong_types);
    if (self->restarted)
        add (text, &size,
             "an ingestor was restarted: its part of the sum is of its last life only\n");
    int64_t difference = sums_difference (self);
    if (difference)
        add (text, &size, "the sum does not add up by %" PRId64 "\n", difference);
    return text;
}
