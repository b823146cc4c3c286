/*  redis_answers: answers of Redis for unit tests, from short texts:
 *
 *      "+OK" text   "-OOM …" error   ":7" integer   "_" nil   "*a b" list of such, by blanks
 */
#ifndef HOTPATH_TEST_REDIS_ANSWERS_H
#define HOTPATH_TEST_REDIS_ANSWERS_H

#include <stdlib.h>
#include <string.h>
#include "sink/redis_answer.h"

enum { ANSWERS_MAX = 8 };

typedef struct {
    redis_answer_t answers[ANSWERS_MAX + 1];
    redis_answer_t *list[ANSWERS_MAX];
    char texts[ANSWERS_MAX + 1][2048];
} made_answer_t;

static inline void make_flat (redis_answer_t *answer, char *text, const char *spec, size_t size)
{
    size_t length = size - 1 < 2047 ? size - 1 : 2047;
    memcpy (text, spec + 1, length);
    text[length] = 0;
    *answer = (redis_answer_t){.kind = spec[0] == '+'   ? ANSWER_TEXT
                                       : spec[0] == '-' ? ANSWER_ERROR
                                       : spec[0] == ':' ? ANSWER_INTEGER
                                                        : ANSWER_NIL};
    if (spec[0] == '+' || spec[0] == '-')
        answer->text = (span_t){text, length};
    if (spec[0] == ':')
        answer->integer = strtoll (text, NULL, 10);
}

static inline const redis_answer_t *make_answer (made_answer_t *made, const char *spec)
{
    if (spec[0] != '*') {
        make_flat (&made->answers[0], made->texts[0], spec, strlen (spec));
        return &made->answers[0];
    }
    made->answers[0] = (redis_answer_t){.kind = ANSWER_LIST, .list = made->list};
    for (const char *at = spec + 1; *at && made->answers[0].count < ANSWERS_MAX;) {
        size_t i = made->answers[0].count++, size = strcspn (at, " ");
        make_flat (&made->answers[i + 1], made->texts[i + 1], at, size);
        made->list[i] = &made->answers[i + 1];
        at += size + (at[size] == ' ');
    }
    return &made->answers[0];
}

#endif
