/*  sim_redis_commands: the commands that the sink sends, on the keys of the simulated Redis. One that
 *  is not known here is a broken promise of the model, and named.
 */
#ifndef HOTPATH_MODEL_SIM_REDIS_COMMANDS_H
#define HOTPATH_MODEL_SIM_REDIS_COMMANDS_H

#include "sim_redis.h"
#include "sim_redis_data.h"

enum { COMMAND_WORDS_MAX = 128 };

/*  Words borrow from the client's bytes. */
typedef struct {
    span_t words[COMMAND_WORDS_MAX];
    uint32_t count;
} command_line_t;

bool command_is (span_t word, const char *text);
double command_number (span_t word);

/*  GET, HMGET, and ZRANGE of all. */
redis_answer_t *command_read (const redis_data_t *data, const command_line_t *line);
redis_answer_t *command_write (redis_data_t *data, const command_line_t *line);

redis_answer_t *reply_status (const char *text);
redis_answer_t *reply_error (const char *text);
redis_answer_t *reply_integer (long long value);

#endif
