/*  status_note: where a process serves its status, noted in a file that `hotpath status` finds:
 *  FOLDER/NAME, locked as long as the process lives. So that a port may be any free one, and a worker
 *  that somebody started beside others is seen without being listed anywhere.
 *
 *      kind scorer
 *      pid 1234
 *      address 127.0.0.1:40123
 *      given 1                    its name was given (by `hotpath run`, say): one that is gone is missed
 *
 *  The reader takes a file that nobody locks for one of a process that has died. Not here: HTTP.
 */
#ifndef HOTPATH_STATUS_NOTE_H
#define HOTPATH_STATUS_NOTE_H

#include <stdbool.h>
#include <stddef.h>

enum { STATUS_NOTES_MAX = 4096, STATUS_NOTE_TEXT_MAX = 256 };

typedef struct {
    char name[STATUS_NOTE_TEXT_MAX], kind[STATUS_NOTE_TEXT_MAX], address[STATUS_NOTE_TEXT_MAX];
    long pid; /* in its own pid namespace */
    bool given, alive;
} status_note_t;

typedef struct status_noted status_noted_t;

/*  Notes it, in place of what a former process of this name left. NULL with a sentence in error. */
status_noted_t *status_note_put (const char *folder, const status_note_t *note, char *error,
                                 size_t error_size);
/*  Takes the note away. */
void status_note_remove (status_noted_t **self_p);

/*  All notes of a folder, by kind (in the order of an event's way, configd first) and name; at most
 *  STATUS_NOTES_MAX. Notes of dead processes whose names were not given are swept, and so is what
 *  unfinished ones left. The caller frees the list. *count is 0 where the folder is not there. */
status_note_t *status_notes_read (const char *folder, size_t *count);

#endif
