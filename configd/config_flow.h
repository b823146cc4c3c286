/*  config_flow: documents in, revisions out: a folder (dir_watch) or a collection (mongo_watch),
 *  what its documents mean together (source_table), what is durable (registry, revision_store),
 *  what is told (config_publisher). One thread; what the admin API is to know is put on the board.
 *
 *  Where MongoDB does not answer at the start, what the registry has is published: the last good
 *  config of every scenario, until MongoDB is there.
 */
#ifndef HOTPATH_CONFIG_FLOW_H
#define HOTPATH_CONFIG_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/scenario_scope.h"
#include "configd/config_board.h"
#include "configd/history_keeper.h"

typedef struct {
    const char *state;         /* the state folder; revisions are kept in STATE/configd */
    const char *publish;       /* endpoint of the PUB socket */
    const char *scenarios_dir; /* this, or */
    const char *mongodb_url, *database, *collection;
    int64_t poll_ms;
    const scenario_scope_t *scope; /* borrowed for life; NULL: all scenarios */
    config_board_t *board;         /* borrowed for life */
    bool begin_unknown; /* a scenario that events come of, and no document, runs by all defaults */
} config_flow_options_t;

typedef struct config_flow config_flow_t;

/*  How it stands, for status. */
typedef struct {
    bool ready, is_mongo, is_away; /* away: MongoDB did not answer last */
    bool is_stored;                /* ready by what was stored: not read yet in this life */
    uint32_t documents, invalid, scenarios;
    uint64_t revisions; /* told in this life */
    const char *trouble; /* why revisions cannot be stored now, or "" */
    config_applied_t applied;
    keeper_view_t keeper;
} config_view_t;

/*  Opens everything; of a folder reads every file, and refuses to start on one that is not valid.
 *  NULL with a sysexits code in *code (75: not now: no room, or another configd has the state folder) and a
 *  line in `error`. */
config_flow_t *config_flow_new (const config_flow_options_t *options, int64_t now_ms,
                                int64_t wall_ms, int *code, char *error, size_t error_size);
void config_flow_destroy (config_flow_t **self_p);
/*  Before the first step: who keeps the history. Borrowed; NULL: none from now on. */
void config_flow_keep (config_flow_t *self, history_keeper_t *keeper);

/*  Waits until there is something to do, or `timeout_ms`. */
void config_flow_wait (config_flow_t *self, long timeout_ms);
/*  Does what there is to do. */
void config_flow_step (config_flow_t *self, int64_t now_ms, int64_t wall_ms);
/*  Is what it stores still in its place? Looks once a second. -1 with a line in `error`: it must end (75). */
int config_flow_check (config_flow_t *self, int64_t now_ms, char *error, size_t error_size);
/*  Is the whole config durable and published? Stays true. */
bool config_flow_ready (const config_flow_t *self);
void config_flow_view (const config_flow_t *self, int64_t now_ms, config_view_t *view);
/*  Reads every file of the folder again (SIGHUP); a collection is always up to date. */
void config_flow_reload (config_flow_t *self);

#endif
