#include "configd/admin_tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "common/digest.h"
#include "common/memory.h"
#include "common/percent.h"

enum { ID_BYTES_MAX = 256, FIELDS = 4 };

typedef struct {
    admin_caller_t caller;
    digest_t hash;
} token_t;

struct admin_tokens {
    token_t *list;
    uint32_t count;
};

static const char *const roles[] = {"none", "read", "write", "admin"};

admin_role_t admin_role_parse (span_t name)
{
    for (int role = ADMIN_ROLE_READ; role <= ADMIN_ROLE_ADMIN; role++)
        if (span_equal (name, span_of (roles[role])))
            return (admin_role_t)role;
    return ADMIN_ROLE_NONE;
}

const char *admin_role_name (admin_role_t role)
{
    return roles[role];
}

/*  ---- one line ---- */

static bool is_blank (char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/*  Splits a line into fields; how many there are (FIELDS + 1: too many). */
static int split (span_t line, span_t *fields)
{
    int count = 0;
    size_t at = 0;
    while (at < line.size) {
        while (at < line.size && is_blank (line.bytes[at]))
            at++;
        size_t from = at;
        while (at < line.size && !is_blank (line.bytes[at]))
            at++;
        if (at == from)
            break;
        if (count == FIELDS)
            return FIELDS + 1;
        fields[count++] = (span_t){line.bytes + from, at - from};
    }
    return count;
}

static bool is_name (span_t name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    strchr ("._@-", c);
        if (!good || !c)
            return false;
    }
    return name.size >= 1 && name.size <= ADMIN_TOKEN_NAME_MAX;
}

/*  NULL, or what is wrong. */
static const char *read_tenants (admin_caller_t *caller, span_t list)
{
    if (span_equal (list, span_of ("*")))
        return NULL;
    caller->tenants = memory_new_array (ADMIN_TENANTS_MAX, sizeof *caller->tenants);
    for (size_t at = 0; at <= list.size;) {
        const char *comma = memchr (list.bytes + at, ',', list.size - at);
        size_t size = comma ? (size_t)(comma - list.bytes) - at : list.size - at;
        char tenant[ID_BYTES_MAX + 1];
        if (caller->tenant_count == ADMIN_TENANTS_MAX)
            return "it has too many tenants";
        if (percent_decode ((span_t){list.bytes + at, size}, tenant, sizeof tenant) < 1)
            return "a tenant has 1 to 256 bytes (other than letters perhaps as %XX)";
        caller->tenants[caller->tenant_count++] = memory_copy_string (tenant, strlen (tenant));
        at += size + 1;
    }
    return NULL;
}

static const char *read_secret (digest_t *hash, span_t secret)
{
    static const char hashed[] = "sha256:", plain[] = "plain:";
    size_t size = strlen (hashed);
    if (secret.size > size && memcmp (secret.bytes, hashed, size) == 0)
        return digest_read ((span_t){secret.bytes + size, secret.size - size}, hash)
                   ? NULL
                   : "after sha256: come 64 hexadecimal digits";
    size = strlen (plain);
    if (secret.size <= size || memcmp (secret.bytes, plain, size) != 0)
        return "the token is sha256:HASH or plain:TOKEN";
    span_t token = {secret.bytes + size, secret.size - size};
    if (token.size < ADMIN_PLAIN_LEAST || token.size > ADMIN_TOKEN_BYTES_MAX)
        return "a plain token has 20 to 512 bytes";
    *hash = digest_of (token);
    return NULL;
}

static const char *read_line (admin_tokens_t *self, span_t line)
{
    span_t fields[FIELDS];
    int count = split (line, fields);
    if (count == 0 || fields[0].bytes[0] == '#')
        return NULL;
    if (count != FIELDS)
        return "a line has four fields: NAME ROLE TENANTS TOKEN";
    if (!is_name (fields[0]))
        return "a name has 1 to 64 letters, digits, dots, dashes, underscores or @";
    if (self->count == ADMIN_TOKENS_MAX)
        return "there are too many tokens (1024 at most)";
    self->list = memory_resize (self->list, (self->count + 1) * sizeof *self->list);
    token_t *token = &self->list[self->count++];
    *token = (token_t){.caller.name = memory_copy_string (fields[0].bytes, fields[0].size),
                       .caller.role = admin_role_parse (fields[1])};
    if (token->caller.role == ADMIN_ROLE_NONE)
        return "the role is read, write or admin";
    const char *wrong = read_tenants (&token->caller, fields[2]);
    if (!wrong)
        wrong = read_secret (&token->hash, fields[3]);
    for (uint32_t i = 0; !wrong && i + 1 < self->count; i++)
        if (digest_equal (&self->list[i].hash, &token->hash))
            wrong = "the same token was given on another line";
    return wrong;
}

admin_tokens_t *admin_tokens_parse (span_t text, char *error, size_t error_size)
{
    admin_tokens_t *self = memory_new (sizeof *self);
    size_t number = 1;
    for (size_t at = 0; at < text.size; number++) {
        const char *end = memchr (text.bytes + at, '\n', text.size - at);
        size_t size = end ? (size_t)(end - text.bytes) - at : text.size - at;
        const char *wrong = read_line (self, (span_t){text.bytes + at, size});
        if (wrong) {
            snprintf (error, error_size, "line %zu: %s", number, wrong);
            admin_tokens_destroy (&self);
            return NULL;
        }
        at += size + 1;
    }
    return self;
}

void admin_tokens_destroy (admin_tokens_t **self_p)
{
    admin_tokens_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++) {
        admin_caller_t *caller = &self->list[i].caller;
        for (uint32_t j = 0; j < caller->tenant_count; j++)
            free (caller->tenants[j]);
        free (caller->tenants);
        free (caller->name);
    }
    free (self->list);
    free (self);
    *self_p = NULL;
}

uint32_t admin_tokens_count (const admin_tokens_t *self)
{
    return self->count;
}

const admin_caller_t *admin_tokens_find (const admin_tokens_t *self, span_t token)
{
    const admin_caller_t *found = NULL;
    digest_t hash = digest_of (token);
    for (uint32_t i = 0; i < self->count; i++)
        if (digest_equal (&self->list[i].hash, &hash))
            found = &self->list[i].caller;
    return token.size ? found : NULL;
}

span_t admin_bearer (span_t header)
{
    static const char scheme[] = "Bearer ";
    size_t size = strlen (scheme);
    if (header.size <= size || strncasecmp (header.bytes, scheme, size) != 0)
        return (span_t){0};
    span_t token = {header.bytes + size, header.size - size};
    while (token.size && token.bytes[0] == ' ')
        token.bytes++, token.size--;
    return token.size ? token : (span_t){0};
}

bool admin_caller_sees (const admin_caller_t *self, span_t tenant)
{
    if (!self->tenants)
        return true;
    for (uint32_t i = 0; i < self->tenant_count; i++)
        if (span_equal (span_of (self->tenants[i]), tenant))
            return true;
    return false;
}
