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
    state_layout_t layout;
} run_folder_t;

/*  Makes the state folder and its layout where absent, locks it (the kernel unlocks it when this
 * process dies), makes the sockets' folder empty. 0, or -1 with a sentence in error and the
 * sysexits code in *code (75 in use by another run, 78 of another shard count, 73 cannot be made).
 */
int run_folder_open (run_folder_t *self, const char *state, uint32_t shard_count, char *error,
                     size_t error_size, int *code);
/*  Removes the sockets, then unlocks. */
void run_folder_close (run_folder_t *self);

#endif
