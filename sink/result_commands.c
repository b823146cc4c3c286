/*  result_commands: see result_commands.h. */
#include "sink/result_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "common/event.h"
#include "common/memory.h"
#include "common/report.h"
#include "common/scenario_config.h"
#include "sink/part_reader.h"

enum { CHUNKS_MAX = RESULT_ITEMS_MAX / RANKING_CHUNK_ITEMS + 1, NUMBER_BYTES_MAX = 40 };

_Static_assert ((int)RANKING_DIRECT_MAX <= (int)RANKING_CHUNK_ITEMS, "the rest is one ZADD");

struct result_commands {
    char *prefix;
    key_style_t style;
    part_reader_t *reader;
    report_t *report;
    buffer_t key, json;
    command_t command;
};

result_commands_t *result_commands_new (const char *prefix, bool cluster)
{
    result_commands_t *self = memory_new (sizeof *self);
    self->prefix = memory_copy_string (prefix ? prefix : "", prefix ? strlen (prefix) : 0);
    self->style = (key_style_t){.prefix = self->prefix, .cluster = cluster};
    self->reader = part_reader_new ();
    self->report = report_new ();
    return self;
}

void result_commands_destroy (result_commands_t **self_p)
{
    result_commands_t *self = *self_p;
    if (!self)
        return;
    report_destroy (&self->report);
    part_reader_destroy (&self->reader);
    buffer_free (&self->key);
    buffer_free (&self->json);
    command_free (&self->command);
    free (self->prefix);
    free (self);
    *self_p = NULL;
}

/*  ---- small commands ---- */

static span_t window_key (result_commands_t *self, const gather_result_t *result, result_key_t kind)
{
    return result_keys_make (&self->key, &self->style, kind, result->tenant, result->scenario,
                             (span_t){0});
}

static void begin (result_commands_t *self, const char *name, span_t key)
{
    command_begin (&self->command, name);
    command_add (&self->command, key);
}

static void add_delete (result_commands_t *self, span_t key, commands_t *commands)
{
    begin (self, "DEL", key);
    commands_append (commands, &self->command);
}

static void add_expiry (result_commands_t *self, span_t key, int64_t ttl_ms, commands_t *commands)
{
    begin (self, "PEXPIRE", key);
    command_add_int (&self->command, ttl_ms);
    commands_append (commands, &self->command);
}

static void add_uint_field (command_t *command, const char *name, uint64_t value)
{
    command_add_text (command, name);
    command_add_uint (command, value);
}

static void add_int_field (command_t *command, const char *name, int64_t value)
{
    command_add_text (command, name);
    command_add_int (command, value);
}

static void lineage_text (uint64_t lineage, char text[17])
{
    snprintf (text, 17, "%016" PRIx64, lineage);
}

/*  ---- rankings ---- */

typedef struct {
    result_commands_t *maker;
    const gather_result_t *result;
    command_t members; /* score, item, score, item … */
    size_t starts[CHUNKS_MAX + 1];
    uint32_t count;
    commands_t stats;
} ranking_t;

static void add_item_stats (ranking_t *ranking, const result_item_t *item)
{
    result_commands_t *self = ranking->maker;
    const gather_result_t *result = ranking->result;
    span_t key = result_keys_make (&self->key, &self->style, KEY_ITEM_STATS, result->tenant,
                                   result->scenario, item->item);
    add_delete (self, key, &ranking->stats);
    begin (self, "HSET", key);
    for (uint32_t i = 0; i < item->action_count; i++) {
        buffer_clear (&self->json);
        buffer_append (&self->json, item->actions[i].name.bytes, item->actions[i].name.size);
        buffer_append (&self->json, "_count", 6);
        command_add (&self->command, (span_t){(const char *)self->json.bytes, self->json.size});
        command_add_uint (&self->command, item->actions[i].count);
    }
    add_uint_field (&self->command, "unique_users", item->unique_users);
    if (item->watched_count > 0) {
        command_add_text (&self->command, "avg_duration");
        command_add_double (&self->command,
                            (double)item->watched_ms / 1000 / (double)item->watched_count);
    }
    commands_append (&ranking->stats, &self->command);
    add_expiry (self, key, result->ttl_ms, &ranking->stats);
}

static void add_ranked (void *arg, const result_item_t *item)
{
    ranking_t *ranking = arg;
    if (ranking->count % RANKING_CHUNK_ITEMS == 0)
        ranking->starts[ranking->count / RANKING_CHUNK_ITEMS] = ranking->members.arguments.size;
    ranking->count++;
    command_add_double (&ranking->members, item->score);
    command_add (&ranking->members, item->item);
    if (item->actions)
        add_item_stats (ranking, item);
}

/*  The members of chunk `i`. */
static void add_members (ranking_t *ranking, span_t key, uint32_t i, commands_t *commands)
{
    result_commands_t *self = ranking->maker;
    uint32_t left = ranking->count - i * RANKING_CHUNK_ITEMS;
    uint32_t items = left < RANKING_CHUNK_ITEMS ? left : RANKING_CHUNK_ITEMS;
    size_t end =
        left <= RANKING_CHUNK_ITEMS ? ranking->members.arguments.size : ranking->starts[i + 1];
    begin (self, "ZADD", key);
    command_add_from (&self->command, &ranking->members, ranking->starts[i], end, items * 2);
    commands_append (commands, &self->command);
}

/*  All members under a temporary key, which has its TTL from its first member on, and anew with each
 *  chunk: however slow Redis is, it must not expire half-way. */
static void add_temporary (ranking_t *ranking, span_t key, commands_t *prepare)
{
    commands_append_words (prepare, (const char *const[]){"MULTI", NULL});
    add_delete (ranking->maker, key, prepare);
    for (uint32_t i = 0; i * RANKING_CHUNK_ITEMS < ranking->count; i++) {
        add_members (ranking, key, i, prepare);
        add_expiry (ranking->maker, key, TEMPORARY_TTL_MS, prepare);
        if (i == 0)
            commands_append_words (prepare, (const char *const[]){"EXEC", NULL});
    }
}

/*  Are events of the window older than its revision: did the config change within it, or after? */
static bool is_changed (const gather_result_t *result)
{
    return result->since_ms != EVENT_TIME_NONE && result->since_ms >= result->window_start_ms;
}

static void add_meta (ranking_t *ranking, int64_t now_ms, commands_t *commands)
{
    result_commands_t *self = ranking->maker;
    const gather_result_t *result = ranking->result;
    char lineage[17];
    lineage_text (result->lineage, lineage);
    span_t key = window_key (self, result, KEY_HOT_ITEMS_META);
    add_delete (self, key, commands);
    begin (self, "HSET", key);
    command_add_text (&self->command, "lineage");
    command_add_text (&self->command, lineage);
    add_int_field (&self->command, "window_start", result->window_start_ms);
    add_int_field (&self->command, "window_end", result->window_end_ms);
    add_uint_field (&self->command, "era", result->revision.era);
    add_uint_field (&self->command, "revision", result->revision.number);
    add_uint_field (&self->command, "shards", result->shards);
    add_uint_field (&self->command, "complete", result->complete);
    add_uint_field (&self->command, "exact", result->exact);
    add_uint_field (&self->command, "changed", is_changed (result));
    if (result->since_ms != EVENT_TIME_NONE)
        add_int_field (&self->command, "revision_since", result->since_ms);
    add_uint_field (&self->command, "items", ranking->count);
    add_int_field (&self->command, "computed_at", now_ms);
    commands_append (commands, &self->command);
    add_expiry (self, key, result->ttl_ms, commands);
}

static void add_ranking (result_commands_t *self, const gather_result_t *result, int64_t now_ms,
                         commands_t *prepare, commands_t *commands)
{
    ranking_t ranking = {.maker = self, .result = result};
    part_reader_rank (self->reader, result->contents, result->content_count, add_ranked, &ranking);
    if (ranking.count > RANKING_DIRECT_MAX) {
        buffer_t name = {0};
        span_t temporary = result_keys_make (&name, &self->style, KEY_HOT_ITEMS_TEMPORARY,
                                             result->tenant, result->scenario, (span_t){0});
        add_temporary (&ranking, temporary, prepare);
        span_t key = window_key (self, result, KEY_HOT_ITEMS);
        begin (self, "RENAME", temporary);
        command_add (&self->command, key);
        commands_append (commands, &self->command);
        add_expiry (self, key, result->ttl_ms, commands);
        buffer_free (&name);
    } else {
        span_t key = window_key (self, result, KEY_HOT_ITEMS);
        add_delete (self, key, commands);
        if (ranking.count > 0)
            add_members (&ranking, key, 0, commands);
        if (ranking.count > 0)
            add_expiry (self, key, result->ttl_ms, commands);
    }
    add_meta (&ranking, now_ms, commands);
    commands_join (commands, &ranking.stats);
    command_free (&ranking.members);
    commands_free (&ranking.stats);
}

/*  ---- metrics ---- */

/*  Writes each field twice: into the HSET under way, and into the member's JSON. */
typedef struct {
    command_t *command;
    buffer_t *json;
} fields_t;

static void append_json_name (buffer_t *json, span_t name)
{
    buffer_append (json, json->size > 1 ? ",\"" : "\"", json->size > 1 ? 2 : 1);
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.bytes[i];
        char escaped[8];
        if (byte == '"' || byte == '\\')
            buffer_append (json, escaped, (size_t)snprintf (escaped, 8, "\\%c", byte));
        else if (byte < ' ')
            buffer_append (json, escaped, (size_t)snprintf (escaped, 8, "\\u%04x", byte));
        else
            buffer_append (json, &byte, 1);
    }
    buffer_append (json, "\":", 2);
}

static void add_field (fields_t *fields, span_t name, const char *value, bool quoted)
{
    command_add (fields->command, name);
    command_add_text (fields->command, value);
    append_json_name (fields->json, name);
    buffer_append (fields->json, "\"", quoted);
    buffer_append (fields->json, value, strlen (value));
    buffer_append (fields->json, "\"", quoted);
}

static void add_number (fields_t *fields, const char *name, int64_t value)
{
    char text[NUMBER_BYTES_MAX];
    snprintf (text, sizeof text, "%" PRId64, value);
    add_field (fields, span_of (name), text, false);
}

static void add_report_field (void *arg, const report_field_t *field)
{
    char text[NUMBER_BYTES_MAX];
    if (field->is_integer)
        snprintf (text, sizeof text, "%" PRIu64, field->integer);
    else
        snprintf (text, sizeof text, "%.17g", field->number);
    add_field (arg, field->name, text, false);
}

/*  Fills the HSET under way and self->json with the fields, in their one order. */
static void add_metrics_fields (result_commands_t *self, const gather_result_t *result,
                                const config_metrics_t *config)
{
    fields_t fields = {.command = &self->command, .json = &self->json};
    char lineage[17];
    lineage_text (result->lineage, lineage);
    buffer_clear (&self->json);
    buffer_append (&self->json, "{", 1);
    report_fields (self->report, config, add_report_field, &fields);
    add_field (&fields, span_of ("lineage"), lineage, true);
    add_number (&fields, "window_start", result->window_start_ms);
    add_number (&fields, "window_end", result->window_end_ms);
    add_number (&fields, "era", (int64_t)result->revision.era);
    add_number (&fields, "revision", (int64_t)result->revision.number);
    add_number (&fields, "shards", result->shards);
    add_number (&fields, "complete", result->complete);
    add_number (&fields, "changed", is_changed (result));
    if (result->since_ms != EVENT_TIME_NONE)
        add_number (&fields, "revision_since", result->since_ms);
    buffer_append (&self->json, "}", 1);
}

static void add_member (result_commands_t *self, span_t key, const history_member_t *member,
                        commands_t *commands)
{
    begin (self, "ZREMRANGEBYSCORE", key);
    command_add_int (&self->command, member->window_end_ms);
    command_add_int (&self->command, member->window_end_ms);
    commands_append (commands, &self->command);
    begin (self, "ZADD", key);
    command_add_int (&self->command, member->window_end_ms);
    command_add (&self->command, member->json);
    commands_append (commands, &self->command);
}

static void add_history (result_commands_t *self, const gather_result_t *result,
                         const history_member_t *members, uint32_t count, commands_t *commands)
{
    span_t key = window_key (self, result, KEY_METRICS_HISTORY);
    for (uint32_t i = 0; i < count; i++)
        add_member (self, key, &members[i], commands);
    begin (self, "ZREMRANGEBYRANK", key);
    command_add_int (&self->command, 0);
    command_add_int (&self->command, -(int64_t)result->history_windows - 1);
    commands_append (commands, &self->command);
    add_expiry (self, key, result->ttl_ms, commands);
}

static int add_metrics (result_commands_t *self, const gather_result_t *result,
                        commands_t *commands)
{
    scenario_config_t *config = scenario_config_parse_metrics (result->metrics_json);
    if (!config)
        return -1;
    part_reader_report (self->reader, result->contents, result->content_count, self->report);
    span_t key = window_key (self, result, KEY_METRICS);
    if (result->newest)
        add_delete (self, key, commands);
    begin (self, "HSET", key);
    add_metrics_fields (self, result, &config->metrics);
    if (result->newest) {
        commands_append (commands, &self->command);
        add_expiry (self, key, result->ttl_ms, commands);
    }
    const history_member_t member = {result->window_end_ms, result_commands_member (self)};
    add_history (self, result, &member, 1, commands);
    scenario_config_destroy (&config);
    return 0;
}

/*  The fields of a member as the HSET under way has them: the same texts. False: it is none of ours. */
static bool add_member_fields (result_commands_t *self, span_t json)
{
    yyjson_doc *doc =
        yyjson_read (json.bytes, json.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_val *root = yyjson_doc_get_root (doc), *name;
    yyjson_obj_iter fields = yyjson_obj_iter_with (root);
    bool readable = yyjson_obj_size (root) > 0;
    while (readable && (name = yyjson_obj_iter_next (&fields))) {
        yyjson_val *value = yyjson_obj_iter_get_val (name);
        span_t text = {yyjson_is_raw (value) ? yyjson_get_raw (value) : yyjson_get_str (value),
                       yyjson_get_len (value)};
        readable = text.bytes != NULL;
        command_add (&self->command, (span_t){yyjson_get_str (name), yyjson_get_len (name)});
        command_add (&self->command, text);
    }
    yyjson_doc_free (doc);
    return readable;
}

static void add_restored (result_commands_t *self, const gather_result_t *result,
                          commands_t *commands)
{
    span_t key = window_key (self, result, KEY_METRICS);
    if (result->newest) {
        begin (self, "HSET", key);
        if (add_member_fields (self, result->members[result->member_count - 1].json)) {
            command_t fields = self->command;
            self->command = (command_t){0};
            add_delete (self, key, commands);
            commands_append (commands, &fields);
            command_free (&fields);
            add_expiry (self, key, result->ttl_ms, commands);
        }
    }
    add_history (self, result, result->members, result->member_count, commands);
}

span_t result_commands_member (const result_commands_t *self)
{
    return (span_t){(const char *)self->json.bytes, self->json.size};
}

int result_commands_window (result_commands_t *self, const gather_result_t *result, int64_t now_ms,
                            commands_t *prepare, commands_t *commands)
{
    if (result->member_count > 0) {
        add_restored (self, result, commands);
        return 0;
    }
    if (result->kind == RESULT_METRICS)
        return add_metrics (self, result, commands);
    add_ranking (self, result, now_ms, prepare, commands);
    return 0;
}

/*  ---- profiles and lookups ---- */

void result_commands_profile (result_commands_t *self, const result_header_t *header,
                              const result_profile_t *profile, commands_t *commands)
{
    span_t key = result_keys_make (&self->key, &self->style, KEY_USER_PROFILE, header->tenant,
                                   header->scenario, profile->user);
    begin (self, "SET", key);
    command_add (&self->command, profile->json);
    command_add_text (&self->command, "PX");
    command_add_int (&self->command, header->ttl_ms);
    commands_append (commands, &self->command);
}

void result_commands_lookup_order (result_commands_t *self, const gather_key_t *key,
                                   commands_t *commands)
{
    static const char *const fields[] = {"lineage", "era", "revision", "window_end", "shards"};
    result_key_t kind = key->kind == RESULT_RANKING ? KEY_HOT_ITEMS_META : KEY_METRICS;
    begin (
        self, "HMGET",
        result_keys_make (&self->key, &self->style, kind, key->tenant, key->scenario, (span_t){0}));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        command_add_text (&self->command, fields[i]);
    commands_append (commands, &self->command);
}

void result_commands_lookup_history (result_commands_t *self, const gather_key_t *key,
                                     commands_t *commands)
{
    begin (self, "ZRANGE",
           result_keys_make (&self->key, &self->style, KEY_METRICS_HISTORY, key->tenant,
                             key->scenario, (span_t){0}));
    command_add_int (&self->command, 0);
    command_add_int (&self->command, -1);
    commands_append (commands, &self->command);
}

span_t result_commands_key_name (result_commands_t *self, const gather_key_t *key)
{
    result_key_t kind = key->kind == RESULT_RANKING ? KEY_HOT_ITEMS : KEY_METRICS_HISTORY;
    return result_keys_make (&self->key, &self->style, kind, key->tenant, key->scenario,
                             (span_t){0});
}
