/*  preview_merge: the scorers' answers to a question made into two rankings: as it is, and as it
 *  would be. Pure.
 */
#ifndef HOTPATH_PREVIEW_MERGE_H
#define HOTPATH_PREVIEW_MERGE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buffer.h"
#include "common/config_wire.h"

/*  A ranking: the best items of all shards, by score, then id (bytewise). */
typedef struct {
    bool has;                 /* any shard has one */
    int64_t start_ms, end_ms; /* of its window */
    config_ranked_t *list;    /* items borrowed from the answers */
    uint32_t count;
} preview_ranking_t;

typedef struct {
    preview_ranking_t before, after;
    uint64_t era, number; /* of the config that runs, the least of all shards */
    uint32_t shards;
    bool mixed; /* the shards are not at one window, or not at one revision: ask again */
} preview_t;

/*  Merges frames as config_board_question gathers them (each preceded by its size); those that
 *  cannot be read are left out. Each ranking is cut to the `count_before` and `count_after` best.
 */
void preview_merge (const buffer_t *answers, uint32_t count_before, uint32_t count_after,
                    preview_t *preview);
void preview_free (preview_t *self);

/*  Place of an item in a ranking, from 1 on; 0 where it is not in it. */
uint32_t preview_rank (const preview_ranking_t *self, span_t item);

#endif
