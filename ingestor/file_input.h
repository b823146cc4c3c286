/*  file_input: one path of the file source: says when the file behind it has changed, and which
 *  partition it holds (by its first line). Not here: reading events, what becomes of old
 * partitions.
 */
#ifndef HOTPATH_FILE_INPUT_H
#define HOTPATH_FILE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

typedef struct {
    const char *path; /* borrowed */
    bool known;       /* the rest is what the last look saw */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
} file_input_t;

typedef enum {
    FILE_INPUT_SAME,    /* nothing new since the last look */
    FILE_INPUT_CHANGED, /* *look is filled; its fd and name are the caller's */
    FILE_INPUT_ABSENT,  /* it cannot be opened or read (errno) */
} file_input_result_t;

typedef struct {
    int fd;
    char *name;   /* of the partition that it is now */
    bool empty;   /* it has no whole first line yet: the name is that of the empty partition */
    bool moved;   /* another file (inode) than at the last look, or the first look */
    int64_t size; /* bytes */
} file_look_t;

/*  Looks at the file `fd` (>= 0), or where it is -1 at what the path leads to now. `complete`: a
 * last line without newline is one. `buffer` is scratch of FILE_TAIL_BUFFER_BYTES. */
file_input_result_t file_input_look (file_input_t *self, int fd, bool complete, char *buffer,
                                     file_look_t *look);

#endif
