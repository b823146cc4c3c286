/*  worker_config: a config that changes: the stage is told; configd is told when Redis has the
 *  first results by it; and configd's questions are answered.
 */
#include "common/worker_parts.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"

static config_role_t role_of (stage_id_t stage)
{
    static const config_role_t roles[STAGE_COUNT] = {[STAGE_SCORER] = CONFIG_ROLE_SCORER,
                                                     [STAGE_METRICS] = CONFIG_ROLE_METRICS,
                                                     [STAGE_PROFILER] = CONFIG_ROLE_PROFILER};
    return roles[stage];
}

/*  Profiles follow a change when they are next written: nothing to wait for. */
static bool settles (const worker_t *self)
{
    return self->stage->id != STAGE_PROFILER;
}

/*  ---- changes ---- */

static void await_results (worker_t *self, uint32_t index)
{
    worker_settling_t *settling = &self->settling;
    if (index >= settling->waits_count) {
        uint32_t count = settling->waits_count ? settling->waits_count : 64;
        while (count <= index)
            count *= 2;
        settling->waits = memory_resize (settling->waits, count * sizeof *settling->waits);
        memset (settling->waits + settling->waits_count, 0,
                (count - settling->waits_count) * sizeof *settling->waits);
        settling->waits_count = count;
    }
    if (settling->waits[index])
        return;
    settling->waits[index] = true;
    if (settling->count == settling->capacity) {
        settling->capacity = settling->capacity ? 2 * settling->capacity : 64;
        settling->list =
            memory_resize (settling->list, settling->capacity * sizeof *settling->list);
    }
    settling->list[settling->count++] = index;
}

static void on_config (void *arg, const live_scenario_t *scenario)
{
    worker_t *self = arg;
    int64_t now_ms = clock_ms ();
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        shard_t *shard = self->shards[i];
        if (!shard)
            continue;
        stage_time_t time = shard_time (shard, now_ms);
        if (settles (self))
            owed_watch (shard->owed, scenario->hash);
        shard->stage->configure (shard->state, scenario, &time);
        owed_watch_end (shard->owed);
        shard->changed = true;
    }
    if (settles (self))
        await_results (self, scenario->index);
}

/*  ---- what Redis has ---- */

void worker_config_taken (worker_t *self, shard_t *shard)
{
    if (!settles (self))
        return;
    owed_watch_present (shard->owed, OWED_WATCH_FRESH);
    self->settling.fresh[shard->number] = true;
}

static bool is_settled (const worker_t *self, uint64_t hash)
{
    for (uint32_t i = 0; i < self->layout.shard_count; i++)
        if (self->shards[i] && owed_watched (self->shards[i]->owed, hash))
            return false;
    return true;
}

static void tell_settled (worker_t *self)
{
    worker_settling_t *settling = &self->settling;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < settling->count; i++) {
        uint32_t index = settling->list[i];
        const live_scenario_t *scenario = live_config_at (self->config, index);
        if (!is_settled (self, scenario->hash)) {
            settling->list[kept++] = index;
            continue;
        }
        settling->waits[index] = false;
        live_config_wrote (self->config, scenario);
    }
    settling->count = kept;
}

/*  Shards that are ours and served: what was owed when they came has been written. */
static uint32_t count_served (worker_t *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->layout.shard_count; i++) {
        const shard_t *shard = self->shards[i];
        bool *fresh = &self->settling.fresh[i];
        *fresh &= shard && owed_watched (shard->owed, OWED_WATCH_FRESH);
        count += shard && !*fresh;
    }
    return count;
}

void worker_config_step (worker_t *self, int64_t now_ms)
{
    worker_settling_t *settling = &self->settling;
    if (now_ms - settling->looked_ms < WORKER_SETTLE_MS)
        return;
    settling->looked_ms = now_ms;
    if (settling->count)
        tell_settled (self);
    live_config_describe (self->config, role_of (self->stage->id), count_served (self),
                          self->layout.shard_count);
}

/*  ---- questions ---- */

static void answer (worker_t *self, const config_question_t *question, shard_t *shard,
                    const live_scenario_t *scenario, const scenario_config_t *by, buffer_t *ranking)
{
    const stage_t *stage = self->stage;
    const config_ranking_t none = {0};
    stage_time_t time = shard_time (shard, clock_ms ());
    config_answer_t told = {.question = question->question,
                            .shard = shard->number,
                            .shard_count = self->layout.shard_count};
    buffer_clear (ranking);
    if (scenario && scenario->config) {
        told.era = scenario->era;
        told.number = scenario->number;
        stage->preview (shard->state, scenario, scenario->config, question->limit, &time, ranking);
        stage->preview (shard->state, scenario, by, question->limit, &time, ranking);
    } else {
        config_wire_write_ranking (ranking, &none);
        config_wire_write_ranking (ranking, &none);
    }
    if (!live_config_answer (self->config, &told, ranking))
        log_warning ("a preview's answer could not be sent", F_INT ("shard", shard->number));
}

static void on_question (void *arg, const config_question_t *question)
{
    worker_t *self = arg;
    buffer_t ranking = {0};
    config_errors_t *errors = memory_new (sizeof *errors);
    scenario_config_t *by = scenario_config_parse (question->json, "config", errors);
    const live_scenario_t *scenario =
        live_config_find (self->config, question->tenant, question->scenario);
    if (!by)
        log_warning ("a preview asks for a config that cannot be read here",
                     F_STR ("reason", errors->list[0].reason));
    for (uint32_t i = 0; by && i < self->layout.shard_count; i++)
        if (self->shards[i])
            answer (self, question, self->shards[i], scenario, by, &ranking);
    scenario_config_destroy (&by);
    buffer_free (&ranking);
    free (errors);
}

/*  ---- life ---- */

int worker_config_open (worker_t *self)
{
    self->settling.fresh =
        memory_new_array (self->layout.shard_count, sizeof *self->settling.fresh);
    self->config = live_config_new (zsys_init (), self->settings->configd, self->name,
                                    self->incarnation, on_config, self);
    if (self->config && self->stage->preview)
        live_config_take_questions (self->config, on_question, self);
    return self->config ? 0 : -1;
}

void worker_config_close (worker_t *self)
{
    live_config_destroy (&self->config);
    free (self->settling.list);
    free (self->settling.waits);
    free (self->settling.fresh);
}
