/*  admin_read: the operations of the admin API that change nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/clock.h"
#include "common/percent.h"
#include "configd/admin_api_parts.h"
#include "configd/openapi_text.h"
#include "configd/scenario_diff.h"

static const char *state_name (source_state_t state)
{
    static const char *const names[] = {"absent", "valid", "invalid", "conflict"};
    return names[state];
}

/*  ---- list ---- */

typedef struct {
    admin_call_t *call;
    yyjson_mut_doc *document;
    yyjson_mut_val *list;
    uint32_t count;
    buffer_t next; /* of the last one on the page, where there are more */
    bool more;
} page_t;

static void put_standing (yyjson_mut_doc *to, yyjson_mut_val *object,
                          const board_scenario_t *scenario)
{
    admin_put_text (to, object, "document", state_name (scenario->state));
    if (!scenario->reason)
        return;
    yyjson_mut_val *problem = yyjson_mut_obj (to);
    admin_put_text (to, problem, "path", scenario->path);
    admin_put_text (to, problem, "detail", scenario->reason);
    admin_put_uint (to, problem, "errors", scenario->errors);
    admin_put (to, object, "problem", problem);
}

static bool is_wanted (const page_t *page, const board_scenario_t *scenario)
{
    const admin_call_t *call = page->call;
    const admin_parameters_t *parameters = &call->parameters;
    span_t tenant = span_of (scenario->tenant);
    const char *only = *parameters->tenant ? parameters->tenant : call->tenant;
    if (!admin_caller_sees (&call->caller, tenant) || (*only && strcmp (only, scenario->tenant)))
        return false;
    return !*parameters->status ||
           (scenario->status && strcmp (scenario->status, parameters->status) == 0);
}

static bool list_one (void *arg, const board_scenario_t *scenario)
{
    page_t *self = arg;
    if (!is_wanted (self, scenario))
        return true;
    if (self->count == self->call->parameters.limit) {
        self->more = true;
        return false;
    }
    yyjson_mut_doc *to = self->document;
    yyjson_mut_val *object = yyjson_mut_arr_add_obj (to, self->list);
    CHECK (object);
    admin_put_text (to, object, "tenant_id", scenario->tenant);
    admin_put_text (to, object, "scenario_id", scenario->scenario);
    admin_put_text (to, object, "status", scenario->status);
    admin_put_bool (to, object, "active", scenario->active);
    if (scenario->published) {
        admin_put_uint (to, object, "revision", scenario->number);
        admin_put_uint (to, object, "era", scenario->era);
    }
    put_standing (to, object, scenario);
    buffer_clear (&self->next);
    percent_encode (span_of (scenario->tenant), &self->next);
    buffer_append (&self->next, "/", 1);
    percent_encode (span_of (scenario->scenario), &self->next);
    self->count++;
    return true;
}

/*  Link of the next page: the same query with another "after". */
static char *link_of (const admin_call_t *call, span_t next)
{
    const admin_parameters_t *parameters = &call->parameters;
    buffer_t text = {0};
    char limit[32];
    snprintf (limit, sizeof limit, "?limit=%u", parameters->limit);
    buffer_append (&text, "</api/v1/scenarios", 18);
    buffer_append (&text, limit, strlen (limit));
    const char *const filters[][2] = {{"&tenant=", parameters->tenant},
                                      {"&status=", parameters->status}};
    for (size_t i = 0; i < 2; i++)
        if (*filters[i][1]) {
            buffer_append (&text, filters[i][0], 8);
            percent_encode (span_of (filters[i][1]), &text);
        }
    buffer_append (&text, "&after=", 7);
    percent_encode (next, &text);
    buffer_append (&text, ">; rel=\"next\"", 14);
    return (char *)text.bytes;
}

void admin_list (admin_call_t *call)
{
    page_t page = {.call = call};
    yyjson_mut_val *root;
    bool ready, away;
    const admin_parameters_t *parameters = &call->parameters;
    bool after = *parameters->after_tenant != '\0';
    if (*parameters->tenant &&
        !admin_caller_sees (&call->caller, span_of (parameters->tenant))) {
        admin_problem (call->response, 403, "forbidden", "The token is not of this tenant",
                       "tenant %s is none of the token's", parameters->tenant);
        return;
    }
    page.document = admin_begin (&root);
    page.list = yyjson_mut_arr (page.document);
    config_board_each (call->board, after ? span_of (parameters->after_tenant) : (span_t){0},
                       after ? span_of (parameters->after_scenario) : (span_t){0}, list_one, &page);
    config_board_health (call->board, &ready, &away);
    admin_put (page.document, root, "scenarios", page.list);
    admin_put_bool (page.document, root, "complete", ready);
    span_t next = {(const char *)page.next.bytes, page.next.size};
    if (page.more) {
        admin_put_span (page.document, root, "next", next);
        call->response->link = link_of (call, next);
    }
    buffer_free (&page.next);
    admin_response_json (call->response, 200, page.document);
}

/*  ---- one ---- */

/*  What is known without the store: when that does not answer. */
static void read_from_board (admin_call_t *call, const board_scenario_t *known)
{
    yyjson_mut_val *root;
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_text (document, root, "status", known->status);
    admin_put_bool (document, root, "active", known->active);
    admin_put_uint (document, root, "revision", known->number);
    admin_put_uint (document, root, "era", known->era);
    put_standing (document, root, known);
    admin_put_json (document, root, "effective", known->effective);
    admin_put_text (document, root, "store", call->store->name);
    admin_put_bool (document, root, "store_answers", false);
    admin_add_applied (call, document, root, known->number);
    admin_response_json (call->response, 200, document);
}

static void put_note (yyjson_mut_doc *to, yyjson_mut_val *object, const revision_note_t *note)
{
    char at[NOTE_TIME_BYTES];
    yyjson_mut_val *change = yyjson_mut_obj (to);
    note_time_write (note->at_ms, at);
    admin_put_uint (to, change, "revision", note->number);
    admin_put_text (to, change, "time", at);
    admin_put_text (to, change, "author", note->author);
    admin_put_text (to, change, "reason", note->reason);
    admin_put (to, object, "change", change);
}

static void read_document (admin_call_t *call, const board_scenario_t *known,
                           const stored_scenario_t *found)
{
    scenario_version_t version;
    config_errors_t *errors = memory_new (sizeof *errors);
    bool valid = scenario_version_of (found->stored, &version, errors);
    uint64_t number = valid ? admin_number_of (call, found, &version) : known->number;
    yyjson_mut_val *root;
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_text (document, root, "scenario_type", found->type);
    admin_put_text (document, root, "status", found->status);
    admin_put_bool (document, root, "active", known->active);
    admin_put_uint (document, root, "revision", number);
    admin_put_uint (document, root, "era", known->era);
    admin_put_text (document, root, "document", valid ? "valid" : "invalid");
    if (!valid) {
        admin_errors_t list = {0};
        admin_errors_of_config (&list, errors, found->stored);
        admin_put (document, root, "errors", admin_errors_write (&list, document));
        admin_errors_free (&list);
    }
    admin_put_json (document, root, "stored", found->stored);
    admin_put_json (document, root, "effective", valid ? version.effective : known->effective);
    if (found->noted && strcmp (found->note.hash, version.stored_hash) == 0)
        put_note (document, root, &found->note);
    admin_put_text (document, root, "store", call->store->name);
    admin_put_bool (document, root, "store_answers", true);
    admin_add_applied (call, document, root, number);
    admin_etag (&version, found->status, call->response->etag);
    admin_put_text (document, root, "etag", call->response->etag);
    admin_response_json (call->response, 200, document);
    scenario_version_free (&version);
    free (errors);
}

void admin_read (admin_call_t *call)
{
    board_scenario_t known;
    stored_scenario_t found;
    config_board_find (call->board, admin_call_tenant (call), admin_call_scenario (call), true,
                       &known);
    if (admin_read_document (call, &found)) {
        read_document (call, &known, &found);
        stored_scenario_free (&found);
    } else if (known.published && (call->response->status >= 500 ||
                                   (call->response->status == 409 && known.effective)))
        read_from_board (call, &known);
    board_scenario_free (&known);
}

/*  ---- history ---- */

static void history_problem (admin_call_t *call, store_outcome_t outcome, const char *error,
                             uint64_t number)
{
    if (outcome == STORE_ABSENT)
        admin_problem (call->response, 404, "no-such-revision", "There is no such revision",
                       "scenario %s of tenant %s has no revision %llu", call->match.scenario,
                       call->tenant, (unsigned long long)number);
    else
        admin_store_problem (call, outcome, error);
}

void admin_revisions (admin_call_t *call)
{
    revision_record_t *records = memory_new_array (STORE_PAGE_MAX, sizeof *records);
    char error[STORE_ERROR_BYTES] = "";
    uint32_t count = call->parameters.limit;
    yyjson_mut_val *root;
    store_outcome_t outcome =
        call->store->revisions (call->store, admin_call_tenant (call), admin_call_scenario (call),
                                call->parameters.below, records, &count, error);
    if (outcome != STORE_OK) {
        admin_store_problem (call, outcome, error);
        free (records);
        return;
    }
    yyjson_mut_doc *document = admin_begin (&root);
    yyjson_mut_val *list = yyjson_mut_arr (document);
    for (uint32_t i = 0; i < count; i++) {
        CHECK (yyjson_mut_arr_append (list, admin_write_record (document, &records[i], false)));
        if (i + 1 == call->parameters.limit && records[i].note.number > 1)
            admin_put_uint (document, root, "next_below", records[i].note.number);
        revision_record_free (&records[i]);
    }
    admin_put (document, root, "revisions", list);
    admin_response_json (call->response, 200, document);
    free (records);
}

void admin_revision (admin_call_t *call)
{
    revision_record_t record;
    char error[STORE_ERROR_BYTES] = "";
    store_outcome_t outcome =
        call->store->revision (call->store, admin_call_tenant (call), admin_call_scenario (call),
                               call->match.number, &record, error);
    if (outcome != STORE_OK) {
        history_problem (call, outcome, error, call->match.number);
        return;
    }
    yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
    yyjson_mut_doc_set_root (document, admin_write_record (document, &record, true));
    revision_record_free (&record);
    admin_response_json (call->response, 200, document);
}

/*  The effective config that a side of a diff names; false with the problem. The caller's. */
static bool find_side (admin_call_t *call, const char *name, char **effective, uint64_t *number)
{
    char error[STORE_ERROR_BYTES] = "";
    revision_record_t record = {0};
    store_outcome_t outcome;
    *number = 0;
    if (strcmp (name, "defaults") == 0) {
        scenario_version_t version;
        config_errors_t *errors = memory_new (sizeof *errors);
        CHECK (scenario_version_of (NULL, &version, errors));
        *effective = memory_copy_string (version.effective, strlen (version.effective));
        scenario_version_free (&version);
        free (errors);
        return true;
    }
    if (strcmp (name, "current") == 0)
        outcome = call->store->newest (call->store, admin_call_tenant (call),
                                       admin_call_scenario (call), &record, error);
    else
        outcome = call->store->revision (call->store, admin_call_tenant (call),
                                         admin_call_scenario (call), strtoull (name, NULL, 10),
                                         &record, error);
    if (outcome != STORE_OK) {
        history_problem (call, outcome, error, strtoull (name, NULL, 10));
        return false;
    }
    *effective = record.effective;
    *number = record.note.number;
    record.effective = NULL;
    revision_record_free (&record);
    return true;
}

void admin_diff (admin_call_t *call)
{
    const admin_parameters_t *parameters = &call->parameters;
    char *to = NULL, *from = NULL, before[32];
    uint64_t to_number = 0, from_number = 0;
    bool good = find_side (call, *parameters->to ? parameters->to : "current", &to, &to_number);
    /* Without "from": what the revision itself changed. */
    snprintf (before, sizeof before, "%llu",
              (unsigned long long)(to_number > 1 ? to_number - 1 : to_number));
    if (good && *parameters->from)
        good = find_side (call, parameters->from, &from, &from_number);
    else if (good)
        good = find_side (call, to_number > 1 ? before : "defaults", &from, &from_number);
    if (good) {
        yyjson_mut_val *root;
        yyjson_mut_doc *document = admin_begin (&root);
        admin_put_uint (document, root, "from", from_number);
        admin_put_uint (document, root, "to", to_number);
        admin_put (document, root, "changes", scenario_diff (document, from, to));
        admin_response_json (call->response, 200, document);
    }
    free (from);
    free (to);
}

/*  ---- who runs it ---- */

void admin_applied (admin_call_t *call)
{
    board_scenario_t known;
    yyjson_mut_val *root;
    bool there = config_board_find (call->board, admin_call_tenant (call),
                                    admin_call_scenario (call), false, &known);
    uint64_t number = call->parameters.has_revision ? call->parameters.revision : known.number;
    board_scenario_free (&known);
    if (!there) {
        admin_store_problem (call, STORE_ABSENT, "");
        return;
    }
    bool applied = admin_await_applied (call, number, NULL);
    yyjson_mut_doc *document = admin_begin_scenario (call, &root);
    admin_put_applied (call, document, root, number);
    admin_response_json (call->response, applied ? 200 : 202, document);
}

typedef struct {
    yyjson_mut_doc *document;
    yyjson_mut_val *list;
} processes_t;

static void list_process (void *arg, const applied_process_t *process)
{
    static const char *const roles[] = {"other", "scorer", "metrics", "profiler"};
    processes_t *self = arg;
    yyjson_mut_doc *to = self->document;
    yyjson_mut_val *object = yyjson_mut_arr_add_obj (to, self->list);
    CHECK (object);
    admin_put_text (to, object, "process", process->process);
    admin_put_text (to, object, "role", roles[process->role]);
    admin_put_uint (to, object, "incarnation", process->process_incarnation);
    admin_put_uint (to, object, "sequence", process->sequence);
    admin_put_bool (to, object, "behind", process->behind);
    admin_put_uint (to, object, "shards_owned", process->shards_owned);
    admin_put_uint (to, object, "shards", process->shard_count);
    admin_put_uint (to, object, "silent_ms", (uint64_t)process->silent_ms);
}

void admin_processes (admin_call_t *call)
{
    yyjson_mut_val *root;
    config_applied_t applied;
    processes_t processes = {.document = admin_begin (&root)};
    processes.list = yyjson_mut_arr (processes.document);
    config_board_count (call->board, clock_ms (), &applied);
    config_board_processes (call->board, clock_ms (), list_process, &processes);
    admin_put_uint (processes.document, root, "sequence", applied.sequence);
    admin_put_uint (processes.document, root, "behind", applied.behind);
    admin_put (processes.document, root, "processes", processes.list);
    admin_response_json (call->response, 200, processes.document);
}

void admin_openapi (admin_call_t *call)
{
    span_t text = openapi_text ();
    buffer_append (&call->response->body, text.bytes, text.size);
    call->response->status = 200;
    call->response->type = "application/json";
}
