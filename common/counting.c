#include "common/counting.h"

#include "common/windows.h"

stage_id_t counting_stage (const scenario_config_t *config, int64_t time_ms)
{
    const config_hot_score_t *hot = &config->hot_score;
    const config_metrics_t *metrics = &config->metrics;
    if (!hot->enabled || !metrics->enabled)
        return hot->enabled ? STAGE_SCORER : metrics->enabled ? STAGE_METRICS : STAGE_PROFILER;
    if (hot->size_ms - hot->slide_ms >= metrics->size_ms)
        return STAGE_SCORER;
    if (metrics->size_ms - metrics->slide_ms >= hot->size_ms)
        return STAGE_METRICS;
    return windows_last (time_ms, hot->size_ms, hot->slide_ms) >
                   windows_last (time_ms, metrics->size_ms, metrics->slide_ms)
               ? STAGE_SCORER
               : STAGE_METRICS;
}

bool counting_stage_enabled (const scenario_config_t *config, stage_id_t stage)
{
    switch (stage) {
    case STAGE_SCORER:
        return config->hot_score.enabled;
    case STAGE_PROFILER:
        return config->profile.enabled;
    default:
        return config->metrics.enabled;
    }
}
