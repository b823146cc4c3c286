/*  config_sequence: see config_sequence.h. */
#include "common/config_sequence.h"

config_sequence_t config_sequence_start (void)
{
    return (config_sequence_t){
        .wanting = true, .ask_ms = INT64_MIN, .ask_wait_ms = CONFIG_ASK_FIRST_MS};
}

static void want (config_sequence_t *self)
{
    if (self->wanting)
        return;
    self->wanting = true;
    self->chunk_next = 0;
    self->ask_ms = INT64_MIN;
    self->ask_wait_ms = CONFIG_ASK_FIRST_MS;
}

static config_verdict_t take_chunk (config_sequence_t *self, const config_message_t *message,
                                    int64_t now_ms)
{
    config_verdict_t verdict = {0};
    if (!self->wanting) /* the answer to a question asked twice */
        return verdict;
    if (message->chunk == 0) {
        verdict.empty = true;
        self->chunk_incarnation = message->incarnation;
        self->chunk_sequence = message->sequence;
        self->chunk_count = message->chunk_count;
        self->chunk_next = 0;
    }
    if (message->chunk != self->chunk_next || message->chunk_count != self->chunk_count ||
        message->incarnation != self->chunk_incarnation ||
        message->sequence != self->chunk_sequence) {
        self->chunk_next = 0; /* one was lost: ask again when its time has come */
        self->chunk_count = 0;
        return (config_verdict_t){.empty = true};
    }
    verdict.stage = true;
    self->chunk_next++;
    self->ask_ms = now_ms + CONFIG_ASK_FIRST_MS;
    if (self->chunk_next == self->chunk_count) {
        verdict.swap = true;
        self->ready = true;
        self->wanting = false;
        self->incarnation = message->incarnation;
        self->sequence = message->sequence;
        self->chunk_next = 0;
    }
    return verdict;
}

config_verdict_t config_sequence_take (config_sequence_t *self, const config_message_t *message,
                                       int64_t now_ms)
{
    if (message->incarnation != self->seen_incarnation) {
        self->seen_incarnation = message->incarnation;
        self->ask_wait_ms = CONFIG_ASK_FIRST_MS;
        if (self->wanting && message->kind != CONFIG_WIRE_SNAPSHOT)
            self->ask_ms = INT64_MIN; /* somebody is there: no need to wait longer */
    }
    if (message->kind == CONFIG_WIRE_SNAPSHOT)
        return take_chunk (self, message, now_ms);
    if (self->ready && message->incarnation != self->incarnation)
        want (self);
    if (self->wanting)
        return (config_verdict_t){0};
    bool update = message->kind == CONFIG_WIRE_UPDATE;
    if (update && message->sequence == self->sequence + 1) {
        self->sequence++;
        return (config_verdict_t){.apply = true};
    }
    if (message->sequence > self->sequence)
        want (self);
    return (config_verdict_t){0};
}

bool config_sequence_ask (config_sequence_t *self, int64_t now_ms)
{
    if (!self->wanting || now_ms < self->ask_ms)
        return false;
    self->ask_ms = now_ms + self->ask_wait_ms;
    if (self->ask_wait_ms < CONFIG_ASK_MOST_MS)
        self->ask_wait_ms *= 2;
    return true;
}
