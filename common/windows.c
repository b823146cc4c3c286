#include "common/windows.h"

#include "common/event.h"

int64_t windows_floor (int64_t time_ms, int64_t step_ms)
{
    if (time_ms == EVENT_TIME_NONE)
        return EVENT_TIME_NONE;
    int64_t rest = time_ms % step_ms;
    return time_ms - (rest < 0 ? rest + step_ms : rest);
}

int64_t windows_last (int64_t time_ms, int64_t size_ms, int64_t slide_ms)
{
    return windows_floor (time_ms + size_ms, slide_ms);
}

int64_t windows_mark (int64_t time_ms, int64_t complete_ms, int64_t size_ms, int64_t slide_ms)
{
    int64_t first = windows_floor (time_ms, slide_ms) + slide_ms;
    if (first > complete_ms)
        return 0;
    int64_t mark = windows_floor (complete_ms, slide_ms) + slide_ms;
    return mark > windows_last (time_ms, size_ms, slide_ms) ? WINDOWS_LATE : mark;
}

int64_t windows_newest (int64_t watermark_ms, int64_t slide_ms)
{
    return windows_floor (watermark_ms, slide_ms);
}

int64_t windows_final (int64_t greatest_ms, int64_t slide_ms)
{
    if (greatest_ms == EVENT_TIME_NONE)
        return EVENT_TIME_NONE;
    return windows_floor (greatest_ms, slide_ms) + slide_ms;
}
