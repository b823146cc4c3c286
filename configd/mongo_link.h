/*  mongo_link: connections to MongoDB, and what its errors mean. Part of the mongo_* modules: they
 *  alone know libmongoc.
 */
#ifndef HOTPATH_MONGO_LINK_H
#define HOTPATH_MONGO_LINK_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include "configd/scenario_store.h"

enum { MONGO_POOL_MAX = 16 };

/*  The first thing in main. From the moment it is loaded, before main, the driver shows counters in
 * /dev/shm/mongoc-PID, where a process that is killed would leave them: the name goes at once. A
 * later process that finds the name of its own pid taken would begin with a warning of the driver's
 * in its log, on a line that is not ours; MONGOC_DISABLE_SHM=1 in the environment keeps the driver
 * from both, and `hotpath run` and the image set it. */
void mongo_link_forget_counters (void);

/*  libmongoc is begun with the first and ended with the last of those who use it. */
void mongo_link_begin (void);
void mongo_link_end (void);

/*  The URL with our limits of time where it names none: nothing waits longer than some seconds.
 *  NULL with a sentence in error, which does not show it: it may hold a password. */
mongoc_uri_t *mongo_link_uri (const char *url, char *error, size_t error_size);

/*  What an error of a call means; writes it into `text` (STORE_ERROR_BYTES). */
store_outcome_t mongo_link_outcome (const bson_error_t *failure, char *text);

#endif
