/*  revision_note: what is written beside a change: which revision it is, and who made it when,
 *  from where and why. It is kept twice: in the document itself (key "hotpath"), in the same write
 *  as the change, and in the history. So a crash between the two writes loses nothing: what the
 *  history lacks is told by the document. Pure.
 *
 *      "hotpath": {"revision": 12, "hash": "9f86…", "at": "2026-03-01T12:00:00.000Z",
 *                  "author": "alice", "from": "127.0.0.1", "reason": "spring sale", "request": "…"}
 *
 *  `hash` is of the stored realtime_compute: a note whose hash is another was left behind by a
 *  change that somebody else wrote.
 */
#ifndef HOTPATH_REVISION_NOTE_H
#define HOTPATH_REVISION_NOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>
#include "common/digest.h"
#include "common/span.h"

enum {
    NOTE_TEXT_BYTES_MAX = 1000, /* of each text, but the key */
    NOTE_KEY_BYTES_MAX = 255,
    NOTE_TIME_BYTES = 25,
};

#define NOTE_EXTERNAL "external" /* author of what was written into the store by others */
#define NOTE_HOTPATH  "hotpath"  /* author of what nobody wrote */

typedef struct {
    uint64_t number;
    int64_t at_ms; /* wall clock */
    char hash[DIGEST_HEX_BYTES + 1];
    char *author; /* of these any may be NULL: */
    char *reason, *from;
    char *request;                          /* id of the request, unique */
    char *key;                              /* Idempotency-Key */
    char fingerprint[DIGEST_HEX_BYTES + 1]; /* of the request with that key; "" without */
} revision_note_t;

/*  One entry of the history. */
typedef struct {
    revision_note_t note; /* note.hash: of `stored` */
    char *stored;         /* realtime_compute as stored, JSON; NULL: none (all defaults) */
    char *effective;      /* the canonical effective config of that time */
    char effective_hash[DIGEST_HEX_BYTES + 1];
} revision_record_t;

void revision_note_free (revision_note_t *self);
void revision_record_free (revision_record_t *self);
void revision_note_copy (revision_note_t *to, const revision_note_t *from);
/*  A copy of at most NOTE_TEXT_BYTES_MAX bytes, cut at a whole UTF-8 character; NULL of nothing. */
char *revision_note_text (span_t text);

/*  The value of the document's key. */
yyjson_mut_val *revision_note_write (const revision_note_t *self, yyjson_mut_doc *to);
/*  Reads that; false where it is no note (then *note is empty). Unknown keys are left out. */
bool revision_note_read (yyjson_val *value, revision_note_t *note);
/*  The same from a JSON text (absent: no note). */
bool revision_note_parse (span_t json, revision_note_t *note);

/*  "2026-03-01T12:00:00.000Z" of ms since the epoch, from year 1970 on; and back, -1 where it is
 *  not one. */
void note_time_write (int64_t ms, char text[NOTE_TIME_BYTES]);
int64_t note_time_read (const char *text);

#endif
