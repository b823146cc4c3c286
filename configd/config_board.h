/*  config_board: what the loop of configd and the threads of the admin API know in common: every
 *  scenario as it is published, how its document stands, who runs it, and questions to the scorers.
 *  The loop writes; the API reads, and waits. A mutex, held for moments only: neither side ever
 *  waits for a store, a socket or a disk while it has it.
 */
#ifndef HOTPATH_CONFIG_BOARD_H
#define HOTPATH_CONFIG_BOARD_H

#include <stdbool.h>
#include <stdint.h>
#include "configd/applied_state.h"
#include "configd/source_table.h"

enum {
    BOARD_QUESTIONS_MAX = 4,           /* under way at once: each makes every scorer compute */
    BOARD_ANSWERS_BYTES_MAX = 8 << 20, /* of one question */
};

typedef struct config_board config_board_t;

config_board_t *config_board_new (void);
void config_board_destroy (config_board_t **self_p);

/*  ---- of the loop ---- */

/*  `entry` was published; `sequence` of this life holds it. */
void config_board_publish (config_board_t *self, const config_entry_t *entry, uint64_t incarnation,
                           uint64_t sequence, int64_t now_ms);
void config_board_stand (config_board_t *self, const source_standing_t *standing);
void config_board_report (config_board_t *self, config_request_t *report, int64_t now_ms);
void config_board_count (config_board_t *self, int64_t now_ms, config_applied_t *applied);
/*  See applied_state_step. Also gives up questions that are overdue. */
bool config_board_step (config_board_t *self, int64_t now_ms, int64_t *took_ms);
/*  Whether the whole config is published, and whether the store answers the loop. */
void config_board_tell (config_board_t *self, bool ready, bool away);

/*  The next question that is to be asked, or 0: appends its frame. */
uint64_t config_board_ask (config_board_t *self, buffer_t *frame);
void config_board_answer (config_board_t *self, span_t frame, const config_answer_t *answer);
/*  Readable when there is a question to ask. */
int config_board_fd (const config_board_t *self);

/*  ---- of any thread ---- */

/*  A scenario; its texts are copies (config_board_free), NULL where not known. */
typedef struct {
    char *tenant, *scenario;
    bool published, active;
    uint64_t era, number;
    char *effective;      /* canonical; NULL: not published */
    source_state_t state;
    char *source, *status; /* of its document */
    char *path, *reason;   /* what is wrong with it */
    uint32_t errors;
} board_scenario_t;

void board_scenario_free (board_scenario_t *self);

/*  False where it is not known. `effective` is copied only if `whole`. */
bool config_board_find (config_board_t *self, span_t tenant, span_t scenario, bool whole,
                        board_scenario_t *found);

/*  Calls back, with the lock, for each scenario in order of (tenant, scenario) behind `after_*`
 *  (absent: from the first) until it says false. What it is given is borrowed and not whole. */
void config_board_each (config_board_t *self, span_t after_tenant, span_t after_scenario,
                        bool (*each) (void *arg, const board_scenario_t *scenario), void *arg);

/*  Is (era, number) of the scenario applied? A greater revision counts as well. */
typedef struct {
    bool published, active; /* it, or a greater one, is */
    uint64_t era, number;   /* that is */
    applied_verdict_t verdict;
} board_applied_t;

void config_board_applied (config_board_t *self, span_t tenant, span_t scenario, uint64_t number,
                           int64_t now_ms, board_applied_t *applied);
/*  Waits until something has changed since `*seen` (0 at first; set to what is seen then) or
 *  `until_ms` (monotonic). False: the time has come, or configd stops. */
bool config_board_wait (config_board_t *self, uint64_t *seen, int64_t until_ms);
/*  Those who wait go home: configd stops. */
void config_board_close (config_board_t *self);

void config_board_processes (config_board_t *self, int64_t now_ms,
                             void (*each) (void *arg, const applied_process_t *process),
                             void *arg);
void config_board_health (config_board_t *self, bool *ready, bool *away);

/*  Asks the scorers what a config would rank, and gathers their answers until each shard has
 *  answered (true), or until `until_ms`. `answers`: frames as they came, each preceded by its size
 *  (4 bytes, of this machine). False also where too many ask, or nothing has shards. */
bool config_board_question (config_board_t *self, const config_question_t *question,
                            int64_t until_ms, buffer_t *answers);

#endif
