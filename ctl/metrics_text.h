/*  metrics_text: numbers out of a process's /metrics (Prometheus text, as counters.h writes it). Pure.
 */
#ifndef HOTPATH_CTL_METRICS_TEXT_H
#define HOTPATH_CTL_METRICS_TEXT_H

#include <stdbool.h>

typedef struct {
    unsigned count; /* of samples */
    double sum, least, most;
} metrics_number_t;

/*  All samples of a name that hold this text among their labels (`name="value"`; NULL: all): false
 * where there is none. */
bool metrics_text_find (const char *text, const char *name, const char *label,
                        metrics_number_t *number);
/*  Their sum, or `otherwise`. */
double metrics_text_sum (const char *text, const char *name, const char *label, double otherwise);

#endif
