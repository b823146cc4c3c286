#include "common/resolver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/endpoint.h"
#include "common/memory.h"

/*  Shared by the loop and the thread; who lets go last frees it. */
struct resolver {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    settings_list_t names;
    resolver_look_up_t *look_up;
    void *arg;
    int users;
    bool threaded, asked, answered, failed;
    int64_t asked_ms;
    settings_list_t found;
};

static settings_list_t look_up_endpoints (void *arg, const settings_list_t *names, bool *failed)
{
    (void)arg;
    return endpoint_resolve (names, failed);
}

/*  Called with the mutex locked, which it unlocks. */
static void let_go (resolver_t *self)
{
    bool last = --self->users == 0;
    pthread_mutex_unlock (&self->mutex);
    if (!last)
        return;
    pthread_mutex_destroy (&self->mutex);
    pthread_cond_destroy (&self->wake);
    endpoint_list_free (&self->names);
    endpoint_list_free (&self->found);
    free (self);
}

/*  Called with the mutex locked. */
static void answer (resolver_t *self, settings_list_t found, bool failed)
{
    endpoint_list_free (&self->found);
    self->found = found;
    self->failed = failed;
    self->answered = true;
    self->asked = false;
}

static void *run (void *arg)
{
    resolver_t *self = arg;
    pthread_mutex_lock (&self->mutex);
    while (self->users == 2) {
        if (!self->asked) {
            pthread_cond_wait (&self->wake, &self->mutex);
            continue;
        }
        pthread_mutex_unlock (&self->mutex);
        bool failed = false;
        settings_list_t found = self->look_up (self->arg, &self->names, &failed);
        pthread_mutex_lock (&self->mutex);
        answer (self, found, failed);
    }
    let_go (self);
    return NULL;
}

static void start_thread (resolver_t *self)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init (&attributes);
    pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
    self->threaded = true;
    self->users = 2;
    CHECK (pthread_create (&thread, &attributes, run, self) == 0);
    pthread_attr_destroy (&attributes);
}

resolver_t *resolver_new (const settings_list_t *names, resolver_look_up_t *look_up, void *arg)
{
    resolver_t *self = memory_new (sizeof *self);
    pthread_mutex_init (&self->mutex, NULL);
    pthread_cond_init (&self->wake, NULL);
    self->look_up = look_up ? look_up : look_up_endpoints;
    self->arg = arg;
    self->users = 1;
    self->names.list = memory_new_array (names->count + 1, sizeof *self->names.list);
    for (size_t i = 0; i < names->count; i++)
        self->names.list[self->names.count++] =
            memory_copy_string (names->list[i], strlen (names->list[i]));
    if (look_up || endpoint_any_name (names))
        start_thread (self);
    return self;
}

void resolver_destroy (resolver_t **self_p)
{
    resolver_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    pthread_mutex_lock (&self->mutex);
    pthread_cond_signal (&self->wake);
    let_go (self);
}

void resolver_ask (resolver_t *self, int64_t now_ms)
{
    pthread_mutex_lock (&self->mutex);
    if (!self->threaded) {
        bool failed = false;
        settings_list_t found = self->look_up (self->arg, &self->names, &failed);
        answer (self, found, failed);
    } else if (!self->asked) {
        self->asked = true;
        self->asked_ms = now_ms;
        pthread_cond_signal (&self->wake);
    }
    pthread_mutex_unlock (&self->mutex);
}

bool resolver_take (resolver_t *self, settings_list_t *found, bool *failed)
{
    pthread_mutex_lock (&self->mutex);
    bool answered = self->answered;
    if (answered) {
        *found = self->found;
        *failed = self->failed;
        self->found = (settings_list_t){0};
        self->answered = false;
    }
    pthread_mutex_unlock (&self->mutex);
    return answered;
}

int64_t resolver_waits_ms (resolver_t *self, int64_t now_ms)
{
    pthread_mutex_lock (&self->mutex);
    int64_t waits_ms = self->asked ? now_ms - self->asked_ms : 0;
    pthread_mutex_unlock (&self->mutex);
    return waits_ms;
}
