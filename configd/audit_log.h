/*  audit_log: a record of every change through the admin API and of every request that was refused:
 *  one JSON line each, appended to a file and synced before the request is answered. Any thread.
 *
 *      {"time": "…Z", "request": "9f86…", "operation": "patch", "status": 200, "caller": "alice",
 *       "role": "write", "from": "127.0.0.1", "tenant_id": "acme", "scenario_id": "shop",
 *       "revision": {"from": 3, "to": 4}, "reason": "…", "changes": [{"pointer", "from", "to"}, …]}
 *
 *  The file is made with mode 0600 and moved to NAME.1 … NAME.8 as it reaches AUDIT_FILE_BYTES_MAX.
 *  Refusals are limited (AUDIT_REFUSALS_MAX in AUDIT_REFUSALS_MS), so that a flood of them does not
 *  push the changes out; the next one says how many were left out.
 */
#ifndef HOTPATH_AUDIT_LOG_H
#define HOTPATH_AUDIT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yyjson.h>

enum {
    AUDIT_FILE_BYTES_MAX = 64 << 20,
    AUDIT_FILES = 8, /* older ones kept */
    AUDIT_REFUSALS_MAX = 100,
    AUDIT_REFUSALS_MS = 10000,
};

typedef struct audit_log audit_log_t;

/*  Opens (appends to) `path`. NULL with a sentence in error. */
audit_log_t *audit_log_open (const char *path, char *error, size_t error_size);
void audit_log_close (audit_log_t **self_p);

/*  Can a record be written, as far as is known? Tries to open the file anew where the last could
 *  not be: then no change is made. */
bool audit_log_works (audit_log_t *self);
/*  Writes a record (an object). False, logged, where it could not be. */
bool audit_log_write (audit_log_t *self, yyjson_mut_doc *record);
/*  The same for a refusal, if the limit lets it; adds "left_out". */
void audit_log_refuse (audit_log_t *self, yyjson_mut_doc *record, int64_t now_ms);
uint64_t audit_log_failures (audit_log_t *self);

#endif
