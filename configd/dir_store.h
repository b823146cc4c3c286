/*  dir_store: scenario documents that are files of one folder (one a file, `*.json`), and their
 *  history on this host's disk (local_history).
 *
 *  A change is written beside the file and moved into its place, so that no reader sees half of
 *  it; numbers of other services keep their digits. Two writers through this configd exclude each
 *  other; an editor that saves in the moment between our comparison and our move loses what it
 *  saved.
 */
#ifndef HOTPATH_DIR_STORE_H
#define HOTPATH_DIR_STORE_H

#include "configd/scenario_store.h"

/*  `history` is the folder of the history. NULL with a sentence in error. */
scenario_store_t *dir_store_new (const char *folder, const char *history, char *error,
                                 size_t error_size);

#endif
