/*  profile_log: a row is its time (two words), a word of action, flags and number of labels, its
 * item where it has one, its labels.
 */
#include "profiler/profile_log.h"

#include <string.h>

enum { TIME_WORDS = 2, LABELS_SHIFT = 16, CATEGORY_FLAG = 1 << 30 };
#define ITEM_FLAG (UINT32_C (1) << 31)

uint32_t profile_log_words (const profile_row_t *row)
{
    uint32_t item_words = row->item != PROFILE_STRING_NONE;
    return TIME_WORDS + 1 + item_words + row->label_count;
}

void profile_log_write (uint32_t *to, const profile_row_t *row)
{
    memcpy (to, &row->time_ms, sizeof row->time_ms);
    to += TIME_WORDS;
    *to++ = row->action | row->label_count << LABELS_SHIFT |
            (row->has_category ? (uint32_t)CATEGORY_FLAG : 0) |
            (row->item != PROFILE_STRING_NONE ? ITEM_FLAG : 0);
    if (row->item != PROFILE_STRING_NONE)
        *to++ = row->item;
    for (uint32_t i = 0; i < row->label_count; i++)
        to[i] = row->labels[i];
}

const uint32_t *profile_log_read (const uint32_t *at, profile_row_t *row)
{
    memcpy (&row->time_ms, at, sizeof row->time_ms);
    uint32_t word = at[TIME_WORDS];
    at += TIME_WORDS + 1;
    row->action = (uint16_t)word;
    row->has_category = word & CATEGORY_FLAG;
    row->label_count = word >> LABELS_SHIFT & 0xff;
    row->item = word & ITEM_FLAG ? *at++ : PROFILE_STRING_NONE;
    row->labels = at;
    return at + row->label_count;
}
