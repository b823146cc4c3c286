/*  outcome: what became of an attempt whose failure may pass by itself. */
#ifndef HOTPATH_OUTCOME_H
#define HOTPATH_OUTCOME_H

typedef enum {
    OUTCOME_OK,    /* done */
    OUTCOME_RETRY, /* not now; the same call later may succeed; nothing was changed */
    OUTCOME_ERROR, /* will not succeed; logged where it was found */
} outcome_t;

#endif
