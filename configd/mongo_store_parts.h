/*  mongo_store_parts: what the two files of mongo_store share; private to them. */
#ifndef HOTPATH_MONGO_STORE_PARTS_H
#define HOTPATH_MONGO_STORE_PARTS_H

#include "configd/mongo_link.h"
#include "configd/mongo_store.h"

enum { MONGO_WRITTEN_MS = 5000 }; /* for most members to have a write */

typedef struct {
    scenario_store_t store; /* first */
    mongoc_client_pool_t *pool;
    char *database, *collection;
} mongo_store_t;

static inline mongo_store_t *mongo_store_of (scenario_store_t *store)
{
    return (mongo_store_t *)(void *)store;
}

/*  A client of the pool with one collection of it. */
typedef struct {
    mongoc_client_t *client; /* NULL: none was free in time */
    mongoc_collection_t *collection;
} mongo_call_t;

/*  `name` NULL: the documents. AWAY with a sentence in error. */
store_outcome_t mongo_call_begin (mongo_store_t *self, const char *name, mongo_call_t *call,
                                  char *error);
void mongo_call_end (mongo_store_t *self, mongo_call_t *call);

/*  mongo_history.c */
store_outcome_t mongo_history_newest (scenario_store_t *store, span_t tenant, span_t scenario,
                                      revision_record_t *record, char *error);
store_outcome_t mongo_history_revision (scenario_store_t *store, span_t tenant, span_t scenario,
                                        uint64_t number, revision_record_t *record, char *error);
store_outcome_t mongo_history_revisions (scenario_store_t *store, span_t tenant, span_t scenario,
                                         uint64_t below, revision_record_t *records,
                                         uint32_t *count, char *error);
store_outcome_t mongo_history_by_key (scenario_store_t *store, span_t tenant, span_t scenario,
                                      const char *key, revision_record_t *record, char *error);
store_outcome_t mongo_history_add (scenario_store_t *store, span_t tenant, span_t scenario,
                                   const revision_record_t *record, char *error);

#endif
