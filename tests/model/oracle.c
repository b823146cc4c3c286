/*  oracle: see oracle.h. */
#include "oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/event.h"
#include "common/key_hash.h"
#include "common/windows.h"

enum { SLIDE_MS = 10000, SPAN_MS = 30000 };
#define FIRST_MS INT64_C (1600000000000)

oracle_t oracle;

static const char *const user_names[ORACLE_USERS_MAX] = {"u0", "u1", "u2", "u3", "u4"};
static const char *const item_names[ORACLE_ITEMS_MAX] = {"i0", "i1", "i2", "i3"};

const char *oracle_user_name (uint32_t user)
{
    return user_names[user];
}

const char *oracle_item_name (uint32_t item)
{
    return item_names[item];
}

static oracle_record_t *add_record (oracle_partition_t *partition, chance_t *chance,
                                    int64_t time_ms)
{
    const oracle_record_t *last =
        partition->count ? &partition->records[partition->count - 1] : NULL;
    oracle_record_t *record = &partition->records[partition->count++];
    /* Compacted records and transaction markers take offsets that hold nothing. */
    int64_t hole = chance_is (chance, 100) ? 1 : 0;
    *record = (oracle_record_t){
        .offset = (last ? last->offset + 1 : partition->oldest) + hole,
        .time_ms = time_ms,
        .event = -1};
    partition->end = record->offset + 1;
    return record;
}

static void write_text (oracle_record_t *record, const char *scenario, uint32_t user, uint32_t item,
                        uint32_t bit)
{
    record->size = (uint32_t)snprintf (
        record->text, sizeof record->text,
        "{\"tenant_id\":\"" ORACLE_TENANT "\",\"scenario_id\":\"%s\",\"user_id\":\"%s\","
        "\"item_id\":\"%s\",\"action_type\":\"view\",\"timestamp\":%" PRId64
        ",\"watch_duration\":%u.%03u}",
        scenario, user_names[user], item_names[item], record->time_ms, bit / 1000, bit % 1000);
}

static uint32_t shard_of (uint32_t user)
{
    uint64_t hash = key_hash (span_of (ORACLE_TENANT), span_of (ORACLE_SCENARIO),
                              span_of (user_names[user]));
    return key_hash_shard (hash, oracle.shard_count);
}

static void add_event (uint32_t number, chance_t *chance, int64_t time_ms)
{
    oracle_record_t *record = add_record (&oracle.partitions[number], chance, time_ms);
    uint32_t event = oracle.event_count++;
    uint32_t user = chance_below (chance, oracle.user_count);
    uint32_t item = chance_below (chance, oracle.item_count);
    record->event = (int)event;
    oracle.events[event] = (oracle_event_t){.partition = number,
                                            .user = user,
                                            .item = item,
                                            .shard = shard_of (user),
                                            .offset = record->offset,
                                            .time_ms = record->time_ms};
    write_text (record, ORACLE_SCENARIO, user, item, UINT32_C (1) << event);
}

/*  A message that is no event: not valid, or of a scenario that there is none of. */
static void add_other (uint32_t number, chance_t *chance, int64_t time_ms, bool letter)
{
    oracle_record_t *record = add_record (&oracle.partitions[number], chance, time_ms);
    record->letter = letter;
    if (letter)
        record->size = (uint32_t)snprintf (record->text, sizeof record->text, "{\"user_id\":");
    else
        write_text (record, "unknown", 0, 0, 1);
}

/*  Marks by each partition's own watermark, and the watermark at the end. */
static void judge (void)
{
    oracle.final_ms = INT64_MAX;
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        const oracle_partition_t *partition = &oracle.partitions[i];
        int64_t greatest_ms = EVENT_TIME_NONE;
        for (uint32_t j = 0; j < partition->count; j++) {
            const oracle_record_t *record = &partition->records[j];
            if (record->letter)
                continue;
            int64_t own_ms = greatest_ms;
            if (own_ms != EVENT_TIME_NONE)
                own_ms -= oracle.out_of_orderness_ms;
            if (record->event >= 0)
                oracle.events[record->event].mark_ms =
                    windows_mark (record->time_ms, own_ms, oracle.size_ms, oracle.slide_ms);
            greatest_ms = record->time_ms > greatest_ms ? record->time_ms : greatest_ms;
        }
        if (greatest_ms - oracle.out_of_orderness_ms < oracle.final_ms)
            oracle.final_ms = greatest_ms - oracle.out_of_orderness_ms;
    }
    oracle.newest_ms = windows_newest (oracle.final_ms, oracle.slide_ms);
}

void oracle_begin (chance_t *chance, uint32_t shard_count, bool letters)
{
    oracle = (oracle_t){.shard_count = shard_count,
                        .partition_count = 1 + chance_least (chance, SIM_PARTITIONS_MAX),
                        .user_count = 1 + chance_below (chance, ORACLE_USERS_MAX),
                        .item_count = 1 + chance_below (chance, ORACLE_ITEMS_MAX),
                        .size_ms = SLIDE_MS * chance_between (chance, 1, 3),
                        .slide_ms = SLIDE_MS,
                        .out_of_orderness_ms = chance_between (chance, 0, 2) * 2500,
                        .history_windows = 24};
    int64_t end_ms = FIRST_MS + SPAN_MS + oracle.size_ms + oracle.out_of_orderness_ms;
    bool added = oracle.partition_count > 1 && chance_is (chance, 300);
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        oracle_partition_t *partition = &oracle.partitions[i];
        snprintf (partition->name, sizeof partition->name, "events/%u", i);
        partition->is_added = added && i == oracle.partition_count - 1;
        partition->oldest = chance_is (chance, 200) ? 5 : 0;
    }
    /* A partition without any event is idle, and what comes then may be late: each begins with
     * one. */
    for (uint32_t i = 0; i < oracle.partition_count; i++)
        add_event (i, chance, oracle.partitions[i].is_added ? end_ms : FIRST_MS);
    uint32_t count = 1 + chance_below (chance, ORACLE_EVENTS_MAX - 2 * oracle.partition_count);
    int64_t at_ms = FIRST_MS;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = chance_below (chance, oracle.partition_count - added);
        if (oracle.partitions[number].count >= ORACLE_RECORDS_MAX - 2)
            continue;
        at_ms = FIRST_MS + (int64_t)i * SPAN_MS / count;
        int64_t time_ms = at_ms - chance_between (chance, 0, 4) * chance_between (chance, 0, 4000);
        if (letters && chance_is (chance, 120))
            add_other (number, chance, time_ms, chance_is (chance, 600));
        else
            add_event (number, chance, time_ms);
    }
    /* The last one of each partition lets the watermark pass; an added one has only late times. */
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        add_event (i, chance, end_ms + chance_between (chance, 0, 3000));
        oracle.partitions[i].end += chance_is (chance, 200); /* a marker at the end */
    }
    judge ();
}

/*  ---- sets ---- */

static bool counts_in (const oracle_event_t *event, int64_t window_ms)
{
    return event->mark_ms != WINDOWS_LATE && event->mark_ms <= window_ms &&
           event->time_ms < window_ms && event->time_ms >= window_ms - oracle.size_ms;
}

uint32_t oracle_window (int64_t window_ms)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < oracle.event_count; i++)
        mask |= (uint32_t)counts_in (&oracle.events[i], window_ms) << i;
    return mask;
}

uint32_t oracle_item (uint32_t item)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < oracle.event_count; i++)
        mask |= (uint32_t)(oracle.events[i].item == item) << i;
    return mask;
}

uint32_t oracle_user (uint32_t user)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < oracle.event_count; i++)
        mask |= (uint32_t)(oracle.events[i].user == user) << i;
    return mask;
}

uint32_t oracle_shard (uint32_t shard)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < oracle.event_count; i++)
        mask |= (uint32_t)(oracle.events[i].shard == shard) << i;
    return mask;
}

uint32_t oracle_below (uint32_t partition, int64_t next)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < oracle.event_count; i++) {
        const oracle_event_t *event = &oracle.events[i];
        mask |= (uint32_t)(event->partition == partition && event->offset < next) << i;
    }
    return mask;
}

int64_t oracle_first_window_ms (void)
{
    int64_t first_ms = INT64_MAX;
    for (uint32_t i = 0; i < oracle.event_count; i++) {
        const oracle_event_t *event = &oracle.events[i];
        if (event->mark_ms == WINDOWS_LATE)
            continue;
        int64_t window_ms = windows_floor (event->time_ms, oracle.slide_ms) + oracle.slide_ms;
        window_ms = event->mark_ms > window_ms ? event->mark_ms : window_ms;
        first_ms = window_ms < first_ms ? window_ms : first_ms;
    }
    return first_ms;
}

int oracle_find_partition (const char *name, size_t size)
{
    for (uint32_t i = 0; i < oracle.partition_count; i++) {
        if (strlen (oracle.partitions[i].name) == size &&
            memcmp (oracle.partitions[i].name, name, size) == 0)
            return (int)i;
    }
    return -1;
}
