/*  mongo_store: see mongo_store.h: the documents. The history is in mongo_history.c. */
#include "configd/mongo_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/scenario_outline.h"
#include "configd/mongo_document.h"
#include "configd/mongo_store_parts.h"
#include "configd/mongo_value.h"

#define CONFIG_PATH "config.realtime_compute"

enum { E_INDEX_OPTIONS = 85, E_INDEX_SPECS = 86 };

store_outcome_t mongo_call_begin (mongo_store_t *self, const char *name, mongo_call_t *call,
                                  char *error)
{
    *call = (mongo_call_t){0};
    call->client = mongoc_client_pool_pop (self->pool);
    if (!call->client) {
        snprintf (error, STORE_ERROR_BYTES, "no connection to MongoDB was free");
        return STORE_AWAY;
    }
    call->collection = mongoc_client_get_collection (call->client, self->database,
                                                     name ? name : self->collection);
    mongoc_write_concern_t *concern = mongoc_write_concern_new ();
    mongoc_write_concern_set_w (concern, MONGOC_WRITE_CONCERN_W_MAJORITY);
    mongoc_write_concern_set_wtimeout_int64 (concern, MONGO_WRITTEN_MS);
    mongoc_collection_set_write_concern (call->collection, concern);
    mongoc_write_concern_destroy (concern);
    return STORE_OK;
}

void mongo_call_end (mongo_store_t *self, mongo_call_t *call)
{
    mongoc_collection_destroy (call->collection);
    if (call->client)
        mongoc_client_pool_push (self->pool, call->client);
    *call = (mongo_call_t){0};
}

/*  ---- reading ---- */

/*  An id is also found where it is stored as a number. */
static void put_id (bson_t *filter, const char *key, span_t id)
{
    bson_t choice, list;
    char digits[24], *end;
    snprintf (digits, sizeof digits, "%.*s", (int)id.size, id.bytes);
    errno = 0;
    long long number = id.size < sizeof digits ? strtoll (digits, &end, 10) : 0;
    char again[24];
    snprintf (again, sizeof again, "%lld", number);
    if (errno || !span_equal (id, span_of (again))) {
        CHECK (bson_append_utf8 (filter, key, -1, id.bytes, (int)id.size));
        return;
    }
    CHECK (BSON_APPEND_DOCUMENT_BEGIN (filter, key, &choice));
    CHECK (BSON_APPEND_ARRAY_BEGIN (&choice, "$in", &list));
    CHECK (bson_append_utf8 (&list, "0", -1, id.bytes, (int)id.size));
    CHECK (bson_append_int64 (&list, "1", -1, number));
    CHECK (bson_append_array_end (&choice, &list));
    CHECK (bson_append_document_end (filter, &choice));
}

static bson_t *filter_of_ids (span_t tenant, span_t scenario)
{
    bson_t *filter = bson_new ();
    put_id (filter, "tenant_id", tenant);
    put_id (filter, "scenario_id", scenario);
    return filter;
}

/*  {"_id": …} of a document's name, or NULL. */
static bson_t *filter_of_name (const char *name)
{
    bson_error_t failure;
    bson_iter_t iter;
    bson_t *filter = name ? bson_new_from_json ((const uint8_t *)name, -1, &failure) : NULL;
    if (filter && bson_iter_init_find (&iter, filter, "_id"))
        return filter;
    bson_destroy (filter);
    return NULL;
}

/*  Adds that `path` is as it is in `document`. */
static void put_same (bson_t *filter, const bson_t *document, const char *path)
{
    bson_iter_t iter, found;
    bson_t absent;
    if (bson_iter_init (&iter, document) && bson_iter_find_descendant (&iter, path, &found)) {
        CHECK (bson_append_iter (filter, path, -1, &found));
        return;
    }
    CHECK (BSON_APPEND_DOCUMENT_BEGIN (filter, path, &absent));
    CHECK (BSON_APPEND_BOOL (&absent, "$exists", false));
    CHECK (bson_append_document_end (filter, &absent));
}

static void free_version (void *version)
{
    bson_destroy (version);
}

/*  False where the document is of another scenario. */
static bool take_document (const bson_t *document, span_t tenant, span_t scenario,
                           stored_scenario_t *found)
{
    static const char *const same[] = {"_id",    "tenant_id", "scenario_id",
                                       "status", CONFIG_PATH, SCENARIO_NOTE_KEY};
    size_t size;
    char *text = mongo_document_text (document, &size);
    scenario_outline_t outline;
    bool good = scenario_outline_of ((span_t){text, size}, &outline) && outline.tenant &&
                outline.scenario && span_equal (span_of (outline.tenant), tenant) &&
                span_equal (span_of (outline.scenario), scenario);
    if (good) {
        *found = (stored_scenario_t){.source = mongo_document_name (document),
                                     .type = outline.type,
                                     .status = outline.status,
                                     .stored = outline.stored,
                                     .free_version = free_version};
        outline.type = outline.status = outline.stored = NULL;
        found->noted = revision_note_parse (span_of (outline.note), &found->note);
        bson_t *version = bson_new ();
        for (size_t i = 0; i < sizeof same / sizeof *same; i++)
            put_same (version, document, same[i]);
        found->version = version;
    }
    scenario_outline_free (&outline);
    free (text);
    return good;
}

/*  Reads those that match (two at most); how many were of the scenario; -1 with *outcome. */
static int find (mongo_call_t *call, const bson_t *filter, span_t tenant, span_t scenario,
                 stored_scenario_t *found, store_outcome_t *outcome, char *error)
{
    bson_t *options =
        BCON_NEW ("projection", "{", "tenant_id", BCON_INT32 (1), "scenario_id", BCON_INT32 (1),
                  "scenario_type", BCON_INT32 (1), "status", BCON_INT32 (1), CONFIG_PATH,
                  BCON_INT32 (1), SCENARIO_NOTE_KEY, BCON_INT32 (1), "}", "limit", BCON_INT64 (2),
                  "maxTimeMS", BCON_INT64 (MONGO_WRITTEN_MS));
    mongoc_cursor_t *cursor =
        mongoc_collection_find_with_opts (call->collection, filter, options, NULL);
    const bson_t *document;
    bson_error_t failure;
    int count = 0;
    stored_scenario_t tried;
    while (mongoc_cursor_next (cursor, &document)) {
        if (!take_document (document, tenant, scenario, &tried))
            continue;
        if (count++)
            stored_scenario_free (found);
        *found = tried;
    }
    if (mongoc_cursor_error (cursor, &failure)) {
        *outcome = mongo_link_outcome (&failure, error);
        if (count)
            stored_scenario_free (found);
        count = -1;
    }
    mongoc_cursor_destroy (cursor);
    bson_destroy (options);
    return count;
}

static store_outcome_t read_document (scenario_store_t *store, span_t tenant, span_t scenario,
                                      const char *source, stored_scenario_t *found, char *error)
{
    mongo_store_t *self = mongo_store_of (store);
    mongo_call_t call;
    store_outcome_t outcome = mongo_call_begin (self, NULL, &call, error);
    bson_t *filters[] = {filter_of_name (source), filter_of_ids (tenant, scenario)};
    int count = 0;
    for (int i = 0; i < 2 && count == 0 && outcome == STORE_OK; i++)
        if (filters[i])
            count = find (&call, filters[i], tenant, scenario, found, &outcome, error);
    if (outcome == STORE_OK && count != 1) {
        snprintf (error, STORE_ERROR_BYTES, "%d documents are of this scenario", count);
        outcome = count ? STORE_CONFLICT : STORE_ABSENT;
        if (count)
            stored_scenario_free (found);
    }
    bson_destroy (filters[0]);
    bson_destroy (filters[1]);
    mongo_call_end (self, &call);
    return outcome;
}

/*  ---- writing ---- */

/*  Appends the note under its key; false never for a note of ours. */
static void put_note (bson_t *to, const revision_note_t *note)
{
    yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
    yyjson_mut_doc_set_root (document, revision_note_write (note, document));
    char *text = yyjson_mut_write (document, YYJSON_WRITE_NOFLAG, NULL);
    CHECK (text && mongo_value_append (to, SCENARIO_NOTE_KEY, text));
    free (text);
    yyjson_mut_doc_free (document);
}

/*  The update; NULL where the config cannot be BSON. `whole`: config itself is made anew. */
static bson_t *update_of (const store_change_t *change, bool whole)
{
    bson_t *update = bson_new (), set, inner;
    bool good = true, sets = change->sets_config && change->stored;
    if (sets || change->status || change->note) {
        CHECK (BSON_APPEND_DOCUMENT_BEGIN (update, "$set", &set));
        if (sets && whole) {
            CHECK (BSON_APPEND_DOCUMENT_BEGIN (&set, "config", &inner));
            good = mongo_value_append (&inner, "realtime_compute", change->stored);
            CHECK (bson_append_document_end (&set, &inner));
        } else if (sets)
            good = mongo_value_append (&set, CONFIG_PATH, change->stored);
        if (change->status)
            CHECK (BSON_APPEND_UTF8 (&set, "status", change->status));
        if (change->note)
            put_note (&set, change->note);
        CHECK (bson_append_document_end (update, &set));
    }
    if (change->sets_config && !change->stored) {
        CHECK (BSON_APPEND_DOCUMENT_BEGIN (update, "$unset", &set));
        CHECK (BSON_APPEND_INT32 (&set, CONFIG_PATH, 1));
        CHECK (bson_append_document_end (update, &set));
    }
    if (good)
        return update;
    bson_destroy (update);
    return NULL;
}

/*  Updates the one that matches; LOST where none does. Takes the update. */
static store_outcome_t update_one (mongo_call_t *call, const bson_t *filter, bson_t *update,
                                   bool upsert, int64_t *matched, char *error)
{
    bson_error_t failure;
    bson_t reply, *options = BCON_NEW ("upsert", BCON_BOOL (upsert));
    bson_iter_t iter;
    store_outcome_t outcome = STORE_OK;
    *matched = 0;
    if (!update) {
        snprintf (error, STORE_ERROR_BYTES, "the config cannot be written as BSON");
        bson_destroy (options);
        return STORE_CONFLICT;
    }
    if (!mongoc_collection_update_one (call->collection, filter, update, options, &reply, &failure))
        outcome = mongo_link_outcome (&failure, error);
    else if (bson_iter_init_find (&iter, &reply, "matchedCount"))
        *matched = bson_iter_as_int64 (&iter);
    bson_destroy (&reply);
    bson_destroy (options);
    bson_destroy (update);
    return outcome;
}

/*  config of the document is null: no path leads through it. */
static store_outcome_t replace_null (mongo_call_t *call, const bson_t *version,
                                     const store_change_t *change, char *error)
{
    int64_t matched = 0;
    bson_t *filter = bson_copy (version);
    CHECK (BSON_APPEND_NULL (filter, "config"));
    store_outcome_t outcome =
        update_one (call, filter, update_of (change, true), false, &matched, error);
    bson_destroy (filter);
    if (outcome == STORE_OK && !matched) {
        snprintf (error, STORE_ERROR_BYTES, "config of the document is not an object");
        outcome = STORE_CONFLICT;
    }
    return outcome;
}

static store_outcome_t replace_document (scenario_store_t *store, span_t tenant, span_t scenario,
                                         const stored_scenario_t *read,
                                         const store_change_t *change, char *error)
{
    mongo_store_t *self = mongo_store_of (store);
    mongo_call_t call;
    int64_t matched = 0;
    (void)tenant;
    (void)scenario;
    store_outcome_t outcome = mongo_call_begin (self, NULL, &call, error);
    if (outcome == STORE_OK) {
        outcome =
            update_one (&call, read->version, update_of (change, false), false, &matched, error);
        if (outcome == STORE_CONFLICT && change->sets_config && change->stored)
            outcome = replace_null (&call, read->version, change, error);
        else if (outcome == STORE_OK && !matched) {
            snprintf (error, STORE_ERROR_BYTES, "the document has changed");
            outcome = STORE_LOST;
        }
    }
    mongo_call_end (self, &call);
    return outcome;
}

static bson_t *insert_of (const store_new_t *made)
{
    bson_t *update = bson_new (), set, config;
    CHECK (BSON_APPEND_DOCUMENT_BEGIN (update, "$setOnInsert", &set));
    if (made->type)
        CHECK (BSON_APPEND_UTF8 (&set, "scenario_type", made->type));
    CHECK (BSON_APPEND_UTF8 (&set, "status", made->status));
    CHECK (BSON_APPEND_DOCUMENT_BEGIN (&set, "config", &config));
    bool good = !made->stored || mongo_value_append (&config, "realtime_compute", made->stored);
    CHECK (bson_append_document_end (&set, &config));
    put_note (&set, made->note);
    CHECK (bson_append_document_end (update, &set));
    if (good)
        return update;
    bson_destroy (update);
    return NULL;
}

static store_outcome_t create_document (scenario_store_t *store, const store_new_t *made,
                                        char *error)
{
    mongo_store_t *self = mongo_store_of (store);
    mongo_call_t call;
    stored_scenario_t there;
    int64_t matched = 0;
    store_outcome_t outcome =
        read_document (store, made->tenant, made->scenario, NULL, &there, error);
    if (outcome == STORE_OK)
        stored_scenario_free (&there);
    if (outcome == STORE_OK || outcome == STORE_CONFLICT)
        return STORE_EXISTS;
    if (outcome != STORE_ABSENT)
        return outcome;
    bson_t filter = BSON_INITIALIZER;
    CHECK (bson_append_utf8 (&filter, "tenant_id", -1, made->tenant.bytes, (int)made->tenant.size));
    CHECK (bson_append_utf8 (&filter, "scenario_id", -1, made->scenario.bytes,
                             (int)made->scenario.size));
    outcome = mongo_call_begin (self, NULL, &call, error);
    if (outcome == STORE_OK)
        outcome = update_one (&call, &filter, insert_of (made), true, &matched, error);
    if (outcome == STORE_OK && matched)
        outcome = STORE_EXISTS;
    mongo_call_end (self, &call);
    bson_destroy (&filter);
    return outcome;
}

/*  ---- indexes ---- */

static store_outcome_t make_index (mongo_store_t *self, const char *collection, const char *name,
                                   const bson_t *keys, bool unique, char *error)
{
    mongo_call_t call;
    bson_error_t failure;
    bson_t reply;
    store_outcome_t outcome = mongo_call_begin (self, collection, &call, error);
    if (outcome != STORE_OK)
        return outcome;
    bson_t *command =
        BCON_NEW ("createIndexes", BCON_UTF8 (collection), "indexes", "[", "{", "key",
                  BCON_DOCUMENT (keys), "name", BCON_UTF8 (name), "unique", BCON_BOOL (unique),
                  "}", "]");
    if (!mongoc_client_write_command_with_opts (call.client, self->database, command, NULL, &reply,
                                                &failure)) {
        /* one with these keys is there, by another name or options: its owner's matter */
        bool there = failure.code == E_INDEX_OPTIONS || failure.code == E_INDEX_SPECS;
        outcome = there ? STORE_OK : mongo_link_outcome (&failure, error);
    }
    bson_destroy (&reply);
    bson_destroy (command);
    mongo_call_end (self, &call);
    return outcome;
}

store_outcome_t mongo_store_prepare (scenario_store_t *store, char *error)
{
    mongo_store_t *self = mongo_store_of (store);
    bson_t *keys[] = {
        BCON_NEW ("tenant_id", BCON_INT32 (1), "scenario_id", BCON_INT32 (1), "number",
                  BCON_INT32 (1)),
        BCON_NEW ("tenant_id", BCON_INT32 (1), "scenario_id", BCON_INT32 (1), "idempotency_key",
                  BCON_INT32 (1)),
        BCON_NEW ("tenant_id", BCON_INT32 (1), "scenario_id", BCON_INT32 (1))};
    store_outcome_t outcome =
        make_index (self, MONGO_REVISIONS, "hotpath_number", keys[0], true, error);
    if (outcome == STORE_OK)
        outcome = make_index (self, MONGO_REVISIONS, "hotpath_key", keys[1], false, error);
    if (outcome == STORE_OK)
        outcome = make_index (self, self->collection, "hotpath_identity", keys[2], true, error);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        bson_destroy (keys[i]);
    return outcome;
}

/*  ---- life ---- */

static void destroy (scenario_store_t *store)
{
    mongo_store_t *self = mongo_store_of (store);
    if (self->pool)
        mongoc_client_pool_destroy (self->pool);
    mongo_link_end ();
    free (self->database);
    free (self->collection);
    free (self);
}

scenario_store_t *mongo_store_new (const char *url, const char *database, const char *collection,
                                   char *error, size_t error_size)
{
    mongo_store_t *self = memory_new (sizeof *self);
    mongo_link_begin ();
    self->store = (scenario_store_t){.name = "mongodb",
                                     .destroy = destroy,
                                     .read = read_document,
                                     .replace = replace_document,
                                     .create = create_document,
                                     .newest = mongo_history_newest,
                                     .revision = mongo_history_revision,
                                     .revisions = mongo_history_revisions,
                                     .by_key = mongo_history_by_key,
                                     .add = mongo_history_add};
    self->database = memory_copy_string (database, strlen (database));
    self->collection = memory_copy_string (collection, strlen (collection));
    mongoc_uri_t *uri = mongo_link_uri (url, error, error_size);
    self->pool = uri ? mongoc_client_pool_new (uri) : NULL;
    if (uri && !self->pool)
        snprintf (error, error_size, "the MongoDB URL cannot be used");
    mongoc_uri_destroy (uri);
    if (!self->pool) {
        destroy (&self->store);
        return NULL;
    }
    mongoc_client_pool_set_error_api (self->pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_pool_set_appname (self->pool, "hotpath-configd");
    return &self->store;
}
