/*  action_names: numbers of the actions that scenarios name themselves, for the life of one process.
 *  Known actions keep their fixed number (actions.h); others get one from ACTION_CUSTOM up, in the order
 *  in which they come. Stored state and frames hold custom actions by name.
 */
#ifndef HOTPATH_ACTION_NAMES_H
#define HOTPATH_ACTION_NAMES_H

#include <stdint.h>
#include "common/actions.h"

typedef struct action_names action_names_t;

action_names_t *action_names_new (void);
void action_names_destroy (action_names_t **self_p);
/*  Number of a name of 1 .. 64 bytes, made where it is new; ACTION_OTHER once 65,000 are taken. */
uint16_t action_names_intern (action_names_t *self, span_t name);
/*  Name of a number that this process has given, or of a known one; borrowed for the process life. */
span_t action_names_get (const action_names_t *self, uint16_t number);

/*  How many custom names there are: their numbers are ACTION_CUSTOM .. ACTION_CUSTOM + count - 1. */
uint32_t action_names_custom_count (const action_names_t *self);

#endif
