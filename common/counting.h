/*  counting: in which stage an event is counted, so that each valid event is counted (or late) once. Pure.
 *
 *  It is the stage whose last window over the event is the later one, since an event is late when no enabled
 *  windowed stage has a window left for it; metrics where both end together; profiles where nothing is windowed.
 */
#ifndef HOTPATH_COUNTING_H
#define HOTPATH_COUNTING_H

#include <stdbool.h>
#include "common/scenario_config.h"
#include "common/stage.h"

stage_id_t counting_stage (const scenario_config_t *config, int64_t time_ms);
/*  Does the scenario want this stage? */
bool counting_stage_enabled (const scenario_config_t *config, stage_id_t stage);

#endif
