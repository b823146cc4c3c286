/*  key_hash: the one hash that routes. XXH3 (64 bits, seed 0) over the parts, each preceded by its
 *  length (32 bits, little endian), so that no two tuples run together. It decides shards and is
 *  kept in no file: a shard count is (see state_layout).
 */
#ifndef HOTPATH_KEY_HASH_H
#define HOTPATH_KEY_HASH_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"

/*  Hash of (tenant, scenario, id); ids of at most 256 bytes. */
uint64_t key_hash (span_t tenant, span_t scenario, span_t id);
/*  Hash of (tenant, scenario). */
uint64_t key_hash_scenario (span_t tenant, span_t scenario);
/*  Shard of a hash: 0 .. shard_count - 1; of at least 1. */
static inline uint32_t key_hash_shard (uint64_t hash, uint32_t shard_count)
{
    bool power_of_two = !(shard_count & (shard_count - 1)); /* as it mostly is: without a division */
    return (uint32_t)(power_of_two ? hash & (shard_count - 1) : hash % shard_count);
}

#endif
