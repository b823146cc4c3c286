#include "configd/preview_merge.h"

#include <stdlib.h>
#include "common/memory.h"

static int compare (const void *a, const void *b)
{
    const config_ranked_t *one = a, *other = b;
    if (one->score > other->score || one->score < other->score)
        return one->score > other->score ? -1 : 1;
    return span_compare (one->item, other->item);
}

/*  Adds the next ranking of an answer; false where the windows differ. */
static bool take_ranking (cursor_t *rest, preview_ranking_t *to)
{
    config_ranking_t ranking;
    config_wire_read_ranking (rest, &ranking);
    bool same = !ranking.has || !to->has ||
                (to->start_ms == ranking.start_ms && to->end_ms == ranking.end_ms);
    if (ranking.has) {
        to->has = true;
        to->start_ms = ranking.start_ms;
        to->end_ms = ranking.end_ms;
    }
    to->list = memory_resize (to->list,
                              (to->count + ranking.item_count + 1) * sizeof *to->list);
    for (uint32_t i = 0; i < ranking.item_count; i++)
        to->list[to->count++] = config_wire_ranked (rest);
    return same;
}

static void take_answer (preview_t *preview, config_request_t *request)
{
    const config_answer_t *answer = &request->answer;
    bool first = preview->shards == 0;
    bool same = first || (preview->era == answer->era && preview->number == answer->number);
    if (first || answer->era < preview->era ||
        (answer->era == preview->era && answer->number < preview->number)) {
        preview->era = answer->era;
        preview->number = answer->number;
    }
    preview->shards++;
    same &= take_ranking (&request->rest, &preview->before);
    same &= take_ranking (&request->rest, &preview->after);
    preview->mixed |= !same;
}

static void finish (preview_ranking_t *self, uint32_t count)
{
    if (self->count)
        qsort (self->list, self->count, sizeof *self->list, compare);
    if (self->count > count)
        self->count = count;
}

void preview_merge (const buffer_t *answers, uint32_t count_before, uint32_t count_after,
                    preview_t *preview)
{
    *preview = (preview_t){0};
    for (size_t at = 0; at + sizeof (uint32_t) <= answers->size;) {
        uint32_t size;
        config_request_t request;
        memcpy (&size, answers->bytes + at, sizeof size);
        at += sizeof size;
        if (size > answers->size - at)
            break;
        span_t frame = {(const char *)answers->bytes + at, size};
        if (config_wire_read_request (frame, &request) && request.kind == CONFIG_WIRE_ANSWER)
            take_answer (preview, &request);
        at += size;
    }
    finish (&preview->before, count_before);
    finish (&preview->after, count_after);
}

void preview_free (preview_t *self)
{
    free (self->before.list);
    free (self->after.list);
    *self = (preview_t){0};
}

uint32_t preview_rank (const preview_ranking_t *self, span_t item)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (span_equal (self->list[i].item, item))
            return i + 1;
    return 0;
}
