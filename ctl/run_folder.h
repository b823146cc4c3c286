/*  run_folder: what one `hotpath run` has to itself: the lock on the state folder, and a folder for
 * its sockets: STATE/run, or one under /tmp where that path would be too long for a socket.
 */
#ifndef HOTPATH_CTL_RUN_FOLDER_H
#define HOTPATH_CTL_RUN_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/state_layout.h"

typedef struct {
    int lock_fd;            /* STATE/run.lock, locked as long as it is open; -1 */
    char sockets[PATH_MAX]; /* absolute; "" where there is none */
    bool temporary;
    bool lost; /* another may have the path by now: nothing there is ours to remove */
    state_layout_t layout;
} run_folder_t;

/*  What became of it while it was used. */
typedef enum {
    RUN_FOLDER_WELL,
    RUN_FOLDER_LOCKED_ANEW, /* run.lock was removed; a new one is locked */
    RUN_FOLDER_NO_SOCKETS,  /* the folder of sockets was removed; it is there again, empty */
    RUN_FOLDER_LOST,        /* the state folder was removed or replaced: nothing that runs belongs to it */
    RUN_FOLDER_TAKEN,       /* run.lock was removed, and another run has locked a new one */
} run_folder_state_t;

/*  Makes the state folder and its layout where absent, locks it (the kernel unlocks it when this
 * process dies), makes the sockets' folder empty. 0, or -1 with a sentence in error and the
 * sysexits code in *code (75 in use by another run, 78 of another shard count, 73 cannot be made).
 */
int run_folder_open (run_folder_t *self, const char *state, uint32_t shard_count, char *error,
                     size_t error_size, int *code);
/*  Looks after it, about once a second. Anything but WELL comes with a sentence in error. */
run_folder_state_t run_folder_look (run_folder_t *self, const char *state, char *error,
                                    size_t error_size);
/*  Removes the sockets, then unlocks. */
void run_folder_close (run_folder_t *self);

#endif
