/*  part_reader: see part_reader.h. The k-way merge is a heap of cursors, one a part, so that no
 * part is unpacked as a whole.
 */
#include "sink/part_reader.h"

#include "common/check.h"
#include "common/memory.h"

/*  Where one part stands in the merge. */
typedef struct {
    cursor_t at;   /* behind the item */
    cursor_t item; /* at the item */
    span_t name;
    double score;
    uint32_t left; /* items behind it */
    bool item_stats;
} head_t;

struct part_reader {
    result_action_t *actions; /* RESULT_ACTIONS_MAX */
    distinct_t *users, *items;
};

part_reader_t *part_reader_new (void)
{
    part_reader_t *self = memory_new (sizeof *self);
    self->actions = memory_new_array (RESULT_ACTIONS_MAX, sizeof *self->actions);
    self->users = distinct_new (DISTINCT_METRICS);
    self->items = distinct_new (DISTINCT_METRICS);
    return self;
}

void part_reader_destroy (part_reader_t **self_p)
{
    part_reader_t *self = *self_p;
    if (!self)
        return;
    distinct_destroy (&self->users);
    distinct_destroy (&self->items);
    free (self->actions);
    free (self);
    *self_p = NULL;
}

/*  Does a come before b? */
static bool is_before (double a_score, span_t a_name, double b_score, span_t b_name)
{
    return a_score > b_score || (a_score == b_score && span_compare (a_name, b_name) < 0);
}

static int check_ranking (part_reader_t *self, cursor_t *cursor, part_facts_t *facts)
{
    result_ranking_t ranking;
    results_read_ranking (cursor, &ranking);
    facts->top_k = ranking.top_k;
    facts->item_stats = ranking.item_stats;
    result_item_t before = {0}, item = {0};
    for (uint32_t i = 0; i < ranking.item_count && !cursor->failed; i++) {
        results_read_item (cursor, &item, ranking.item_stats, self->actions, RESULT_ACTIONS_MAX);
        if (i > 0 && !is_before (before.score, before.item, item.score, item.item))
            return -1;
        before = item;
    }
    return cursor_finished (cursor) ? 0 : -1;
}

static int check_metrics (part_reader_t *self, cursor_t *cursor, part_facts_t *facts)
{
    result_metrics_t metrics;
    results_read_metrics (cursor, &metrics, self->actions, RESULT_ACTIONS_MAX, self->users,
                          self->items);
    facts->total_actions = metrics.total_actions;
    facts->metrics_json = metrics.metrics_json;
    facts->empty_until_ms = metrics.empty_until_ms;
    return cursor_finished (cursor) ? 0 : -1;
}

int part_reader_check (part_reader_t *self, result_kind_t kind, span_t content, part_facts_t *facts)
{
    cursor_t cursor = cursor_of (content.bytes, content.size);
    *facts = (part_facts_t){0};
    return kind == RESULT_RANKING ? check_ranking (self, &cursor, facts)
                                  : check_metrics (self, &cursor, facts);
}

static void read_head (part_reader_t *self, head_t *head)
{
    result_item_t item;
    head->item = head->at;
    results_read_item (&head->at, &item, head->item_stats, self->actions, RESULT_ACTIONS_MAX);
    CHECK (!head->at.failed); /* it was checked when it came */
    head->name = item.item;
    head->score = item.score;
    head->left--;
}

static void sift_down (head_t *heads, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t best = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (is_before (heads[child].score, heads[child].name, heads[best].score,
                           heads[best].name))
                best = child;
        }
        if (best == at)
            return;
        head_t swapped = heads[at];
        heads[at] = heads[best];
        heads[best] = swapped;
        at = best;
    }
}

uint32_t part_reader_rank (part_reader_t *self, const span_t *contents, uint32_t count,
                           part_item_fn visit, void *arg)
{
    head_t *heads = memory_new_array (count, sizeof *heads);
    uint32_t live = 0, top_k = 0, told = 0;
    for (uint32_t i = 0; i < count; i++) {
        result_ranking_t ranking;
        head_t head = {.at = cursor_of (contents[i].bytes, contents[i].size)};
        results_read_ranking (&head.at, &ranking);
        CHECK (!head.at.failed);
        head.item_stats = ranking.item_stats;
        top_k = ranking.top_k > top_k ? ranking.top_k : top_k;
        head.left = ranking.item_count;
        if (head.left == 0)
            continue;
        read_head (self, &head);
        heads[live++] = head;
    }
    for (uint32_t i = live; i-- > 0;)
        sift_down (heads, live, i);
    while (live > 0 && told < top_k) {
        head_t *best = &heads[0];
        result_item_t item;
        cursor_t cursor = best->item;
        results_read_item (&cursor, &item, best->item_stats, self->actions, RESULT_ACTIONS_MAX);
        visit (arg, &item);
        told++;
        if (best->left > 0)
            read_head (self, best);
        else
            *best = heads[--live];
        sift_down (heads, live, 0);
    }
    free (heads);
    return told;
}

void part_reader_report (part_reader_t *self, const span_t *contents, uint32_t count,
                         report_t *report)
{
    report_clear (report);
    for (uint32_t i = 0; i < count; i++) {
        cursor_t cursor = cursor_of (contents[i].bytes, contents[i].size);
        result_metrics_t metrics;
        results_read_metrics (&cursor, &metrics, self->actions, RESULT_ACTIONS_MAX, self->users,
                              self->items);
        CHECK (!cursor.failed);
        report_add (report, &metrics);
    }
}
