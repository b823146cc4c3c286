/*  fuzz_admin: any bytes as a request to the admin API, without its HTTP: three texts separated by
 *  newlines are a path, a query and a stored config, the rest is the body. What a change makes of
 *  it must mean what is stored then, and problems must be JSON.
 */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json_text.h"
#include "common/memory.h"
#include "configd/admin_query.h"
#include "configd/admin_route.h"
#include "configd/revision_note.h"
#include "configd/scenario_change.h"
#include "configd/scenario_diff.h"
#include "configd/scenario_file.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size);

/*  The next text, up to a newline. */
static char *next_text (const uint8_t **at, const uint8_t *end)
{
    const uint8_t *line = memchr (*at, '\n', (size_t)(end - *at));
    size_t size = line ? (size_t)(line - *at) : (size_t)(end - *at);
    char *text = memory_copy_string ((const char *)*at, size);
    *at += size + (line != NULL);
    return text;
}

static void check_errors (const admin_errors_t *errors)
{
    admin_response_t response = {0};
    admin_problem_errors (&response, errors);
    yyjson_doc *read =
        yyjson_read ((const char *)response.body.bytes, response.body.size, YYJSON_READ_NOFLAG);
    CHECK (read);
    yyjson_doc_free (read);
    admin_response_free (&response);
}

static void try_request (const char *path, char *query)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
    char *equals = strchr (query, '=');
    if (equals)
        *equals = '\0';
    const admin_request_t request = {.queries = {{query, equals ? equals + 1 : NULL}},
                                     .query_count = 1};
    for (size_t i = 0; i < 5; i++) {
        admin_match_t match;
        if (admin_route_find (methods[i], path, &match) != ROUTE_FOUND)
            continue;
        admin_parameters_t parameters;
        admin_errors_t errors = {0};
        admin_query_read (&request, match.operation, &parameters, &errors);
        check_errors (&errors);
        admin_errors_free (&errors);
    }
}

static void try_change (change_kind_t kind, const char *stored, yyjson_val *given)
{
    static config_errors_t wrong;
    scenario_version_t made, again;
    if (scenario_change_apply (kind, stored, given, &made, &wrong)) {
        CHECK (scenario_version_of (made.stored, &again, &wrong));
        CHECK (strcmp (again.effective_hash, made.effective_hash) == 0);
        CHECK (strcmp (again.stored_hash, made.stored_hash) == 0);
        yyjson_mut_doc *document = yyjson_mut_doc_new (NULL);
        yyjson_mut_val *changes = scenario_diff (document, made.effective, again.effective);
        CHECK (yyjson_mut_arr_size (changes) == 0);
        yyjson_mut_doc_free (document);
        scenario_version_free (&again);
    } else {
        admin_errors_t errors = {0};
        admin_errors_of_config (&errors, &wrong, made.stored);
        check_errors (&errors);
        admin_errors_free (&errors);
    }
    scenario_version_free (&made);
}

static void try_file (span_t text)
{
    static const revision_note_t note = {.number = 1};
    static const store_change_t change = {.sets_config = true, .stored = "{}", .note = &note};
    char error[STORE_ERROR_BYTES];
    buffer_t made = {0};
    if (scenario_file_change (text, &change, &made, error) == STORE_OK) {
        yyjson_doc *read =
            yyjson_read ((const char *)made.bytes, made.size, YYJSON_READ_NUMBER_AS_RAW);
        CHECK (read);
        yyjson_doc_free (read);
    }
    buffer_free (&made);
}

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
    const uint8_t *at = bytes, *end = bytes + size;
    char *path = next_text (&at, end), *query = next_text (&at, end);
    char *stored = next_text (&at, end);
    span_t body = {(const char *)at, (size_t)(end - at)};
    yyjson_doc *given = yyjson_read (body.bytes, body.size, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root (given);
    revision_note_t note;
    try_request (path, query);
    if (json_text_within (root, JSON_DEPTH_MAX)) {
        try_change (CHANGE_PATCH, *stored ? stored : NULL, root);
        try_change (CHANGE_REPLACE, stored, root);
    }
    revision_note_parse (body, &note);
    revision_note_free (&note);
    try_file (body);
    yyjson_doc_free (given);
    free (path);
    free (query);
    free (stored);
    return 0;
}
