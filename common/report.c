/*  report: see report.h. */
#include "common/report.h"

#include <stdlib.h>
#include <string.h>

#include "common/event.h"

typedef struct {
    char *name;
    size_t name_size;
    uint64_t count;
} action_count_t;

struct report {
    action_count_t *actions; /* sorted by name */
    size_t action_count, action_capacity;
    uint64_t total, watched_ms, watched_count, rate_known, rate_done;
    distinct_t *users, *items;
    bool has_users, has_items; /* did a part collect them? */
};

typedef struct {
    void (*visit) (void *arg, const report_field_t *field);
    void *arg;
} visitor_t;

report_t *report_new (void)
{
    report_t *self = memory_new (sizeof *self);
    self->users = distinct_new (DISTINCT_METRICS);
    self->items = distinct_new (DISTINCT_METRICS);
    return self;
}

static void free_actions (report_t *self)
{
    for (size_t i = 0; i < self->action_count; i++)
        free (self->actions[i].name);
    free (self->actions);
}

void report_destroy (report_t **self_p)
{
    report_t *self = *self_p;
    if (!self)
        return;
    free_actions (self);
    distinct_destroy (&self->users);
    distinct_destroy (&self->items);
    free (self);
    *self_p = NULL;
}

void report_clear (report_t *self)
{
    free_actions (self);
    *self = (report_t){.users = self->users, .items = self->items};
    distinct_clear (self->users);
    distinct_clear (self->items);
}

/*  Index of the first action whose name is not before `name`. */
static size_t find_place (const report_t *self, span_t name)
{
    size_t low = 0, high = self->action_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const action_count_t *action = &self->actions[middle];
        if (span_compare ((span_t){action->name, action->name_size}, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static action_count_t *find_action (const report_t *self, span_t name)
{
    size_t at = find_place (self, name);
    if (at == self->action_count)
        return NULL;
    action_count_t *action = &self->actions[at];
    return span_equal ((span_t){action->name, action->name_size}, name) ? action : NULL;
}

static void add_action (report_t *self, span_t name, uint64_t count)
{
    action_count_t *action = find_action (self, name);
    if (action) {
        action->count += count;
        return;
    }
    if (self->action_count == self->action_capacity) {
        self->action_capacity = self->action_capacity ? 2 * self->action_capacity : 16;
        self->actions =
            memory_resize (self->actions, self->action_capacity * sizeof *self->actions);
    }
    size_t at = find_place (self, name);
    memmove (self->actions + at + 1, self->actions + at,
             (self->action_count - at) * sizeof *self->actions);
    self->actions[at] =
        (action_count_t){memory_copy_string (name.bytes, name.size), name.size, count};
    self->action_count++;
}

void report_add (report_t *self, const result_metrics_t *part)
{
    for (uint32_t i = 0; i < part->action_count; i++)
        add_action (self, part->actions[i].name, part->actions[i].count);
    self->total += part->total_actions;
    self->watched_ms += part->watched_ms;
    self->watched_count += part->watched_count;
    self->rate_known += part->rate_known;
    self->rate_done += part->rate_done;
    if (part->users)
        distinct_merge (self->users, part->users);
    if (part->items)
        distinct_merge (self->items, part->items);
    self->has_users |= part->users != NULL;
    self->has_items |= part->items != NULL;
}

uint64_t report_total_actions (const report_t *self)
{
    return self->total;
}

static uint64_t count_of (const report_t *self, const char *name)
{
    const action_count_t *action = find_action (self, span_of (name));
    return action ? action->count : 0;
}

static uint64_t count_of_all (const report_t *self, char *const *names, uint32_t name_count)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < name_count; i++)
        count += count_of (self, names[i]);
    return count;
}

static void show_integer (const visitor_t *visitor, span_t name, uint64_t value)
{
    report_field_t field = {.name = name, .is_integer = true, .integer = value};
    visitor->visit (visitor->arg, &field);
}

static void show_ratio (const visitor_t *visitor, const char *name, double numerator,
                        double denominator)
{
    if (denominator <= 0)
        return;
    report_field_t field = {.name = span_of (name), .number = numerator / denominator};
    visitor->visit (visitor->arg, &field);
}

static void show_action_counts (const report_t *self, const visitor_t *visitor)
{
    static const char suffix[] = "_count";
    for (size_t i = 0; i < self->action_count; i++) {
        const action_count_t *action = &self->actions[i];
        char name[EVENT_ACTION_BYTES_MAX + sizeof suffix];
        if (!action->count || action->name_size > EVENT_ACTION_BYTES_MAX)
            continue;
        memcpy (name, action->name, action->name_size);
        memcpy (name + action->name_size, suffix, sizeof suffix - 1);
        show_integer (visitor, (span_t){name, action->name_size + sizeof suffix - 1},
                      action->count);
    }
}

static void show_ratios (const report_t *self, const config_metrics_t *config,
                         const visitor_t *visitor)
{
    double clicks = (double)count_of (self, "click");
    double watched_s = (double)self->watched_ms / 1000;
    if (config->ctr)
        show_ratio (visitor, "ctr", clicks, (double)count_of (self, config->ctr_denominator));
    if (config->cvr)
        show_ratio (visitor, "cvr", (double)count_of (self, "purchase"), clicks);
    if (config->watch_time) {
        show_ratio (visitor, "watch_time_seconds", watched_s, 1);
        show_ratio (visitor, "avg_watch_time_seconds", watched_s, (double)self->watched_count);
    }
    if (config->completion_rate)
        show_ratio (visitor, "completion_rate", (double)self->rate_done, (double)self->rate_known);
    if (config->engagement_rate) {
        uint64_t engaged =
            count_of (self, "like") + count_of (self, "share") + count_of (self, "comment");
        show_ratio (visitor, "engagement_rate", (double)engaged, (double)count_of (self, "view"));
    }
}

void report_fields (const report_t *self, const config_metrics_t *config,
                    void (*visit) (void *arg, const report_field_t *field), void *arg)
{
    visitor_t visitor = {visit, arg};
    show_integer (&visitor, span_of ("total_actions"), self->total);
    show_ratios (self, config, &visitor);
    if (config->active_users && self->has_users)
        show_integer (&visitor, span_of ("active_users"), distinct_count (self->users));
    if (config->exposed_items && self->has_items)
        show_integer (&visitor, span_of ("exposed_items"), distinct_count (self->items));
    if (config->action_counts)
        show_action_counts (self, &visitor);
    for (uint32_t i = 0; i < config->definition_count; i++) {
        const config_definition_t *definition = &config->definitions[i];
        show_ratio (
            &visitor, definition->name,
            (double)count_of_all (self, definition->numerator, definition->numerator_count),
            (double)count_of_all (self, definition->denominator, definition->denominator_count));
    }
}
