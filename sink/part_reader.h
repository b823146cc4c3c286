/*  part_reader: reads the parts that shards sent, and puts those of one result together: rankings
 * k-way, metrics by sums and unions (report.h). A part's content is the body behind its header.
 * Pure.
 */
#ifndef HOTPATH_SINK_PART_READER_H
#define HOTPATH_SINK_PART_READER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/report.h"
#include "common/results.h"

typedef struct part_reader part_reader_t; /* scratch memory only */

typedef struct {
    uint32_t top_k;         /* ranking */
    bool item_stats;        /* ranking */
    uint64_t total_actions; /* metrics */
    span_t metrics_json;    /* metrics; borrows from the content */
    int64_t empty_until_ms; /* metrics: see result_metrics_t */
} part_facts_t;

typedef void (*part_item_fn) (void *arg, const result_item_t *item);

part_reader_t *part_reader_new (void);
void part_reader_destroy (part_reader_t **self_p);

/*  Is the content of a RESULT_RANKING or RESULT_METRICS part whole and valid (items in order)?
 * Fills *facts; -1 where it is not. Contents come from outside: only those checked here may be
 * given to the others. */
int part_reader_check (part_reader_t *self, result_kind_t kind, span_t content,
                       part_facts_t *facts);

/*  Calls back with the best items of all the ranking parts (score descending, then item ascending),
 * as many as the greatest top_k among them; items are borrowed for the call. (No two parts hold the
 * same item: a key has one shard.) Returns how many. */
uint32_t part_reader_rank (part_reader_t *self, const span_t *contents, uint32_t count,
                           part_item_fn visit, void *arg);

/*  *report becomes the sum of the metrics parts. */
void part_reader_report (part_reader_t *self, const span_t *contents, uint32_t count,
                         report_t *report);

#endif
