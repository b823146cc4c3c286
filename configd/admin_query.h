/*  admin_query: the parameters of a request's query string: known ones only, each read and in its
 *  range; a parameter that an operation does not know is an error, since a typo in it would
 *  silently do something else. Pure.
 */
#ifndef HOTPATH_ADMIN_QUERY_H
#define HOTPATH_ADMIN_QUERY_H

#include "configd/admin_message.h"
#include "configd/admin_route.h"

enum {
    ADMIN_WAIT_MS = 10000,
    ADMIN_WAIT_MOST_MS = 60000,
    ADMIN_PAGE = 50,
    ADMIN_PAGE_MAX = 200,
    ADMIN_PREVIEW_ITEMS = 20,
};

typedef struct {
    bool dry_run;
    bool wait; /* until it is applied */
    int64_t timeout_ms;
    uint32_t limit;
    char tenant[ADMIN_ID_BYTES_MAX + 1]; /* "": not given; so the other texts */
    char status[ADMIN_ID_BYTES_MAX + 1];
    char after_tenant[ADMIN_ID_BYTES_MAX + 1], after_scenario[ADMIN_ID_BYTES_MAX + 1];
    char from[32], to[32]; /* "12", "current", "defaults", "" */
    bool has_revision;
    uint64_t revision, below;
    char reason[ADMIN_BODY_BYTES_MAX / 256];
} admin_parameters_t;

/*  Reads them all for an operation; what is wrong is added to `errors`, with the name of the
 *  parameter as its pointer ("?limit"). */
void admin_query_read (const admin_request_t *request, admin_operation_t operation,
                       admin_parameters_t *parameters, admin_errors_t *errors);

#endif
