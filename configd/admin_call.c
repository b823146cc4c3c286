/*  admin_call: what the operations of the admin API share; see admin_api_parts.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/clock.h"
#include "common/json_text.h"
#include "common/percent.h"
#include "configd/admin_api_parts.h"

enum { RETRY_AFTER_S = 5, SAY_BYTES_MAX = 64 };

/*  ---- etags ---- */

void admin_etag (const scenario_version_t *version, const char *status,
                 char etag[ADMIN_ETAG_BYTES + 1])
{
    buffer_t text = {0};
    char hex[DIGEST_HEX_BYTES + 1];
    buffer_append (&text, version->stored_hash, strlen (version->stored_hash));
    buffer_append (&text, "\n", 1);
    if (status)
        buffer_append (&text, status, strlen (status));
    digest_hex ((span_t){(const char *)text.bytes, text.size}, hex);
    buffer_free (&text);
    memcpy (etag, hex, ADMIN_ETAG_BYTES);
    etag[ADMIN_ETAG_BYTES] = '\0';
}

bool admin_etag_matches (const char *if_match, const char *etag)
{
    size_t size = strlen (etag);
    for (const char *at = if_match; *at;) {
        at += strspn (at, " \t,");
        if (strcmp (at, "*") == 0)
            return true;
        /* a weak tag (W/) never matches here (RFC 9110, 13.1.1) */
        if (at[0] == '"' && strncmp (at + 1, etag, size) == 0 && at[1 + size] == '"')
            return true;
        at += strcspn (at, ",");
    }
    return false;
}

/*  ---- the store ---- */

void admin_store_problem (admin_call_t *call, store_outcome_t outcome, const char *error)
{
    admin_response_t *response = call->response;
    switch (outcome) {
    case STORE_ABSENT:
        admin_problem (response, 404, "not-found", "There is no such scenario",
                       "tenant %s has no document of scenario %s: create it by POST "
                       "/api/v1/scenarios",
                       call->tenant, call->match.scenario);
        break;
    case STORE_CONFLICT:
        admin_problem (response, 409, "conflict", "The document cannot be changed", "%s", error);
        break;
    case STORE_TOO_LARGE:
        admin_problem (response, 409, "document-too-large",
                       "The document has no room for the change",
                       "%s; other services' data in it leave no room", error);
        break;
    case STORE_LOST:
    case STORE_EXISTS:
        admin_problem (response, 409, "conflict", "Others change the document all the time", "%s",
                       error);
        break;
    case STORE_REFUSED:
        admin_problem (response, 503, "store-refused", "The store does not accept the change", "%s",
                       error);
        break;
    default:
        response->retry_after_s = RETRY_AFTER_S;
        admin_problem (response, 503, "store-away", "The store does not answer now",
                       "%s; what runs goes on; a change may have been made or not: ask, or repeat "
                       "the request with the same Idempotency-Key",
                       error);
    }
}

bool admin_read_document (admin_call_t *call, stored_scenario_t *found)
{
    char error[STORE_ERROR_BYTES] = "";
    board_scenario_t known;
    *found = (stored_scenario_t){0};
    config_board_find (call->board, admin_call_tenant (call), admin_call_scenario (call), false,
                       &known);
    store_outcome_t outcome = STORE_CONFLICT;
    if (known.state == SOURCE_CONFLICT)
        snprintf (error, sizeof error, "%s", known.reason ? known.reason : "");
    else
        outcome = call->store->read (call->store, admin_call_tenant (call),
                                     admin_call_scenario (call), known.source, found, error);
    board_scenario_free (&known);
    if (outcome == STORE_OK)
        return true;
    admin_store_problem (call, outcome, error);
    return false;
}

uint64_t admin_number_of (admin_call_t *call, const stored_scenario_t *found,
                          const scenario_version_t *version)
{
    board_scenario_t known;
    revision_record_t newest;
    char error[STORE_ERROR_BYTES];
    uint64_t number = 0;
    if (!version->effective)
        return 0;
    config_board_find (call->board, admin_call_tenant (call), admin_call_scenario (call), true,
                       &known);
    bool published = known.effective && strcmp (known.effective, version->effective) == 0;
    if (published)
        number = known.number;
    else if (found->noted && strcmp (found->note.hash, version->stored_hash) == 0)
        number = found->note.number;
    else if (call->store->newest (call->store, admin_call_tenant (call),
                                  admin_call_scenario (call), &newest, error) == STORE_OK) {
        if (strcmp (newest.effective_hash, version->effective_hash) == 0)
            number = newest.note.number;
        revision_record_free (&newest);
    }
    board_scenario_free (&known);
    return number;
}

/*  ---- answers ---- */

yyjson_mut_doc *admin_begin (yyjson_mut_val **root)
{
    yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
    CHECK (document);
    *root = yyjson_mut_obj (document);
    yyjson_mut_doc_set_root (document, *root);
    return document;
}

yyjson_mut_doc *admin_begin_scenario (const admin_call_t *call, yyjson_mut_val **root)
{
    yyjson_mut_doc *document = admin_begin (root);
    admin_put_text (document, *root, "tenant_id", call->tenant);
    admin_put_text (document, *root, "scenario_id", call->match.scenario);
    return document;
}

/*  ---- applied ---- */

bool admin_put_applied (admin_call_t *call, yyjson_mut_doc *to, yyjson_mut_val *object,
                        uint64_t number)
{
    board_applied_t state;
    config_board_applied (call->board, admin_call_tenant (call), admin_call_scenario (call),
                          number, clock_ms (), &state);
    const applied_verdict_t *verdict = &state.verdict;
    admin_put_bool (to, object, "applied", verdict->applied);
    admin_put_uint (to, object, "revision", number);
    if (state.published) {
        admin_put_uint (to, object, "published", state.number);
        admin_put_uint (to, object, "era", state.era);
        admin_put_uint (to, object, "processes", verdict->processes);
        admin_put_uint (to, object, "behind", verdict->behind);
        admin_put_uint (to, object, "unwritten", verdict->unwritten);
        admin_put_uint (to, object, "unowned_shards", verdict->unowned);
    }
    return verdict->applied;
}

void admin_add_applied (admin_call_t *call, yyjson_mut_doc *to, yyjson_mut_val *root,
                        uint64_t number)
{
    yyjson_mut_val *state = yyjson_mut_obj (to);
    admin_put_applied (call, to, state, number);
    admin_put (to, root, "applied", state);
}

bool admin_await_applied (admin_call_t *call, uint64_t number, const char *status)
{
    board_applied_t state;
    uint64_t seen = 0;
    int64_t until_ms = clock_ms () + call->parameters.timeout_ms;
    if (!call->parameters.wait)
        return true;
    for (bool going = true;;) {
        config_board_applied (call->board, admin_call_tenant (call), admin_call_scenario (call),
                              number, clock_ms (), &state);
        bool as_said = !status || state.active == (strcmp (status, "active") == 0);
        if (state.verdict.applied && as_said)
            return true;
        if (!going)
            return false;
        going = config_board_wait (call->board, &seen, until_ms);
    }
}

void admin_say_where (admin_call_t *call, uint64_t number)
{
    buffer_t text = {0};
    char rest[64];
    snprintf (rest, sizeof rest, "/applied?revision=%llu", (unsigned long long)number);
    buffer_append (&text, "/api/v1/scenarios/", 18);
    percent_encode (admin_call_scenario (call), &text);
    buffer_append (&text, rest, strlen (rest) + 1);
    free (call->response->location);
    call->response->location = (char *)text.bytes;
}

/*  ---- the body ---- */

void admin_check_keys (yyjson_val *object, const char *pointer, const char *const *known,
                       admin_errors_t *errors)
{
    size_t index, count;
    yyjson_val *key, *value;
    buffer_t list = {0};
    for (size_t i = 0; known[i]; i++) {
        buffer_append (&list, ", ", i ? 2 : 0);
        buffer_append (&list, known[i], strlen (known[i]));
    }
    yyjson_obj_foreach (object, index, count, key, value)
    {
        size_t i = 0;
        while (known[i] && !yyjson_equals_str (key, known[i]))
            i++;
        if (known[i])
            continue;
        buffer_t at = {0};
        size_t shown = yyjson_get_len (key) < SAY_BYTES_MAX ? yyjson_get_len (key) : SAY_BYTES_MAX;
        buffer_append (&at, pointer, strlen (pointer));
        json_text_point (&at, (span_t){yyjson_get_str (key), shown});
        buffer_append (&at, "", 1);
        admin_errors_add (errors, (const char *)at.bytes, "unknown key; known: %.*s",
                          (int)list.size, (const char *)list.bytes);
        buffer_free (&at);
    }
    buffer_free (&list);
}

char *admin_body_text (admin_call_t *call, const char *key, size_t most, admin_errors_t *errors)
{
    char pointer[SAY_BYTES_MAX];
    snprintf (pointer, sizeof pointer, "/%s", key);
    yyjson_val *value = yyjson_obj_get (call->body, key);
    size_t size = yyjson_get_len (value);
    if (!value || yyjson_is_null (value))
        return NULL;
    const char *text = yyjson_get_str (value);
    if (text && size >= 1 && size <= most && !memchr (text, 0, size))
        return memory_copy_string (text, size);
    admin_errors_add (errors, pointer, "must be a string of 1 to %zu bytes", most);
    return NULL;
}

yyjson_val *admin_body_config (admin_call_t *call, admin_errors_t *errors)
{
    static const char *const known[] = {"realtime_compute", NULL};
    yyjson_val *config = yyjson_obj_get (call->body, "config");
    if (!config) {
        admin_errors_add (errors, "/config", "is absent: {\"config\": {\"realtime_compute\": …}}");
        return NULL;
    }
    if (!yyjson_is_obj (config)) {
        admin_errors_add (errors, "/config", "must be an object");
        return NULL;
    }
    admin_check_keys (config, "/config", known, errors);
    yyjson_val *compute = yyjson_obj_get (config, "realtime_compute");
    if (!compute)
        admin_errors_add (errors, "/config/realtime_compute", "is absent");
    return compute;
}

/*  ---- notes ---- */

void admin_fingerprint (const admin_call_t *call, char hex[DIGEST_HEX_BYTES + 1])
{
    buffer_t text = {0};
    const char *parts[] = {call->request->method, call->request->path, call->tenant};
    for (size_t i = 0; i < 3; i++)
        buffer_append (&text, parts[i], strlen (parts[i]) + 1);
    buffer_append (&text, call->request->body.bytes, call->request->body.size);
    digest_hex ((span_t){(const char *)text.bytes, text.size}, hex);
    buffer_free (&text);
}

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

void admin_make_note (const admin_call_t *call, uint64_t number, const scenario_version_t *version,
                      const char *reason, revision_note_t *note)
{
    *note = (revision_note_t){.number = number,
                              .at_ms = clock_wall_ms (),
                              .author = copy (call->caller.name),
                              .reason = reason ? revision_note_text (span_of (reason)) : NULL,
                              .from = copy (call->request->peer),
                              .request = copy (call->response->request_id),
                              .key = copy (call->request->idempotency_key)};
    memcpy (note->hash, version->stored_hash, sizeof note->hash);
    if (note->key)
        admin_fingerprint (call, note->fingerprint);
}

yyjson_mut_val *admin_write_record (yyjson_mut_doc *to, const revision_record_t *record, bool whole)
{
    char at[NOTE_TIME_BYTES];
    const revision_note_t *note = &record->note;
    yyjson_mut_val *object = yyjson_mut_obj (to);
    note_time_write (note->at_ms, at);
    admin_put_uint (to, object, "revision", note->number);
    admin_put_text (to, object, "time", at);
    admin_put_text (to, object, "author", note->author);
    admin_put_text (to, object, "from", note->from);
    admin_put_text (to, object, "reason", note->reason);
    admin_put_text (to, object, "request", note->request);
    admin_put_text (to, object, "hash", record->effective_hash);
    if (whole) {
        admin_put_json (to, object, "stored", record->stored);
        admin_put_json (to, object, "effective", record->effective);
    }
    return object;
}
