/*  fuzz_scenario_document: any bytes as a scenario document. What is valid, written and parsed
 *  again, must give the same bytes; what is not must say why. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/scenario_config.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
    static config_errors_t errors;
    char *tenant = NULL, *scenario = NULL;
    span_t json = {(const char *)bytes, size};
    scenario_document_t *document = scenario_document_parse (json, &errors, &tenant, &scenario);
    CHECK ((document == NULL) == (errors.count > 0));
    if (document) {
        buffer_t first = {0}, second = {0};
        scenario_config_write (document->config, &first);
        json = (span_t){(const char *)first.bytes, first.size};
        scenario_config_t *again = scenario_config_parse (json, "", &errors);
        CHECK (again);
        CHECK (again->hot_score.slice_ms == document->config->hot_score.slice_ms);
        CHECK (again->action_count == document->config->action_count);
        scenario_config_write (again, &second);
        CHECK (first.size == second.size && memcmp (first.bytes, second.bytes, first.size) == 0);
        scenario_config_destroy (&again);
        buffer_free (&first);
        buffer_free (&second);
    }
    scenario_document_destroy (&document);
    free (tenant);
    free (scenario);
    return 0;
}
