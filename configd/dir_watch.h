/*  dir_watch: the scenario files (`*.json`, not hidden) of one folder, followed by inotify: read
 *  when closed after writing or moved in, told as left when deleted or moved out. Lost inotify
 *  events, the folder replaced, Kubernetes' "..data" swapped: everything is read again. Judges no
 *  document.
 */
#ifndef HOTPATH_DIR_WATCH_H
#define HOTPATH_DIR_WATCH_H

#include <stdint.h>
#include "common/span.h"

enum { DIR_WATCH_FILE_BYTES_MAX = 1 << 20 };

/*  What is found; names are of files in the folder; all hold for the call. */
typedef struct {
    void *arg;
    void (*file) (void *arg, const char *name, span_t text);
    void (*unreadable) (void *arg, const char *name, const char *reason);
    void (*left) (void *arg, const char *name);
    void (*begin) (void *arg); /* a full read: files that are not told until `end` are gone */
    void (*end) (void *arg);
} dir_listener_t;

typedef struct dir_watch dir_watch_t;

/*  Watches `folder`, without reading it yet. NULL with errno if it is no folder or cannot be
 *  watched. */
dir_watch_t *dir_watch_new (const char *folder, const dir_listener_t *listener);
void dir_watch_destroy (dir_watch_t **self_p);

/*  Reads every file. -1 with errno if the folder cannot be listed (then nothing was told). */
int dir_watch_read_all (dir_watch_t *self);
/*  The inotify descriptor to poll for reading. */
int dir_watch_fd (const dir_watch_t *self);
/*  Takes what has happened; call it when readable and at least once a second. */
void dir_watch_step (dir_watch_t *self, int64_t now_ms);

#endif
