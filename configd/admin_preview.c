/*  admin_preview: what a change would do to the ranking, computed by the scorers from their live
 *  cells; nothing is published.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/check.h"
#include "common/clock.h"
#include "configd/admin_api_parts.h"
#include "configd/preview_merge.h"
#include "configd/scenario_diff.h"

enum {
    ASK_MS = 3000,
    ASK_AGAIN_MS = 50, /* shards pass from one window to the next within so much */
    ASKS_MAX = 6,
};

/*  Reads what is asked: the change and how many items; false with the response. */
static bool read_request (admin_call_t *call, yyjson_val **given, uint32_t *items)
{
    static const char *const known[] = {"config", "items", "reason", NULL};
    admin_errors_t errors = {0};
    yyjson_val *count = yyjson_obj_get (call->body, "items");
    admin_check_keys (call->body, "", known, &errors);
    *given = admin_body_config (call, &errors);
    *items = ADMIN_PREVIEW_ITEMS;
    if (count && (!yyjson_is_uint (count) || yyjson_get_uint (count) < 1 ||
                  yyjson_get_uint (count) > CONFIG_ANSWER_ITEMS_MAX))
        admin_errors_add (&errors, "/items", "must be from 1 to %d", CONFIG_ANSWER_ITEMS_MAX);
    else if (count)
        *items = (uint32_t)yyjson_get_uint (count);
    bool good = !errors.count;
    if (!good)
        admin_problem_errors (call->response, &errors);
    admin_errors_free (&errors);
    return good;
}

/*  Rankings end at top_k. */
static uint32_t top_k_of (const char *effective)
{
    config_errors_t *errors = memory_new (sizeof *errors);
    scenario_config_t *config =
        effective ? scenario_config_parse (span_of (effective), "", errors) : NULL;
    uint32_t top_k = config ? config->hot_score.top_k : CONFIG_ANSWER_ITEMS_MAX;
    scenario_config_destroy (&config);
    free (errors);
    return top_k < CONFIG_ANSWER_ITEMS_MAX ? top_k : CONFIG_ANSWER_ITEMS_MAX;
}

static yyjson_mut_val *write_ranking (yyjson_mut_doc *to, const preview_ranking_t *ranking,
                                      const preview_ranking_t *other, uint32_t items)
{
    yyjson_mut_val *list = yyjson_mut_arr (to);
    for (uint32_t i = 0; i < ranking->count && i < items; i++) {
        const config_ranked_t *ranked = &ranking->list[i];
        yyjson_mut_val *object = yyjson_mut_arr_add_obj (to, list);
        CHECK (object);
        admin_put_uint (to, object, "rank", i + 1);
        admin_put_span (to, object, "item", ranked->item);
        admin_put (to, object, "score", yyjson_mut_real (to, ranked->score));
        uint32_t rank = other ? preview_rank (other, ranked->item) : 0;
        if (rank) {
            admin_put_uint (to, object, "rank_before", rank);
            admin_put (to, object, "score_before",
                       yyjson_mut_real (to, other->list[rank - 1].score));
        }
    }
    return list;
}

static void put_window (yyjson_mut_doc *to, yyjson_mut_val *root, const char *key,
                        const preview_ranking_t *ranking)
{
    if (!ranking->has)
        return;
    yyjson_mut_val *window = yyjson_mut_obj (to);
    admin_put (to, window, "start", yyjson_mut_sint (to, ranking->start_ms));
    admin_put (to, window, "end", yyjson_mut_sint (to, ranking->end_ms));
    admin_put (to, root, key, window);
}

static void answer (admin_call_t *call, const preview_t *preview, const char *present,
                    const char *made, uint32_t items)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_uint (document, root, "revision", preview->number);
    admin_put_uint (document, root, "shards", preview->shards);
    put_window (document, root, "window_before", &preview->before);
    put_window (document, root, "window_after", &preview->after);
    admin_put (document, root, "before", write_ranking (document, &preview->before, NULL, items));
    admin_put (document, root, "after",
               write_ranking (document, &preview->after, &preview->before, items));
    admin_put (document, root, "changes", scenario_diff (document, present, made));
    admin_response_json (call->response, 200, document);
}

/*  Asks until all shards answer for one window and one revision. */
static void ask (admin_call_t *call, const char *present, const char *made, uint32_t items)
{
    const config_question_t question = {.tenant = admin_call_tenant (call),
                                        .scenario = admin_call_scenario (call),
                                        .json = span_of (made),
                                        .limit = CONFIG_ANSWER_ITEMS_MAX};
    int64_t until_ms = clock_ms () + ASK_MS;
    uint32_t before = top_k_of (present), after = top_k_of (made);
    bool done = false;
    for (int i = 0; i < ASKS_MAX && !done && clock_ms () < until_ms; i++) {
        buffer_t answers = {0};
        preview_t preview = {0};
        bool complete = config_board_question (call->board, &question, until_ms, &answers);
        preview_merge (&answers, before, after, &preview);
        done = complete && !preview.mixed;
        if (done)
            answer (call, &preview, present, made, items);
        preview_free (&preview);
        buffer_free (&answers);
        if (!done)
            usleep (ASK_AGAIN_MS * 1000);
    }
    if (done)
        return;
    call->response->retry_after_s = 1;
    admin_problem (call->response, 503, "no-preview", "The scorers do not answer now",
                   "not every shard of the scorers answered for one window within %d s; the "
                   "change can be validated all the same",
                   ASK_MS / 1000);
}

void admin_preview (admin_call_t *call)
{
    yyjson_val *given;
    uint32_t items;
    stored_scenario_t found;
    scenario_version_t made;
    board_scenario_t known;
    if (!read_request (call, &given, &items) || !admin_read_document (call, &found))
        return;
    config_errors_t *errors = memory_new (sizeof *errors);
    if (!scenario_change_apply (CHANGE_PATCH, found.stored, given, &made, errors)) {
        admin_errors_t list = {0};
        admin_errors_of_config (&list, errors, made.stored);
        admin_problem_errors (call->response, &list);
        admin_errors_free (&list);
    } else {
        config_board_find (call->board, admin_call_tenant (call), admin_call_scenario (call), true,
                           &known);
        ask (call, known.effective, made.effective, items);
        board_scenario_free (&known);
    }
    free (errors);
    scenario_version_free (&made);
    stored_scenario_free (&found);
}
