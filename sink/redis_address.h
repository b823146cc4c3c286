/*  redis_address: the address of a host's name, looked up on a thread beside the loop, since DNS may
 *  take many seconds to say that it does not know. One look-up at a time; a name is looked up anew for
 *  each connection, so that one that moved is followed.
 */
#ifndef HOTPATH_SINK_REDIS_ADDRESS_H
#define HOTPATH_SINK_REDIS_ADDRESS_H

#include <stddef.h>
#include "common/outcome.h"

enum { REDIS_ADDRESS_BYTES = 64 }; /* an address as text, with a scope, and the NUL */

typedef struct redis_address redis_address_t;

redis_address_t *redis_address_new (void);
/*  Does not wait for a look-up that is under way: its thread ends by itself. */
void redis_address_destroy (redis_address_t **self_p);

/*  Asks for the address of `host`; an address as text is its own. OK: `address` has it; of several the
 *  next with each call that succeeds, so that one that does not answer is not tried for ever. RETRY: the
 *  look-up is under way, ask again. ERROR: there is none now; *reason says why (borrowed, a fixed text),
 *  and the next call looks it up again. */
outcome_t redis_address_find (redis_address_t *self, const char *host,
                              char address[REDIS_ADDRESS_BYTES], const char **reason);

#endif
