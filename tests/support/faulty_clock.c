/*  A wall clock that is off, for a process that is started with it in LD_PRELOAD: by so many ms as
 *  stand in the file that FAULTY_CLOCK_FILE names when it starts; its next life may have another.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long offset_ms;
static int (*real) (clockid_t, struct timespec *);

__attribute__ ((constructor)) static void start (void)
{
    const char *path = getenv ("FAULTY_CLOCK_FILE");
    FILE *file = path ? fopen (path, "r") : NULL;
    real = (int (*) (clockid_t, struct timespec *)) dlsym (RTLD_NEXT, "clock_gettime");
    if (!file)
        return;
    if (fscanf (file, "%lld", &offset_ms) != 1)
        offset_ms = 0;
    fclose (file);
}

int clock_gettime (clockid_t id, struct timespec *now)
{
    if (!real)
        start ();
    int result = real (id, now);
    if (result == 0 && id == CLOCK_REALTIME)
        now->tv_sec += offset_ms / 1000;
    return result;
}
