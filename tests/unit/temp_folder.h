/*  temp_folder: a folder of a test's own, for the units that are about files. */
#ifndef HOTPATH_TEMP_FOLDER_H
#define HOTPATH_TEMP_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*  Makes it: *state gets its path. For cmocka's setup. */
static inline int temp_folder_make (void **state)
{
    char path[] = "/tmp/hotpath-unit-XXXXXX";
    *state = mkdtemp (path) ? strdup (path) : NULL;
    return *state ? 0 : -1;
}

static inline int temp_folder_unlink (const char *path, const struct stat *status, int kind,
                                      struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove (path);
}

/*  Removes it with all that is in it. For cmocka's teardown. */
static inline int temp_folder_remove (void **state)
{
    int failed = nftw (*state, temp_folder_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free (*state);
    return failed;
}

#endif
