/*  kafka_client: see kafka_client.h. */
#include "ingestor/kafka_client.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/log.h"
#include "common/memory.h"

/*  Called by librdkafka's threads. */
static void take_log (const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    log_level_t ours = level <= 3   ? LOG_LEVEL_ERROR
                       : level <= 4 ? LOG_LEVEL_WARNING
                       : level <= 6 ? LOG_LEVEL_INFO
                                    : LOG_LEVEL_DEBUG;
    log_write (ours, "librdkafka",
               (const log_field_t[]){F_STR ("facility", facility),
                                     F_STR ("text", text),
                                     F_STR ("client", handle ? rd_kafka_name (handle) : ""),
                                     {.key = NULL}});
}

static const kafka_default_t *find_default (const kafka_default_t *defaults, const char *name)
{
    for (; defaults->name; defaults++)
        if (strcmp (defaults->name, name) == 0)
            return defaults;
    return NULL;
}

/*  Sets one "name=value" of the user; 0, or -1 with a message. */
static int set_extra (rd_kafka_conf_t *conf, const char *extra, const kafka_default_t *defaults,
                      char *error, size_t error_size)
{
    const char *equals = strchr (extra, '=');
    if (!equals || equals == extra) {
        snprintf (error, error_size, "-X %s: not of the form name=value", extra);
        return -1;
    }
    char *name = memory_copy_string (extra, (size_t)(equals - extra));
    int status = -1;
    const kafka_default_t *ours = find_default (defaults, name);
    char reason[256] = "";
    if (ours && ours->own)
        snprintf (error, error_size, "-X %s: hotpath sets it itself", name);
    else if (rd_kafka_conf_set (conf, name, equals + 1, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        snprintf (error, error_size, "-X %s: %s", name, reason);
    else
        status = 0;
    free (name);
    return status;
}

rd_kafka_conf_t *kafka_client_conf (const kafka_settings_t *settings,
                                    const kafka_default_t *defaults, char *error, size_t error_size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    char reason[256] = "";
    for (const kafka_default_t *one = defaults; one->name; one++) {
        rd_kafka_conf_res_t result =
            rd_kafka_conf_set (conf, one->name, one->value, reason, sizeof reason);
        if (result == RD_KAFKA_CONF_OK || (result == RD_KAFKA_CONF_UNKNOWN && !one->own))
            continue;
        snprintf (error, error_size, "librdkafka refuses %s=%s: %s", one->name, one->value, reason);
        goto failed;
    }
    if (rd_kafka_conf_set (conf, "bootstrap.servers", settings->brokers, reason, sizeof reason) !=
        RD_KAFKA_CONF_OK) {
        snprintf (error, error_size, "brokers %s: %s", settings->brokers, reason);
        goto failed;
    }
    for (size_t i = 0; i < settings->extra_count; i++)
        if (set_extra (conf, settings->extras[i], defaults, error, error_size))
            goto failed;
    rd_kafka_conf_set_log_cb (conf, take_log);
    return conf;

failed:
    rd_kafka_conf_destroy (conf);
    return NULL;
}

rd_kafka_t *kafka_client_new (rd_kafka_type_t type, rd_kafka_conf_t **conf_p, char *error,
                              size_t error_size)
{
    char reason[256] = "";
    rd_kafka_t *handle = rd_kafka_new (type, *conf_p, reason, sizeof reason);
    if (!handle) {
        snprintf (error, error_size, "librdkafka: %s", reason);
        rd_kafka_conf_destroy (*conf_p);
    }
    *conf_p = NULL;
    return handle;
}

typedef struct {
    void (*call) (rd_kafka_t *handle);
    rd_kafka_t *handle;
} bounded_t;

static void *run_bounded (void *arg)
{
    bounded_t *self = arg;
    self->call (self->handle);
    free (self);
    return NULL;
}

int kafka_client_bounded (void (*call) (rd_kafka_t *handle), rd_kafka_t *handle, int timeout_ms)
{
    bounded_t *bounded = memory_new (sizeof *bounded);
    *bounded = (bounded_t){call, handle};
    pthread_t thread;
    if (pthread_create (&thread, NULL, run_bounded, bounded)) {
        run_bounded (bounded);
        return 0;
    }
    struct timespec until;
    clock_gettime (CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    if (pthread_timedjoin_np (thread, NULL, &until) == 0)
        return 0;
    pthread_detach (thread);
    return -1;
}
