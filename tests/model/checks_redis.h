/*  checks_redis: what is in Redis, against the oracle (see checks.h). */
#ifndef HOTPATH_MODEL_CHECKS_REDIS_H
#define HOTPATH_MODEL_CHECKS_REDIS_H

#include <stdbool.h>
#include <stdint.h>

void checks_redis_begin (void);
void checks_redis_folder_lost (void);
/*  Was a shard's folder lost in this schedule? */
bool checks_redis_is_folder_lost (void);
const char *checks_redis_unquiet (void);

#endif
