/*  redis_texts: see redis_texts.h. */
#include "sink/redis_texts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef enum { PASSING, DENIED } nature_t;

/*  By the error's first word. */
static const struct {
    const char *code;
    nature_t nature;
    const char *remedy;
} errors[] = {
    {"OOM", PASSING, "raise its maxmemory, or let it evict"},
    {"LOADING", PASSING, ""},
    {"READONLY", PASSING, "the address must be the master's"},
    {"MASTERDOWN", PASSING, "the address must be the master's"},
    {"MISCONF", PASSING, "it cannot save to its disk: see its log"},
    {"NOREPLICAS", PASSING, "it wants more replicas: see min-replicas-to-write"},
    {"BUSY", PASSING, "a script runs in it: SCRIPT KILL"},
    {"CLUSTERDOWN", PASSING, ""},
    {"TRYAGAIN", PASSING, ""},
    {"MOVED", PASSING, "the sink writes to one node: one that has all slots"},
    {"ASK", PASSING, "the sink writes to one node: one that has all slots"},
    {"CROSSSLOT", PASSING, "it is a cluster: --key-style=cluster"},
    {"NOAUTH", DENIED, "a password is needed"},
    {"WRONGPASS", DENIED, ""},
    {"NOPERM", DENIED, "see \"Redis\" in docs/operations.md for the permissions that are needed"},
};

static int find (const char *error)
{
    size_t word = strcspn (error, " ");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (strlen (errors[i].code) == word && memcmp (error, errors[i].code, word) == 0)
            return (int)i;
    }
    return -1;
}

bool redis_texts_passing (const char *error)
{
    return find (error) >= 0;
}

bool redis_texts_denied (const char *error)
{
    int at = find (error);
    return at >= 0 && errors[at].nature == DENIED;
}

const char *redis_texts_remedy (const char *error)
{
    int at = find (error);
    return at >= 0 ? errors[at].remedy : "";
}

/*  The number behind " field=" in a line of `size` bytes, or -1. */
static int64_t number_of (const char *line, size_t size, const char *field)
{
    int64_t number = -1;
    const char *at = memmem (line, size, field, strlen (field));
    if (at)
        sscanf (at + strlen (field), "%" SCNd64, &number);
    return number;
}

size_t redis_texts_clients (const char *list, const char *name, int database,
                            redis_client_t *clients, size_t clients_max)
{
    char wanted[1100];
    size_t count = 0;
    snprintf (wanted, sizeof wanted, " name=%s ", name);
    for (const char *line = list; *line && count < clients_max;) {
        size_t size = strcspn (line, "\n");
        int64_t id;
        if (memmem (line, size, wanted, strlen (wanted)) &&
            sscanf (line, "id=%" SCNd64, &id) == 1 && number_of (line, size, " db=") == database)
            clients[count++] = (redis_client_t){id, number_of (line, size, " idle=")};
        line += size + (line[size] == '\n');
    }
    return count;
}

void redis_texts_field (const char *info, const char *field, char *value, size_t size)
{
    size_t name = strlen (field);
    for (const char *line = info; *line; line += strcspn (line, "\n"), line += *line == '\n') {
        if (strncmp (line, field, name) != 0 || line[name] != ':')
            continue;
        const char *at = line + name + 1;
        size_t length = strcspn (at, "\r\n");
        if (length > 0 && length < size) {
            memcpy (value, at, length);
            value[length] = 0;
        }
        return;
    }
}
