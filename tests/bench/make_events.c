/*  make_events: writes behaviour events as JSON lines of about 370 bytes to stdout, fast and always
 *  the same ones for the same options: what the benchmark reads. Items and users are Zipf, the
 *  actions a funnel, times rise evenly with a little jitter. It makes nothing invalid, nothing late
 *  and no odd spelling (tests/support/maker.py does), and no scenario but those of ./scenarios.
 *
 *      make_events --events 2000000 --span-ms 20000 [--seed 1] [--start-ms T] [--jitter-ms 500]
 */
#include "common/memory.h"

#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ITEM_COUNT     20000u
#define USER_COUNT     100000u
#define TENANT_COUNT   3u
#define BUFFER_BYTES   (1u << 20)
#define LINE_BYTES_MAX 1024u
#define ITEM_SKEW      1.0
#define USER_SKEW      0.6

/*  One draw from a fixed distribution in constant time (Walker's alias method). */
typedef struct {
    uint32_t count;
    double *keep;
    uint32_t *other;
} picker_t;

typedef struct {
    uint64_t seed;
    uint64_t event_count;
    int64_t start_ms;
    int64_t span_ms;
    int64_t jitter_ms;
} options_t;

typedef struct {
    char *bytes;
    size_t size;
} buffer_t;

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

static const char *const TENANTS[TENANT_COUNT] = {"acme", "globex", "initech"};
static const char *const SCENARIOS[TENANT_COUNT][2] = {
    {"home_feed", "shop"},
    {"news_front", "short_video"},
    {"courses", "music_daily"},
};
static const char *const DEVICES[4] = {"android", "ios", "web", "tablet"};

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

static void add_text (buffer_t *self, const char *text)
{
    size_t size = strlen (text);
    memcpy (self->bytes + self->size, text, size);
    self->size += size;
}

/*  With zeros before it up to `width`. */
static void add_number (buffer_t *self, uint64_t number, unsigned width)
{
    char digits[20];
    unsigned count = 0;
    while (number || count < width || count == 0) {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    }
    while (count)
        self->bytes[self->size++] = digits[--count];
}

static void add_hex (buffer_t *self, uint64_t number, unsigned width)
{
    for (unsigned i = width; i-- > 0;)
        self->bytes[self->size++] = "0123456789abcdef"[number >> (4 * i) & 15];
}

static void add_context (buffer_t *self, uint64_t *state, uint32_t item)
{
    add_text (self, ",\"context\":{\"device_type\":\"");
    add_text (self, DEVICES[draw_below (state, 4)]);
    add_text (self, "\",\"app_version\":\"5.");
    add_number (self, draw_below (state, 30), 2);
    add_text (self, ".1\",\"category\":\"category_");
    add_number (self, item % 40, 2);
    add_text (self, "\",\"tags\":[\"tag_");
    add_number (self, item % 211, 3);
    add_text (self, "\",\"tag_");
    add_number (self, 211 + item % 97, 3);
    add_text (self, "\"]}");
}

static void add_event (buffer_t *self, uint64_t *state, const picker_t *items,
                       const picker_t *users, const picker_t *actions, int64_t time_ms)
{
    uint32_t item = pick (items, state), user = pick (users, state), action = pick (actions, state);
    uint32_t tenant = user % TENANT_COUNT;
    const char *scenario = SCENARIOS[tenant][draw (state) >> 63];
    bool watched = action == 3 || action == 4;
    add_text (self, "{\"event_id\":\"evt_");
    add_hex (self, draw (state), 16);
    add_text (self, "\",\"tenant_id\":\"");
    add_text (self, TENANTS[tenant]);
    add_text (self, "\",\"scenario_id\":\"");
    add_text (self, scenario);
    add_text (self, "\",\"user_id\":\"user_");
    add_number (self, user, 7);
    add_text (self, "\",\"item_id\":\"item_");
    add_number (self, item, 6);
    add_text (self, "\",\"action_type\":\"");
    add_text (self, ACTIONS[action].name);
    add_text (self, "\",\"timestamp\":");
    add_number (self, (uint64_t)time_ms, 13);
    add_text (self, ",\"position\":");
    add_number (self, draw_below (state, 50), 1);
    add_text (self, ",\"experiment_id\":\"ranker_7\",\"experiment_group\":\"");
    add_text (self, draw (state) >> 63 ? "treatment\"" : "control\"");
    add_context (self, state, item);
    if (watched) {
        add_text (self, ",\"watch_duration\":");
        add_number (self, draw_below (state, 240), 1);
        add_text (self, ".5,\"duration\":240");
    }
    add_text (self, "}\n");
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
    self->size = 0;
    return 0;
}

static int make (const options_t *options)
{
    uint64_t state = options->seed * 0x9e3779b97f4a7c15u + 1;
    picker_t items = picker_zipf (ITEM_COUNT, ITEM_SKEW);
    picker_t users = picker_zipf (USER_COUNT, USER_SKEW);
    picker_t actions = picker_actions ();
    buffer_t buffer = {memory_new (BUFFER_BYTES + LINE_BYTES_MAX), 0};
    int result = 0;
    for (uint64_t i = 0; i < options->event_count && result == 0; i++) {
        int64_t jitter = (int64_t)draw_below (&state, (uint32_t)options->jitter_ms + 1);
        int64_t elapsed =
            (int64_t)((double)i * (double)options->span_ms / (double)options->event_count);
        add_event (&buffer, &state, &items, &users, &actions, options->start_ms + elapsed - jitter);
        if (buffer.size >= BUFFER_BYTES)
            result = flush_buffer (&buffer);
    }
    if (result == 0)
        result = flush_buffer (&buffer);
    free (buffer.bytes);
    picker_end (&items);
    picker_end (&users);
    picker_end (&actions);
    return result;
}

int main (int argc, char **argv)
{
    static const struct option FLAGS[] = {
        {"events", required_argument, NULL, 'e'},    {"seed", required_argument, NULL, 's'},
        {"start-ms", required_argument, NULL, 't'},  {"span-ms", required_argument, NULL, 'p'},
        {"jitter-ms", required_argument, NULL, 'j'}, {NULL, 0, NULL, 0},
    };
    options_t options = {.seed = 1,
                         .event_count = 2000000,
                         .start_ms = 1700000100000,
                         .span_ms = 20000,
                         .jitter_ms = 500};
    for (int flag; (flag = getopt_long (argc, argv, "", FLAGS, NULL)) != -1;) {
        int64_t number = optarg ? strtoll (optarg, NULL, 10) : -1;
        if (flag == '?' || number < 0) {
            fprintf (stderr, "make_events: a flag that it does not know, or not a number\n");
            return 64;
        }
        switch (flag) {
        case 'e':
            options.event_count = (uint64_t)number;
            break;
        case 's':
            options.seed = (uint64_t)number;
            break;
        case 't':
            options.start_ms = number;
            break;
        case 'p':
            options.span_ms = number;
            break;
        case 'j':
            options.jitter_ms = number;
            break;
        default:
            break;
        }
    }
    return make (&options) == 0 ? 0 : 74;
}
