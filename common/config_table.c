/*  config_table: see config_table.h. Numbers are those of the design (4). */
#include "common/config_table.h"

#include "common/scenario_config.h"

#define SECOND 1000.0
#define MINUTE 60000.0
#define DAY    86400000.0

#define HOT(field)     offsetof (config_hot_score_t, field)
#define PROFILE(field) offsetof (config_profile_t, field)
#define METRICS(field) offsetof (config_metrics_t, field)

/* clang-format off: a table */
static const config_parameter_t hot_score[] = {
    {"enabled", CONFIG_FLAG, HOT (enabled), 0, 1, 1, "true", "compute the ranking"},
    {"action_weights", CONFIG_WEIGHTS, HOT (weights), -1e6, 1e6, 0,
     "impression 0.5, view 1, click 2, like 3, favorite 4, comment 5, share 6, purchase 10",
     "weight of each action"},
    {"default_weight", CONFIG_REAL, HOT (weights.otherwise), -1e6, 1e6, 0, "0",
     "weight of every action that action_weights does not name"},
    {"decay_lambda", CONFIG_REAL, HOT (lambda), 0, 100, 0.1, "0.1",
     "decay per decay_unit: exp (-lambda * age)"},
    {"decay_unit", CONFIG_UNIT, HOT (decay_unit_ms), 0, 0, 3600000, "hour",
     "second, minute, hour or day"},
    {"window_size", CONFIG_PERIOD, HOT (size_ms), SECOND, 7 * DAY, 60 * MINUTE, "60 minutes",
     "length of a window"},
    {"window_slide", CONFIG_PERIOD, HOT (slide_ms), SECOND, 7 * DAY, 15 * MINUTE, "15 minutes",
     "time from one window's end to the next"},
    {"top_k", CONFIG_INTEGER, HOT (top_k), 1, 100000, 1000, "1000", "items in the ranking"},
    {"ttl_seconds", CONFIG_TTL, HOT (ttl_ms), 60, 2592000, 7200, "7200",
     "life of the keys in Redis; at least 2 slides and 10 minutes"},
    {"item_stats", CONFIG_FLAG, HOT (item_stats), 0, 1, 0, "false",
     "also write the counts of each ranked item"},
};

static const config_parameter_t profile[] = {
    {"enabled", CONFIG_FLAG, PROFILE (enabled), 0, 1, 1, "true", "compute user profiles"},
    {"update_frequency", CONFIG_FINE_PERIOD, PROFILE (update_ms), SECOND, DAY, 5 * MINUTE,
     "5 minutes", "event time between two writes of a user that changes"},
    {"interest_decay_days", CONFIG_REAL, PROFILE (interest_decay_days), 0.01, 3650, 30, "30",
     "decay period of interests: exp (-age / period)"},
    {"behavior_weights", CONFIG_WEIGHTS, PROFILE (weights), -1e6, 1e6, 0,
     "view 1, like 3, favorite 5, purchase 10", "weight of each action"},
    {"default_weight", CONFIG_REAL, PROFILE (weights.otherwise), -1e6, 1e6, 0, "0",
     "weight of every action that behavior_weights does not name"},
    {"top_categories", CONFIG_INTEGER, PROFILE (top_categories), 0, 64, 5, "5",
     "categories in a profile"},
    {"top_tags", CONFIG_INTEGER, PROFILE (top_tags), 0, 256, 10, "10", "tags in a profile"},
    {"recent_items", CONFIG_INTEGER, PROFILE (recent_items), 0, 1000, 20, "20",
     "last distinct items in a profile"},
    {"ttl_seconds", CONFIG_TTL, PROFILE (ttl_ms), 60, 2592000, 3600, "3600",
     "life of the keys in Redis; at least 2 update periods and 10 minutes"},
};

static const config_parameter_t metrics[] = {
    {"enabled", CONFIG_FLAG, METRICS (enabled), 0, 1, 1, "true", "compute metrics"},
    {"window_size", CONFIG_PERIOD, METRICS (size_ms), SECOND, 7 * DAY, 30 * MINUTE, "30 minutes",
     "length of a window"},
    {"window_slide", CONFIG_PERIOD, METRICS (slide_ms), SECOND, 7 * DAY, 0, "the window's size",
     "time from one window's end to the next"},
    {"metrics_to_calculate", CONFIG_METRICS, 0, 0, 0, 0, "ctr, cvr, watch_time",
     "ctr, cvr, watch_time, completion_rate, engagement_rate, active_users, exposed_items, "
     "action_counts, and names of definitions"},
    {"ctr_denominator", CONFIG_ACTION, METRICS (ctr_denominator), 0, 0, 0, "impression",
     "the action that ctr divides clicks by"},
    {"definitions", CONFIG_DEFINITIONS, 0, 0, 0, 0, "none",
     "ratios of a scenario's own: {name: {numerator: [actions], denominator: [actions]}}"},
    {"history_windows", CONFIG_INTEGER, METRICS (history_windows), 1, 10000, 48, "48",
     "windows that the history keeps"},
    {"ttl_seconds", CONFIG_TTL, METRICS (ttl_ms), 60, 2592000, 86400, "86400",
     "life of the keys in Redis; at least 2 slides and 10 minutes"},
};

#define COUNT(array) (uint32_t)(sizeof (array) / sizeof *(array))

const config_block_t config_blocks[CONFIG_BLOCK_COUNT] = {
    {"hot_score", offsetof (scenario_config_t, hot_score), hot_score, COUNT (hot_score)},
    {"user_profile", offsetof (scenario_config_t, profile), profile, COUNT (profile)},
    {"metrics", offsetof (scenario_config_t, metrics), metrics, COUNT (metrics)},
};

const config_named_t config_units[] = {
    {"second", 1000, 0},  {"minute", 60000, 0}, {"hour", 3600000, 0},
    {"day", 86400000, 0}, {NULL, 0, 0},
};

const config_metric_t config_metrics[] = {
    {"ctr", METRICS (ctr), 1},
    {"cvr", METRICS (cvr), 1},
    {"watch_time", METRICS (watch_time), 1},
    {"completion_rate", METRICS (completion_rate), 0},
    {"engagement_rate", METRICS (engagement_rate), 0},
    {"active_users", METRICS (active_users), 0},
    {"exposed_items", METRICS (exposed_items), 0},
    {"action_counts", METRICS (action_counts), 0},
    {NULL, 0, 0},
};

static const config_named_t hot_weights[] = {
    {"click", 0, 2},        {"comment", 0, 5}, {"favorite", 0, 4},
    {"impression", 0, 0.5}, {"like", 0, 3},    {"purchase", 0, 10},
    {"share", 0, 6},        {"view", 0, 1},    {NULL, 0, 0},
};
static const config_named_t profile_weights[] = {
    {"favorite", 0, 5}, {"like", 0, 3}, {"purchase", 0, 10}, {"view", 0, 1}, {NULL, 0, 0},
};
/* clang-format on */

_Static_assert(COUNT (hot_score) <= CONFIG_PARAMETERS_MAX, "room for a block's parameters");

const config_named_t *config_table_weights (int block)
{
    static const config_named_t none = {NULL, 0, 0};
    switch (block) {
    case CONFIG_BLOCK_HOT_SCORE:
        return hot_weights;
    case CONFIG_BLOCK_PROFILE:
        return profile_weights;
    default:
        return &none;
    }
}
