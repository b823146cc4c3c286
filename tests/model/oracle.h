/*  oracle: the events of a schedule, and what must become of them: naive folds over all of
 *  them, by the rules of the design and with nothing of hotpath but windows_mark.
 *
 *  Events are numbers, and a set of them is a mask of bits. An event's bit is also its watched
 *  milliseconds, so that a sum in Redis names the events that it is made of.
 */
#ifndef HOTPATH_MODEL_ORACLE_H
#define HOTPATH_MODEL_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include "sim.h"

enum {
    ORACLE_EVENTS_MAX = 28, /* bits of EVENT_WATCHED_MS_MAX */
    ORACLE_RECORDS_MAX = 24, /* of one partition */
    ORACLE_USERS_MAX = 5,
    ORACLE_ITEMS_MAX = 4,
    ORACLE_TEXT_BYTES = 160,
};

#define ORACLE_TENANT   "t"
#define ORACLE_SCENARIO "s"

typedef struct {
    uint32_t partition, user, item, shard;
    int64_t offset, time_ms;
    int64_t mark_ms; /* as windows_mark says by its own partition's watermark */
} oracle_event_t;

/*  A message of a partition. */
typedef struct {
    int64_t offset, time_ms;
    int event;   /* or -1: it is none that counts */
    bool letter; /* it is not valid */
    char text[ORACLE_TEXT_BYTES];
    uint32_t size;
} oracle_record_t;

typedef struct {
    char name[24];
    oracle_record_t records[ORACLE_RECORDS_MAX];
    uint32_t count;
    int64_t oldest; /* older ones were there once */
    int64_t end;    /* behind the last record, and behind what is no record */
    bool is_added;  /* later than the others */
} oracle_partition_t;

typedef struct {
    uint32_t shard_count, partition_count, user_count, item_count;
    int64_t size_ms, slide_ms, out_of_orderness_ms;
    uint32_t history_windows;
    oracle_event_t events[ORACLE_EVENTS_MAX];
    uint32_t event_count;
    oracle_partition_t partitions[SIM_PARTITIONS_MAX];
    int64_t final_ms;  /* the watermark when all is applied */
    int64_t newest_ms; /* the newest window that is complete then */
} oracle_t;

extern oracle_t oracle;

/*  Makes a schedule's events by chance. */
void oracle_begin (chance_t *chance, uint32_t shard_count, bool letters);

/*  ---- sets of events ---- */

uint32_t oracle_window (int64_t window_ms);
uint32_t oracle_item (uint32_t item);
uint32_t oracle_user (uint32_t user);
uint32_t oracle_shard (uint32_t shard);
/*  Of a partition at offsets below `next` (negative: none). */
uint32_t oracle_below (uint32_t partition, int64_t next);
/*  The first window that an event counts in, or INT64_MAX. */
int64_t oracle_first_window_ms (void);
/*  By name; -1: none of the schedule's. */
int oracle_find_partition (const char *name, size_t size);

const char *oracle_user_name (uint32_t user);
const char *oracle_item_name (uint32_t item);

#endif
