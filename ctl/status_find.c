#include "ctl/status_find.h"

#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory.h"
#include "ctl/http_fetch.h"
#include "ctl/metrics_text.h"

enum { FETCHES_EACH = 2 };

struct status_finder {
    const char *state;
    char *const *addresses;
    size_t address_count;
    long timeout_ms;
    status_found_t *found;
    http_fetch_t *fetches; /* two for each found */
    size_t count;
};

status_finder_t *status_finder_new (const char *state, char *const *addresses, size_t count,
                                    long timeout_ms)
{
    status_finder_t *self = memory_new (sizeof *self);
    self->state = state;
    self->addresses = addresses;
    self->address_count = count;
    self->timeout_ms = timeout_ms;
    return self;
}

static void forget (status_finder_t *self)
{
    for (size_t i = 0; i < self->count * FETCHES_EACH; i++) {
        free (self->fetches[i].url);
        buffer_free (&self->fetches[i].text);
    }
    free (self->fetches);
    free (self->found);
    self->fetches = NULL;
    self->found = NULL;
    self->count = 0;
}

void status_finder_destroy (status_finder_t **self_p)
{
    status_finder_t *self = *self_p;
    if (!self)
        return;
    forget (self);
    free (self);
    *self_p = NULL;
}

static void add (status_finder_t *self, const status_note_t *note)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->found[i].note.address, note->address) == 0)
            return;
    }
    self->found = memory_resize (self->found, (self->count + 1) * sizeof *self->found);
    self->found[self->count++] = (status_found_t){.note = *note};
}

/*  One that does not resolve is asked by its name, so that the answer says why there is none. */
static void add_address (status_finder_t *self, const char *address)
{
    status_note_t note = {.alive = true};
    char host[STATUS_NOTE_TEXT_MAX], number[NI_MAXHOST];
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const char *colon = strrchr (address, ':');
    size_t size = colon ? (size_t)(colon - address) : strlen (address);
    snprintf (host, sizeof host, "%.*s", (int)size, address);
    snprintf (note.name, sizeof note.name, "%s", address);
    snprintf (note.address, sizeof note.address, "%s", address);
    if (!colon || getaddrinfo (host, colon + 1, &hints, &found) != 0) {
        add (self, &note);
        return;
    }
    for (struct addrinfo *at = found; at; at = at->ai_next) {
        if (getnameinfo (at->ai_addr, at->ai_addrlen, number, sizeof number, NULL, 0,
                         NI_NUMERICHOST) != 0)
            continue;
        bool brackets = strchr (number, ':') != NULL;
        snprintf (note.address, sizeof note.address, "%s%.200s%s%.8s", brackets ? "[" : "", number,
                  brackets ? "]" : "", colon);
        add (self, &note);
    }
    freeaddrinfo (found);
}

static void find_all (status_finder_t *self)
{
    char folder[PATH_MAX];
    size_t count = 0;
    status_note_t *notes = NULL;
    if (self->state && snprintf (folder, sizeof folder, "%s/status", self->state) < PATH_MAX)
        notes = status_notes_read (folder, &count);
    for (size_t i = 0; i < count; i++)
        add (self, &notes[i]);
    free (notes);
    for (size_t i = 0; i < self->address_count; i++)
        add_address (self, self->addresses[i]);
}

static char *make_url (const char *address, const char *path)
{
    char url[STATUS_NOTE_TEXT_MAX + 64];
    snprintf (url, sizeof url, "http://%s%s", address, path);
    return memory_copy_string (url, strlen (url));
}

/*  Of one that has no note: its kind and name, as its metrics say them. */
static void name_process (status_found_t *found)
{
    static const struct {
        const char *name, *label, *kind;
    } marks[] = {{"hotpath_config_processes", NULL, "configd"},
                 {"hotpath_partitions", NULL, "ingestor"},
                 {"hotpath_shards", "stage=\"scorer\"", "scorer"},
                 {"hotpath_shards", "stage=\"profiler\"", "profiler"},
                 {"hotpath_shards", "stage=\"metrics\"", "metrics"},
                 {"hotpath_gather_keys", NULL, "sink"}};
    metrics_number_t number;
    for (size_t i = 0; found->metrics && i < sizeof marks / sizeof *marks; i++) {
        if (metrics_text_find (found->metrics, marks[i].name, marks[i].label, &number))
            snprintf (found->note.kind, sizeof found->note.kind, "%s", marks[i].kind);
    }
    if (found->note.kind[0])
        snprintf (found->note.name, sizeof found->note.name, "%.40s@%.200s", found->note.kind,
                  found->note.address);
}

size_t status_finder_ask (status_finder_t *self, const status_found_t **found)
{
    forget (self);
    find_all (self);
    self->fetches = memory_new_array (self->count * FETCHES_EACH + 1, sizeof *self->fetches);
    for (size_t i = 0; i < self->count; i++) {
        self->fetches[FETCHES_EACH * i].url =
            make_url (self->found[i].note.address, "/readyz?verbose");
        self->fetches[FETCHES_EACH * i + 1].url = make_url (self->found[i].note.address, "/metrics");
    }
    http_fetch_all (self->fetches, self->count * FETCHES_EACH, self->timeout_ms);
    for (size_t i = 0; i < self->count; i++) {
        const http_fetch_t *ready = &self->fetches[FETCHES_EACH * i];
        const http_fetch_t *metrics = &self->fetches[FETCHES_EACH * i + 1];
        self->found[i].ready_code = ready->code;
        self->found[i].ready_text = ready->code ? (const char *)ready->text.bytes : NULL;
        self->found[i].metrics = metrics->code == 200 ? (const char *)metrics->text.bytes : NULL;
        self->found[i].error = ready->code ? NULL : ready->error;
        if (!self->found[i].note.kind[0])
            name_process (&self->found[i]);
    }
    *found = self->found;
    return self->count;
}
