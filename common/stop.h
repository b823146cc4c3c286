/*  stop: the one flag that SIGTERM and SIGINT set, and SIGHUP's. */
#ifndef HOTPATH_STOP_H
#define HOTPATH_STOP_H

#include <stdbool.h>

/*  Installs the handlers (SIGTERM, SIGINT: stop; SIGHUP: reload; SIGPIPE ignored). Blocking calls
 *  return EINTR on them. */
void stop_install (void);
bool stop_requested (void);
/*  True once for each SIGHUP (or several that came together). */
bool stop_take_reload (void);

#endif
