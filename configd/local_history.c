/*  local_history: see local_history.h. Keys: hash of the scenario, number, 8 bytes each, big
 *  endian; values: msgpack.
 */
#include "configd/local_history.h"

#include <endian.h>
#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/config_wire.h"
#include "common/key_hash.h"
#include "common/memory.h"
#include "common/pack.h"

enum { FORMAT = 1, KEY_BYTES = 16 };
#define MAP_BYTES ((size_t)16 << 30) /* address space, not disk */

struct local_history {
    MDB_env *environment;
    MDB_dbi table;
    pthread_mutex_t lock; /* of the environment: it is opened without LMDB's own */
};

typedef struct {
    uint8_t bytes[KEY_BYTES];
} history_key_t;

static history_key_t key_of (span_t tenant, span_t scenario, uint64_t number)
{
    history_key_t key;
    uint64_t parts[2] = {htobe64 (key_hash_scenario (tenant, scenario)), htobe64 (number)};
    memcpy (key.bytes, parts, sizeof key.bytes);
    return key;
}

static uint64_t number_of (const MDB_val *key)
{
    uint64_t number;
    memcpy (&number, (const uint8_t *)key->mv_data + 8, sizeof number);
    return be64toh (number);
}

static MDB_val value_of (const void *bytes, size_t size)
{
    return (MDB_val){.mv_size = size, .mv_data = (void *)(uintptr_t)bytes};
}

local_history_t *local_history_open (const char *folder, char *error, size_t error_size)
{
    local_history_t *self = memory_new (sizeof *self);
    MDB_txn *transaction = NULL;
    pthread_mutex_init (&self->lock, NULL);
    int code = mkdir (folder, 0755) && errno != EEXIST ? errno : 0;
    if (!code)
        code = mdb_env_create (&self->environment);
    if (!code)
        code = mdb_env_set_mapsize (self->environment, MAP_BYTES);
    if (!code)
        code = mdb_env_open (self->environment, folder, MDB_NOTLS | MDB_NOLOCK, 0644);
    if (!code)
        code = mdb_txn_begin (self->environment, NULL, 0, &transaction);
    if (!code)
        code = mdb_dbi_open (transaction, NULL, 0, &self->table);
    if (!code)
        code = mdb_txn_commit (transaction);
    else if (transaction)
        mdb_txn_abort (transaction);
    if (!code)
        return self;
    snprintf (error, error_size, "cannot open the history in %s: %s", folder, mdb_strerror (code));
    local_history_close (&self);
    return NULL;
}

void local_history_close (local_history_t **self_p)
{
    local_history_t *self = *self_p;
    if (!self)
        return;
    if (self->environment)
        mdb_env_close (self->environment);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

/*  ---- records ---- */

static void pack_text (buffer_t *to, const char *text)
{
    if (text)
        pack_span (to, span_of (text));
    else
        pack_nil (to);
}

static char *read_text (cursor_t *cursor)
{
    if (cursor_take_nil (cursor))
        return NULL;
    span_t text = cursor_span (cursor, CONFIG_JSON_BYTES_MAX);
    return cursor->failed ? NULL : memory_copy_string (text.bytes, text.size);
}

static void read_hash (cursor_t *cursor, char hash[DIGEST_HEX_BYTES + 1])
{
    span_t text = cursor_span (cursor, DIGEST_HEX_BYTES);
    snprintf (hash, DIGEST_HEX_BYTES + 1, "%.*s", (int)text.size, text.size ? text.bytes : "");
}

static void write_record (buffer_t *to, span_t tenant, span_t scenario,
                          const revision_record_t *record)
{
    const revision_note_t *note = &record->note;
    pack_uint (to, FORMAT);
    pack_span (to, tenant);
    pack_span (to, scenario);
    pack_uint (to, note->number);
    pack_int (to, note->at_ms);
    const char *texts[] = {note->author, note->reason, note->from,       note->request,
                           note->key,    record->stored, record->effective};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        pack_text (to, texts[i]);
    const char *hashes[] = {note->hash, note->fingerprint, record->effective_hash};
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++)
        pack_span (to, span_of (hashes[i]));
}

static bool read_record (const MDB_val *value, revision_record_t *record)
{
    cursor_t cursor = cursor_of (value->mv_data, value->mv_size);
    *record = (revision_record_t){0};
    revision_note_t *note = &record->note;
    bool good = cursor_uint (&cursor) == FORMAT;
    cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    cursor_span (&cursor, CONFIG_ID_BYTES_MAX);
    note->number = cursor_uint (&cursor);
    note->at_ms = cursor_int (&cursor);
    char **texts[] = {&note->author, &note->reason, &note->from,       &note->request,
                      &note->key,    &record->stored, &record->effective};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = read_text (&cursor);
    read_hash (&cursor, note->hash);
    read_hash (&cursor, note->fingerprint);
    read_hash (&cursor, record->effective_hash);
    if (good && cursor_finished (&cursor))
        return true;
    revision_record_free (record);
    return false;
}

static store_outcome_t failed (int code, char *error)
{
    snprintf (error, STORE_ERROR_BYTES, "the history on disk: %s", mdb_strerror (code));
    return code == ENOSPC || code == MDB_MAP_FULL ? STORE_REFUSED : STORE_AWAY;
}

/*  ---- reading ---- */

/*  Calls back with each revision of the scenario below `below`, the newest first, until it says
 *  false. LMDB's code. */
static int walk (local_history_t *self, span_t tenant, span_t scenario, uint64_t below,
                 bool (*visit) (void *arg, const MDB_val *value), void *arg)
{
    history_key_t name = key_of (tenant, scenario, below);
    MDB_val key = value_of (name.bytes, sizeof name.bytes), value;
    MDB_txn *transaction = NULL;
    MDB_cursor *cursor = NULL;
    int code = mdb_txn_begin (self->environment, NULL, MDB_RDONLY, &transaction);
    if (!code)
        code = mdb_cursor_open (transaction, self->table, &cursor);
    if (!code) {
        code = mdb_cursor_get (cursor, &key, &value, MDB_SET_RANGE);
        code = mdb_cursor_get (cursor, &key, &value, code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
    }
    while (!code && key.mv_size == KEY_BYTES && memcmp (key.mv_data, name.bytes, 8) == 0 &&
           number_of (&key) < below && visit (arg, &value))
        code = mdb_cursor_get (cursor, &key, &value, MDB_PREV);
    if (cursor)
        mdb_cursor_close (cursor);
    if (transaction)
        mdb_txn_abort (transaction);
    return code == MDB_NOTFOUND ? 0 : code;
}

typedef struct {
    revision_record_t *records;
    uint32_t count, most;
    uint32_t left; /* to be looked at */
    const char *key; /* NULL: any */
    bool broken;
} gathering_t;

static bool gather (void *arg, const MDB_val *value)
{
    gathering_t *self = arg;
    revision_record_t *record = &self->records[self->count];
    if (!self->left--)
        return false;
    if (!read_record (value, record)) {
        self->broken = true;
        return false;
    }
    if (self->key && (!record->note.key || strcmp (record->note.key, self->key) != 0)) {
        revision_record_free (record);
        return true;
    }
    return ++self->count < self->most;
}

static store_outcome_t collect (local_history_t *self, span_t tenant, span_t scenario,
                                uint64_t below, gathering_t *gathering, char *error)
{
    pthread_mutex_lock (&self->lock);
    int code = walk (self, tenant, scenario, below, gather, gathering);
    pthread_mutex_unlock (&self->lock);
    if (!code && !gathering->broken)
        return STORE_OK;
    for (uint32_t i = 0; i < gathering->count; i++)
        revision_record_free (&gathering->records[i]);
    gathering->count = 0;
    return failed (code ? code : MDB_CORRUPTED, error);
}

static store_outcome_t only (local_history_t *self, span_t tenant, span_t scenario, uint64_t below,
                             gathering_t gathering, char *error)
{
    store_outcome_t outcome = collect (self, tenant, scenario, below, &gathering, error);
    if (outcome == STORE_OK && !gathering.count) {
        snprintf (error, STORE_ERROR_BYTES, "there is no such revision");
        outcome = STORE_ABSENT;
    }
    return outcome;
}

store_outcome_t local_history_newest (local_history_t *self, span_t tenant, span_t scenario,
                                      revision_record_t *record, char *error)
{
    return only (self, tenant, scenario, UINT64_MAX, (gathering_t){record, 0, 1, 1, NULL, false},
                 error);
}

store_outcome_t local_history_revision (local_history_t *self, span_t tenant, span_t scenario,
                                        uint64_t number, revision_record_t *record, char *error)
{
    store_outcome_t outcome = only (self, tenant, scenario, number + 1,
                                    (gathering_t){record, 0, 1, 1, NULL, false}, error);
    if (outcome != STORE_OK || record->note.number == number)
        return outcome;
    revision_record_free (record);
    snprintf (error, STORE_ERROR_BYTES, "there is no such revision");
    return STORE_ABSENT;
}

store_outcome_t local_history_revisions (local_history_t *self, span_t tenant, span_t scenario,
                                         uint64_t below, revision_record_t *records,
                                         uint32_t *count, char *error)
{
    gathering_t gathering = {records, 0, *count, *count, NULL, false};
    store_outcome_t outcome = collect (self, tenant, scenario, below, &gathering, error);
    *count = gathering.count;
    return outcome;
}

store_outcome_t local_history_by_key (local_history_t *self, span_t tenant, span_t scenario,
                                      const char *key, revision_record_t *record, char *error)
{
    return only (self, tenant, scenario, UINT64_MAX,
                 (gathering_t){record, 0, 1, LOCAL_HISTORY_KEYS, key, false}, error);
}

/*  ---- writing ---- */

/*  Deletes the oldest beyond LOCAL_HISTORY_KEEP: numbers are dense, so that one goes for each that
 *  comes. */
static int drop_oldest (local_history_t *self, MDB_txn *transaction, span_t tenant, span_t scenario,
                        uint64_t number)
{
    if (number <= LOCAL_HISTORY_KEEP)
        return 0;
    history_key_t name = key_of (tenant, scenario, number - LOCAL_HISTORY_KEEP);
    MDB_val key = value_of (name.bytes, sizeof name.bytes);
    int code = mdb_del (transaction, self->table, &key, NULL);
    return code == MDB_NOTFOUND ? 0 : code;
}

store_outcome_t local_history_add (local_history_t *self, span_t tenant, span_t scenario,
                                   const revision_record_t *record, char *error)
{
    history_key_t name = key_of (tenant, scenario, record->note.number);
    buffer_t bytes = {0};
    write_record (&bytes, tenant, scenario, record);
    MDB_val key = value_of (name.bytes, sizeof name.bytes);
    MDB_val value = value_of (bytes.bytes, bytes.size);
    MDB_txn *transaction = NULL;
    store_outcome_t outcome = STORE_OK;
    pthread_mutex_lock (&self->lock);
    int code = mdb_txn_begin (self->environment, NULL, 0, &transaction);
    if (!code)
        code = mdb_put (transaction, self->table, &key, &value, MDB_NOOVERWRITE);
    if (code == MDB_KEYEXIST) {
        revision_record_t other;
        code = 0;
        bool same = read_record (&value, &other) &&
                    strcmp (other.effective_hash, record->effective_hash) == 0;
        revision_record_free (&other);
        outcome = same ? STORE_OK : STORE_EXISTS;
        mdb_txn_abort (transaction);
        if (!same)
            snprintf (error, STORE_ERROR_BYTES, "another revision has this number");
    } else {
        if (!code)
            code = drop_oldest (self, transaction, tenant, scenario, record->note.number);
        if (!code)
            code = mdb_txn_commit (transaction);
        else if (transaction)
            mdb_txn_abort (transaction);
    }
    pthread_mutex_unlock (&self->lock);
    buffer_free (&bytes);
    return code ? failed (code, error) : outcome;
}
