#include "common/silence.h"

void silence_heard (silence_t *self)
{
    self->quiet_ms = 0;
}

bool silence_look (silence_t *self, bool listening, int64_t now_ms)
{
    int64_t since_ms = self->looked_ms ? now_ms - self->looked_ms : 0;
    bool was_silent = self->silent;
    self->looked_ms = now_ms;
    if (listening)
        self->quiet_ms += since_ms < SILENCE_STEP_MS ? since_ms : SILENCE_STEP_MS;
    self->silent = self->quiet_ms >= SILENCE_MS;
    return self->silent != was_silent;
}
