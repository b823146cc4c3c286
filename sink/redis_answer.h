/*  redis_answer: one answer of Redis, as redis_link hands it on, so that who judges answers needs no
 *  client library. Plain data.
 */
#ifndef HOTPATH_SINK_REDIS_ANSWER_H
#define HOTPATH_SINK_REDIS_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

typedef enum { ANSWER_NIL, ANSWER_TEXT, ANSWER_INTEGER, ANSWER_ERROR, ANSWER_LIST } answer_kind_t;

typedef struct redis_answer {
    answer_kind_t kind;
    span_t text; /* of TEXT and ERROR; a NUL follows it */
    int64_t integer;
    struct redis_answer **list; /* of LIST */
    size_t count;
} redis_answer_t;

#endif
