/*  admin_client: requests to the admin API of configd, and what their answers mean to a shell.
 */
#ifndef HOTPATH_CTL_ADMIN_CLIENT_H
#define HOTPATH_CTL_ADMIN_CLIENT_H

#include <stdint.h>
#include <yyjson.h>

typedef struct {
    const char *url, *token, *tenant, *if_match, *key; /* but the url each may be NULL */
    int64_t timeout_ms; /* that the server may take on purpose */
} admin_client_t;

/*  Asks; `body` may be NULL. Returns the status, and the answer in *answer (free it with
 *  yyjson_doc_free). Ends the process (64, 69) where there is none that is JSON. */
int admin_client_ask (const admin_client_t *self, const char *method, const char *path,
                      yyjson_mut_doc *body, yyjson_doc **answer);
/*  The exit code for a status: see scenario.h. */
int admin_client_code (int status);

#endif
