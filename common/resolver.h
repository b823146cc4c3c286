/*  resolver: looks up names in a thread of its own, since that may take as long as a DNS server is
 *  silent, and a working loop must not wait for it. One look-up at a time; its answer is taken when
 *  it is there.
 *
 *      asked       resolver_ask, from the loop, as often as it likes
 *      answered    resolver_take, from the loop
 *
 *  Names that need no look-up (addresses, ipc) are answered at once, without a thread.
 */
#ifndef HOTPATH_RESOLVER_H
#define HOTPATH_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include "common/settings.h"

typedef struct resolver resolver_t;

/*  Looks up; *failed: some name has no answer now (others may). From the thread. The result is
 *  freed with endpoint_list_free. */
typedef settings_list_t resolver_look_up_t (void *arg, const settings_list_t *names, bool *failed);

/*  Names are endpoints ("tcp://HOST:PORT"; copied). `look_up` NULL: endpoint_resolve; another
 *  one is for tests, and its arg must live as long as a look-up may take. */
resolver_t *resolver_new (const settings_list_t *names, resolver_look_up_t *look_up, void *arg);
/*  Does not wait: a look-up that is under way ends by itself, unheard. */
void resolver_destroy (resolver_t **self_p);
/*  Begins a look-up, unless one is under way. */
void resolver_ask (resolver_t *self, int64_t now_ms);
/*  The answer of the last look-up that has ended, once: then *found is the caller's. False: none
 *  is new. */
bool resolver_take (resolver_t *self, settings_list_t *found, bool *failed);
/*  For how long the present look-up has been under way, in ms; 0: none is. */
int64_t resolver_waits_ms (resolver_t *self, int64_t now_ms);

#endif
