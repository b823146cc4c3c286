/*  scenario_scope: which scenarios a process is for: all; those of one tenant, or one scenario (the
 *  dedicated mode); all but some that have a pipeline of their own (--except). Pure.
 */
#ifndef HOTPATH_SCENARIO_SCOPE_H
#define HOTPATH_SCENARIO_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/span.h"

enum { SCENARIO_SCOPE_EXCEPT_MAX = 1024 };

typedef struct scenario_scope scenario_scope_t;

/*  `tenant` and `scenario` may be NULL; `except`: `count` texts TENANT/SCENARIO; a star as the
 *  scenario is all of that tenant. A byte of an id may be written as %XX (a slash and a comma
 *  must). NULL with a sentence in error. */
scenario_scope_t *scenario_scope_new (const char *tenant, const char *scenario,
                                      char *const *except, size_t count, char *error,
                                      size_t error_size);
void scenario_scope_destroy (scenario_scope_t **self_p);

/*  Is it for this one? NULL: for all. An absent `scenario`: for any of the tenant's? */
bool scenario_scope_has (const scenario_scope_t *self, span_t tenant, span_t scenario);

#endif
