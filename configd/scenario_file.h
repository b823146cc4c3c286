/*  scenario_file: the text of a scenario document that is a file: made, and changed so that all
 *  that is not ours stays as it is, digit by digit. Pure.
 */
#ifndef HOTPATH_SCENARIO_FILE_H
#define HOTPATH_SCENARIO_FILE_H

#include "common/buffer.h"
#include "configd/scenario_store.h"

/*  Appends the text of a new document. */
void scenario_file_make (const store_new_t *made, buffer_t *text);
/*  Appends `text` with the change made. CONFLICT with a sentence in error (STORE_ERROR_BYTES) where
 *  it has no place for it. */
store_outcome_t scenario_file_change (span_t text, const store_change_t *change, buffer_t *to,
                                      char *error);
/*  A name for the file of a scenario: readable, ends in .json, at most 200 bytes. `attempt` (0, 1
 *  …) makes another. */
void scenario_file_name (span_t tenant, span_t scenario, int attempt, char *name, size_t size);

#endif
