/*  sim_disk: the state folder: file locks and LMDB stores in memory, and the thread that
 *  commits.
 *
 *  A folder or a lock file that is removed goes from the tree, as on a real file system: who
 *  holds it open goes on with what it has, and who comes next makes it anew.
 */
#ifndef HOTPATH_MODEL_SIM_DISK_H
#define HOTPATH_MODEL_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/committer.h"
#include "common/span.h"
#include "sim.h"

#define SIM_STATE       "/sim/state"
#define SIM_STATE_BYTES 64
enum { SIM_TEXT_FILE_BYTES = 32 };

/*  One stored version of an LMDB file; shared, never changed. */
typedef struct store_version store_version_t;

typedef struct inode {
    uint32_t number, references; /* of paths and open files */
    int lock;                    /* the open file that has it locked, or -1 */
    store_version_t *store;      /* of a data.mdb … */
    uint32_t shard;              /* … of this shard */
    int64_t touched_ns;          /* when it was last written or touched */
    uint32_t size;               /* of a text: what is in it */
    char text[SIM_TEXT_FILE_BYTES];
} inode_t;

void sim_disk_begin (uint32_t shard_count, uint64_t lineage);
void sim_disk_end (void);
/*  No commit succeeds while it is full. */
void sim_disk_set_full (bool full);

/*  Removes a path and all below it from the tree. */
void sim_files_remove (const char *path);
/*  What the path names, or NULL. */
inode_t *sim_files_find (const char *path);
/*  Who has the file locked, or NULL. */
process_t *sim_files_locker (const char *path);
/*  For LMDB: what the path names, made where it is absent; NULL: its folder does not exist. */
inode_t *sim_files_make (const char *path);
void sim_files_hold (inode_t *inode);
/*  An open file of it; closed by close. */
int sim_files_open (inode_t *inode);
void sim_files_drop (inode_t *inode);

/*  The records of a version, in order of keys; false: there is no i-th. */
bool sim_store_record (const store_version_t *version, uint32_t i, span_t *key, span_t *value);
/*  Of a record named by its key; bytes NULL: none. */
span_t sim_store_find (const store_version_t *version, span_t key);
void sim_store_drop (store_version_t **version_p);
/*  The file that the last mdb_txn_commit wrote to; borrowed. */
inode_t *sim_store_written (void);

/*  The committing threads of all processes: is there something to do? Then one step of one of
 *  them: a job is written, or one that is written is told. */
bool sim_committers_wait (void);
void sim_committers_step (void);
/*  Has this process submitted a commit that is not written (written: not told)? */
bool sim_committer_has (const process_t *process, bool written);

#endif
