/*  admin_message: a request to the admin API and its answer, without HTTP around them: what
 *  admin_server makes of a connection and admin_api of a request. Pure.
 */
#ifndef HOTPATH_ADMIN_MESSAGE_H
#define HOTPATH_ADMIN_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>
#include "common/buffer.h"
#include "common/scenario_config.h"
#include "common/span.h"

enum {
    ADMIN_BODY_BYTES_MAX = 1 << 20,
    ADMIN_QUERIES_MAX = 16,
    ADMIN_REQUEST_ID_BYTES = 16,
    ADMIN_ETAG_BYTES = 32,
    ADMIN_PROBLEMS_MAX = CONFIG_ERRORS_MAX,
};

typedef struct {
    const char *name, *value; /* as they came, percent-encoded; value NULL: none */
} admin_query_t;

/*  All is borrowed for the call. Headers are NULL where absent. */
typedef struct {
    const char *method, *path; /* the path as it came, percent-encoded */
    const char *peer;          /* address of the client, for people */
    const char *authorization, *tenant, *content_type, *if_match, *idempotency_key;
    admin_query_t queries[ADMIN_QUERIES_MAX];
    uint32_t query_count;
    bool too_many_queries;
    span_t body;
    bool body_too_large;
} admin_request_t;

typedef struct {
    unsigned status;
    const char *type; /* static */
    buffer_t body;
    char request_id[ADMIN_REQUEST_ID_BYTES + 1];
    char etag[ADMIN_ETAG_BYTES + 1]; /* without quotes; "": none */
    char *location, *link;           /* or NULL */
    char allow[64];                  /* "": none */
    bool authenticate;               /* says that a bearer token is wanted */
    uint32_t retry_after_s;          /* 0: not said */
} admin_response_t;

void admin_response_free (admin_response_t *self);
/*  The whole body: a JSON document; takes it. */
void admin_response_json (admin_response_t *self, unsigned status, yyjson_mut_doc *document);

/*  What is wrong, as application/problem+json (RFC 9457): `name` is the end of its type
 *  (urn:hotpath:problem:NAME) and `title` says it in words; the detail is printed. */
void admin_problem (admin_response_t *self, unsigned status, const char *name, const char *title,
                    const char *format, ...) __attribute__ ((format (printf, 5, 6)));

/*  Several things that are wrong, each at its place in the request. */
typedef struct {
    struct {
        char *pointer, *detail;
    } list[ADMIN_PROBLEMS_MAX];
    uint32_t count, all; /* all: also of those that found no room */
} admin_errors_t;

void admin_errors_add (admin_errors_t *self, const char *pointer, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));
/*  Errors of a config, below /config/realtime_compute; `stored` (JSON, may be NULL) tells where
 *  keys end. */
void admin_errors_of_config (admin_errors_t *self, const config_errors_t *errors,
                             const char *stored);
void admin_errors_free (admin_errors_t *self);
/*  [{"pointer", "detail"}, …] */
yyjson_mut_val *admin_errors_write (const admin_errors_t *self, yyjson_mut_doc *to);
/*  422 with all of them. */
void admin_problem_errors (admin_response_t *self, const admin_errors_t *errors);

/*  Members of an answer; abort where there is no memory. Texts are copied; NULL is left out. */
void admin_put (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, yyjson_mut_val *value);
void admin_put_text (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, const char *text);
void admin_put_span (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, span_t text);
void admin_put_uint (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, uint64_t number);
void admin_put_bool (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, bool value);
/*  A JSON text of ours; NULL becomes null. */
void admin_put_json (yyjson_mut_doc *to, yyjson_mut_val *object, const char *key, const char *json);

#endif
