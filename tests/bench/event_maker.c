#include "event_maker.h"

#include "common/memory.h"
#include "common/pack.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX   32u
#define PAYLOAD_BYTES    64u /* of one field of the payload, about */
#define KEY_COUNT_MAX    100000000
#define SCENARIO_MAX     1000
#define EXTRA_BYTES_MAX  (256 << 10)
#define ACTION_PLAY      3u
#define ACTION_PLAY_END  4u
#define CATEGORY_COUNT   40u
#define TAG_COUNT        211u
#define SECOND_TAG_COUNT 97u

/*  One draw from a fixed distribution in constant time (Walker's alias method). */
typedef struct {
    uint32_t count;
    double *keep;
    uint32_t *other;
} picker_t;

struct event_maker {
    event_maker_options_t options;
    uint64_t state;
    uint64_t made_count;
    picker_t items, users, actions;
    char (*tenants)[NAME_BYTES_MAX];
    char (*scenarios)[NAME_BYTES_MAX]; /* of tenant t from t * options.scenarios on */
};

typedef struct {
    uint64_t id;
    const char *tenant, *scenario, *action, *device;
    uint64_t item, user;
    int64_t time_ms;
    uint32_t position, app_version, watched_seconds;
    bool is_treatment, is_watched;
} made_t;

typedef struct {
    const char *name;
    double share;
} action_t;

static const action_t ACTIONS[] = {
    {"impression", 48}, {"view", 24},  {"click", 11},     {"play", 4},      {"play_end", 3},
    {"like", 4},        {"share", 1},  {"favorite", 2},   {"comment", 1},   {"add_cart", 1},
    {"purchase", 0.6},  {"read", 0.2}, {"read_end", 0.1}, {"dislike", 0.1},
};
#define ACTION_COUNT (sizeof ACTIONS / sizeof *ACTIONS)

/*  Those of ./scenarios; any other number of tenants or scenarios has numbered names. */
static const char *const TENANTS[3] = {"acme", "globex", "initech"};
static const char *const SCENARIOS[3][2] = {
    {"home_feed", "shop"},
    {"news_front", "short_video"},
    {"courses", "music_daily"},
};
static const char *const DEVICES[4] = {"android", "ios", "web", "tablet"};

/*  ---- draws ---- */

static uint64_t draw (uint64_t *state)
{
    /* xorshift64*: quick, and good enough for made data. */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static uint32_t draw_below (uint64_t *state, uint32_t limit)
{
    return (uint32_t)(((draw (state) >> 32) * limit) >> 32);
}

static double draw_share (uint64_t *state)
{
    return (double)(draw (state) >> 11) * 0x1p-53;
}

/*  `weights` are scaled in place. */
static picker_t picker_new (double *weights, uint32_t count)
{
    picker_t self = {count, memory_new_array (count, sizeof (double)),
                     memory_new_array (count, sizeof (uint32_t))};
    uint32_t *low = memory_new_array (count, sizeof *low);
    uint32_t *high = memory_new_array (count, sizeof *high);
    uint32_t low_count = 0, high_count = 0;
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += weights[i];
    for (uint32_t i = 0; i < count; i++) {
        weights[i] *= count / sum;
        self.keep[i] = 1;
        self.other[i] = i;
        if (weights[i] < 1)
            low[low_count++] = i;
        else
            high[high_count++] = i;
    }
    while (low_count && high_count) {
        uint32_t poor = low[--low_count], rich = high[high_count - 1];
        self.keep[poor] = weights[poor];
        self.other[poor] = rich;
        weights[rich] -= 1 - weights[poor];
        if (weights[rich] < 1) {
            low[low_count++] = rich;
            high_count--;
        }
    }
    free (low);
    free (high);
    return self;
}

static picker_t picker_zipf (uint32_t count, double skew)
{
    double *weights = memory_new_array (count, sizeof *weights);
    for (uint32_t i = 0; i < count; i++)
        weights[i] = pow (i + 1, -skew);
    picker_t self = picker_new (weights, count);
    free (weights);
    return self;
}

static picker_t picker_actions (void)
{
    double weights[ACTION_COUNT];
    for (uint32_t i = 0; i < ACTION_COUNT; i++)
        weights[i] = ACTIONS[i].share;
    return picker_new (weights, ACTION_COUNT);
}

static void picker_end (picker_t *self)
{
    free (self->keep);
    free (self->other);
}

static uint32_t pick (const picker_t *self, uint64_t *state)
{
    uint32_t index = draw_below (state, self->count);
    return draw_share (state) < self->keep[index] ? index : self->other[index];
}

static made_t draw_event (event_maker_t *self, int64_t time_ms)
{
    const event_maker_options_t *options = &self->options;
    uint64_t *state = &self->state, number = self->made_count++;
    int64_t jitter_ms = draw_below (state, (uint32_t)options->jitter_ms + 1);
    uint64_t item = pick (&self->items, state), user = pick (&self->users, state);
    uint32_t action = pick (&self->actions, state);
    if (options->hot_percent && draw_below (state, 100) < options->hot_percent)
        item = 0;
    if (options->in_turn) {
        item = number % (uint64_t)options->items;
        user = number % (uint64_t)options->users;
    }
    uint64_t drift = options->drift_events ? number / (uint64_t)options->drift_events : 0;
    uint64_t tenant = user % (uint64_t)options->tenants;
    uint64_t scenario = draw_below (state, (uint32_t)options->scenarios);
    made_t made = {
        .tenant = self->tenants[tenant],
        .scenario = self->scenarios[tenant * (uint64_t)options->scenarios + scenario],
        .action = ACTIONS[action].name,
        .item = item + drift,
        .user = user + drift,
        .time_ms = time_ms - jitter_ms,
        .id = draw (state),
        .is_watched = action == ACTION_PLAY || action == ACTION_PLAY_END,
    };
    made.position = draw_below (state, 50);
    made.is_treatment = draw (state) >> 63;
    made.device = DEVICES[draw_below (state, 4)];
    made.app_version = draw_below (state, 30);
    if (made.is_watched)
        made.watched_seconds = draw_below (state, 240);
    return made;
}

/*  ---- JSON ---- */

static void add_text (buffer_t *self, const char *text)
{
    buffer_append (self, text, strlen (text));
}

/*  With zeros before it up to `width`. */
static void add_number (buffer_t *self, uint64_t number, unsigned width)
{
    char digits[20];
    unsigned at = sizeof digits, count = 0;
    while (number || count < width || count == 0) {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
        count++;
    }
    buffer_append (self, digits + at, count);
}

static void add_hex (buffer_t *self, uint64_t number, unsigned width)
{
    char digits[16];
    for (unsigned i = 0; i < width; i++)
        digits[i] = "0123456789abcdef"[number >> (4 * (width - 1 - i)) & 15];
    buffer_append (self, digits, width);
}

static void add_context (buffer_t *self, const made_t *made, bool lean)
{
    add_text (self, ",\"context\":{");
    if (!lean) {
        add_text (self, "\"device_type\":\"");
        add_text (self, made->device);
        add_text (self, "\",\"app_version\":\"5.");
        add_number (self, made->app_version, 2);
        add_text (self, ".1\",");
    }
    add_text (self, "\"category\":\"category_");
    add_number (self, made->item % CATEGORY_COUNT, 2);
    add_text (self, "\",\"tags\":[\"tag_");
    add_number (self, made->item % TAG_COUNT, 3);
    if (!lean) {
        add_text (self, "\",\"tag_");
        add_number (self, TAG_COUNT + made->item % SECOND_TAG_COUNT, 3);
    }
    add_text (self, "\"]}");
}

/*  Fields that no stage reads: a parser has to pass over them all the same. */
static void add_payload (buffer_t *self, uint64_t seed, int64_t bytes)
{
    add_text (self, ",\"payload\":{");
    for (uint64_t i = 0; i * PAYLOAD_BYTES < (uint64_t)bytes; i++) {
        add_text (self, i ? ",\"field_" : "\"field_");
        add_number (self, i, 2);
        add_text (self, "\":{\"n\":");
        add_number (self, seed % 100000 + i, 1);
        add_text (self, ",\"text\":\"");
        add_hex (self, seed ^ i, 16);
        add_text (self, " ");
        add_hex (self, seed + i, 12);
        add_text (self, "\"}");
    }
    add_text (self, "}");
}

static void write_json (const event_maker_options_t *options, const made_t *made, buffer_t *out)
{
    add_text (out, "{");
    if (!options->lean) {
        add_text (out, "\"event_id\":\"evt_");
        add_hex (out, made->id, 16);
        add_text (out, "\",");
    }
    add_text (out, "\"tenant_id\":\"");
    add_text (out, made->tenant);
    add_text (out, "\",\"scenario_id\":\"");
    add_text (out, made->scenario);
    add_text (out, "\",\"user_id\":\"user_");
    add_number (out, made->user, 7);
    add_text (out, "\",\"item_id\":\"item_");
    add_number (out, made->item, 6);
    add_text (out, "\",\"action_type\":\"");
    add_text (out, made->action);
    add_text (out, "\",\"timestamp\":");
    add_number (out, (uint64_t)made->time_ms, 13);
    if (!options->lean) {
        add_text (out, ",\"position\":");
        add_number (out, made->position, 1);
        add_text (out, ",\"experiment_id\":\"ranker_7\",\"experiment_group\":\"");
        add_text (out, made->is_treatment ? "treatment\"" : "control\"");
    }
    add_context (out, made, options->lean);
    if (made->is_watched) {
        add_text (out, ",\"watch_duration\":");
        add_number (out, made->watched_seconds, 1);
        add_text (out, ".5,\"duration\":240");
    }
    if (options->extra_bytes)
        add_payload (out, made->id, options->extra_bytes);
    add_text (out, "}");
}

/*  ---- msgpack: the same fields, in the same order ---- */

static void pack_text (buffer_t *to, const char *text)
{
    pack_span (to, span_of (text));
}

static void pack_map (buffer_t *to, size_t count)
{
    msgpack_packer packer = pack_to (to);
    msgpack_pack_map (&packer, count);
}

static void pack_pair (buffer_t *to, const char *name, const char *value)
{
    pack_text (to, name);
    pack_text (to, value);
}

static void pack_numbered (buffer_t *to, const char *prefix, unsigned width, uint64_t number)
{
    char text[64];
    snprintf (text, sizeof text, "%s%0*lu", prefix, (int)width, (unsigned long)number);
    pack_text (to, text);
}

static void pack_context (buffer_t *out, const made_t *made, bool lean)
{
    char version[16];
    pack_text (out, "context");
    pack_map (out, lean ? 2 : 4);
    if (!lean) {
        pack_pair (out, "device_type", made->device);
        snprintf (version, sizeof version, "5.%02u.1", made->app_version);
        pack_pair (out, "app_version", version);
    }
    pack_text (out, "category");
    pack_numbered (out, "category_", 2, made->item % CATEGORY_COUNT);
    pack_text (out, "tags");
    pack_array (out, lean ? 1 : 2);
    pack_numbered (out, "tag_", 3, made->item % TAG_COUNT);
    if (!lean)
        pack_numbered (out, "tag_", 3, TAG_COUNT + made->item % SECOND_TAG_COUNT);
}

static void write_msgpack (const event_maker_options_t *options, const made_t *made, buffer_t *out)
{
    char id[24];
    pack_map (out, (options->lean ? 7u : 11u) + (made->is_watched ? 2u : 0u));
    if (!options->lean) {
        snprintf (id, sizeof id, "evt_%016lx", (unsigned long)made->id);
        pack_pair (out, "event_id", id);
    }
    pack_pair (out, "tenant_id", made->tenant);
    pack_pair (out, "scenario_id", made->scenario);
    pack_text (out, "user_id");
    pack_numbered (out, "user_", 7, made->user);
    pack_text (out, "item_id");
    pack_numbered (out, "item_", 6, made->item);
    pack_pair (out, "action_type", made->action);
    pack_text (out, "timestamp");
    pack_int (out, made->time_ms);
    if (!options->lean) {
        pack_text (out, "position");
        pack_uint (out, made->position);
        pack_pair (out, "experiment_id", "ranker_7");
        pack_pair (out, "experiment_group", made->is_treatment ? "treatment" : "control");
    }
    pack_context (out, made, options->lean);
    if (made->is_watched) {
        pack_text (out, "watch_duration");
        pack_double (out, made->watched_seconds + 0.5);
        pack_text (out, "duration");
        pack_uint (out, 240);
    }
}

/*  ---- the maker ---- */

event_maker_options_t event_maker_defaults (void)
{
    return (event_maker_options_t){.seed = 1,
                                   .jitter_ms = 500,
                                   .items = 20000,
                                   .users = 100000,
                                   .tenants = 3,
                                   .scenarios = 2,
                                   .item_skew = 1.0,
                                   .user_skew = 0.6};
}

static void name_scenarios (event_maker_t *self)
{
    size_t tenants = (size_t)self->options.tenants, scenarios = (size_t)self->options.scenarios;
    bool known = tenants == 3 && scenarios == 2;
    self->tenants = memory_new_array (tenants, sizeof *self->tenants);
    self->scenarios = memory_new_array (tenants * scenarios, sizeof *self->scenarios);
    for (size_t t = 0; t < tenants; t++) {
        char *tenant = self->tenants[t];
        if (known)
            snprintf (tenant, NAME_BYTES_MAX, "%s", TENANTS[t]);
        else
            snprintf (tenant, NAME_BYTES_MAX, "tenant_%03zu", t);
        for (size_t s = 0; s < scenarios; s++) {
            char *scenario = self->scenarios[t * scenarios + s];
            if (known)
                snprintf (scenario, NAME_BYTES_MAX, "%s", SCENARIOS[t][s]);
            else
                snprintf (scenario, NAME_BYTES_MAX, "scenario_%03zu", s);
        }
    }
}

event_maker_t *event_maker_new (const event_maker_options_t *options)
{
    if (options->items < 1 || options->items > KEY_COUNT_MAX || options->users < 1 ||
        options->users > KEY_COUNT_MAX || options->tenants < 1 || options->scenarios < 1 ||
        options->tenants > SCENARIO_MAX || options->scenarios > SCENARIO_MAX ||
        options->hot_percent > 100 || options->jitter_ms > UINT32_MAX - 1 ||
        options->extra_bytes > EXTRA_BYTES_MAX || (options->msgpack && options->extra_bytes))
        return NULL;
    event_maker_t *self = memory_new (sizeof *self);
    self->options = *options;
    self->state = (uint64_t)options->seed * 0x9e3779b97f4a7c15u + 1;
    self->items = picker_zipf ((uint32_t)options->items, options->item_skew);
    self->users = picker_zipf ((uint32_t)options->users, options->user_skew);
    self->actions = picker_actions ();
    name_scenarios (self);
    return self;
}

void event_maker_destroy (event_maker_t **self_p)
{
    event_maker_t *self = *self_p;
    if (!self)
        return;
    picker_end (&self->items);
    picker_end (&self->users);
    picker_end (&self->actions);
    free (self->tenants);
    free (self->scenarios);
    free (self);
    *self_p = NULL;
}

void event_maker_next (event_maker_t *self, int64_t time_ms, buffer_t *out)
{
    made_t made = draw_event (self, time_ms);
    if (self->options.msgpack)
        write_msgpack (&self->options, &made, out);
    else
        write_json (&self->options, &made, out);
}
