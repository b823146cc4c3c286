/*  admin_api: answers the requests of the admin API: who asks and may they (admin_tokens), what for
 *  (admin_route), then the operation: reading (admin_read), changing (admin_change, admin_create),
 *  preview (admin_preview). Any thread; may wait for the store (STORE_CALL_MS a call) or for a
 *  revision to be applied, never for the loop of configd.
 */
#ifndef HOTPATH_ADMIN_API_H
#define HOTPATH_ADMIN_API_H

#include "common/scenario_scope.h"
#include "configd/admin_message.h"
#include "configd/admin_tokens.h"
#include "configd/audit_log.h"
#include "configd/config_board.h"
#include "configd/scenario_store.h"

typedef struct {
    scenario_store_t *store; /* all borrowed for life */
    config_board_t *board;
    audit_log_t *audit;
    const scenario_scope_t *scope;
    const char *tokens_path; /* NULL: there are no tokens */
    admin_role_t anonymous;  /* of a request without a token */
} admin_api_options_t;

typedef struct admin_api admin_api_t;

/*  Reads the tokens. NULL with a sentence in error. */
admin_api_t *admin_api_new (const admin_api_options_t *options, char *error, size_t error_size);
void admin_api_destroy (admin_api_t **self_p);

/*  Reads the tokens again; where they are not valid those that hold stay, and it is logged. */
void admin_api_reload (admin_api_t *self);

/*  Fills in the response (zeroed). */
void admin_api_answer (admin_api_t *self, const admin_request_t *request,
                       admin_response_t *response);

typedef struct {
    uint64_t requests[6]; /* by the first digit of their status */
    uint64_t changes;     /* accepted */
    uint64_t audit_failures;
} admin_view_t;

admin_view_t admin_api_view (admin_api_t *self);

#endif
