#include "configd/revision_keep.h"

#include <stdio.h>
#include <string.h>
#include "common/memory.h"

enum { ATTEMPTS = 8 }; /* others who add at the same moment */

static char *copy (const char *text)
{
    return memory_copy_string (text, strlen (text));
}

/*  Is the note of this very config, and newer than all that the history has? */
static bool tells (const revision_keep_t *config, const revision_record_t *newest)
{
    const revision_note_t *note = config->note;
    return note && note->number > newest->note.number && note->number >= config->least &&
           strcmp (note->hash, config->version->stored_hash) == 0;
}

static void make_note (const revision_keep_t *config, const revision_record_t *newest,
                       revision_note_t *note)
{
    uint64_t number = newest->note.number + 1;
    *note = (revision_note_t){.number = number < config->least ? config->least : number,
                              .at_ms = config->wall_ms};
    memcpy (note->hash, config->version->stored_hash, sizeof note->hash);
    bool same = strcmp (newest->effective_hash, config->version->effective_hash) == 0;
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
                         revision_record_t *record)
{
    const scenario_version_t *version = config->version;
    *record = (revision_record_t){.effective = copy (version->effective),
                                  .stored = version->stored ? copy (version->stored) : NULL};
    memcpy (record->effective_hash, version->effective_hash, sizeof record->effective_hash);
    if (tells (config, newest))
        revision_note_copy (&record->note, config->note);
    else
        make_note (config, newest, &record->note);
}

store_outcome_t revision_keep (scenario_store_t *store, const revision_keep_t *config,
                               revision_record_t *newest, char *error)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        *newest = (revision_record_t){0};
        store_outcome_t outcome =
            store->newest (store, config->tenant, config->scenario, newest, error);
        if (outcome != STORE_OK && outcome != STORE_ABSENT)
            return outcome;
        bool same = strcmp (newest->effective_hash, config->version->effective_hash) == 0;
        bool passed = newest->note.number && newest->note.number >= config->least;
        if (passed && (same || config->stale) && !tells (config, newest))
            return STORE_OK;
        revision_record_t record;
        make_record (config, newest, &record);
        revision_record_free (newest);
        outcome = store->add (store, config->tenant, config->scenario, &record, error);
        if (outcome == STORE_OK) {
            *newest = record;
            return STORE_OK;
        }
        revision_record_free (&record);
        if (outcome != STORE_EXISTS)
            return outcome;
    }
    return STORE_AWAY;
}
