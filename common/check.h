/*  check: CHECK (condition) is for our own bugs: always on, never with side effects, never on
 *  bytes from outside. It names the place and aborts (a supervisor restarts; nothing is lost).
 */
#ifndef HOTPATH_CHECK_H
#define HOTPATH_CHECK_H

_Noreturn void check_failed (const char *condition, const char *file, int line);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect (!(condition), 0))                                                    \
            check_failed (#condition, __FILE__, __LINE__);                                         \
    } while (0)

#endif
