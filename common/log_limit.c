/*  log_limit: see log_limit.h. */
#include "common/log_limit.h"

#include <string.h>

static log_limit_entry_t *find_entry (log_limit_t *self, const char *message)
{
    log_limit_entry_t *oldest = &self->entries[0];
    for (int i = 0; i < LOG_LIMIT_MESSAGES; i++) {
        log_limit_entry_t *entry = &self->entries[i];
        if (!entry->message) { /* places are taken in order: it can't be in a later one */
            oldest = entry;
            break;
        }
        if (entry->message == message || strcmp (entry->message, message) == 0)
            return entry;
        if (entry->used_ms < oldest->used_ms)
            oldest = entry;
    }
    memset (oldest, 0, sizeof (*oldest));
    oldest->message = message;
    return oldest;
}

bool log_limit_pass (log_limit_t *self, const char *message, int64_t now_ms, uint64_t *held_back)
{
    log_limit_entry_t *entry = find_entry (self, message);
    entry->used_ms = now_ms;
    if (entry->count == LOG_LIMIT_TIMES && now_ms - entry->times_ms[entry->next] < LOG_LIMIT_MS) {
        entry->held_back++;
        return false;
    }
    entry->times_ms[entry->next] = now_ms;
    entry->next = (entry->next + 1) % LOG_LIMIT_TIMES;
    if (entry->count < LOG_LIMIT_TIMES)
        entry->count++;
    *held_back = entry->held_back;
    entry->held_back = 0;
    return true;
}
