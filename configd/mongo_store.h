/*  mongo_store: scenario documents in MongoDB as the admin API changes them, and their history in
 *  the collection scenario_revisions. Of libmongoc it uses a pool of clients: any thread calls.
 *
 *  A change compares all that is ours of the document, in one command, so that of two writers
 *  through two configds one loses. Writes are acknowledged by most members: a primary that steps
 *  down cannot take back what was answered.
 */
#ifndef HOTPATH_MONGO_STORE_H
#define HOTPATH_MONGO_STORE_H

#include "configd/scenario_store.h"

#define MONGO_REVISIONS "scenario_revisions"

/*  Connects to nothing yet. NULL with a sentence in error where the URL is not valid. */
scenario_store_t *mongo_store_new (const char *url, const char *database, const char *collection,
                                   char *error, size_t error_size);

/*  Makes the unique indexes (tenant_id, scenario_id) of the documents and (tenant_id, scenario_id,
 *  number) of the history where they are absent. EXISTS: documents with equal ids are in the way of
 *  the first. */
store_outcome_t mongo_store_prepare (scenario_store_t *self, char *error);

#endif
