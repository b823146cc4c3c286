#include "configd/admin_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/percent.h"

enum {
    OF_CHANGES = 1 << ADMIN_PATCH | 1 << ADMIN_REPLACE | 1 << ADMIN_RESET | 1 << ADMIN_ROLLBACK |
                 1 << ADMIN_CREATE | 1 << ADMIN_STATUS,
    OF_WAITING = OF_CHANGES | 1 << ADMIN_APPLIED,
    OF_LISTS = 1 << ADMIN_LIST | 1 << ADMIN_REVISIONS,
    VALUE_BYTES_MAX = ADMIN_BODY_BYTES_MAX / 256,
    DIGITS_MAX = 15,
};

typedef const char *read_fn (admin_parameters_t *to, const char *value);

/*  ---- one value; NULL, or what is wrong with it ---- */

static const char *read_dry_run (admin_parameters_t *to, const char *value)
{
    to->dry_run = strcmp (value, "true") == 0;
    return to->dry_run || strcmp (value, "false") == 0 ? NULL : "is true or false";
}

static const char *read_wait (admin_parameters_t *to, const char *value)
{
    to->wait = strcmp (value, "applied") == 0;
    return to->wait ? NULL : "is \"applied\"";
}

static bool read_number (const char *value, uint64_t most, uint64_t *number)
{
    size_t digits = strspn (value, "0123456789");
    if (digits < 1 || digits > DIGITS_MAX || value[digits])
        return false;
    *number = strtoull (value, NULL, 10);
    return *number <= most;
}

static const char *read_timeout (admin_parameters_t *to, const char *value)
{
    uint64_t number = 0;
    char digits[DIGITS_MAX + 1];
    size_t count = strspn (value, "0123456789");
    snprintf (digits, sizeof digits, "%.*s", (int)(count > DIGITS_MAX ? 0 : count), value);
    uint64_t factor = strcmp (value + count, "ms") == 0                         ? 1
                      : !value[count] || strcmp (value + count, "s") == 0 ? 1000
                                                                                : 0;
    if (!factor || !read_number (digits, ADMIN_WAIT_MOST_MS / factor, &number))
        return "is a time of at most 60 s, such as 10s or 500ms";
    to->timeout_ms = (int64_t)(number * factor);
    return NULL;
}

static const char *read_limit (admin_parameters_t *to, const char *value)
{
    uint64_t number;
    if (!read_number (value, ADMIN_PAGE_MAX, &number) || !number)
        return "is a number from 1 to 200";
    to->limit = (uint32_t)number;
    return NULL;
}

static const char *read_tenant (admin_parameters_t *to, const char *value)
{
    snprintf (to->tenant, sizeof to->tenant, "%s", value);
    return strlen (value) < sizeof to->tenant && *value ? NULL : "has 1 to 256 bytes";
}

static const char *read_status (admin_parameters_t *to, const char *value)
{
    snprintf (to->status, sizeof to->status, "%s", value);
    return strlen (value) < sizeof to->status && *value ? NULL : "has 1 to 256 bytes";
}

static const char *read_after (admin_parameters_t *to, const char *value)
{
    const char *slash = strchr (value, '/');
    bool good = slash &&
                percent_decode ((span_t){value, (size_t)(slash - value)}, to->after_tenant,
                                sizeof to->after_tenant) >= 1 &&
                percent_decode (span_of (slash + 1), to->after_scenario,
                                sizeof to->after_scenario) >= 1;
    return good ? NULL : "is what \"next\" of the page before was";
}

static const char *read_below (admin_parameters_t *to, const char *value)
{
    return read_number (value, INT64_MAX, &to->below) ? NULL : "is a revision's number";
}

static const char *read_version (const char *value, char to[32])
{
    uint64_t number;
    bool good = strcmp (value, "current") == 0 || strcmp (value, "defaults") == 0 ||
                read_number (value, INT64_MAX, &number);
    snprintf (to, 32, "%.31s", good ? value : "");
    return good ? NULL : "is a revision's number, \"current\" or \"defaults\"";
}

static const char *read_from (admin_parameters_t *to, const char *value)
{
    return read_version (value, to->from);
}

static const char *read_to (admin_parameters_t *to, const char *value)
{
    return read_version (value, to->to);
}

static const char *read_revision (admin_parameters_t *to, const char *value)
{
    to->has_revision = read_number (value, INT64_MAX, &to->revision);
    return to->has_revision ? NULL : "is a revision's number";
}

static const char *read_reason (admin_parameters_t *to, const char *value)
{
    snprintf (to->reason, sizeof to->reason, "%.*s", (int)sizeof to->reason - 1, value);
    return NULL;
}

static const struct {
    const char *name;
    int operations;
    read_fn *read;
} table[] = {
    {"dry_run", OF_CHANGES, read_dry_run},
    {"wait", OF_WAITING, read_wait},
    {"timeout", OF_WAITING, read_timeout},
    {"limit", OF_LISTS, read_limit},
    {"tenant", 1 << ADMIN_LIST, read_tenant},
    {"status", 1 << ADMIN_LIST, read_status},
    {"after", 1 << ADMIN_LIST, read_after},
    {"below", 1 << ADMIN_REVISIONS, read_below},
    {"from", 1 << ADMIN_DIFF, read_from},
    {"to", 1 << ADMIN_DIFF, read_to},
    {"revision", 1 << ADMIN_APPLIED, read_revision},
    {"reason", 1 << ADMIN_RESET, read_reason},
};

enum { TABLE_COUNT = sizeof table / sizeof *table };

/*  ---- all of them ---- */

static int find (const char *name, admin_operation_t operation)
{
    for (int i = 0; i < TABLE_COUNT; i++)
        if (table[i].operations & 1 << operation && strcmp (table[i].name, name) == 0)
            return i;
    return -1;
}

/*  In a query a + is a space. */
static bool decode (const char *from, char *to, size_t size)
{
    char *text = memory_copy_string (from, strlen (from));
    for (char *at = text; *at; at++)
        if (*at == '+')
            *at = ' ';
    int bytes = percent_decode (span_of (text), to, size);
    free (text);
    return bytes >= 0;
}

static void read_one (const admin_query_t *query, admin_operation_t operation,
                      admin_parameters_t *parameters, bool *given, admin_errors_t *errors)
{
    char name[64], pointer[80], value[VALUE_BYTES_MAX];
    bool named = decode (query->name, name, sizeof name);
    snprintf (pointer, sizeof pointer, "?%s", named ? name : "");
    int i = named ? find (name, operation) : -1;
    if (i < 0)
        admin_errors_add (errors, pointer, "is no parameter of this operation");
    else if (given[i])
        admin_errors_add (errors, pointer, "is given twice");
    else if (!query->value || !decode (query->value, value, sizeof value))
        admin_errors_add (errors, pointer, "has no value that can be read");
    else {
        const char *wrong = table[i].read (parameters, value);
        if (wrong)
            admin_errors_add (errors, pointer, "%s", wrong);
    }
    if (i >= 0)
        given[i] = true;
}

void admin_query_read (const admin_request_t *request, admin_operation_t operation,
                       admin_parameters_t *parameters, admin_errors_t *errors)
{
    bool given[TABLE_COUNT] = {false};
    *parameters = (admin_parameters_t){.timeout_ms = ADMIN_WAIT_MS, .limit = ADMIN_PAGE};
    parameters->below = INT64_MAX;
    if (request->too_many_queries)
        admin_errors_add (errors, "?", "has more than %d parameters", ADMIN_QUERIES_MAX);
    for (uint32_t i = 0; i < request->query_count; i++)
        read_one (&request->queries[i], operation, parameters, given, errors);
}
