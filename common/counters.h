/*  counters: what a process tells Prometheus, as text (exposition format 0.0.4): families of
 * samples, put one by one and written in order. Pure: it counts nothing itself; what is counted
 * lives where it happens.
 *
 *  Bounded: COUNTERS_SAMPLES_MAX samples in all (what is beyond is left out, and counted), label
 * values of COUNTERS_VALUE_BYTES_MAX bytes (of a longer one its end stays: where partitions
 * differ).
 */
#ifndef HOTPATH_COUNTERS_H
#define HOTPATH_COUNTERS_H

#include <stdint.h>
#include "common/buffer.h"
#include "common/span.h"

enum { COUNTERS_SAMPLES_MAX = 16384, COUNTERS_FAMILIES_MAX = 128, COUNTERS_VALUE_BYTES_MAX = 512 };

typedef enum { COUNTERS_COUNTER, COUNTERS_GAUGE } counters_type_t;

typedef struct {
    const char *name; /* NULL ends the list; [a-zA-Z_][a-zA-Z0-9_]* */
    span_t value;     /* any bytes: what is not UTF-8 is written as \xNN */
} counters_label_t;

#define L_STR(n, v)  ((counters_label_t){(n), span_of (v)})
#define L_SPAN(n, v) ((counters_label_t){(n), (v)})
/*  counters_put (counters, NAME, VALUE, L_STR ("stage", "scorer")): one sample of a family. */
#define counters_put(self, family, number, ...)                                                    \
    counters_add (self, family, number,                                                            \
                  (const counters_label_t[]){__VA_ARGS__ __VA_OPT__ (, ){.name = NULL}})

typedef struct counters counters_t;

counters_t *counters_new (void);
void counters_destroy (counters_t **self_p);
/*  Forgets all families and samples. */
void counters_clear (counters_t *self);

/*  Begins a family: `name` in base units, a counter's ending in _total; `help` one line. Texts are
 * static. The same name again is the same family (its type and help stay as first given). */
void counters_family (counters_t *self, counters_type_t type, const char *name, const char *help);
/*  Adds a sample of a family begun before. Two with the same labels are a bug of the caller. */
void counters_add (counters_t *self, const char *name, double value,
                   const counters_label_t *labels);
/*  A family of one sample. */
void counters_single (counters_t *self, counters_type_t type, const char *name, const char *help,
                      double value);

/*  Appends the text: every family with its HELP, TYPE and samples; a family without samples is left
 * out. */
void counters_write (const counters_t *self, buffer_t *text);

#endif
