#include "configd/admin_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/percent.h"

#define SCENARIOS "/api/v1/scenarios"
#define SCENARIO  SCENARIOS "/{id}"

enum { NUMBER_DIGITS_MAX = 15 };

#define N ADMIN_ROLE_NONE
#define R ADMIN_ROLE_READ
#define W ADMIN_ROLE_WRITE
#define A ADMIN_ROLE_ADMIN

/* clang-format off: a table */
/*                       name         method    path                role  changes body tenant
 */
const admin_route_t admin_routes[ADMIN_OPERATIONS] = {
    [ADMIN_LIST]      = {"list",      "GET",    SCENARIOS,             R, false, false, false},
    [ADMIN_CREATE]    = {"create",    "POST",   SCENARIOS,             W, true,  true,  true},
    [ADMIN_READ]      = {"read",      "GET",    SCENARIO,              R, false, false, true},
    [ADMIN_PATCH]     = {"patch",     "POST",   SCENARIO,              W, true,  true,  true},
    [ADMIN_REPLACE]   = {"replace",   "PUT",    SCENARIO,              W, true,  true,  true},
    [ADMIN_RESET]     = {"reset",     "DELETE", SCENARIO,              W, true,  false, true},
    [ADMIN_VALIDATE]  = {"validate",  "POST",   SCENARIO "/validate",  R, false, true,  true},
    [ADMIN_PREVIEW]   = {"preview",   "POST",   SCENARIO "/preview",   R, false, true,  true},
    [ADMIN_REVISIONS] = {"revisions", "GET",    SCENARIO "/revisions", R, false, false, true},
    [ADMIN_REVISION]  = {"revision",  "GET",    SCENARIO "/revisions/{n}", R, false, false, true},
    [ADMIN_DIFF]      = {"diff",      "GET",    SCENARIO "/diff",      R, false, false, true},
    [ADMIN_ROLLBACK]  = {"rollback",  "POST",   SCENARIO "/rollback",  W, true,  true,  true},
    [ADMIN_STATUS]    = {"status",    "POST",   SCENARIO "/status",    W, true,  true,  true},
    [ADMIN_APPLIED]   = {"applied",   "GET",    SCENARIO "/applied",   R, false, false, true},
    [ADMIN_PROCESSES] = {"processes", "GET",    "/api/v1/processes",   A, false, false, false},
    [ADMIN_OPENAPI]   = {"openapi",   "GET",    "/openapi.json",       N, false, false, false},
};
/* clang-format on */

typedef enum { PATH_SAME, PATH_OTHER, PATH_BAD } path_match_t;

/*  Compares segment by segment. */
static path_match_t match_path (const char *pattern, const char *path, admin_match_t *match)
{
    path_match_t result = PATH_SAME;
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        size_t wanted = strcspn (pattern, "/"), given = strcspn (path, "/");
        span_t text = {path, given};
        if (wanted == 4 && memcmp (pattern, "{id}", 4) == 0) {
            if (percent_decode (text, match->scenario, sizeof match->scenario) < 1)
                result = PATH_BAD;
        } else if (wanted == 3 && memcmp (pattern, "{n}", 3) == 0) {
            bool number = given >= 1 && given <= NUMBER_DIGITS_MAX &&
                          strspn (path, "0123456789") == given;
            if (number)
                match->number = strtoull (path, NULL, 10);
            else
                result = PATH_BAD;
        } else if (wanted != given || memcmp (pattern, path, given) != 0)
            return PATH_OTHER;
        pattern += wanted;
        path += given;
    }
    return *pattern || *path ? PATH_OTHER : result;
}

static void allow (admin_match_t *match, const char *method)
{
    size_t size = strlen (match->allow);
    snprintf (match->allow + size, sizeof match->allow - size, "%s%s%s", size ? ", " : "", method,
              strcmp (method, "GET") == 0 ? ", HEAD" : "");
}

route_outcome_t admin_route_find (const char *method, const char *path, admin_match_t *match)
{
    bool known = false, bad = false;
    *match = (admin_match_t){.operation = ADMIN_OPERATIONS};
    const char *wanted = strcmp (method, "HEAD") == 0 ? "GET" : method;
    for (int i = 0; i < ADMIN_OPERATIONS; i++) {
        admin_match_t tried = {0};
        path_match_t outcome = match_path (admin_routes[i].path, path, &tried);
        if (outcome == PATH_OTHER)
            continue;
        known = true;
        allow (match, admin_routes[i].method);
        if (strcmp (admin_routes[i].method, wanted) != 0)
            continue;
        bad = outcome == PATH_BAD;
        match->operation = (admin_operation_t)i;
        match->number = tried.number;
        memcpy (match->scenario, tried.scenario, sizeof match->scenario);
    }
    if (!known)
        return ROUTE_UNKNOWN;
    if (match->operation == ADMIN_OPERATIONS)
        return ROUTE_METHOD;
    return bad ? ROUTE_MALFORMED : ROUTE_FOUND;
}
