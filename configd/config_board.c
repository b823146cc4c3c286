#include "configd/config_board.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>
#include "common/check.h"
#include "common/key_hash.h"
#include "common/memory.h"

typedef struct {
    uint64_t hash;
    board_scenario_t told;
    uint64_t incarnation, sequence; /* with which it was published */
    UT_hash_handle hh;
} entry_t;

typedef struct {
    uint64_t number; /* 0: free */
    bool asked;
    buffer_t frame;
    buffer_t answers;
    uint64_t seen[CONFIG_SHARDS_MAX / 64]; /* shards that answered */
    uint32_t seen_count, shard_count;
} question_t;

struct config_board {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t changes; /* of anything that somebody may wait for */
    bool closed, ready, away;
    entry_t *by_hash;
    entry_t **ordered;
    uint32_t count, capacity;
    bool unordered; /* entries were added since it was sorted */
    applied_state_t *applied;
    uint64_t questions; /* asked so far */
    question_t *under_way[BOARD_QUESTIONS_MAX];
    int event;
};

config_board_t *config_board_new (void)
{
    config_board_t *self = memory_new (sizeof *self);
    pthread_condattr_t attributes;
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->changed, &attributes);
    pthread_condattr_destroy (&attributes);
    self->applied = applied_state_new ();
    self->questions = (uint64_t)time (NULL) << 20; /* no answer to an earlier life is one to this */
    self->event = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK (self->event >= 0);
    return self;
}

static void free_question (question_t **question)
{
    if (!*question)
        return;
    buffer_free (&(*question)->frame);
    buffer_free (&(*question)->answers);
    free (*question);
    *question = NULL;
}

void board_scenario_free (board_scenario_t *self)
{
    char **texts[] = {&self->tenant, &self->scenario, &self->effective, &self->source,
                      &self->status, &self->path,     &self->reason};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free (*texts[i]);
    *self = (board_scenario_t){0};
}

void config_board_destroy (config_board_t **self_p)
{
    config_board_t *self = *self_p;
    if (!self)
        return;
    HASH_CLEAR (hh, self->by_hash);
    for (uint32_t i = 0; i < self->count; i++) {
        board_scenario_free (&self->ordered[i]->told);
        free (self->ordered[i]);
    }
    free (self->ordered);
    for (int i = 0; i < BOARD_QUESTIONS_MAX; i++)
        free_question (&self->under_way[i]);
    applied_state_destroy (&self->applied);
    close (self->event);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

static void lock (config_board_t *self)
{
    pthread_mutex_lock (&self->lock);
}

static void unlock (config_board_t *self)
{
    pthread_mutex_unlock (&self->lock);
}

/*  With the lock. */
static void change (config_board_t *self)
{
    self->changes++;
    pthread_cond_broadcast (&self->changed);
}

/*  ---- scenarios ---- */

static char *copy (const char *text)
{
    return text ? memory_copy_string (text, strlen (text)) : NULL;
}

static void replace_text (char **text, const char *with)
{
    free (*text);
    *text = copy (with);
}

static entry_t *find (const config_board_t *self, span_t tenant, span_t scenario)
{
    entry_t *entry = NULL;
    uint64_t hash = key_hash_scenario (tenant, scenario);
    HASH_FIND (hh, self->by_hash, &hash, sizeof hash, entry);
    return entry && span_equal (span_of (entry->told.tenant), tenant) &&
                   span_equal (span_of (entry->told.scenario), scenario)
               ? entry
               : NULL;
}

static entry_t *find_or_add (config_board_t *self, span_t tenant, span_t scenario)
{
    entry_t *entry = find (self, tenant, scenario), *other = NULL;
    uint64_t hash = key_hash_scenario (tenant, scenario);
    HASH_FIND (hh, self->by_hash, &hash, sizeof hash, other);
    if (entry || other || self->count == CONFIG_SCENARIOS_MAX)
        return entry; /* of two with one hash the registry leaves the second out */
    entry = memory_new (sizeof *entry);
    entry->hash = hash;
    entry->told.tenant = memory_copy_string (tenant.bytes, tenant.size);
    entry->told.scenario = memory_copy_string (scenario.bytes, scenario.size);
    HASH_ADD (hh, self->by_hash, hash, sizeof hash, entry);
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->ordered = memory_resize (self->ordered, self->capacity * sizeof *self->ordered);
    }
    self->ordered[self->count++] = entry;
    self->unordered = true;
    return entry;
}

void config_board_publish (config_board_t *self, const config_entry_t *published,
                           uint64_t incarnation, uint64_t sequence, int64_t now_ms)
{
    lock (self);
    entry_t *entry = find_or_add (self, published->tenant, published->scenario);
    if (entry) {
        board_scenario_t *told = &entry->told;
        told->published = true;
        told->active = published->active;
        told->era = published->era;
        told->number = published->number;
        free (told->effective);
        told->effective = memory_copy_string (published->json.bytes, published->json.size);
        entry->incarnation = incarnation;
        entry->sequence = sequence;
    }
    applied_state_publish (self->applied, incarnation, sequence, now_ms);
    change (self);
    unlock (self);
}

void config_board_stand (config_board_t *self, const source_standing_t *standing)
{
    lock (self);
    entry_t *entry = find_or_add (self, standing->tenant, standing->scenario);
    if (entry) {
        board_scenario_t *told = &entry->told;
        told->state = standing->state;
        told->errors = standing->errors;
        replace_text (&told->source, standing->source);
        replace_text (&told->status, standing->status);
        replace_text (&told->path, standing->path);
        replace_text (&told->reason, standing->reason);
    }
    change (self);
    unlock (self);
}

static void copy_scenario (const board_scenario_t *from, bool whole, board_scenario_t *to)
{
    *to = *from;
    to->tenant = copy (from->tenant);
    to->scenario = copy (from->scenario);
    to->effective = whole ? copy (from->effective) : NULL;
    to->source = copy (from->source);
    to->status = copy (from->status);
    to->path = copy (from->path);
    to->reason = copy (from->reason);
}

bool config_board_find (config_board_t *self, span_t tenant, span_t scenario, bool whole,
                        board_scenario_t *found)
{
    *found = (board_scenario_t){0};
    lock (self);
    const entry_t *entry = find (self, tenant, scenario);
    if (entry)
        copy_scenario (&entry->told, whole, found);
    unlock (self);
    return entry != NULL;
}

static int compare (const board_scenario_t *a, span_t tenant, span_t scenario)
{
    int order = span_compare (span_of (a->tenant), tenant);
    return order ? order : span_compare (span_of (a->scenario), scenario);
}

static int compare_entries (const void *a, const void *b)
{
    const entry_t *one = *(entry_t *const *)a, *other = *(entry_t *const *)b;
    return compare (&one->told, span_of (other->told.tenant), span_of (other->told.scenario));
}

void config_board_each (config_board_t *self, span_t after_tenant, span_t after_scenario,
                        bool (*each) (void *arg, const board_scenario_t *scenario), void *arg)
{
    lock (self);
    if (self->unordered)
        qsort (self->ordered, self->count, sizeof *self->ordered, compare_entries);
    self->unordered = false;
    uint32_t low = 0, high = after_tenant.bytes ? self->count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare (&self->ordered[middle]->told, after_tenant, after_scenario) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < self->count && each (arg, &self->ordered[low]->told))
        low++;
    unlock (self);
}

/*  ---- who runs it ---- */

void config_board_report (config_board_t *self, config_request_t *report, int64_t now_ms)
{
    lock (self);
    applied_state_report (self->applied, report, now_ms);
    change (self);
    unlock (self);
}

void config_board_count (config_board_t *self, int64_t now_ms, config_applied_t *applied)
{
    lock (self);
    applied_state_count (self->applied, now_ms, applied);
    unlock (self);
}

bool config_board_step (config_board_t *self, int64_t now_ms, int64_t *took_ms)
{
    lock (self);
    bool told = applied_state_step (self->applied, now_ms, took_ms);
    unlock (self);
    return told;
}

void config_board_applied (config_board_t *self, span_t tenant, span_t scenario, uint64_t number,
                           int64_t now_ms, board_applied_t *applied)
{
    *applied = (board_applied_t){0};
    lock (self);
    const entry_t *entry = find (self, tenant, scenario);
    if (entry && entry->told.published && entry->told.number >= number) {
        applied->published = true;
        applied->active = entry->told.active;
        applied->era = entry->told.era;
        applied->number = entry->told.number;
        applied->verdict = applied_state_judge (self->applied, entry->hash, entry->told.era,
                                                entry->told.number, entry->sequence, now_ms);
    }
    unlock (self);
}

/*  Waits for a change with the lock; false once `until_ms` has come or the board is closed. */
static bool await (config_board_t *self, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = until_ms / 1000,
                                   .tv_nsec = until_ms % 1000 * 1000000};
    if (self->closed)
        return false;
    return pthread_cond_timedwait (&self->changed, &self->lock, &until) != ETIMEDOUT;
}

bool config_board_wait (config_board_t *self, uint64_t *seen, int64_t until_ms)
{
    bool going = true;
    lock (self);
    while (self->changes == *seen && going)
        going = await (self, until_ms);
    *seen = self->changes;
    unlock (self);
    return going;
}

void config_board_close (config_board_t *self)
{
    lock (self);
    self->closed = true;
    change (self);
    unlock (self);
}

void config_board_processes (config_board_t *self, int64_t now_ms,
                             void (*each) (void *arg, const applied_process_t *process), void *arg)
{
    lock (self);
    applied_state_each (self->applied, now_ms, each, arg);
    unlock (self);
}

void config_board_tell (config_board_t *self, bool ready, bool away)
{
    lock (self);
    self->ready = ready;
    self->away = away;
    unlock (self);
}

void config_board_health (config_board_t *self, bool *ready, bool *away)
{
    lock (self);
    *ready = self->ready;
    *away = self->away;
    unlock (self);
}

/*  ---- questions ---- */

int config_board_fd (const config_board_t *self)
{
    return self->event;
}

uint64_t config_board_ask (config_board_t *self, buffer_t *frame)
{
    uint64_t number = 0, count;
    lock (self);
    while (read (self->event, &count, sizeof count) > 0)
        continue;
    for (int i = 0; i < BOARD_QUESTIONS_MAX && !number; i++) {
        question_t *question = self->under_way[i];
        if (!question || question->asked)
            continue;
        question->asked = true;
        number = question->number;
        buffer_append (frame, question->frame.bytes, question->frame.size);
    }
    unlock (self);
    return number;
}

void config_board_answer (config_board_t *self, span_t frame, const config_answer_t *answer)
{
    lock (self);
    for (int i = 0; i < BOARD_QUESTIONS_MAX; i++) {
        question_t *question = self->under_way[i];
        if (!question || question->number != answer->question ||
            answer->shard >= CONFIG_SHARDS_MAX)
            continue;
        uint64_t bit = (uint64_t)1 << (answer->shard % 64);
        uint64_t *word = &question->seen[answer->shard / 64];
        if (*word & bit || question->answers.size + frame.size > BOARD_ANSWERS_BYTES_MAX)
            continue;
        *word |= bit;
        uint32_t size = (uint32_t)frame.size;
        buffer_append (&question->answers, &size, sizeof size);
        buffer_append (&question->answers, frame.bytes, frame.size);
        question->shard_count = answer->shard_count;
        question->seen_count++;
        change (self);
    }
    unlock (self);
}

/*  A place for a question, with the lock; NULL if all are taken. */
static question_t **place (config_board_t *self)
{
    for (int i = 0; i < BOARD_QUESTIONS_MAX; i++)
        if (!self->under_way[i])
            return &self->under_way[i];
    return NULL;
}

bool config_board_question (config_board_t *self, const config_question_t *asked, int64_t until_ms,
                            buffer_t *answers)
{
    const uint64_t one = 1;
    bool complete = false, going = true;
    lock (self);
    question_t **taken = place (self), *question = NULL;
    if (taken) {
        config_question_t numbered = *asked;
        *taken = question = memory_new (sizeof *question);
        numbered.question = question->number = ++self->questions;
        config_wire_write_question (&question->frame, &numbered);
        going = write (self->event, &one, sizeof one) == sizeof one || errno == EAGAIN;
    }
    while (question && going && !complete) {
        going = await (self, until_ms);
        complete = question->shard_count && question->seen_count == question->shard_count;
    }
    if (question) {
        buffer_append (answers, question->answers.bytes, question->answers.size);
        free_question (taken);
    }
    unlock (self);
    return complete;
}
