/*  actions: see actions.h. The look-up compares only names of the same size;
 *  tests/unit/test_actions walks ACTION_LIST, so that a name added there and not here is found out.
 */
#include "common/actions.h"

#include <string.h>
#include "common/check.h"

static const char *const NAMES[] = {
#define ACTION_NAME(symbol, name) name,
    ACTION_LIST (ACTION_NAME)
#undef ACTION_NAME
};

#define TRY(symbol, text)                                                                          \
    if (memcmp (name.bytes, text, sizeof (text) - 1) == 0)                                         \
    return ACTION_##symbol

static int find_of_size_5 (span_t name)
{
    TRY (CLICK, "click");
    TRY (OTHER, "other");
    TRY (SHARE, "share");
    TRY (LEARN, "learn");
    TRY (ORDER, "order");
    TRY (PAUSE, "pause");
    TRY (TRIAL, "trial");
    return -1;
}

static int find_of_size_8 (span_t name)
{
    TRY (PURCHASE, "purchase");
    TRY (FAVORITE, "favorite");
    TRY (PLAY_END, "play_end");
    TRY (READ_END, "read_end");
    TRY (ADD_CART, "add_cart");
    TRY (COMPLETE, "complete");
    TRY (DOWNLOAD, "download");
    return -1;
}

int actions_find (span_t name)
{
    switch (name.size) {
    case 3:
        TRY (ASK, "ask");
        return -1;
    case 4:
        TRY (VIEW, "view");
        TRY (LIKE, "like");
        TRY (PLAY, "play");
        TRY (READ, "read");
        TRY (NOTE, "note");
        return -1;
    case 5:
        return find_of_size_5 (name);
    case 6:
        TRY (FOLLOW, "follow");
        TRY (REPEAT, "repeat");
        TRY (REVIEW, "review");
        return -1;
    case 7:
        TRY (COMMENT, "comment");
        TRY (DISLIKE, "dislike");
        TRY (PAYMENT, "payment");
        return -1;
    case 8:
        return find_of_size_8 (name);
    case 10:
        TRY (IMPRESSION, "impression");
        return -1;
    case 12:
        TRY (NOT_INTEREST, "not_interest");
        TRY (ADD_PLAYLIST, "add_playlist");
        return -1;
    default:
        return -1;
    }
}

const char *actions_name (int number)
{
    CHECK (number >= 0 && number < ACTION_KNOWN_COUNT);
    return NAMES[number];
}
