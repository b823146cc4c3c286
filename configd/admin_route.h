/*  admin_route: which operation a method and a path are, and what it takes. Pure. The one table of
 *  the admin API; docs/openapi.yaml describes it.
 */
#ifndef HOTPATH_ADMIN_ROUTE_H
#define HOTPATH_ADMIN_ROUTE_H

#include <stdbool.h>
#include <stdint.h>
#include "configd/admin_tokens.h"

enum { ADMIN_ID_BYTES_MAX = 256 };

typedef enum {
    ADMIN_LIST,
    ADMIN_CREATE,
    ADMIN_READ,
    ADMIN_PATCH,
    ADMIN_REPLACE,
    ADMIN_RESET,
    ADMIN_VALIDATE,
    ADMIN_PREVIEW,
    ADMIN_REVISIONS,
    ADMIN_REVISION,
    ADMIN_DIFF,
    ADMIN_ROLLBACK,
    ADMIN_STATUS,
    ADMIN_APPLIED,
    ADMIN_PROCESSES,
    ADMIN_OPENAPI,
    ADMIN_OPERATIONS,
} admin_operation_t;

typedef struct {
    const char *name;    /* "patch": for people and audit */
    const char *method;
    const char *path;    /* "/api/v1/scenarios/{id}/revisions/{n}" */
    admin_role_t role;   /* needed at least; NONE: of everybody */
    bool changes;        /* something that outlives the request */
    bool has_body;       /* JSON */
    bool of_tenant;      /* of one tenant */
} admin_route_t;

/*  In the order of admin_operation_t. */
extern const admin_route_t admin_routes[ADMIN_OPERATIONS];

typedef enum { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_METHOD, ROUTE_MALFORMED } route_outcome_t;

typedef struct {
    admin_operation_t operation;
    char scenario[ADMIN_ID_BYTES_MAX + 1]; /* decoded; "": the path names none */
    uint64_t number;
    char allow[64]; /* ROUTE_METHOD: the methods that there are, "GET, HEAD, POST" */
} admin_match_t;

/*  `path` as it came, still percent-encoded, without query. HEAD is as GET. MALFORMED: an id that
 *  cannot be one, a number that is none. */
route_outcome_t admin_route_find (const char *method, const char *path, admin_match_t *match);

#endif
