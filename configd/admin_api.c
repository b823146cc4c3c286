/*  admin_api: see admin_api.h: from a request to its operation. */
#include "configd/admin_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/clock.h"
#include "common/json_text.h"
#include "common/log.h"
#include "common/percent.h"
#include "configd/admin_api_parts.h"
#include "configd/scenario_diff.h"

enum { TOKENS_FILE_BYTES_MAX = 1 << 20 };

/* clang-format off: a table, in the order of admin_operation_t */
static void (*const operations[ADMIN_OPERATIONS]) (admin_call_t *call) = {
    [ADMIN_LIST] = admin_list,           [ADMIN_CREATE] = admin_create,
    [ADMIN_READ] = admin_read,           [ADMIN_PATCH] = admin_change,
    [ADMIN_REPLACE] = admin_change,      [ADMIN_RESET] = admin_change,
    [ADMIN_VALIDATE] = admin_validate,   [ADMIN_PREVIEW] = admin_preview,
    [ADMIN_REVISIONS] = admin_revisions, [ADMIN_REVISION] = admin_revision,
    [ADMIN_DIFF] = admin_diff,           [ADMIN_ROLLBACK] = admin_change,
    [ADMIN_STATUS] = admin_set_status,   [ADMIN_APPLIED] = admin_applied,
    [ADMIN_PROCESSES] = admin_processes, [ADMIN_OPENAPI] = admin_openapi,
};
/* clang-format on */

/*  ---- tokens ---- */

static admin_tokens_t *read_tokens (const char *path, char *error, size_t error_size)
{
    FILE *file = fopen (path, "re");
    if (!file) {
        snprintf (error, error_size, "cannot read the tokens in %s: %s", path, strerror (errno));
        return NULL;
    }
    char *text = memory_new (TOKENS_FILE_BYTES_MAX + 1), wrong[256] = "";
    size_t size = fread (text, 1, TOKENS_FILE_BYTES_MAX + 1, file);
    bool whole = !ferror (file) && size <= TOKENS_FILE_BYTES_MAX;
    fclose (file);
    admin_tokens_t *tokens =
        whole ? admin_tokens_parse ((span_t){text, size}, wrong, sizeof wrong) : NULL;
    if (!tokens)
        snprintf (error, error_size, "the tokens in %s: %s", path,
                  whole ? wrong : "cannot be read, or are more than 1 MiB");
    memset (text, 0, TOKENS_FILE_BYTES_MAX + 1);
    free (text);
    return tokens;
}

admin_api_t *admin_api_new (const admin_api_options_t *options, char *error, size_t error_size)
{
    admin_api_t *self = memory_new (sizeof *self);
    self->options = *options;
    pthread_mutex_init (&self->lock, NULL);
    if (options->tokens_path)
        self->tokens = read_tokens (options->tokens_path, error, error_size);
    if (options->tokens_path && !self->tokens)
        admin_api_destroy (&self);
    return self;
}

void admin_api_destroy (admin_api_t **self_p)
{
    admin_api_t *self = *self_p;
    if (!self)
        return;
    admin_tokens_destroy (&self->tokens);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

void admin_api_reload (admin_api_t *self)
{
    char error[512];
    if (!self->options.tokens_path)
        return;
    admin_tokens_t *tokens = read_tokens (self->options.tokens_path, error, sizeof error);
    if (!tokens) {
        log_error ("the tokens cannot be read again: those that hold stay",
                   F_STR ("reason", error));
        return;
    }
    log_info ("tokens were read again", F_INT ("tokens", admin_tokens_count (tokens)));
    pthread_mutex_lock (&self->lock);
    admin_tokens_t *before = self->tokens;
    self->tokens = tokens;
    pthread_mutex_unlock (&self->lock);
    admin_tokens_destroy (&before);
}

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

/*  Copies who asks: tokens may be read again meanwhile. False: nobody whom we know. */
static bool find_caller (admin_api_t *self, const admin_request_t *request, admin_caller_t *caller)
{
    span_t token = request->authorization ? admin_bearer (span_of (request->authorization))
                                          : (span_t){0};
    *caller = (admin_caller_t){0};
    if (!request->authorization && self->options.anonymous != ADMIN_ROLE_NONE) {
        caller->name = copy ("anonymous");
        caller->role = self->options.anonymous;
        return true;
    }
    pthread_mutex_lock (&self->lock);
    const admin_caller_t *found =
        token.bytes && self->tokens ? admin_tokens_find (self->tokens, token) : NULL;
    if (found) {
        caller->name = copy (found->name);
        caller->role = found->role;
        caller->tenant_count = found->tenant_count;
        caller->tenants = found->tenants ? memory_new_array (found->tenant_count + 1,
                                                             sizeof *caller->tenants)
                                         : NULL;
        for (uint32_t i = 0; i < found->tenant_count; i++)
            caller->tenants[i] = copy (found->tenants[i]);
    }
    pthread_mutex_unlock (&self->lock);
    return found != NULL;
}

static void free_caller (admin_caller_t *caller)
{
    for (uint32_t i = 0; i < caller->tenant_count; i++)
        free (caller->tenants[i]);
    free (caller->tenants);
    free (caller->name);
}

/*  ---- audit ---- */

static yyjson_mut_doc *begin_record (const admin_call_t *call)
{
    char at[NOTE_TIME_BYTES];
    yyjson_mut_doc *record = yyjson_mut_doc_new (NULL);
    yyjson_mut_val *root = yyjson_mut_obj (record);
    yyjson_mut_doc_set_root (record, root);
    note_time_write (clock_wall_ms (), at);
    admin_put_text (record, root, "time", at);
    admin_put_text (record, root, "request", call->response->request_id);
    admin_put_text (record, root, "operation", call->route ? call->route->name : NULL);
    admin_put_uint (record, root, "status", call->response->status);
    admin_put_text (record, root, "caller", call->caller.name);
    admin_put_text (record, root, "role",
                    call->caller.name ? admin_role_name (call->caller.role) : NULL);
    admin_put_text (record, root, "from", call->request->peer);
    admin_put_text (record, root, "tenant_id", *call->tenant ? call->tenant : NULL);
    admin_put_text (record, root, "scenario_id",
                    *call->match.scenario ? call->match.scenario : NULL);
    return record;
}

static void audit_refusal (const admin_call_t *call)
{
    yyjson_mut_doc *record = begin_record (call);
    log_warning ("admin request refused", F_INT ("status", call->response->status),
                 F_STR ("operation", call->route ? call->route->name : ""),
                 F_STR ("caller", call->caller.name ? call->caller.name : ""),
                 F_STR ("from", call->request->peer));
    audit_log_refuse (call->api->options.audit, record, clock_ms ());
    yyjson_mut_doc_free (record);
}

static void audit_change (const admin_call_t *call)
{
    const admin_audit_t *audit = &call->audit;
    yyjson_mut_doc *record = begin_record (call);
    yyjson_mut_val *root = yyjson_mut_doc_get_root (record);
    bool made = call->response->status < 300;
    if (audit->to_number) {
        yyjson_mut_val *revision = yyjson_mut_obj (record);
        admin_put_uint (record, revision, "from", audit->from_number);
        admin_put_uint (record, revision, "to", audit->to_number);
        admin_put (record, root, "revision", revision);
    }
    if (audit->to_status) {
        yyjson_mut_val *status = yyjson_mut_obj (record);
        admin_put_text (record, status, "from", audit->from_status);
        admin_put_text (record, status, "to", audit->to_status);
        admin_put (record, root, "scenario_status", status);
    }
    admin_put_text (record, root, "reason", audit->reason);
    if (made && audit->to)
        admin_put (record, root, "changes", scenario_diff (record, audit->from, audit->to));
    if (made && audit->to_number)
        log_info ("admin change", F_STR ("operation", call->route->name),
                  F_STR ("caller", call->caller.name), F_STR ("from", call->request->peer),
                  F_STR ("tenant", call->tenant), F_STR ("scenario", call->match.scenario),
                  F_INT ("number", audit->to_number));
    audit_log_write (call->api->options.audit, record);
    yyjson_mut_doc_free (record);
}

/*  ---- on the way to the operation; false: the response is there ---- */

static bool find_route (admin_call_t *call)
{
    admin_response_t *response = call->response;
    route_outcome_t outcome =
        admin_route_find (call->request->method, call->request->path, &call->match);
    if (call->match.operation != ADMIN_OPERATIONS)
        call->route = &admin_routes[call->match.operation];
    if (outcome == ROUTE_UNKNOWN)
        admin_problem (response, 404, "no-such-path", "There is nothing at this path",
                       "see /openapi.json");
    else if (outcome == ROUTE_METHOD) {
        memcpy (response->allow, call->match.allow, sizeof response->allow);
        admin_problem (response, 405, "method", "This path does not know the method", "there is %s",
                       response->allow);
    } else if (outcome == ROUTE_MALFORMED)
        admin_problem (response, 400, "malformed-path", "An id or a number in it is malformed",
                       "an id has 1 to 256 bytes of UTF-8, percent-encoded; a revision is a "
                       "number");
    return outcome == ROUTE_FOUND;
}

static bool authenticate (admin_call_t *call)
{
    if (call->route->role == ADMIN_ROLE_NONE || call->caller.name)
        return true;
    call->response->authenticate = true;
    admin_problem (call->response, 401, "unauthorized", "A bearer token is needed",
                   call->request->authorization
                       ? "the token is not known, or the header is not \"Bearer TOKEN\""
                       : "send the header Authorization: Bearer TOKEN");
    return false;
}

/*  A dry run changes nothing: who may read may try. */
static bool authorize (admin_call_t *call)
{
    admin_role_t needed = call->route->role;
    if (call->parameters.dry_run && needed > ADMIN_ROLE_READ)
        needed = ADMIN_ROLE_READ;
    if (call->caller.role >= needed)
        return true;
    admin_problem (call->response, 403, "forbidden", "The token may not do this",
                   "%s needs the role %s, the token has %s", call->route->name,
                   admin_role_name (needed), admin_role_name (call->caller.role));
    return false;
}

/*  The tenant: the token's own, or that of the header where it has several. */
static bool find_tenant (admin_call_t *call)
{
    const char *given = call->request->tenant;
    const admin_caller_t *caller = &call->caller;
    if (given && percent_decode (span_of (given), call->tenant, sizeof call->tenant) < 1) {
        *call->tenant = '\0';
        admin_problem (call->response, 400, "tenant", "X-Tenant-Id is malformed",
                       "it has 1 to 256 bytes, percent-encoded where they are not ASCII");
        return false;
    }
    if (given && !admin_caller_sees (caller, admin_call_tenant (call))) {
        admin_problem (call->response, 403, "forbidden", "The token is not of this tenant",
                       "tenant %s is none of the token's", call->tenant);
        return false;
    }
    if (given || !call->route->of_tenant)
        return true;
    if (caller->tenants && caller->tenant_count == 1) {
        snprintf (call->tenant, sizeof call->tenant, "%s", caller->tenants[0]);
        return true;
    }
    admin_problem (call->response, 400, "tenant", "X-Tenant-Id is needed",
                   "the token is good for several tenants: say which by the header X-Tenant-Id");
    return false;
}

/*  A configd that is dedicated to others, or leaves this scenario to others, does not know it. */
static bool is_in_scope (admin_call_t *call)
{
    span_t scenario = *call->match.scenario ? admin_call_scenario (call) : (span_t){0};
    if (!call->route->of_tenant ||
        scenario_scope_has (call->api->options.scope, admin_call_tenant (call), scenario))
        return true;
    admin_problem (call->response, 404, "not-found", "There is no such scenario",
                   "this configd leaves it to another (--tenant-id, --scenario-id, --except)");
    return false;
}

static bool is_json (const char *type)
{
    static const char *const json[] = {"application/json", "application/merge-patch+json"};
    size_t size = type ? strcspn (type, "; \t") : 0;
    for (size_t i = 0; i < 2; i++)
        if (size == strlen (json[i]) && strncasecmp (type, json[i], size) == 0)
            return true;
    return false;
}

static bool read_body (admin_call_t *call)
{
    const admin_request_t *request = call->request;
    admin_response_t *response = call->response;
    yyjson_read_err failure;
    if (request->body_too_large) {
        admin_problem (response, 413, "too-large", "The body is too large", "at most %d bytes",
                       ADMIN_BODY_BYTES_MAX);
        return false;
    }
    if (!call->route->has_body)
        return true;
    if (!is_json (request->content_type)) {
        admin_problem (response, 415, "not-json", "The body must be JSON",
                       "send the header Content-Type: application/json");
        return false;
    }
    call->document = yyjson_read_opts ((char *)(uintptr_t)request->body.bytes, request->body.size,
                                       YYJSON_READ_NOFLAG, NULL, &failure);
    yyjson_val *root = yyjson_doc_get_root (call->document);
    if (!call->document)
        admin_problem (response, 400, "malformed", "The body is not JSON", "%s at byte %zu",
                       failure.msg, failure.pos);
    else if (!yyjson_is_obj (root))
        admin_problem (response, 400, "malformed", "The body is not a JSON object",
                       "{\"config\": {\"realtime_compute\": …}} and the like");
    else if (!json_text_within (root, JSON_DEPTH_MAX))
        admin_problem (response, 400, "malformed", "The body is nested too deeply",
                       "at most %d levels", JSON_DEPTH_MAX);
    else
        call->body = root;
    return call->body != NULL;
}

static bool check_key (admin_call_t *call)
{
    const char *key = call->request->idempotency_key;
    size_t size = key ? strlen (key) : 0;
    bool good = !key || (size >= 1 && size <= NOTE_KEY_BYTES_MAX);
    for (size_t i = 0; good && i < size; i++)
        good = key[i] >= ' ' && key[i] < 0x7f;
    if (!good)
        admin_problem (call->response, 400, "idempotency-key", "Idempotency-Key is malformed",
                       "it has 1 to %d visible ASCII characters", NOTE_KEY_BYTES_MAX);
    return good;
}

static bool check_audit (admin_call_t *call)
{
    if (!call->route->changes || call->parameters.dry_run ||
        audit_log_works (call->api->options.audit))
        return true;
    call->response->retry_after_s = 30;
    admin_problem (call->response, 503, "audit", "Changes are not accepted now",
                   "the audit log cannot be written: see the log of configd");
    return false;
}

static void answer (admin_call_t *call)
{
    admin_errors_t errors = {0};
    if (!find_route (call))
        return;
    if (!authenticate (call))
        return;
    admin_query_read (call->request, call->match.operation, &call->parameters, &errors);
    if (authorize (call) && find_tenant (call) && is_in_scope (call)) {
        if (errors.count)
            admin_problem_errors (call->response, &errors);
        else if (read_body (call) && check_key (call) && check_audit (call))
            operations[call->match.operation] (call);
    }
    admin_errors_free (&errors);
}

void admin_api_answer (admin_api_t *self, const admin_request_t *request,
                       admin_response_t *response)
{
    admin_call_t call = {.api = self,
                         .store = self->options.store,
                         .board = self->options.board,
                         .request = request,
                         .response = response};
    digest_random (response->request_id, ADMIN_REQUEST_ID_BYTES / 2);
    find_caller (self, request, &call.caller);
    answer (&call);
    if (response->status == 401 || response->status == 403)
        audit_refusal (&call);
    else if (call.route && call.route->changes && !call.parameters.dry_run &&
             (response->status < 300 || call.audit.to_number || response->status >= 500)) {
        atomic_fetch_add (&self->changes, response->status < 300);
        audit_change (&call);
    }
    atomic_fetch_add (&self->requests[response->status / 100 % 6], 1);
    yyjson_doc_free (call.document);
    free_caller (&call.caller);
    char *texts[] = {call.audit.from,      call.audit.to,       call.audit.from_status,
                     call.audit.to_status, call.audit.reason};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free (texts[i]);
}

admin_view_t admin_api_view (admin_api_t *self)
{
    admin_view_t view = {.changes = atomic_load (&self->changes),
                         .audit_failures = audit_log_failures (self->options.audit)};
    for (int i = 0; i < 6; i++)
        view.requests[i] = atomic_load (&self->requests[i]);
    return view;
}
