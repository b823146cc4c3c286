#include "ctl/admin_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include "common/check.h"
#include "common/percent.h"
#include "common/settings.h"
#include "ctl/http_client.h"

enum { ANSWER_MS = 30000 };

static void append_header (buffer_t *to, const char *name, const char *value)
{
    if (!value)
        return;
    if (strpbrk (value, "\r\n"))
        settings_fail (EX_USAGE, "%s holds a line break", name);
    const char *const parts[] = {name, ": ", value, "\r\n"};
    for (size_t i = 0; i < 4; i++)
        buffer_append (to, parts[i], strlen (parts[i]));
}

/*  An etag as `get --json` has it gets the quotes that it has in a header. */
static void append_etag (buffer_t *to, const char *etag)
{
    char quoted[256];
    bool plain = etag && *etag != '"' && *etag != '*' && strncmp (etag, "W/", 2) != 0;
    snprintf (quoted, sizeof quoted, "\"%s\"", etag ? etag : "");
    append_header (to, "If-Match", plain ? quoted : etag);
}

static void write_headers (const admin_client_t *self, bool body, buffer_t *to)
{
    buffer_t text = {0};
    if (self->token) {
        buffer_append (&text, "Bearer ", 7);
        buffer_append (&text, self->token, strlen (self->token) + 1);
        append_header (to, "Authorization", (const char *)text.bytes);
        buffer_clear (&text);
    }
    if (self->tenant) {
        percent_encode (span_of (self->tenant), &text);
        buffer_append (&text, "", 1);
        append_header (to, "X-Tenant-Id", (const char *)text.bytes);
    }
    append_etag (to, self->if_match);
    append_header (to, "Idempotency-Key", self->key);
    append_header (to, "Content-Type", body ? "application/json" : NULL);
    buffer_append (to, "", 1);
    buffer_free (&text);
}

int admin_client_ask (const admin_client_t *self, const char *method, const char *path,
                      yyjson_mut_doc *body, yyjson_doc **answer)
{
    char error[1024];
    size_t size = 0;
    http_url_t url;
    http_answer_t got;
    buffer_t headers = {0};
    if (http_url_parse (self->url, &url, error, sizeof error) != 0)
        settings_fail (EX_USAGE, "--admin: %s", error);
    char *text = body ? yyjson_mut_write (body, YYJSON_WRITE_NOFLAG, &size) : NULL;
    CHECK (!body || text);
    write_headers (self, body != NULL, &headers);
    const http_call_t call = {.method = method,
                              .path = path,
                              .headers = (const char *)headers.bytes,
                              .body = {text, size}};
    if (http_client_call (&url, &call, ANSWER_MS + (long)self->timeout_ms, &got, error,
                          sizeof error) != 0)
        settings_fail (EX_UNAVAILABLE,
                       "%s: configd must run with --admin-listen there (another address: --admin)",
                       error);
    *answer = yyjson_read ((const char *)got.body.bytes, got.body.size, YYJSON_READ_NOFLAG);
    if (!*answer)
        settings_fail (EX_UNAVAILABLE, "%s did not answer as the admin API does (status %d)",
                       self->url, got.status);
    int status = got.status;
    http_answer_free (&got);
    buffer_free (&headers);
    free (text);
    return status;
}

int admin_client_code (int status)
{
    switch (status) {
    case 200:
    case 201:
        return EX_OK;
    case 202:
    case 412:
        return EX_TEMPFAIL;
    case 400:
    case 413:
    case 422:
        return EX_DATAERR;
    case 401:
    case 403:
        return EX_NOPERM;
    case 404:
        return EX_NOINPUT;
    case 409:
        return EX_CANTCREAT;
    case 503:
        return EX_UNAVAILABLE;
    default:
        return EX_SOFTWARE;
    }
}
