#include "configd/scenario_store.h"

#include <stdlib.h>

void stored_scenario_free (stored_scenario_t *self)
{
    free (self->source);
    free (self->type);
    free (self->status);
    free (self->stored);
    revision_note_free (&self->note);
    if (self->version)
        self->free_version (self->version);
    *self = (stored_scenario_t){0};
}

const char *store_outcome_text (store_outcome_t outcome)
{
    switch (outcome) {
    case STORE_OK:
        return "done";
    case STORE_ABSENT:
        return "not there";
    case STORE_LOST:
        return "changed meanwhile";
    case STORE_EXISTS:
        return "there already";
    case STORE_CONFLICT:
        return "no single document";
    case STORE_TOO_LARGE:
        return "too large";
    case STORE_AWAY:
        return "away";
    case STORE_REFUSED:
        return "refused";
    }
    return "unknown";
}
