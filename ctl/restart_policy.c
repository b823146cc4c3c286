#include "ctl/restart_policy.h"

int64_t restart_policy_next (restart_policy_t *self, int64_t now_ms)
{
    uint64_t kept = self->count < RESTART_TIMES_MAX ? self->count : RESTART_TIMES_MAX;
    int recent = 0;
    for (uint64_t i = 0; i < kept; i++)
        recent += now_ms - self->times_ms[i] < RESTART_SPAN_MS;
    if (recent == RESTART_TIMES_MAX)
        return -1;
    self->times_ms[self->count++ % RESTART_TIMES_MAX] = now_ms;
    int64_t delay_ms = RESTART_FIRST_MS;
    for (int i = 0; i < recent && delay_ms < RESTART_LONGEST_MS; i++)
        delay_ms *= 2;
    return delay_ms < RESTART_LONGEST_MS ? delay_ms : RESTART_LONGEST_MS;
}
