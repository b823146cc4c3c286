/*  sim_redis_data: the keys of the simulated Redis: strings, hashes, sorted sets. TTLs are not
 *  simulated. */
#ifndef HOTPATH_MODEL_SIM_REDIS_DATA_H
#define HOTPATH_MODEL_SIM_REDIS_DATA_H

#include <stdint.h>
#include "common/span.h"

/*  A field of a hash, or a member of a sorted set. */
typedef struct {
    char *name;  /* NUL-terminated, as all texts here: what hotpath writes has no NUL */
    char *value; /* of a field */
    double score;
} redis_item_t;

typedef struct {
    char *name;
    char *text;          /* of a string; else NULL */
    redis_item_t *items; /* fields in order of arrival, members by score, then name */
    uint32_t count;
} redis_key_t;

typedef struct {
    redis_key_t *keys;
    uint32_t count;
} redis_data_t;

redis_key_t *redis_data_find (const redis_data_t *self, span_t name);
redis_key_t *redis_data_need (redis_data_t *self, span_t name);
void redis_data_delete (redis_data_t *self, span_t name);
void redis_data_rename (redis_data_t *self, span_t from, span_t to);
void redis_data_clear (redis_data_t *self);
void redis_data_copy (redis_data_t *self, const redis_data_t *other);

void redis_key_set (redis_key_t *self, span_t text);
redis_item_t *redis_key_field (const redis_key_t *self, span_t name);
void redis_key_put_field (redis_key_t *self, span_t name, span_t value);
void redis_key_put_member (redis_key_t *self, double score, span_t name);
/*  Removes items [from, to). */
void redis_key_cut (redis_key_t *self, uint32_t from, uint32_t to);

#endif
