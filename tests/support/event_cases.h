/*  event_cases: the rules of the input table (design, 3) as named cases. test_event_json runs them
 *  as they are, test_event_msgpack packed: both formats must give the same.
 *
 *  Each case is put behind the plainest event (EVENT_TEXT_PLAIN); a key that is there already is
 *  replaced by it (the last duplicate wins).
 */
#ifndef HOTPATH_TESTS_EVENT_CASES_H
#define HOTPATH_TESTS_EVENT_CASES_H

#include "tests/support/event_text.h"

typedef struct {
    const char *name;
    const char *more;       /* members behind those of the plainest event */
    const char *expected;   /* see event_text */
    int64_t record_time_ms; /* 0 here: none */
} event_case_t;

#define X8(text)       text text text text text text text text
#define X64(text)      X8 (X8 (text))
#define X256(text)     X64 (text) X64 (text) X64 (text) X64 (text)
#define VIDEO(members) "\"scenario_data\":{\"video_data\":{" members "}}"

static const event_case_t EVENT_CASES[] = {
    {"plain", "\"x\":0", "ok", 0},

    {"id trimmed", "\"tenant_id\":\" \\t\\n\\u000b\\f\\r t1 \\r\\n\"", "tenant=t1", 0},
    {"id: white space inside stays", "\"user_id\":\"a b\"", "user=a%20b", 0},
    {"id: no other space is trimmed",
     "\"user_id\":\"\xc2\xa0"
     "a\"",
     "user=%C2%A0a", 0},
    {"id: special characters", "\"item_id\":\"a:b{c}%d\xf0\x9f\x98\x80\"",
     "item=a:b{c}%d%F0%9F%98%80", 0},
    {"id: 256 bytes", "\"item_id\":\" " X256 ("x") " \"", "item=" X256 ("x"), 0},
    {"id: 257 bytes", "\"item_id\":\"x" X256 ("x") "\"", "item_id", 0},
    {"id: 256 bytes of emoji", "\"user_id\":\"" X64 ("\xf0\x9f\x98\x80") "\"",
     "user=" X64 ("%F0%9F%98%80"), 0},
    {"id: empty", "\"tenant_id\":\"\"", "tenant_id", 0},
    {"id: blank", "\"scenario_id\":\" \\t \"", "scenario_id", 0},
    {"id: NUL", "\"user_id\":\"a\\u0000b\"", "user_id", 0},
    {"id: NUL at the end", "\"user_id\":\"a\\u0000\"", "user_id", 0},
    {"id: null is absent", "\"tenant_id\":null", "tenant_id", 0},
    {"id: integer", "\"user_id\":42,\"item_id\":0", "user=42 item=0", 0},
    {"id: negative", "\"user_id\":-7", "user=-7", 0},
    {"id: all four integers", "\"tenant_id\":1,\"scenario_id\":2,\"user_id\":3,\"item_id\":4",
     "tenant=1 scenario=2 user=3 item=4", 0},
    {"id: least", "\"user_id\":-9223372036854775808", "user=-9223372036854775808", 0},
    {"id: most signed", "\"user_id\":9223372036854775807", "user=9223372036854775807", 0},
    {"id: above signed", "\"user_id\":9223372036854775808", "user=9223372036854775808", 0},
    {"id: most", "\"user_id\":18446744073709551615", "user=18446744073709551615", 0},
    {"id: beyond 64 bits", "\"user_id\":18446744073709551616", "user_id", 0},
    {"id: real", "\"user_id\":5.0", "user_id", 0},
    {"id: boolean", "\"user_id\":true", "user_id", 0},
    {"id: array", "\"item_id\":[\"i\"]", "item_id", 0},
    {"id: object", "\"scenario_id\":{}", "scenario_id", 0},
    {"first reason wins", "\"tenant_id\":null,\"timestamp\":-1", "tenant_id", 0},

    {"action folded and trimmed", "\"action_type\":\" CLICK\\n\"", "action=click known=3", 0},
    {"action: the scenario's own", "\"action_type\":\"Wave_9\"", "action=wave_9 known=-1", 0},
    {"action: only ASCII is folded", "\"action_type\":\"\xc3\x84@[Z\"", "action=%C3%84@[z known=-1",
     0},
    {"action: alias", "\"action_type\":null,\"action\":\"Like\"", "action=like known=4", 0},
    {"action: alias only where absent", "\"action\":\"like\"", "ok", 0},
    {"action: invalid, alias not asked", "\"action_type\":\"\",\"action\":\"like\"", "action_type",
     0},
    {"action: integer", "\"action_type\":5", "action_type", 0},
    {"action: absent", "\"action_type\":null", "action_type", 0},
    {"action: 64 bytes", "\"action_type\":\"" X64 ("A") "\"", "action=" X64 ("a") " known=-1", 0},
    {"action: 65 bytes", "\"action_type\":\"" X64 ("A") "A\"", "action_type", 0},
    {"action: blank", "\"action_type\":\"  \"", "action_type", 0},

    {"time: seconds", "\"timestamp\":1574553663", "time=1574553663000", 0},
    {"time: text", "\"timestamp\":\"2019-11-24T00:01:03.979Z\"", "ok", 0},
    {"time: text, zone", "\"timestamp\":\"2019-11-24 05:31:03.9799+05:30\"", "ok", 0},
    {"time: integer-valued real", "\"timestamp\":1574553663979.0", "ok", 0},
    {"time: exponent", "\"timestamp\":1.7e12", "time=1700000000000", 0},
    {"time: fraction", "\"timestamp\":1574553663979.5", "timestamp", 0},
    {"time: fraction of seconds", "\"timestamp\":1574553663.5", "timestamp", 0},
    {"time: negative", "\"timestamp\":-1", "timestamp", 0},
    {"time: 0", "\"timestamp\":0", "time=0", 0},
    {"time: boolean", "\"timestamp\":true", "timestamp", 0},
    {"time: digits as text", "\"timestamp\":\"1574553663979\"", "timestamp", 0},
    {"time: beyond 63 bits", "\"timestamp\":9223372036854775808", "timestamp", 0},
    {"time: absent", "\"timestamp\":null", "timestamp", 0},
    {"time: the record's", "\"timestamp\":null", "time=77", 77},
    {"time: invalid, the record's not asked", "\"timestamp\":\"now\"", "timestamp", 77},

    {"category", "\"context\":{\"category\":\"a\"}", "category=a", 0},
    {"category: not trimmed", "\"context\":{\"category\":\" a \"}", "category=%20a%20", 0},
    {"category: context first", "\"category\":\"b\",\"context\":{\"category\":\"a\"}", "category=a",
     0},
    {"category: top level", "\"category\":\"b\",\"context\":{}", "category=b", 0},
    {"category: context's null", "\"category\":\"b\",\"context\":{\"category\":null}", "category=b",
     0},
    {"category: context's invalid", "\"category\":\"b\",\"context\":{\"category\":7}",
     "category=b wrong=1", 0},
    {"category: both invalid", "\"category\":\"\",\"context\":{\"category\":[]}", "wrong=2", 0},
    {"category: 256 bytes", "\"category\":\"" X256 ("c") "\"", "category=" X256 ("c"), 0},
    {"category: 257 bytes", "\"category\":\"c" X256 ("c") "\"", "wrong=1", 0},

    {"tags", "\"context\":{\"tags\":[\"b\",\"a\"]}", "tag=b tag=a", 0},
    {"tags: each once", "\"tags\":[\"b\",\"a\",\"b\",\"B\"]", "tag=b tag=a tag=B", 0},
    {"tags: invalid elements", "\"tags\":[\"b\",1,\"\",[\"x\"],{\"y\":[]},false,\"a\",null]",
     "tag=b tag=a wrong=5", 0},
    {"tags: 256 and 257 bytes", "\"tags\":[\"" X256 ("g") "\",\"g" X256 ("g") "\"]",
     "tag=" X256 ("g") " wrong=1", 0},
    {"tags: context first, though empty", "\"tags\":[\"b\"],\"context\":{\"tags\":[]}", "ok", 0},
    {"tags: context's null", "\"tags\":[\"b\"],\"context\":{\"tags\":null}", "tag=b", 0},
    {"tags: context's invalid", "\"tags\":[\"b\"],\"context\":{\"tags\":\"a\"}", "tag=b wrong=1",
     0},
    {"tags: both invalid", "\"tags\":{},\"context\":{\"tags\":7}", "wrong=2", 0},
    {"context of a wrong type", "\"category\":\"b\",\"context\":[]", "category=b wrong=1", 0},

    {"watched", "\"watch_duration\":12.5", "watched=12500", 0},
    {"watched: integer", "\"watch_duration\":12", "watched=12000", 0},
    {"watched: 0", "\"watch_duration\":0", "watched=0", 0},
    {"watched: half up", "\"watch_duration\":0.0005", "watched=1", 0},
    {"watched: below half", "\"watch_duration\":0.00049", "watched=0", 0},
    {"watched: 7 days", "\"watch_duration\":604800", "watched=604800000", 0},
    {"watched: 7 days, real", "\"watch_duration\":604800.0", "watched=604800000", 0},
    {"watched: beyond 7 days", "\"watch_duration\":604801", "wrong=1", 0},
    {"watched: just beyond 7 days", "\"watch_duration\":604800.0001", "wrong=1", 0},
    {"watched: negative", "\"watch_duration\":-1", "wrong=1", 0},
    {"watched: negative real", "\"watch_duration\":-0.001", "wrong=1", 0},
    {"watched: text", "\"watch_duration\":\"12\"", "wrong=1", 0},
    {"watched: enormous", "\"watch_duration\":18446744073709551615", "wrong=1", 0},
    {"watched: video", VIDEO ("\"watch_duration\":1"), "watched=1000", 0},
    {"watched: music", "\"scenario_data\":{\"music_data\":{\"play_duration\":2}}", "watched=2000",
     0},
    {"watched: news", "\"scenario_data\":{\"news_data\":{\"read_duration\":3}}", "watched=3000", 0},
    {"watched: education", "\"scenario_data\":{\"education_data\":{\"study_duration\":4}}",
     "watched=4000", 0},
    {"watched: extra", "\"extra\":{\"duration\":5}", "watched=5000", 0},
    {"watched: first valid",
     "\"watch_duration\":\"x\",\"scenario_data\":{\"video_data\":{\"watch_duration\":-1},"
     "\"music_data\":{\"play_duration\":2},\"news_data\":{\"read_duration\":false}}",
     "watched=2000 wrong=2", 0},
    {"watched: null is passed over", "\"watch_duration\":null,\"extra\":{\"duration\":5}",
     "watched=5000", 0},
    {"objects of wrong types", "\"scenario_data\":1,\"extra\":\"e\"", "wrong=2", 0},
    {"inner objects of wrong types",
     "\"scenario_data\":{\"video_data\":[],\"music_data\":1,\"news_data\":\"\","
     "\"education_data\":true}",
     "wrong=4", 0},

    {"rate: above 0.8", "\"completion_rate\":0.81", "done", 0},
    {"rate: 0.8", "\"completion_rate\":0.8", "low", 0},
    {"rate: 1", "\"completion_rate\":1", "done", 0},
    {"rate: 0", "\"completion_rate\":0", "low", 0},
    {"rate: above 1", "\"completion_rate\":1.01", "wrong=1", 0},
    {"rate: negative", "\"completion_rate\":-1", "wrong=1", 0},
    {"rate: text", "\"completion_rate\":\"1\"", "wrong=1", 0},
    {"rate: of durations", "\"watch_duration\":81,\"duration\":100", "watched=81000 done", 0},
    {"rate: of durations, exactly 0.8", "\"watch_duration\":0.8,\"duration\":1", "watched=800 low",
     0},
    {"rate: of durations, above 1", "\"watch_duration\":9,\"duration\":1", "watched=9000 done", 0},
    {"rate: the field goes before", "\"completion_rate\":0.1,\"watch_duration\":9,\"duration\":1",
     "watched=9000 low", 0},
    {"rate: invalid, durations are asked",
     "\"completion_rate\":2,\"watch_duration\":9,\"duration\":1", "watched=9000 done wrong=1", 0},
    {"rate: content alone", "\"duration\":10", "ok", 0},
    {"rate: content 0", "\"watch_duration\":1,\"duration\":0", "watched=1000 wrong=1", 0},
    {"rate: content below half a ms", "\"watch_duration\":1,\"duration\":0.0001",
     "watched=1000 wrong=1", 0},
    {"content: video", VIDEO ("\"watch_duration\":1,\"duration\":2"), "watched=1000 low", 0},
    {"content: music", "\"watch_duration\":1,\"scenario_data\":{\"music_data\":{\"duration\":1}}",
     "watched=1000 done", 0},
    {"content: education",
     "\"watch_duration\":1,\"scenario_data\":{\"education_data\":{\"duration\":1}}",
     "watched=1000 done", 0},
    {"content: lesson",
     "\"watch_duration\":1,\"scenario_data\":{\"education_data\":{\"lesson_duration\":1}}",
     "watched=1000 done", 0},
    {"content: extra", "\"watch_duration\":1,\"extra\":{\"video_duration\":1}", "watched=1000 done",
     0},
    {"content: first valid",
     "\"watch_duration\":1,\"duration\":-1,\"scenario_data\":{\"education_data\":"
     "{\"duration\":\"x\",\"lesson_duration\":9}},\"extra\":{\"video_duration\":1}",
     "watched=1000 low wrong=2", 0},
    {"content: not news", "\"watch_duration\":1,\"scenario_data\":{\"news_data\":{\"duration\":1}}",
     "watched=1000", 0},

    {"duplicates: the last wins", "\"user_id\":\"a\",\"user_id\":\"b\"", "user=b", 0},
    {"duplicates: the last is null", "\"category\":\"a\",\"category\":null", "ok", 0},
    {"duplicates: objects as a whole",
     "\"context\":{\"category\":\"a\"},\"context\":{\"tags\":[\"b\"]}", "tag=b", 0},
    {"names hold where they belong",
     "\"x\":{\"tenant_id\":\"z\",\"category\":\"z\"},\"context\":{\"user_id\":\"z\","
     "\"watch_duration\":9},\"video_data\":{\"watch_duration\":9}",
     "ok", 0},
    {"names are whole", "\"tag\":[\"a\"],\"categories\":\"a\",\"durations\":1,\"\":1", "ok", 0},
    {"names are not folded", "\"USER_ID\":\"z\"", "ok", 0},
    {"not looked at", "\"event_id\":[],\"position\":\"x\",\"experiment_id\":{}", "ok", 0},
    {"depth 16", "\"x\":" X8 ("[") "[[[[[[[" X8 ("]") "]]]]]]]", "ok", 0},
    {"depth 17", "\"x\":" X8 ("[") X8 ("[") X8 ("]") X8 ("]"), "too_deep", 0},
    {"depth 17, objects", "\"x\":" X8 ("{\"a\":") X8 ("{\"a\":") "0" X8 ("}") X8 ("}"), "too_deep",
     0},
    {"wide is not deep", "\"x\":[" X64 ("[],{},") "0]", "ok", 0},
};

#define EVENT_CASE_COUNT (sizeof (EVENT_CASES) / sizeof (EVENT_CASES[0]))

#endif
