/*  log: lines on stderr, logfmt (default) or JSON, control bytes escaped, repeats limited.
 *
 *      log_warning ("partition truncated", F_STR ("partition", name), F_INT ("next", next));
 *
 *  The message is a fixed text (it is the key by which repeats are limited: the same message of
 *  one process appears at most 20 times in 10 s; what was held back is counted in the next one).
 *  Threads may log at once: a line is one write.
 */
#ifndef HOTPATH_LOG_H
#define HOTPATH_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"

typedef enum { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR } log_level_t;

typedef struct {
    const char *key; /* NULL ends the list */
    enum { LOG_FIELD_SPAN, LOG_FIELD_INT, LOG_FIELD_DOUBLE } type;
    span_t span;
    int64_t integer;
    double real;
} log_field_t;

#define F_STR(k, v)  ((log_field_t){.key = (k), .type = LOG_FIELD_SPAN, .span = span_of (v)})
#define F_SPAN(k, v) ((log_field_t){.key = (k), .type = LOG_FIELD_SPAN, .span = (v)})
#define F_INT(k, v)  ((log_field_t){.key = (k), .type = LOG_FIELD_INT, .integer = (int64_t)(v)})
#define F_DBL(k, v)  ((log_field_t){.key = (k), .type = LOG_FIELD_DOUBLE, .real = (v)})

#define log_debug(message, ...)   LOG_AT (LOG_LEVEL_DEBUG, message, __VA_ARGS__)
#define log_info(message, ...)    LOG_AT (LOG_LEVEL_INFO, message, __VA_ARGS__)
#define log_warning(message, ...) LOG_AT (LOG_LEVEL_WARNING, message, __VA_ARGS__)
#define log_error(message, ...)   LOG_AT (LOG_LEVEL_ERROR, message, __VA_ARGS__)
#define LOG_AT(level, message, ...)                                                                \
    log_write (level, message, (const log_field_t[]){__VA_ARGS__ __VA_OPT__ (, ){.key = NULL}})

/*  Sets who speaks (a name such as "scorer-0", copied), the least level written and the form. */
void log_start (const char *process, log_level_t least, bool json);
/*  "debug" | "info" | "warning" | "error" -> *level; -1 where it is none of these. */
int log_level_parse (const char *name, log_level_t *level);
void log_write (log_level_t level, const char *message, const log_field_t *fields);

#endif
