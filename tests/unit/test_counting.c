/*  counting: the one stage in which an event is counted, or late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/counting.h"
#include "common/windows.h"

static scenario_config_t config_of (bool hot, int64_t hot_size, int64_t hot_slide, bool metrics,
                                    int64_t size, int64_t slide)
{
    scenario_config_t config = {0};
    config.hot_score.enabled = hot;
    config.hot_score.size_ms = hot_size;
    config.hot_score.slide_ms = hot_slide;
    config.metrics.enabled = metrics;
    config.metrics.size_ms = size;
    config.metrics.slide_ms = slide;
    config.profile.enabled = true;
    return config;
}

static void stages (void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool hot, metrics;
        int64_t hot_size, hot_slide, size, slide, time_ms;
        stage_id_t stage;
    } cases[] = {
        {"only profiles", false, false, 60, 15, 30, 30, 100, STAGE_PROFILER},
        {"no metrics", true, false, 60, 15, 300, 30, 100, STAGE_SCORER},
        {"no ranking", false, true, 600, 15, 30, 30, 100, STAGE_METRICS},
        {"the ranking is longer by far", true, true, 60, 15, 30, 30, 100, STAGE_SCORER},
        {"metrics are longer by far", true, true, 60, 15, 300, 30, 100, STAGE_METRICS},
        {"the same windows", true, true, 60, 15, 60, 15, 100, STAGE_METRICS},
        {"40 ends at 130, 30 at 120", true, true, 40, 10, 30, 30, 95, STAGE_SCORER},
        {"both end at 120", true, true, 30, 10, 30, 30, 90, STAGE_METRICS},
        {"40 ends at 120, 30 at 120", true, true, 40, 40, 30, 30, 90, STAGE_METRICS},
        {"the shorter window ends later", true, true, 40, 40, 30, 10, 85, STAGE_SCORER},
        {"40 ends at 80, 30 at 100", true, true, 40, 40, 30, 10, 79, STAGE_METRICS},
        {"at the beginning of time", true, true, 60, 15, 30, 30, 0, STAGE_SCORER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scenario_config_t config = config_of (cases[i].hot, cases[i].hot_size, cases[i].hot_slide,
                                              cases[i].metrics, cases[i].size, cases[i].slide);
        stage_id_t stage = counting_stage (&config, cases[i].time_ms);
        if (stage != cases[i].stage)
            fail_msg ("%s: %d", cases[i].name, (int)stage);
    }
}

/*  An event that is late in its counting stage has no window left in the other one. */
static void late_here_is_late_everywhere (void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{60, 15}, {30, 30}, {40, 10}, {12, 3}, {7, 7}, {30, 1}};
    enum { COUNT = sizeof shapes / sizeof *shapes };
    for (size_t a = 0; a < COUNT; a++)
        for (size_t b = 0; b < COUNT; b++) {
            const int64_t *hot = shapes[a], *other = shapes[b];
            scenario_config_t config = config_of (true, hot[0], hot[1], true, other[0], other[1]);
            for (int64_t time = 0; time < 150; time++)
                for (int64_t complete = time; complete < time + 130; complete++) {
                    bool hot_late = windows_mark (time, complete, hot[0], hot[1]) == WINDOWS_LATE;
                    bool other_late =
                        windows_mark (time, complete, other[0], other[1]) == WINDOWS_LATE;
                    bool scorer = counting_stage (&config, time) == STAGE_SCORER;
                    assert_int_equal (scorer ? hot_late : other_late, hot_late && other_late);
                }
        }
}

static void enabled (void **state)
{
    (void)state;
    scenario_config_t config = config_of (true, 60, 15, false, 30, 30);
    assert_true (counting_stage_enabled (&config, STAGE_SCORER));
    assert_true (counting_stage_enabled (&config, STAGE_PROFILER));
    assert_false (counting_stage_enabled (&config, STAGE_METRICS));
    config = config_of (false, 60, 15, true, 30, 30);
    config.profile.enabled = false;
    assert_false (counting_stage_enabled (&config, STAGE_SCORER));
    assert_false (counting_stage_enabled (&config, STAGE_PROFILER));
    assert_true (counting_stage_enabled (&config, STAGE_METRICS));
}

int main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (stages),
        cmocka_unit_test (late_here_is_late_everywhere),
        cmocka_unit_test (enabled),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
