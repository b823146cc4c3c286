/*  state_layout: what a state folder is: its format, its number of shards a stage, its lineage.
 *  Kept in DIR/layout, made once by whichever process comes first; a folder of another shard count
 *  or of a newer format is refused.
 */
#ifndef HOTPATH_STATE_LAYOUT_H
#define HOTPATH_STATE_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t shard_count;
    uint64_t lineage; /* random, never 0 */
} state_layout_t;

/*  Raised whenever older versions could not read what is stored below the folder: 2: checksums. */
enum { STATE_LAYOUT_FORMAT = 2 };

/*  Makes the folder (and its parents) where it is absent, reads or makes its layout.
 *  shard_count: what the settings ask for. 0, or a sysexits code (EX_CONFIG: of another format
 *  or number of shards; EX_TEMPFAIL: no room; EX_CANTCREAT: it cannot be made or read) with a
 *  sentence in error that names the place and the remedy. */
int state_layout_open (const char *folder, uint32_t shard_count, state_layout_t *layout, char *error,
                       size_t error_size);
/*  Is the folder still the one that was opened? -1 with a sentence in error where its layout is
 *  gone or another. */
int state_layout_check (const char *folder, const state_layout_t *layout, char *error,
                        size_t error_size);
/*  mkdir -p. 0 or -1 with errno. */
int state_layout_make_folder (const char *path);

#endif
