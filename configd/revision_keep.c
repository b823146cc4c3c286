#include "configd/revision_keep.h"

#include <stdio.h>
#include <string.h>
#include "common/memory.h"

enum { ATTEMPTS = 8 }; /* others who add at the same moment */

static char *copy (const char *text)
{
    return memory_copy_string (text, strlen (text));
}

static bool is_same (const revision_keep_t *config, const revision_record_t *record)
{
    return strcmp (record->effective_hash, config->version->effective_hash) == 0;
}

/*  Is the note of this very config, and of the number that it is to have? */
static bool tells (const revision_keep_t *config, const revision_record_t *newest, uint64_t number)
{
    const revision_note_t *note = config->note;
    if (!note || strcmp (note->hash, config->version->stored_hash) != 0)
        return false;
    return config->published ? note->number == number
                             : note->number > newest->note.number && note->number >= config->least;
}

/*  The note of a change that nobody told of. */
static void make_note (const revision_keep_t *config, const revision_record_t *newest,
                       revision_note_t *note)
{
    *note = (revision_note_t){.at_ms = config->wall_ms};
    memcpy (note->hash, config->version->stored_hash, sizeof note->hash);
    bool same = is_same (config, newest);
    bool same_text = strcmp (newest->note.hash, config->version->stored_hash) == 0;
    note->author = copy (config->by_default || same || same_text ? NOTE_HOTPATH : NOTE_EXTERNAL);
    char reason[96];
    if (config->by_default)
        note->reason = copy ("no document: all defaults");
    else if (same) {
        snprintf (reason, sizeof reason, "the config of revision %llu, by a greater number",
                  (unsigned long long)newest->note.number);
        note->reason = copy (reason);
    } else if (same_text)
        note->reason = copy ("the same document, as this version of hotpath reads it");
}

static void make_record (const revision_keep_t *config, const revision_record_t *newest,
                         uint64_t number, revision_record_t *record)
{
    const scenario_version_t *version = config->version;
    *record = (revision_record_t){.effective = copy (version->effective),
                                  .stored = version->stored ? copy (version->stored) : NULL};
    memcpy (record->effective_hash, version->effective_hash, sizeof record->effective_hash);
    if (tells (config, newest, number))
        revision_note_copy (&record->note, config->note);
    else {
        make_note (config, newest, &record->note);
        record->note.number = number;
    }
}

/*  Is the document what was read? Asked after the history was read: of two who change a document,
 *  one is slow, and the history may have the other's change by now. What was read before that is
 *  over then, and must not become the newest again. */
static store_outcome_t read_again (scenario_store_t *store, const revision_keep_t *config,
                                   char *error)
{
    stored_scenario_t now = {0};
    const stored_scenario_t *read = config->read;
    store_outcome_t outcome =
        store->read (store, config->tenant, config->scenario, read->source, &now, error);
    if (outcome != STORE_OK)
        return outcome;
    bool same = strcmp (now.stored ? now.stored : "", read->stored ? read->stored : "") == 0 &&
                now.noted == read->noted && now.note.number == read->note.number;
    stored_scenario_free (&now);
    if (!same)
        snprintf (error, STORE_ERROR_BYTES, "the document has changed since it was read");
    return same ? STORE_OK : STORE_LOST;
}

typedef enum { KEPT, ADD, FAILED } look_t;

/*  Looks whether it is there: KEPT, in *newest; ADD, with its number; FAILED with *outcome. */
static look_t look (scenario_store_t *store, const revision_keep_t *config,
                    revision_record_t *newest, uint64_t *number, store_outcome_t *outcome,
                    char *error)
{
    uint64_t last = newest->note.number;
    *number = last + 1 < config->least ? config->least : last + 1;
    bool passed = last && last >= config->least;
    if (passed && is_same (config, newest) && !tells (config, newest, *number))
        return KEPT;
    if (config->read) {
        *outcome = read_again (store, config, error);
        return *outcome == STORE_OK ? ADD : FAILED;
    }
    if (!config->published || !passed)
        return ADD;
    revision_record_t other = {0};
    *outcome =
        store->revision (store, config->tenant, config->scenario, config->least, &other, error);
    if (*outcome == STORE_ABSENT) {
        *number = config->least;
        return ADD;
    }
    if (*outcome != STORE_OK)
        return FAILED;
    bool same = is_same (config, &other);
    if (!same && !config->stale) {
        revision_record_free (&other);
        return ADD;
    }
    revision_record_free (newest);
    *newest = other;
    return KEPT;
}

store_outcome_t revision_keep (scenario_store_t *store, const revision_keep_t *config,
                               revision_record_t *kept, char *error)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        *kept = (revision_record_t){0};
        uint64_t number;
        store_outcome_t outcome =
            store->newest (store, config->tenant, config->scenario, kept, error);
        if (outcome != STORE_OK && outcome != STORE_ABSENT)
            return outcome;
        look_t found = look (store, config, kept, &number, &outcome, error);
        if (found == KEPT)
            return STORE_OK;
        revision_record_t record;
        if (found == ADD)
            make_record (config, kept, number, &record);
        revision_record_free (kept);
        if (found == FAILED)
            return outcome;
        outcome = store->add (store, config->tenant, config->scenario, &record, error);
        if (outcome == STORE_OK) {
            *kept = record;
            return STORE_OK;
        }
        revision_record_free (&record);
        if (outcome != STORE_EXISTS)
            return outcome;
    }
    return STORE_AWAY;
}
