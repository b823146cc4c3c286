/*  admin_api_parts: one request on its way through admin_*.c; private to them. */
#ifndef HOTPATH_ADMIN_API_PARTS_H
#define HOTPATH_ADMIN_API_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include "configd/admin_api.h"
#include "configd/admin_query.h"
#include "configd/admin_route.h"
#include "configd/scenario_change.h"

enum {
    ADMIN_ATTEMPTS_MAX = 64,    /* of a change that others get in the way of */
    ADMIN_CHANGE_MS = 15000,    /* for all of them */
    ADMIN_KEY_MS = 24 * 3600 * 1000, /* how long an Idempotency-Key is remembered */
};

struct admin_api {
    admin_api_options_t options;
    pthread_mutex_t lock; /* of the tokens */
    admin_tokens_t *tokens;
    atomic_uint_least64_t requests[6], changes;
};

/*  What is told of a change in the audit log. */
typedef struct {
    uint64_t from_number, to_number;
    char *from, *to; /* effective configs, or NULL */
    char *from_status, *to_status;
    char *reason;
} admin_audit_t;

typedef struct {
    admin_api_t *api;
    scenario_store_t *store;
    config_board_t *board;
    const admin_request_t *request;
    admin_response_t *response;
    const admin_route_t *route;
    admin_match_t match;
    admin_parameters_t parameters;
    admin_caller_t caller; /* a copy */
    char tenant[ADMIN_ID_BYTES_MAX + 1]; /* "": of several */
    yyjson_doc *document;
    yyjson_val *body; /* an object, or NULL */
    admin_audit_t audit;
} admin_call_t;

static inline span_t admin_call_tenant (const admin_call_t *call)
{
    return span_of (call->tenant);
}
static inline span_t admin_call_scenario (const admin_call_t *call)
{
    return span_of (call->match.scenario);
}

/*  ---- admin_call.c: what operations share ---- */

/*  ETag of a document: of its stored config and its status. */
void admin_etag (const scenario_version_t *version, const char *status,
                 char etag[ADMIN_ETAG_BYTES + 1]);
/*  Does If-Match (a list of tags, or a star) name it? */
bool admin_etag_matches (const char *if_match, const char *etag);

/*  Reads the scenario's document; false with the problem in the response. */
bool admin_read_document (admin_call_t *call, stored_scenario_t *found);
/*  Says that the store failed with this outcome. */
void admin_store_problem (admin_call_t *call, store_outcome_t outcome, const char *error);
/*  The number by which a document's config is known, as far as can be told without writing: 0
 *  where it is not yet. */
uint64_t admin_number_of (admin_call_t *call, const stored_scenario_t *found,
                          const scenario_version_t *version);
/*  An answer (for admin_response_json) with an empty object at its root; of a scenario: with its ids. */
yyjson_mut_doc *admin_begin (yyjson_mut_val **root);
yyjson_mut_doc *admin_begin_scenario (const admin_call_t *call, yyjson_mut_val **root);

/*  {"applied", "revision", "published", "processes", "behind", "unwritten", "unowned_shards"} of a
 *  revision; true where it is. */
bool admin_put_applied (admin_call_t *call, yyjson_mut_doc *to, yyjson_mut_val *object,
                        uint64_t number);
/*  The same as "applied" of an answer. */
void admin_add_applied (admin_call_t *call, yyjson_mut_doc *to, yyjson_mut_val *root,
                        uint64_t number);
/*  Waits, if that is asked for, until the revision is applied (and, `status` not NULL, active or
 *  not as it says); true where it is, or nobody asked. */
bool admin_await_applied (admin_call_t *call, uint64_t number, const char *status);
/*  Location of where to ask whether it is. */
void admin_say_where (admin_call_t *call, uint64_t number);
/*  Members of an object that are not among `known` (ended by NULL) are errors below `pointer`. */
void admin_check_keys (yyjson_val *object, const char *pointer, const char *const *known,
                       admin_errors_t *errors);
/*  The string at `key` of the body, at most `most` bytes, or NULL; an error where it is none. */
char *admin_body_text (admin_call_t *call, const char *key, size_t most, admin_errors_t *errors);
/*  The value at /config/realtime_compute of the body, or NULL; errors for what is not so. */
yyjson_val *admin_body_config (admin_call_t *call, admin_errors_t *errors);
/*  A note for a change that this request makes; free it. */
void admin_make_note (const admin_call_t *call, uint64_t number, const scenario_version_t *version,
                      const char *reason, revision_note_t *note);
/*  Fingerprint of the request, for its Idempotency-Key. */
void admin_fingerprint (const admin_call_t *call, char hex[DIGEST_HEX_BYTES + 1]);
/*  A revision of the history as JSON; `whole`: with its configs. */
yyjson_mut_val *admin_write_record (yyjson_mut_doc *to, const revision_record_t *record,
                                    bool whole);

/*  ---- operations; each fills in the response ---- */

void admin_list (admin_call_t *call);
void admin_read (admin_call_t *call);
void admin_revisions (admin_call_t *call);
void admin_revision (admin_call_t *call);
void admin_diff (admin_call_t *call);
void admin_applied (admin_call_t *call);
void admin_processes (admin_call_t *call);
void admin_openapi (admin_call_t *call);
void admin_validate (admin_call_t *call);
void admin_change (admin_call_t *call); /* patch, replace, reset, rollback */
void admin_create (admin_call_t *call);
void admin_set_status (admin_call_t *call);
void admin_preview (admin_call_t *call);

#endif
