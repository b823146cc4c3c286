/*  mongo_history: the history of mongo_store.h: one document a revision in scenario_revisions:
 *
 *      {tenant_id, scenario_id, number, time, author, reason, from, request, idempotency_key,
 *       fingerprint, realtime_compute: as stored (absent: none), stored_hash,
 *       effective: with all defaults, hash: of effective}
 */
#include "configd/mongo_store_parts.h"

#include <stdio.h>
#include "common/check.h"
#include "configd/mongo_value.h"

/*  ---- records ---- */

static void put_text (bson_t *to, const char *key, const char *text)
{
    if (text && *text)
        CHECK (bson_append_utf8 (to, key, -1, text, -1));
}

static void put_ids (bson_t *to, span_t tenant, span_t scenario)
{
    CHECK (bson_append_utf8 (to, "tenant_id", -1, tenant.bytes, (int)tenant.size));
    CHECK (bson_append_utf8 (to, "scenario_id", -1, scenario.bytes, (int)scenario.size));
}

static bool write_record (bson_t *to, span_t tenant, span_t scenario,
                          const revision_record_t *record)
{
    const revision_note_t *note = &record->note;
    put_ids (to, tenant, scenario);
    CHECK (BSON_APPEND_INT64 (to, "number", (int64_t)note->number));
    CHECK (BSON_APPEND_DATE_TIME (to, "time", note->at_ms));
    put_text (to, "author", note->author);
    put_text (to, "reason", note->reason);
    put_text (to, "from", note->from);
    put_text (to, "request", note->request);
    put_text (to, "idempotency_key", note->key);
    put_text (to, "fingerprint", note->fingerprint);
    put_text (to, "stored_hash", note->hash);
    put_text (to, "hash", record->effective_hash);
    bool good = !record->stored || mongo_value_append (to, "realtime_compute", record->stored);
    return good && mongo_value_append (to, "effective", record->effective);
}

static void read_hash (const bson_t *document, const char *key, char hash[DIGEST_HEX_BYTES + 1])
{
    char *text = mongo_value_string (document, key);
    snprintf (hash, DIGEST_HEX_BYTES + 1, "%s", text ? text : "");
    free (text);
}

static void read_record (const bson_t *document, revision_record_t *record)
{
    bson_iter_t iter;
    revision_note_t *note = &record->note;
    *record = (revision_record_t){0};
    if (bson_iter_init_find (&iter, document, "number"))
        note->number = (uint64_t)bson_iter_as_int64 (&iter);
    if (bson_iter_init_find (&iter, document, "time") && BSON_ITER_HOLDS_DATE_TIME (&iter))
        note->at_ms = bson_iter_date_time (&iter);
    note->author = mongo_value_string (document, "author");
    note->reason = mongo_value_string (document, "reason");
    note->from = mongo_value_string (document, "from");
    note->request = mongo_value_string (document, "request");
    note->key = mongo_value_string (document, "idempotency_key");
    read_hash (document, "fingerprint", note->fingerprint);
    read_hash (document, "stored_hash", note->hash);
    read_hash (document, "hash", record->effective_hash);
    record->stored = mongo_value_text (document, "realtime_compute");
    record->effective = mongo_value_text (document, "effective");
}

/*  ---- reading ---- */

/*  Up to *count of those that match, the newest first. Takes the filter. */
static store_outcome_t find (scenario_store_t *store, bson_t *filter, revision_record_t *records,
                             uint32_t *count, char *error)
{
    mongo_store_t *self = mongo_store_of (store);
    mongo_call_t call;
    bson_error_t failure;
    const bson_t *document;
    uint32_t most = *count;
    *count = 0;
    store_outcome_t outcome = mongo_call_begin (self, MONGO_REVISIONS, &call, error);
    if (outcome == STORE_OK) {
        bson_t *options = BCON_NEW ("sort", "{", "number", BCON_INT32 (-1), "}", "limit",
                                    BCON_INT64 (most), "maxTimeMS", BCON_INT64 (MONGO_WRITTEN_MS));
        mongoc_cursor_t *cursor =
            mongoc_collection_find_with_opts (call.collection, filter, options, NULL);
        while (*count < most && mongoc_cursor_next (cursor, &document))
            read_record (document, &records[(*count)++]);
        if (mongoc_cursor_error (cursor, &failure)) {
            outcome = mongo_link_outcome (&failure, error);
            while (*count)
                revision_record_free (&records[--*count]);
        }
        mongoc_cursor_destroy (cursor);
        bson_destroy (options);
    }
    mongo_call_end (self, &call);
    bson_destroy (filter);
    return outcome;
}

static store_outcome_t find_only (scenario_store_t *store, bson_t *filter,
                                  revision_record_t *record, char *error)
{
    uint32_t count = 1;
    store_outcome_t outcome = find (store, filter, record, &count, error);
    if (outcome != STORE_OK || count)
        return outcome;
    snprintf (error, STORE_ERROR_BYTES, "there is no such revision");
    return STORE_ABSENT;
}

static bson_t *filter_of (span_t tenant, span_t scenario)
{
    bson_t *filter = bson_new ();
    put_ids (filter, tenant, scenario);
    return filter;
}

store_outcome_t mongo_history_newest (scenario_store_t *store, span_t tenant, span_t scenario,
                                      revision_record_t *record, char *error)
{
    return find_only (store, filter_of (tenant, scenario), record, error);
}

store_outcome_t mongo_history_revision (scenario_store_t *store, span_t tenant, span_t scenario,
                                        uint64_t number, revision_record_t *record, char *error)
{
    bson_t *filter = filter_of (tenant, scenario);
    CHECK (BSON_APPEND_INT64 (filter, "number", (int64_t)number));
    return find_only (store, filter, record, error);
}

store_outcome_t mongo_history_revisions (scenario_store_t *store, span_t tenant, span_t scenario,
                                         uint64_t below, revision_record_t *records,
                                         uint32_t *count, char *error)
{
    bson_t *filter = filter_of (tenant, scenario), child;
    int64_t number = below > INT64_MAX ? INT64_MAX : (int64_t)below;
    CHECK (BSON_APPEND_DOCUMENT_BEGIN (filter, "number", &child));
    CHECK (BSON_APPEND_INT64 (&child, "$lt", number));
    CHECK (bson_append_document_end (filter, &child));
    return find (store, filter, records, count, error);
}

store_outcome_t mongo_history_by_key (scenario_store_t *store, span_t tenant, span_t scenario,
                                      const char *key, revision_record_t *record, char *error)
{
    bson_t *filter = filter_of (tenant, scenario);
    put_text (filter, "idempotency_key", key);
    return find_only (store, filter, record, error);
}

/*  ---- writing ---- */

static store_outcome_t insert (scenario_store_t *store, const bson_t *document, char *error)
{
    mongo_store_t *self = mongo_store_of (store);
    mongo_call_t call;
    bson_error_t failure;
    store_outcome_t outcome = mongo_call_begin (self, MONGO_REVISIONS, &call, error);
    if (outcome == STORE_OK &&
        !mongoc_collection_insert_one (call.collection, document, NULL, NULL, &failure))
        outcome = mongo_link_outcome (&failure, error);
    mongo_call_end (self, &call);
    return outcome;
}

store_outcome_t mongo_history_add (scenario_store_t *store, span_t tenant, span_t scenario,
                                   const revision_record_t *record, char *error)
{
    bson_t *document = bson_new ();
    store_outcome_t outcome = STORE_CONFLICT;
    if (write_record (document, tenant, scenario, record))
        outcome = insert (store, document, error);
    else
        snprintf (error, STORE_ERROR_BYTES, "the config cannot be written as BSON");
    bson_destroy (document);
    if (outcome != STORE_EXISTS)
        return outcome;
    revision_record_t other;
    outcome =
        mongo_history_revision (store, tenant, scenario, record->note.number, &other, error);
    if (outcome != STORE_OK)
        return outcome == STORE_ABSENT ? STORE_AWAY : outcome;
    bool same = strcmp (other.effective_hash, record->effective_hash) == 0;
    revision_record_free (&other);
    if (!same)
        snprintf (error, STORE_ERROR_BYTES, "another revision has this number");
    return same ? STORE_OK : STORE_EXISTS;
}
