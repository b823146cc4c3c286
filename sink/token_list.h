/*  token_list: tokens of taken results, in a row. */
#ifndef HOTPATH_SINK_TOKEN_LIST_H
#define HOTPATH_SINK_TOKEN_LIST_H

#include "common/buffer.h"
#include "sink/result_chain.h"

typedef struct {
    buffer_t bytes; /* of chain_token_t */
} token_list_t;

static inline void token_list_add (token_list_t *self, const chain_token_t *token)
{
    buffer_append (&self->bytes, token, sizeof *token);
}
static inline size_t token_list_count (const token_list_t *self)
{
    return self->bytes.size / sizeof (chain_token_t);
}
static inline chain_token_t token_list_at (const token_list_t *self, size_t index)
{
    chain_token_t token;
    memcpy (&token, self->bytes.bytes + index * sizeof token, sizeof token);
    return token;
}
/*  Moves all tokens of `from` behind those of self. */
static inline void token_list_move (token_list_t *self, token_list_t *from)
{
    buffer_append (&self->bytes, from->bytes.bytes, from->bytes.size);
    buffer_clear (&from->bytes);
}
static inline void token_list_clear (token_list_t *self)
{
    buffer_clear (&self->bytes);
}
static inline void token_list_free (token_list_t *self)
{
    buffer_free (&self->bytes);
}

#endif
