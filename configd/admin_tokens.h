/*  admin_tokens: who may do what through the admin API: bearer tokens from a text file. Pure.
 *
 *      # NAME  ROLE   TENANTS     TOKEN
 *      alice   admin  *           sha256:9f86d081884c7d659a2feaa0… (64 digits)
 *      ci      write  acme,beta   plain:a-secret-of-at-least-20-bytes
 *
 *  Roles: read; write: and change; admin: and see all tenants' processes. Tenants are separated by
 *  commas, `*` is all; in one, bytes may be written as %XX. Only hashes are kept, and a token is
 *  compared with every one of them, each in constant time: how long that takes tells nothing.
 */
#ifndef HOTPATH_ADMIN_TOKENS_H
#define HOTPATH_ADMIN_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

enum {
    ADMIN_TOKENS_MAX = 1024,
    ADMIN_TENANTS_MAX = 256, /* of one token */
    ADMIN_TOKEN_NAME_MAX = 64,
    ADMIN_PLAIN_LEAST = 20, /* bytes of a plain token */
    ADMIN_TOKEN_BYTES_MAX = 512,
};

typedef enum { ADMIN_ROLE_NONE, ADMIN_ROLE_READ, ADMIN_ROLE_WRITE, ADMIN_ROLE_ADMIN } admin_role_t;

typedef struct {
    char *name;
    admin_role_t role;
    char **tenants; /* NULL: all */
    uint32_t tenant_count;
} admin_caller_t;

typedef struct admin_tokens admin_tokens_t;

/*  NULL with a sentence in error that names the line, never the token. */
admin_tokens_t *admin_tokens_parse (span_t text, char *error, size_t error_size);
void admin_tokens_destroy (admin_tokens_t **self_p);
uint32_t admin_tokens_count (const admin_tokens_t *self);

/*  Whose token this is (without "Bearer "), or NULL. Borrowed from self. */
const admin_caller_t *admin_tokens_find (const admin_tokens_t *self, span_t token);

/*  The token of an Authorization header ("Bearer TOKEN", the scheme in any case); absent where it
 *  has none. */
span_t admin_bearer (span_t header);

/*  "read", "write", "admin" -> role; ADMIN_ROLE_NONE where it is none of these. */
admin_role_t admin_role_parse (span_t name);
const char *admin_role_name (admin_role_t role);

bool admin_caller_sees (const admin_caller_t *self, span_t tenant);

#endif
