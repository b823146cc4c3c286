/*  status_find: all processes of a pipeline that serve their status: those noted in the state folder
 *  and those at given addresses, and what they answer now.
 */
#ifndef HOTPATH_CTL_STATUS_FIND_H
#define HOTPATH_CTL_STATUS_FIND_H

#include <stddef.h>
#include "ctl/status_view.h"

typedef struct status_finder status_finder_t;

/*  state: its notes are read (NULL: none); addresses: HOST:PORT, a name stands for all its
 *  addresses. All borrowed for life. */
status_finder_t *status_finder_new (const char *state, char *const *addresses, size_t count,
                                    long timeout_ms);
void status_finder_destroy (status_finder_t **self_p);

/*  Asks all; *found is borrowed until the next call. Those of one address are one. */
size_t status_finder_ask (status_finder_t *self, const status_found_t **found);

#endif
