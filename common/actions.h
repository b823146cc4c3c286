/*  actions: names of actions as numbers. The known names have fixed numbers for ever (they are in
 *  stored state: append only); a scenario's own names are numbered from ACTION_CUSTOM up by whoever
 *  stores them (see action_names).
 */
#ifndef HOTPATH_ACTIONS_H
#define HOTPATH_ACTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/span.h"

/*  Alphabetical is not promised: new ones go to the end. */
#define ACTION_LIST(X)                                                                             \
    X (OTHER, "other")                                                                             \
    X (IMPRESSION, "impression")                                                                   \
    X (VIEW, "view")                                                                               \
    X (CLICK, "click")                                                                             \
    X (LIKE, "like")                                                                               \
    X (FAVORITE, "favorite")                                                                       \
    X (COMMENT, "comment")                                                                         \
    X (SHARE, "share")                                                                             \
    X (PURCHASE, "purchase")                                                                       \
    X (PLAY, "play")                                                                               \
    X (PLAY_END, "play_end")                                                                       \
    X (READ, "read")                                                                               \
    X (READ_END, "read_end")                                                                       \
    X (LEARN, "learn")                                                                             \
    X (COMPLETE, "complete")                                                                       \
    X (DISLIKE, "dislike")                                                                         \
    X (FOLLOW, "follow")                                                                           \
    X (ADD_CART, "add_cart")                                                                       \
    X (ORDER, "order")                                                                             \
    X (PAYMENT, "payment")                                                                         \
    X (NOT_INTEREST, "not_interest")                                                               \
    X (PAUSE, "pause")                                                                             \
    X (REPEAT, "repeat")                                                                           \
    X (DOWNLOAD, "download")                                                                       \
    X (TRIAL, "trial")                                                                             \
    X (NOTE, "note")                                                                               \
    X (ASK, "ask")                                                                                 \
    X (REVIEW, "review")                                                                           \
    X (ADD_PLAYLIST, "add_playlist")

typedef enum {
#define ACTION_ENUM(symbol, name) ACTION_##symbol,
    ACTION_LIST (ACTION_ENUM)
#undef ACTION_ENUM
        ACTION_KNOWN_COUNT,
    ACTION_CUSTOM = 64, /* numbers below are reserved for known names */
    ACTION_NUMBER_MAX = 65535,
} action_t;

/*  Number of a known name (already trimmed and lower case), or -1. "other" is ACTION_OTHER. */
int actions_find (span_t name);
/*  Name of a known number (< ACTION_KNOWN_COUNT); static. */
const char *actions_name (int number);

#endif
