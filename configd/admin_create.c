/*  admin_create: making a scenario's document through the admin API, and its status (pause,
 *  resume).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/clock.h"
#include "common/json_text.h"
#include "common/percent.h"
#include "common/scenario_outline.h"
#include "configd/admin_api_parts.h"

enum { WORD_BYTES_MAX = 64 };

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

/*  ---- create ---- */

typedef struct {
    admin_call_t *call;
    char *type, *status, *reason;
    scenario_version_t version;
} creation_t;

static void answer_created (creation_t *self, uint64_t number)
{
    admin_call_t *call = self->call;
    buffer_t location = {0};
    if (!call->parameters.dry_run)
        admin_await_applied (call, number, self->status);
    yyjson_mut_val *root;
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_text (document, root, "status", self->status);
    admin_put_bool (document, root, "dry_run", call->parameters.dry_run);
    if (number)
        admin_put_uint (document, root, "revision", number);
    admin_put_json (document, root, "stored", self->version.stored);
    admin_put_json (document, root, "effective", self->version.effective);
    if (!call->parameters.dry_run)
        admin_add_applied (call, document, root, number);
    buffer_append (&location, "/api/v1/scenarios/", 18);
    percent_encode (admin_call_scenario (call), &location);
    buffer_append (&location, "", 1);
    free (call->response->location);
    call->response->location = (char *)location.bytes;
    admin_etag (&self->version, self->status, call->response->etag);
    admin_response_json (call->response, call->parameters.dry_run ? 200 : 201, document);
}

static bool is_id (yyjson_val *value, const char *trimmed)
{
    return yyjson_is_str (value) && trimmed && strlen (trimmed) == yyjson_get_len (value);
}

static void read_ids (creation_t *self, admin_errors_t *errors)
{
    admin_call_t *call = self->call;
    yyjson_val *scenario = yyjson_obj_get (call->body, "scenario_id");
    yyjson_val *tenant = yyjson_obj_get (call->body, "tenant_id");
    char *trimmed = scenario_outline_id (scenario);
    if (is_id (scenario, trimmed))
        snprintf (call->match.scenario, sizeof call->match.scenario, "%s", trimmed);
    else
        admin_errors_add (errors, "/scenario_id",
                          "must be a string of 1 to 256 bytes without space around it");
    if (tenant && !yyjson_equals_str (tenant, call->tenant))
        admin_errors_add (errors, "/tenant_id", "must be the tenant of the request, %s",
                          call->tenant);
    free (trimmed);
}

/*  False with the response. */
static bool read_creation (creation_t *self)
{
    static const char *const known[] = {"scenario_id", "tenant_id", "scenario_type", "status",
                                        "config",      "reason",    NULL};
    admin_call_t *call = self->call;
    admin_errors_t errors = {0};
    config_errors_t *wrong = memory_new (sizeof *wrong);
    yyjson_val *given = NULL;
    admin_check_keys (call->body, "", known, &errors);
    read_ids (self, &errors);
    self->type = admin_body_text (call, "scenario_type", WORD_BYTES_MAX, &errors);
    self->status = admin_body_text (call, "status", WORD_BYTES_MAX, &errors);
    self->reason = admin_body_text (call, "reason", NOTE_TEXT_BYTES_MAX, &errors);
    if (!self->status)
        self->status = copy ("active");
    if (yyjson_obj_get (call->body, "config"))
        given = admin_body_config (call, &errors);
    if (!scenario_change_apply (CHANGE_REPLACE, NULL, given, &self->version, wrong))
        admin_errors_of_config (&errors, wrong, self->version.stored);
    bool good = !errors.count;
    if (!good)
        admin_problem_errors (call->response, &errors);
    admin_errors_free (&errors);
    free (wrong);
    return good;
}

/*  The number of its first revision: after those of an earlier document of this name. */
static store_outcome_t first_number (admin_call_t *call, uint64_t *number, char *error)
{
    board_scenario_t known;
    revision_record_t newest = {0};
    store_outcome_t outcome = call->store->newest (call->store, admin_call_tenant (call),
                                                   admin_call_scenario (call), &newest, error);
    config_board_find (call->board, admin_call_tenant (call), admin_call_scenario (call), false,
                       &known);
    *number = (known.number > newest.note.number ? known.number : newest.note.number) + 1;
    board_scenario_free (&known);
    revision_record_free (&newest);
    return outcome == STORE_ABSENT ? STORE_OK : outcome;
}

/*  Is the document that is there of this request (its answer was lost), or of one with its
 *  Idempotency-Key? */
static bool is_ours (admin_call_t *call, uint64_t *number, bool *mismatch)
{
    stored_scenario_t found;
    char error[STORE_ERROR_BYTES], fingerprint[DIGEST_HEX_BYTES + 1];
    const char *key = call->request->idempotency_key;
    bool ours = false;
    if (call->store->read (call->store, admin_call_tenant (call), admin_call_scenario (call), NULL,
                           &found, error) != STORE_OK)
        return false;
    const revision_note_t *note = &found.note;
    ours = found.noted && note->request &&
           strcmp (note->request, call->response->request_id) == 0;
    if (!ours && key && found.noted && note->key && strcmp (note->key, key) == 0) {
        admin_fingerprint (call, fingerprint);
        ours = strcmp (fingerprint, note->fingerprint) == 0;
        *mismatch = !ours;
    }
    *number = note->number;
    stored_scenario_free (&found);
    return ours;
}

static void keep_created (creation_t *self, const revision_note_t *note)
{
    admin_call_t *call = self->call;
    char error[STORE_ERROR_BYTES];
    revision_record_t record = {.note = *note,
                                .stored = self->version.stored,
                                .effective = self->version.effective};
    memcpy (record.effective_hash, self->version.effective_hash, sizeof record.effective_hash);
    call->store->add (call->store, admin_call_tenant (call), admin_call_scenario (call), &record,
                      error);
    call->audit = (admin_audit_t){.to_number = note->number,
                                  .to = copy (self->version.effective),
                                  .to_status = copy (self->status),
                                  .reason = copy (self->reason)};
}

static void refuse_existing (admin_call_t *call, bool mismatch)
{
    if (mismatch)
        admin_problem (call->response, 422, "idempotency-key",
                       "The Idempotency-Key was used for another request",
                       "it created this scenario with another body");
    else
        admin_problem (call->response, 409, "exists", "The scenario exists",
                       "tenant %s has a document of scenario %s: change it by POST or PUT",
                       call->tenant, call->match.scenario);
}

static void create (creation_t *self)
{
    admin_call_t *call = self->call;
    char error[STORE_ERROR_BYTES] = "";
    uint64_t number, there = 0;
    bool mismatch = false;
    store_outcome_t outcome = first_number (call, &number, error);
    if (outcome != STORE_OK) {
        admin_store_problem (call, outcome, error);
        return;
    }
    revision_note_t note;
    admin_make_note (call, number, &self->version, self->reason, &note);
    const store_new_t made = {.tenant = admin_call_tenant (call),
                              .scenario = admin_call_scenario (call),
                              .type = self->type,
                              .status = self->status,
                              .stored = self->version.stored,
                              .note = &note};
    outcome = call->store->create (call->store, &made, error);
    bool ours = (outcome == STORE_EXISTS || outcome == STORE_AWAY) &&
                is_ours (call, &there, &mismatch);
    if (outcome == STORE_OK || ours) {
        note.number = ours ? there : number;
        keep_created (self, &note);
        answer_created (self, note.number);
    } else if (outcome == STORE_EXISTS)
        refuse_existing (call, mismatch);
    else
        admin_store_problem (call, outcome, error);
    revision_note_free (&note);
}

void admin_create (admin_call_t *call)
{
    creation_t self = {.call = call};
    stored_scenario_t found;
    char error[STORE_ERROR_BYTES] = "";
    if (read_creation (&self)) {
        if (!scenario_scope_has (call->api->options.scope, admin_call_tenant (call),
                                 admin_call_scenario (call)))
            admin_problem (call->response, 404, "not-found", "There can be no such scenario here",
                           "this configd leaves it to another (--tenant-id, --except)");
        else if (!call->parameters.dry_run)
            create (&self);
        else {
            store_outcome_t outcome =
                call->store->read (call->store, admin_call_tenant (call),
                                   admin_call_scenario (call), NULL, &found, error);
            if (outcome == STORE_OK) {
                stored_scenario_free (&found);
                refuse_existing (call, false);
            } else if (outcome == STORE_ABSENT)
                answer_created (&self, 0);
            else
                admin_store_problem (call, outcome, error);
        }
    }
    scenario_version_free (&self.version);
    free (self.type);
    free (self.status);
    free (self.reason);
}

/*  ---- status ---- */

static void answer_status (admin_call_t *call, const stored_scenario_t *found,
                           const scenario_version_t *version, const char *status, bool changed)
{
    uint64_t number = admin_number_of (call, found, version);
    bool dry = call->parameters.dry_run;
    bool applied = dry || admin_await_applied (call, number, status);
    yyjson_mut_val *root;
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_text (document, root, "status", status);
    admin_put_bool (document, root, "changed", changed);
    admin_put_bool (document, root, "dry_run", dry);
    if (!dry)
        admin_add_applied (call, document, root, number);
    admin_etag (version, status, call->response->etag);
    if (!applied)
        admin_say_where (call, number);
    admin_response_json (call->response, applied ? 200 : 202, document);
}

/*  False: the document has changed meanwhile, try again. */
static bool try_status (admin_call_t *call, const char *status, const char *reason)
{
    stored_scenario_t found;
    scenario_version_t version;
    char etag[ADMIN_ETAG_BYTES + 1], error[STORE_ERROR_BYTES] = "";
    store_outcome_t outcome = STORE_OK;
    if (!admin_read_document (call, &found))
        return true;
    config_errors_t *errors = memory_new (sizeof *errors);
    scenario_version_of (found.stored, &version, errors);
    free (errors);
    admin_etag (&version, found.status, etag);
    bool same = found.status && strcmp (found.status, status) == 0;
    if (call->request->if_match && !admin_etag_matches (call->request->if_match, etag))
        admin_problem (call->response, 412, "precondition-failed", "The document has changed",
                       "If-Match names another state of it: read it again");
    else if (same || call->parameters.dry_run)
        answer_status (call, &found, &version, status, !same);
    else {
        const store_change_t change = {.status = status};
        outcome = call->store->replace (call->store, admin_call_tenant (call),
                                        admin_call_scenario (call), &found, &change, error);
        if (outcome == STORE_OK) {
            free (call->audit.from_status);
            free (call->audit.to_status);
            free (call->audit.reason);
            call->audit.from_status = copy (found.status);
            call->audit.to_status = copy (status);
            call->audit.reason = copy (reason);
            answer_status (call, &found, &version, status, true);
        } else
            admin_store_problem (call, outcome, error);
    }
    stored_scenario_free (&found);
    scenario_version_free (&version);
    return outcome != STORE_LOST;
}

void admin_set_status (admin_call_t *call)
{
    static const char *const known[] = {"status", "reason", NULL};
    admin_errors_t errors = {0};
    admin_check_keys (call->body, "", known, &errors);
    char *reason = admin_body_text (call, "reason", NOTE_TEXT_BYTES_MAX, &errors);
    char *status = admin_body_text (call, "status", WORD_BYTES_MAX, &errors);
    if (!status || (strcmp (status, "active") != 0 && strcmp (status, "paused") != 0))
        admin_errors_add (&errors, "/status", "must be \"active\" or \"paused\"");
    if (errors.count)
        admin_problem_errors (call->response, &errors);
    else
        for (int i = 0; i < ADMIN_ATTEMPTS_MAX && !try_status (call, status, reason); i++)
            continue;
    admin_errors_free (&errors);
    free (status);
    free (reason);
}
