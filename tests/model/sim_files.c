/*  sim_files: the tree of files of sim_disk.h, and the calls of libc that shard_owner makes of
 *  it (the linker's --wrap; paths elsewhere go to the real ones). flock is that of Linux: a
 *  lock belongs to the open file, and goes with it.
 */
#include "sim_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/memory.h"
#include "common/state_layout.h"

enum { PATHS_MAX = 96, FILES_MAX = 256, FILES_FIRST = 1 << 16, FOLDERS_MAX = 4, PATH_BYTES = 96 };
#define STORE_BYTES (1 << 20) /* of a data.mdb, whatever is in it */

typedef struct {
    char path[PATH_BYTES];
    inode_t *inode; /* NULL: a folder */
} path_t;

/*  A walk of opendir. */
typedef struct {
    bool used;
    char path[PATH_BYTES];
    uint32_t at;
    struct dirent entry;
} folder_t;

static struct {
    path_t paths[PATHS_MAX];
    uint32_t path_count;
    inode_t *files[FILES_MAX]; /* by descriptor - FILES_FIRST … */
    process_t *openers[FILES_MAX]; /* … and whose it is */
    folder_t folders[FOLDERS_MAX];
    uint32_t numbers;
    uint32_t shard_count;
    uint64_t lineage;
} tree;

static bool is_ours (const char *path)
{
    return strncmp (path, "/sim", 4) == 0;
}

static path_t *find_path (const char *path)
{
    for (uint32_t i = 0; i < tree.path_count; i++) {
        if (strcmp (tree.paths[i].path, path) == 0)
            return &tree.paths[i];
    }
    return NULL;
}

static path_t *add_path (const char *path, inode_t *inode)
{
    if (tree.path_count == PATHS_MAX || strlen (path) >= PATH_BYTES) {
        sim_fail ("the model has no room for the path %s", path);
        return NULL;
    }
    path_t *added = &tree.paths[tree.path_count++];
    snprintf (added->path, sizeof added->path, "%s", path);
    added->inode = inode;
    return added;
}

void sim_files_hold (inode_t *inode)
{
    inode->references++;
}

void sim_files_drop (inode_t *inode)
{
    if (!inode || --inode->references)
        return;
    sim_store_drop (&inode->store);
    free (inode);
}

int sim_files_open (inode_t *inode)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (tree.files[i])
            continue;
        sim_files_hold (inode);
        tree.files[i] = inode;
        tree.openers[i] = sim.current;
        return FILES_FIRST + i;
    }
    errno = EMFILE;
    return -1;
}

static bool folder_exists (const char *path)
{
    char folder[PATH_BYTES];
    snprintf (folder, sizeof folder, "%s", path);
    char *slash = strrchr (folder, '/');
    *slash = '\0';
    const path_t *found = find_path (folder);
    return found && !found->inode;
}

inode_t *sim_files_find (const char *path)
{
    const path_t *found = find_path (path);
    return found ? found->inode : NULL;
}

inode_t *sim_files_make (const char *path)
{
    path_t *found = find_path (path);
    if (found)
        return found->inode;
    if (!folder_exists (path))
        return NULL;
    inode_t *inode = memory_new (sizeof *inode);
    inode->number = ++tree.numbers;
    inode->references = 1;
    inode->lock = -1;
    if (!add_path (path, inode))
        sim_files_drop (inode);
    return sim_files_find (path);
}

void sim_files_remove (const char *path)
{
    size_t size = strlen (path);
    for (uint32_t i = tree.path_count; i-- > 0;) {
        const char *at = tree.paths[i].path;
        if (strncmp (at, path, size) != 0 || (at[size] != '/' && at[size] != '\0'))
            continue;
        sim_files_drop (tree.paths[i].inode);
        memmove (&tree.paths[i], &tree.paths[i + 1],
                 (--tree.path_count - i) * sizeof tree.paths[0]);
        for (uint32_t j = 0; j < FOLDERS_MAX; j++)
            tree.folders[j].at -= tree.folders[j].at > i; /* a walk misses nothing else */
    }
}

process_t *sim_files_locker (const char *path)
{
    const inode_t *inode = sim_files_find (path);
    return inode && inode->lock >= 0 ? tree.openers[inode->lock - FILES_FIRST] : NULL;
}

void sim_disk_begin (uint32_t shard_count, uint64_t lineage)
{
    tree.shard_count = shard_count;
    tree.lineage = lineage;
    tree.numbers = 0;
    add_path ("/sim", NULL);
    add_path (SIM_STATE, NULL);
    sim_disk_set_full (false);
}

void sim_disk_end (void)
{
    for (uint32_t i = 0; i < FILES_MAX; i++) {
        sim_files_drop (tree.files[i]);
        tree.files[i] = NULL;
    }
    sim_files_remove ("/sim");
    memset (tree.folders, 0, sizeof tree.folders);
}

/*  ---- instead of state_layout.c ---- */

int state_layout_open (const char *folder, uint32_t shard_count, state_layout_t *layout,
                       char *error, size_t error_size)
{
    (void)folder, (void)shard_count, (void)error, (void)error_size;
    *layout = (state_layout_t){.shard_count = tree.shard_count, .lineage = tree.lineage};
    return 0;
}

int state_layout_check (const char *folder, const state_layout_t *layout, char *error,
                        size_t error_size)
{
    (void)folder, (void)layout, (void)error, (void)error_size;
    return 0;
}

int state_layout_make_folder (const char *path)
{
    (void)path;
    return 0;
}

/*  ---- libc ---- */

int __real_open64 (const char *path, int flags, ...);
int __real_close (int fd);
int __real_flock (int fd, int operation);
int __real_fstat64 (int fd, struct stat *status);
int __real_stat64 (const char *path, struct stat *status);
int __real_unlink (const char *path);
int __real_mkdir (const char *path, mode_t mode);
int __real_futimens (int fd, const struct timespec times[2]);
int __real_fsync (int fd);
ssize_t __real_pread64 (int fd, void *bytes, size_t size, off_t offset);
ssize_t __real_pwrite64 (int fd, const void *bytes, size_t size, off_t offset);
DIR *__real_opendir (const char *path);
struct dirent *__real_readdir64 (DIR *folder);
int __real_closedir (DIR *folder);

int __wrap_open64 (const char *path, int flags, ...);
int __wrap_close (int fd);
int __wrap_flock (int fd, int operation);
int __wrap_fstat64 (int fd, struct stat *status);
int __wrap_stat64 (const char *path, struct stat *status);
int __wrap_unlink (const char *path);
int __wrap_mkdir (const char *path, mode_t mode);
int __wrap_futimens (int fd, const struct timespec times[2]);
int __wrap_fsync (int fd);
ssize_t __wrap_pread64 (int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite64 (int fd, const void *bytes, size_t size, off_t offset);
DIR *__wrap_opendir (const char *path);
struct dirent *__wrap_readdir64 (DIR *folder);
int __wrap_closedir (DIR *folder);

/*  Whether large files are asked for by name depends on how hotpath is compiled. */
int __wrap_open (const char *path, int flags, ...) __attribute__ ((alias ("__wrap_open64")));
int __wrap_fstat (int fd, struct stat *status) __attribute__ ((alias ("__wrap_fstat64")));
int __wrap_stat (const char *path, struct stat *status) __attribute__ ((alias ("__wrap_stat64")));
struct dirent *__wrap_readdir (DIR *folder) __attribute__ ((alias ("__wrap_readdir64")));
ssize_t __wrap_pread (int fd, void *bytes, size_t size, off_t offset)
    __attribute__ ((alias ("__wrap_pread64")));
ssize_t __wrap_pwrite (int fd, const void *bytes, size_t size, off_t offset)
    __attribute__ ((alias ("__wrap_pwrite64")));

static inode_t **file_of (int fd)
{
    return fd >= FILES_FIRST && fd < FILES_FIRST + FILES_MAX ? &tree.files[fd - FILES_FIRST] : NULL;
}

/*  A folder can be opened too, to be synced. */
int __wrap_open64 (const char *path, int flags, ...)
{
    va_list arguments;
    va_start (arguments, flags);
    int mode = flags & O_CREAT ? va_arg (arguments, int) : 0;
    va_end (arguments);
    if (!is_ours (path))
        return __real_open64 (path, flags, mode);
    inode_t *inode = NULL;
    if (flags & O_DIRECTORY)
        errno = ENOENT;
    else if (sim_call ("open"))
        inode = flags & O_CREAT ? sim_files_make (path) : sim_files_find (path);
    if (inode)
        return sim_files_open (inode);
    errno = ENOENT;
    return -1;
}

int __wrap_close (int fd)
{
    inode_t **file = file_of (fd);
    if (!file)
        return __real_close (fd);
    if ((*file)->lock == fd)
        (*file)->lock = -1;
    sim_files_drop (*file);
    *file = NULL;
    return 0;
}

int __wrap_flock (int fd, int operation)
{
    inode_t **file = file_of (fd);
    if (!file)
        return __real_flock (fd, operation);
    if (!sim_call ("flock") || ((*file)->lock >= 0 && (*file)->lock != fd)) {
        errno = EWOULDBLOCK;
        return -1;
    }
    (*file)->lock = operation & LOCK_UN ? -1 : fd;
    return 0;
}

static int fill_status (const inode_t *inode, struct stat *status)
{
    if (!inode) {
        errno = ENOENT;
        return -1;
    }
    *status = (struct stat){.st_dev = 1,
                            .st_ino = inode->number,
                            .st_mode = S_IFREG | 0644,
                            .st_nlink = 1,
                            .st_size = inode->store ? STORE_BYTES : inode->size};
    status->st_mtim.tv_sec = inode->touched_ns / 1000000000;
    status->st_mtim.tv_nsec = inode->touched_ns % 1000000000;
    return 0;
}

int __wrap_fstat64 (int fd, struct stat *status)
{
    inode_t **file = file_of (fd);
    return file ? fill_status (*file, status) : __real_fstat64 (fd, status);
}

int __wrap_stat64 (const char *path, struct stat *status)
{
    if (!is_ours (path))
        return __real_stat64 (path, status);
    const path_t *found = find_path (path);
    if (found && !found->inode) {
        *status = (struct stat){.st_dev = 1, .st_ino = 1, .st_mode = S_IFDIR | 0755};
        return 0;
    }
    return fill_status (found ? found->inode : NULL, status);
}

int __wrap_unlink (const char *path)
{
    if (!is_ours (path))
        return __real_unlink (path);
    if (sim_call ("unlink"))
        sim_files_remove (path);
    return 0;
}

int __wrap_mkdir (const char *path, mode_t mode)
{
    if (!is_ours (path))
        return __real_mkdir (path, mode);
    errno = find_path (path) ? EEXIST : ENOENT;
    if (find_path (path) || !folder_exists (path) || !sim_call ("mkdir"))
        return -1;
    return add_path (path, NULL) ? 0 : -1;
}

/*  Times are of one clock, and no two the same. */
static void touch (inode_t *inode)
{
    static int64_t last_ns;
    int64_t now_ns = sim.now_ms * 1000000;
    last_ns = now_ns > last_ns || now_ns + 1000000000 < last_ns ? now_ns : last_ns + 1;
    inode->touched_ns = last_ns;
}

int __wrap_futimens (int fd, const struct timespec times[2])
{
    inode_t **file = file_of (fd);
    if (!file)
        return __real_futimens (fd, times);
    if (sim_call ("futimens"))
        touch (*file);
    return 0;
}

int __wrap_fsync (int fd)
{
    return file_of (fd) ? 0 : __real_fsync (fd);
}

ssize_t __wrap_pread64 (int fd, void *bytes, size_t size, off_t offset)
{
    inode_t **file = file_of (fd);
    if (!file)
        return __real_pread64 (fd, bytes, size, offset);
    size_t from = (size_t)offset, left = (*file)->size > from ? (*file)->size - from : 0;
    size = size < left ? size : left;
    memcpy (bytes, (*file)->text + from, size);
    return (ssize_t)size;
}

ssize_t __wrap_pwrite64 (int fd, const void *bytes, size_t size, off_t offset)
{
    inode_t **file = file_of (fd);
    if (!file)
        return __real_pwrite64 (fd, bytes, size, offset);
    size_t from = (size_t)offset;
    if (from + size > SIM_TEXT_FILE_BYTES) {
        sim_fail ("the model's files hold %d bytes", SIM_TEXT_FILE_BYTES);
        return -1;
    }
    if (!sim_call ("pwrite"))
        return (ssize_t)size;
    memcpy ((*file)->text + from, bytes, size);
    (*file)->size = (uint32_t)(from + size > (*file)->size ? from + size : (*file)->size);
    touch (*file);
    return (ssize_t)size;
}

static folder_t *folder_of (DIR *folder)
{
    for (uint32_t i = 0; i < FOLDERS_MAX; i++) {
        if ((void *)folder == (void *)&tree.folders[i])
            return &tree.folders[i];
    }
    return NULL;
}

DIR *__wrap_opendir (const char *path)
{
    if (!is_ours (path))
        return __real_opendir (path);
    for (uint32_t i = 0; i < FOLDERS_MAX; i++) {
        folder_t *folder = &tree.folders[i];
        if (folder->used || !find_path (path))
            continue;
        *folder = (folder_t){.used = true};
        snprintf (folder->path, sizeof folder->path, "%s/", path);
        return (DIR *) (void *)folder;
    }
    errno = ENOENT;
    return NULL;
}

struct dirent *__wrap_readdir64 (DIR *walk)
{
    folder_t *folder = folder_of (walk);
    if (!folder)
        return __real_readdir64 (walk);
    size_t size = strlen (folder->path);
    while (folder->at < tree.path_count) {
        const char *path = tree.paths[folder->at++].path;
        if (strncmp (path, folder->path, size) != 0 || strchr (path + size, '/'))
            continue;
        snprintf (folder->entry.d_name, sizeof folder->entry.d_name, "%s", path + size);
        return &folder->entry;
    }
    return NULL;
}

int __wrap_closedir (DIR *walk)
{
    folder_t *folder = folder_of (walk);
    if (!folder)
        return __real_closedir (walk);
    folder->used = false;
    return 0;
}
