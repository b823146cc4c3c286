/*  admin_change: patch, replace, reset and rollback of a scenario's config, and what they would do
 *  (validate, dry_run).
 *
 *  A change is tried until it is made, or somebody else's is in the way for good: read the
 *  document, compare If-Match, apply, bring the history up to what is there (revision_keep), write
 *  the document with the note of the change, then the history. The write of the document is the
 *  moment at which it is made: it fails where the document is not what was read. Whatever follows
 *  is mended by the keeper, should this process die.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/check.h"
#include "common/clock.h"
#include "configd/admin_api_parts.h"
#include "configd/revision_keep.h"
#include "configd/scenario_diff.h"

typedef struct {
    admin_call_t *call;
    change_kind_t kind;
    yyjson_val *given;        /* of the request or of `rolled` */
    yyjson_doc *rolled;       /* what a rollback goes back to */
    char *reason;
    /* of the present attempt: */
    stored_scenario_t found;
    scenario_version_t present, made;
    bool present_valid;
} change_t;

enum { AGAIN_MS = 100 }; /* after no answer */

typedef enum { DONE, AGAIN } attempt_t;

static void forget_attempt (change_t *self)
{
    stored_scenario_free (&self->found);
    scenario_version_free (&self->present);
    scenario_version_free (&self->made);
}

/*  ---- answers ---- */

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

/*  What the operation made, or would: `number` of the revision (0: not known yet). */
static void answer (change_t *self, bool changed, uint64_t number)
{
    admin_call_t *call = self->call;
    bool dry = call->parameters.dry_run;
    bool applied = dry || !number || admin_await_applied (call, number, NULL);
    yyjson_mut_val *root;
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_bool (document, root, "changed", changed);
    admin_put_bool (document, root, "dry_run", dry);
    if (number)
        admin_put_uint (document, root, "revision", number);
    admin_put_json (document, root, "stored", self->made.stored);
    admin_put_json (document, root, "effective", self->made.effective);
    admin_put (document, root, "changes",
               scenario_diff (document, self->present.effective, self->made.effective));
    if (!dry && number)
        admin_add_applied (call, document, root, number);
    admin_etag (&self->made, self->found.status, call->response->etag);
    if (!applied)
        admin_say_where (call, number);
    admin_response_json (call->response, applied ? 200 : 202, document);
}

/*  The outcome of a request with the same Idempotency-Key. */
static void answer_again (change_t *self, const revision_record_t *record)
{
    admin_call_t *call = self->call;
    char fingerprint[DIGEST_HEX_BYTES + 1];
    admin_fingerprint (call, fingerprint);
    if (strcmp (fingerprint, record->note.fingerprint) != 0) {
        admin_problem (call->response, 422, "idempotency-key",
                       "The Idempotency-Key was used for another request",
                       "it made revision %llu", (unsigned long long)record->note.number);
        return;
    }
    bool applied = admin_await_applied (call, record->note.number, NULL);
    yyjson_mut_val *root;
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_bool (document, root, "changed", true);
    admin_put_bool (document, root, "dry_run", false);
    admin_put_bool (document, root, "repeated", true);
    admin_put_uint (document, root, "revision", record->note.number);
    admin_put_json (document, root, "stored", record->stored);
    admin_put_json (document, root, "effective", record->effective);
    admin_add_applied (call, document, root, record->note.number);
    if (!applied)
        admin_say_where (call, record->note.number);
    admin_response_json (call->response, applied ? 200 : 202, document);
}

/*  ---- one attempt ---- */

/*  Has a request with this Idempotency-Key been answered already? Then that is the answer. */
static bool was_done (change_t *self)
{
    admin_call_t *call = self->call;
    const char *key = call->request->idempotency_key;
    revision_record_t record;
    char error[STORE_ERROR_BYTES] = "";
    if (!key)
        return false;
    store_outcome_t outcome = call->store->by_key (call->store, admin_call_tenant (call),
                                                   admin_call_scenario (call), key, &record, error);
    if (outcome != STORE_OK && outcome != STORE_ABSENT) {
        admin_store_problem (call, outcome, error);
        return true;
    }
    if (outcome == STORE_ABSENT)
        return false;
    bool recent = clock_wall_ms () - record.note.at_ms < ADMIN_KEY_MS;
    if (recent)
        answer_again (self, &record);
    revision_record_free (&record);
    return recent;
}

/*  Reads the document; false with the response. */
static bool read_present (change_t *self)
{
    if (!admin_read_document (self->call, &self->found))
        return false;
    config_errors_t *errors = memory_new (sizeof *errors);
    self->present_valid = scenario_version_of (self->found.stored, &self->present, errors);
    free (errors);
    return true;
}

/*  Applies the change to what was read; false with the response. */
static bool prepare (change_t *self)
{
    admin_call_t *call = self->call;
    char etag[ADMIN_ETAG_BYTES + 1];
    admin_etag (&self->present, self->found.status, etag);
    if (call->request->if_match && !admin_etag_matches (call->request->if_match, etag)) {
        snprintf (call->response->etag, sizeof call->response->etag, "%s", etag);
        admin_problem (call->response, 412, "precondition-failed", "The document has changed",
                       "If-Match names another state of it: read it again");
        return false;
    }
    config_errors_t *errors = memory_new (sizeof *errors);
    bool good =
        scenario_change_apply (self->kind, self->found.stored, self->given, &self->made, errors);
    if (!good) {
        admin_errors_t list = {0};
        admin_errors_of_config (&list, errors, self->made.stored);
        admin_problem_errors (call->response, &list);
        admin_errors_free (&list);
    }
    free (errors);
    return good;
}

/*  Brings the history up to the document as it is; *number: of its newest revision. */
static store_outcome_t keep_present (change_t *self, uint64_t *number, char *error)
{
    admin_call_t *call = self->call;
    board_scenario_t known;
    revision_record_t newest = {0};
    config_board_find (call->board, admin_call_tenant (call), admin_call_scenario (call), true,
                       &known);
    bool published = known.effective && self->present_valid &&
                     strcmp (known.effective, self->present.effective) == 0;
    uint64_t least = known.number + !published; /* as the loop numbers it */
    board_scenario_free (&known);
    const revision_keep_t config = {.tenant = admin_call_tenant (call),
                                    .scenario = admin_call_scenario (call),
                                    .version = &self->present,
                                    .note = self->found.noted ? &self->found.note : NULL,
                                    .least = least,
                                    .read = &self->found,
                                    .wall_ms = clock_wall_ms ()};
    store_outcome_t outcome =
        self->present_valid
            ? revision_keep (call->store, &config, &newest, error)
            : call->store->newest (call->store, config.tenant, config.scenario, &newest, error);
    *number = newest.note.number;
    revision_record_free (&newest);
    return outcome == STORE_ABSENT ? STORE_OK : outcome;
}

/*  The number after all that anybody knows. */
static uint64_t next_number (change_t *self, uint64_t kept)
{
    board_scenario_t known;
    config_board_find (self->call->board, admin_call_tenant (self->call),
                       admin_call_scenario (self->call), false, &known);
    uint64_t number = known.number > kept ? known.number : kept;
    board_scenario_free (&known);
    return number + 1;
}

/*  Puts the revision that was made into the history; the number that it has there. Where that fails
 *  the keeper does it. */
static uint64_t keep_made (change_t *self, const revision_note_t *note)
{
    admin_call_t *call = self->call;
    char error[STORE_ERROR_BYTES];
    revision_record_t record = {.note = *note,
                                .stored = self->made.stored,
                                .effective = self->made.effective};
    memcpy (record.effective_hash, self->made.effective_hash, sizeof record.effective_hash);
    for (int i = 0; i < 5; i++) { /* a number that others took meanwhile is passed over */
        if (call->store->add (call->store, admin_call_tenant (call), admin_call_scenario (call),
                              &record, error) != STORE_EXISTS)
            break;
        record.note.number++;
    }
    return record.note.number;
}

static void note_audit (change_t *self, uint64_t from, uint64_t to)
{
    admin_audit_t *audit = &self->call->audit;
    audit->from_number = from;
    audit->to_number = to;
    audit->from = copy (self->present.effective);
    audit->to = copy (self->made.effective);
    audit->reason = copy (self->reason);
}

/*  Writes the document, then the history. */
static attempt_t make (change_t *self)
{
    admin_call_t *call = self->call;
    char error[STORE_ERROR_BYTES] = "";
    uint64_t kept;
    store_outcome_t outcome = keep_present (self, &kept, error);
    if (outcome == STORE_LOST)
        return AGAIN;
    if (outcome != STORE_OK) {
        admin_store_problem (call, outcome, error);
        return DONE;
    }
    revision_note_t note;
    admin_make_note (call, next_number (self, kept), &self->made, self->reason, &note);
    const store_change_t change = {
        .sets_config = true, .stored = self->made.stored, .note = &note};
    outcome = call->store->replace (call->store, admin_call_tenant (call),
                                    admin_call_scenario (call), &self->found, &change, error);
    if (outcome == STORE_OK) {
        uint64_t number = keep_made (self, &note);
        note_audit (self, kept, number);
        answer (self, true, number);
    } else if (outcome != STORE_LOST && outcome != STORE_AWAY)
        admin_store_problem (call, outcome, error);
    revision_note_free (&note);
    if (outcome == STORE_AWAY) /* perhaps it was written: the next attempt sees */
        admin_store_problem (call, outcome, error);
    return outcome == STORE_LOST || outcome == STORE_AWAY ? AGAIN : DONE;
}

/*  Was the document written by an attempt of this request that got no answer? */
static bool is_ours (const change_t *self)
{
    const revision_note_t *note = &self->found.note;
    return self->found.noted && note->request &&
           strcmp (note->request, self->call->response->request_id) == 0 &&
           strcmp (note->hash, self->present.stored_hash) == 0;
}

/*  Was the document written by an earlier request with this Idempotency-Key, and the history not,
 *  so that was_done did not find it? Then the history is brought up to it first. */
static bool was_half_done (change_t *self)
{
    const char *key = self->call->request->idempotency_key;
    const revision_note_t *note = &self->found.note;
    char error[STORE_ERROR_BYTES];
    uint64_t number;
    if (!key || !self->found.noted || !note->key || strcmp (note->key, key) != 0)
        return false;
    return keep_present (self, &number, error) == STORE_OK && was_done (self);
}

static attempt_t attempt (change_t *self, bool unsure)
{
    admin_call_t *call = self->call;
    bool dry = call->parameters.dry_run;
    if (!dry && was_done (self))
        return DONE;
    if (!read_present (self))
        return unsure && call->response->status == 503 ? AGAIN : DONE;
    if (!unsure && !dry && was_half_done (self))
        return DONE;
    if (unsure && is_ours (self)) {
        scenario_version_free (&self->made);
        config_errors_t *errors = memory_new (sizeof *errors);
        CHECK (scenario_version_of (self->found.stored, &self->made, errors));
        free (errors);
        uint64_t number = keep_made (self, &self->found.note);
        note_audit (self, number - 1, number);
        answer (self, true, number);
        return DONE;
    }
    if (!prepare (self))
        return DONE;
    bool same = self->present_valid &&
                strcmp (self->present.effective_hash, self->made.effective_hash) == 0;
    if (same || dry) {
        uint64_t number = same ? admin_number_of (call, &self->found, &self->present) : 0;
        answer (self, !same, number);
        return DONE;
    }
    return make (self);
}

/*  ---- what is asked for ---- */

/*  A rollback: the config of an earlier revision is the whole of the new one. */
static bool read_rollback (change_t *self, admin_errors_t *errors)
{
    admin_call_t *call = self->call;
    yyjson_val *value = yyjson_obj_get (call->body, "revision");
    revision_record_t record;
    char error[STORE_ERROR_BYTES] = "", reason[64];
    if (!yyjson_is_uint (value) || !yyjson_get_uint (value)) {
        admin_errors_add (errors, "/revision", "must be the number of a revision");
        return true;
    }
    uint64_t number = yyjson_get_uint (value);
    store_outcome_t outcome =
        call->store->revision (call->store, admin_call_tenant (call), admin_call_scenario (call),
                               number > INT64_MAX ? INT64_MAX : number, &record, error);
    if (outcome != STORE_OK) {
        if (outcome == STORE_ABSENT)
            admin_problem (call->response, 404, "no-such-revision", "There is no such revision",
                           "scenario %s of tenant %s has no revision %llu", call->match.scenario,
                           call->tenant, (unsigned long long)number);
        else
            admin_store_problem (call, outcome, error);
        return false;
    }
    snprintf (reason, sizeof reason, "rollback to revision %llu", (unsigned long long)number);
    if (!self->reason)
        self->reason = copy (reason);
    self->kind = record.stored ? CHANGE_REPLACE : CHANGE_RESET;
    self->rolled = record.stored
                       ? yyjson_read (record.stored, strlen (record.stored), YYJSON_READ_NOFLAG)
                       : NULL;
    self->given = yyjson_doc_get_root (self->rolled);
    revision_record_free (&record);
    return true;
}

/*  False with the response. */
static bool read_request (change_t *self)
{
    static const char *const of_change[] = {"config", "reason", NULL};
    static const char *const of_rollback[] = {"revision", "reason", NULL};
    admin_call_t *call = self->call;
    admin_errors_t errors = {0};
    admin_operation_t operation = call->match.operation;
    bool good = true;
    self->kind = operation == ADMIN_REPLACE ? CHANGE_REPLACE
                 : operation == ADMIN_RESET ? CHANGE_RESET
                                            : CHANGE_PATCH;
    if (operation == ADMIN_RESET)
        self->reason = *call->parameters.reason ? copy (call->parameters.reason) : NULL;
    else {
        admin_check_keys (call->body, "", operation == ADMIN_ROLLBACK ? of_rollback : of_change,
                          &errors);
        self->reason = admin_body_text (call, "reason", NOTE_TEXT_BYTES_MAX, &errors);
        if (operation == ADMIN_ROLLBACK)
            good = read_rollback (self, &errors);
        else
            self->given = admin_body_config (call, &errors);
    }
    if (good && errors.count) {
        admin_problem_errors (call->response, &errors);
        good = false;
    }
    admin_errors_free (&errors);
    return good;
}

void admin_change (admin_call_t *call)
{
    change_t self = {.call = call};
    int64_t until_ms = clock_ms () + ADMIN_CHANGE_MS;
    if (read_request (&self)) {
        attempt_t outcome = AGAIN;
        bool unsure = false;
        for (int i = 0; i < ADMIN_ATTEMPTS_MAX && outcome == AGAIN; i++) {
            forget_attempt (&self);
            outcome = attempt (&self, unsure);
            unsure |= call->response->status == 503;
            if (outcome == AGAIN && clock_ms () > until_ms)
                break;
            if (outcome == AGAIN && unsure)
                usleep (AGAIN_MS * 1000);
        }
        if (outcome == AGAIN && call->response->status != 503)
            admin_store_problem (call, STORE_LOST, "others were faster each time");
    }
    forget_attempt (&self);
    yyjson_doc_free (self.rolled);
    free (self.reason);
}

/*  ---- validate ---- */

void admin_validate (admin_call_t *call)
{
    static const char *const known[] = {"config", "reason", NULL};
    change_t self = {.call = call};
    admin_errors_t errors = {0};
    config_errors_t *wrong = memory_new (sizeof *wrong);
    admin_check_keys (call->body, "", known, &errors);
    self.given = admin_body_config (call, &errors);
    if (admin_read_document (call, &self.found)) {
        scenario_version_of (self.found.stored, &self.present, wrong);
        wrong->count = 0;
        if (self.given &&
            !scenario_change_apply (CHANGE_PATCH, self.found.stored, self.given, &self.made, wrong))
            admin_errors_of_config (&errors, wrong, self.made.stored);
        yyjson_mut_val *root;
        yyjson_mut_doc *document = admin_begin (&root);
        admin_put_bool (document, root, "valid", !errors.all);
        admin_put (document, root, "errors", admin_errors_write (&errors, document));
        if (!errors.all) {
            admin_put_json (document, root, "effective", self.made.effective);
            admin_put (document, root, "changes",
                       scenario_diff (document, self.present.effective, self.made.effective));
        }
        admin_response_json (call->response, 200, document);
    }
    admin_errors_free (&errors);
    forget_attempt (&self);
    free (wrong);
}
