#include "common/scenario_scope.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/memory.h"
#include "common/percent.h"

enum { ID_BYTES_MAX = 256 };

typedef struct {
    char *tenant, *scenario; /* scenario NULL: all of the tenant's */
} pair_t;

struct scenario_scope {
    char *tenant, *scenario;
    pair_t *except;
    size_t count;
};

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

/*  NULL, or what is wrong. */
static const char *read_pair (const char *text, pair_t *pair)
{
    char id[ID_BYTES_MAX + 1];
    const char *slash = strchr (text, '/');
    if (!slash || strchr (slash + 1, '/'))
        return "is not TENANT/SCENARIO (a slash in an id is written as %2F)";
    if (percent_decode ((span_t){text, (size_t)(slash - text)}, id, sizeof id) < 1)
        return "has no tenant of 1 to 256 bytes";
    pair->tenant = copy (id);
    if (strcmp (slash + 1, "*") == 0)
        return NULL;
    if (percent_decode (span_of (slash + 1), id, sizeof id) < 1)
        return "has no scenario of 1 to 256 bytes";
    pair->scenario = copy (id);
    return NULL;
}

scenario_scope_t *scenario_scope_new (const char *tenant, const char *scenario,
                                      char *const *except, size_t count, char *error,
                                      size_t error_size)
{
    scenario_scope_t *self = memory_new (sizeof *self);
    self->tenant = copy (tenant);
    self->scenario = copy (scenario);
    self->except = memory_new_array (count ? count : 1, sizeof *self->except);
    self->count = count;
    const char *wrong = count > SCENARIO_SCOPE_EXCEPT_MAX ? "is one too many" : NULL;
    size_t i = wrong ? SCENARIO_SCOPE_EXCEPT_MAX : 0;
    for (; !wrong && i < count; i++)
        wrong = read_pair (except[i], &self->except[i]);
    if (!wrong)
        return self;
    snprintf (error, error_size, "--except: %s %s", except[i ? i - 1 : 0], wrong);
    scenario_scope_destroy (&self);
    return NULL;
}

void scenario_scope_destroy (scenario_scope_t **self_p)
{
    scenario_scope_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++) {
        free (self->except[i].tenant);
        free (self->except[i].scenario);
    }
    free (self->except);
    free (self->tenant);
    free (self->scenario);
    free (self);
    *self_p = NULL;
}

static bool is (const char *only, span_t id)
{
    return !only || span_equal (span_of (only), id);
}

bool scenario_scope_has (const scenario_scope_t *self, span_t tenant, span_t scenario)
{
    if (!self)
        return true;
    if (!is (self->tenant, tenant) || (scenario.bytes && !is (self->scenario, scenario)))
        return false;
    for (size_t i = 0; i < self->count; i++) {
        const pair_t *pair = &self->except[i];
        if (is (pair->tenant, tenant) &&
            (!pair->scenario || (scenario.bytes && is (pair->scenario, scenario))))
            return false;
    }
    return true;
}
