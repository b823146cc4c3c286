/*  sim_check: instead of shard_check.c, which reads a store under suspicion in a process of its own: in the
 *  model no bytes go bad, so nothing is suspect.
 */
#include "common/shard_check.h"

#include <stdio.h>

#include "sim.h"

void shard_check_mark (const char *folder, char *path, size_t size)
{
    snprintf (path, size, "%s/data.mdb.suspect", folder);
}

void shard_check_suspect (const char *folder)
{
    if (!sim_is_dead ())
        sim_fail ("the store in %s is held to be broken", folder);
}

void shard_check_clear (const char *folder)
{
    (void)folder;
}

bool shard_check_any (const char *stage_folder, uint32_t shard_count)
{
    (void)stage_folder, (void)shard_count;
    return false;
}

bool shard_check_is_suspect (const char *folder)
{
    (void)folder;
    return false;
}

shard_fault_t shard_check_verify (const char *folder, void (*progress) (void *arg), void *arg,
                                  char *error, size_t error_size)
{
    (void)folder, (void)progress, (void)arg, (void)error, (void)error_size;
    return SHARD_FAULT_NONE;
}

shard_store_t *shard_check_open (const char *folder, const shard_check_options_t *options,
                                 shard_fault_t *fault, char *error, size_t error_size)
{
    return shard_store_open (folder, options->bytes_max, true, fault, error, error_size);
}

shard_fault_t shard_check_set_aside (const char *folder, int64_t wall_ms, char *aside,
                                     size_t aside_size, char *error, size_t error_size)
{
    (void)wall_ms, (void)error, (void)error_size;
    snprintf (aside, aside_size, "%s", folder);
    shard_check_suspect (folder);
    return SHARD_FAULT_ACCESS;
}
