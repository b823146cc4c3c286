/*  redis_texts: see redis_texts.h. */
#include "sink/redis_texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool redis_texts_passing (const char *error)
{
    static const char *const codes[] = {
        "OOM",         "LOADING",  "READONLY",   "MOVED",  "ASK",    "MISCONF",   "BUSY",
        "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOAUTH", "NOPERM", "NOREPLICAS"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        size_t size = strlen (codes[i]);
        if (strncmp (error, codes[i], size) == 0 && (error[size] == ' ' || error[size] == 0))
            return true;
    }
    return false;
}

size_t redis_texts_clients (const char *list, const char *name, int64_t *ids, size_t ids_max)
{
    char wanted[1100];
    size_t count = 0;
    snprintf (wanted, sizeof wanted, " name=%s ", name);
    for (const char *line = list; *line && count < ids_max;) {
        size_t size = strcspn (line, "\n");
        int64_t id;
        if (memmem (line, size, wanted, strlen (wanted)) && sscanf (line, "id=%" SCNd64, &id) == 1)
            ids[count++] = id;
        line += size + (line[size] == '\n');
    }
    return count;
}

void redis_texts_run_id (const char *info, char *run_id, size_t size)
{
    static const char field[] = "run_id:";
    const char *at = strstr (info, field);
    if (!at)
        return;
    at += sizeof field - 1;
    size_t length = strcspn (at, "\r\n ");
    if (length > 0 && length < size) {
        memcpy (run_id, at, length);
        run_id[length] = 0;
    }
}
