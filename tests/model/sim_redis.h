/*  sim_redis: Redis as the sink uses it: the server (sim_redis.c) with keys, transactions and
 *  faults, and the functions of hiredis (sim_hiredis.c) that lead to it.
 *
 *  A client's bytes wait in its socket until the server executes them, one command a step;
 *  answers wait until the client reads them. Both may outlive the other end: what a dead sink
 *  had sent is still executed, and what Redis executed may never be answered.
 */
#ifndef HOTPATH_MODEL_SIM_REDIS_H
#define HOTPATH_MODEL_SIM_REDIS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/span.h"
#include "sim.h"
#include "sink/redis_answer.h"

typedef enum { REDIS_FINE, REDIS_OOM, REDIS_READONLY, REDIS_LOADING, REDIS_MODES } redis_mode_t;

/*  What is left after a restart. */
typedef enum { REDIS_KEEPS, REDIS_EMPTY, REDIS_OLDER } redis_loss_t;

void sim_redis_begin (void);
void sim_redis_end (void);
void sim_redis_stop (void);
void sim_redis_start (redis_loss_t loss);
bool sim_redis_is_up (void);
void sim_redis_flush (void);
/*  Remembers its data: what REDIS_OLDER brings back. */
void sim_redis_save (void);
void sim_redis_set_mode (redis_mode_t mode);
/*  Cuts every connection; the server goes on. */
void sim_redis_cut (void);
/*  Does a command wait? Then sim_redis_step executes one. */
bool sim_redis_waits (void);
void sim_redis_step (void);

/*  ---- what it holds, for the checks: NUL-terminated, borrowed; NULL: absent ---- */

const char *sim_redis_string (const char *key);
const char *sim_redis_field (const char *key, const char *field);
/*  Of a sorted set: how many members; the i-th by score. */
uint32_t sim_redis_members (const char *key);
const char *sim_redis_member (const char *key, uint32_t i, double *score);

/*  ---- between sim_redis_link and the server ---- */

enum { REDIS_NAME_BYTES = 64 };

typedef struct redis_client {
    struct redis_client *next;
    int64_t id;
    char name[REDIS_NAME_BYTES];
    process_t *process; /* NULL: it has ended; what it sent is still here */
    int64_t active_ms;  /* when it last sent a command */
    bool broken;        /* for the client: the server is gone */
    buffer_t in;        /* sent, not executed */
    size_t in_at;
    buffer_t queued;    /* commands behind MULTI */
    uint32_t queued_count;
    bool multi, aborted;
    char *watched;      /* WATCH: the key, and what it held; NULL: none */
    char *watched_text;
    redis_answer_t **replies;
    uint32_t reply_first, reply_count, reply_capacity;
    uint32_t unanswered; /* writes executed since it had read all its answers */
} redis_client_t;

/*  NULL: nobody listens. */
redis_client_t *sim_redis_accept (process_t *process);
/*  The client has closed its end. */
void sim_redis_leave (redis_client_t *client);

/*  What the server answers; the client frees it. */
redis_answer_t *reply_text (answer_kind_t kind, span_t text); /* NIL where it is absent */
redis_answer_t *reply_list (size_t count);
void reply_free (redis_answer_t **self_p);

#endif
