/*  run_settings: the settings of `hotpath run`: its own, and every setting of the parts, handed on.
 *  One table, from which come the command line, the environment and --help (common/settings.h).
 *  Not here: what a part is started with (run_plan).
 */
#ifndef HOTPATH_CTL_RUN_SETTINGS_H
#define HOTPATH_CTL_RUN_SETTINGS_H

#include "common/settings.h"

typedef struct {
    settings_list_t files, extras, except;
    char *brokers, *topics, *group, *from, *dead_letters, *dead_letters_topic, *lost, *unknown;
    char *scenarios_dir, *mongodb_url, *mongodb_url_file, *database, *collection;
    char *redis, *redis_file, *state, *tenant, *scenario, *key_prefix, *key_style;
    char *log_level, *log_format, *admin_listen, *admin_tokens, *admin_anonymous;
    int64_t ingestors, scorers, profilers, metrics, sinks, shards, status_port;
    int64_t commit_interval_ms, out_of_orderness_ms, idle_timeout_ms, max_hold_ms, max_skew_ms,
        max_future_ms, lead_max_ms, poll_interval_ms, redis_timeout_ms, redis_wait_ms,
        gather_timeout_ms, shard_bytes_max, retire_ms;
    bool status, follow, once, idle_advance, allow_plain_tcp;
} run_settings_t;

extern const setting_t run_settings_table[];
extern const settings_program_t run_settings_program;

/*  Reads and checks all of it (argv[0] is "run"), files and folders that must exist included; a
 * password in argv is made unreadable for other users of the machine. Explains in one line and
 * exits (64, 66) where something is wrong; --help and --version print and exit 0. Free with
 * settings_free. */
void run_settings_load (int argc, char **argv, run_settings_t *settings);

#endif
