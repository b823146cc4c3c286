"""The oracle agrees with numbers worked out by hand; the comparison finds what is wrong."""

import json
import math

import msgpack
import pytest
from support import maker, poison, redis_check
from support.oracle import Record, compute, records_of_file
from support.oracle_input import Invalid, parse_event
from support.servers import Redis

MINUTE = 60_000
HOUR = 60 * MINUTE
T0 = 1_700_002_800_000      # a multiple of an hour: 2023-11-14T23:00:00Z
GOOD = {"tenant_id": "t", "scenario_id": "s", "user_id": "u", "item_id": "i",
        "action_type": "view", "timestamp": T0}


def event(at, action="view", user="u", item="i", **fields):
    return json.dumps({**GOOD, "user_id": user, "item_id": item, "action_type": action,
                       "timestamp": at, **fields}).encode()


def document(**realtime):
    return {"tenant_id": "t", "scenario_id": "s", "status": "active",
            "config": {"realtime_compute": realtime}}


def records(*values):
    return [Record(index, value) for index, value in enumerate(values)]


def run(*values, now_ms=T0 + 10 * HOUR, others=(), **realtime):
    partitions = {"p": records(*values)}
    for index, other in enumerate(others):
        partitions[f"p{index}"] = records(*other)
    return compute(partitions, [document(**realtime)], now_ms=now_ms)


def parsed(**fields):
    return parse_event(json.dumps({**GOOD, **fields}).encode())


# --- Input --------------------------------------------------------------------------------------

TIMES = [
    ("ms", 1_700_000_000_123, 1_700_000_000_123),
    ("seconds", 1_700_000_000, 1_700_000_000_000),
    ("the last second", 99_999_999_999, 99_999_999_999_000),
    ("the first ms", 100_000_000_000, 100_000_000_000),
    ("zero", 0, 0),
    ("zone Z", "2023-11-14T23:00:00Z", T0),
    ("no zone is UTC", "2023-11-14T23:00:00", T0),
    ("a space", "2023-11-14 23:00:00", T0),
    ("a fraction", "2023-11-14T23:00:00.25Z", T0 + 250),
    ("micros", "2023-11-14T23:00:00.250999Z", T0 + 250),
    ("ahead", "2023-11-15T07:00:00+08:00", T0),
    ("behind", "2023-11-14T18:30:00.001-04:30", T0 + 1),
]


@pytest.mark.parametrize("written,time_ms", [case[1:] for case in TIMES],
                         ids=[case[0] for case in TIMES])
def test_time(written, time_ms):
    assert parsed(timestamp=written).time_ms == time_ms


def test_ids_and_actions():
    found = parsed(tenant_id=7, user_id=-2**63, item_id=2**64 - 1, scenario_id="\t s \n")
    assert (found.tenant, found.user, found.item, found.scenario) == \
        ("7", str(-2**63), str(2**64 - 1), "s")
    assert parsed(action_type=" CliCK\t").action == "click"
    assert parsed(action_type=None, action="Like").action == "like"
    assert parsed(user_id="\u00e9" * 128).user == "\u00e9" * 128
    with pytest.raises(Invalid):
        parsed(user_id="\u00e9" * 129)


DURATIONS = [
    ("first place", {"watch_duration": 1.5, "extra": {"duration": 9}}, 1500, None),
    ("half up", {"watch_duration": 0.0005}, 1, None),
    ("second place", {"scenario_data": {"video_data": {"watch_duration": 2, "duration": 4}}},
     2000, 0.5),
    ("not valid, so the next", {"watch_duration": -1, "extra": {"duration": 3}}, 3000, None),
    ("7 days", {"watch_duration": 604800}, 604_800_000, None),
    ("above 7 days", {"watch_duration": 604800.001}, None, None),
    ("rate given", {"watch_duration": 5, "duration": 10, "completion_rate": 0.25}, 5000, 0.25),
    ("rate not valid", {"watch_duration": 5, "duration": 10, "completion_rate": 2}, 5000, 0.5),
    ("lesson", {"scenario_data": {"education_data": {"study_duration": 9, "lesson_duration": 3}}},
     9000, 3.0),
    ("a truth value is no number", {"watch_duration": True}, None, None),
]


@pytest.mark.parametrize("fields,watched_ms,rate", [case[1:] for case in DURATIONS],
                         ids=[case[0] for case in DURATIONS])
def test_durations(fields, watched_ms, rate):
    found = parsed(**fields)
    assert (found.watched_ms, found.rate) == (watched_ms, rate)


def test_category_and_tags():
    found = parsed(context={"category": "c", "tags": ["a", "b", "a"]}, category="no", tags=["no"])
    assert (found.category, found.tags) == ("c", ("a", "b"))
    found = parsed(context={"category": "", "tags": "x"}, category="d", tags=["y"])
    assert (found.category, found.tags, found.wrong_types) == ("d", ("y",), 2)
    assert len(parsed(tags=[f"t{n}" for n in range(70)]).tags) == 64


@pytest.mark.parametrize("record_time_ms", [None, T0], ids=["file", "kafka"])
def test_poison(record_time_ms):
    kinds = poison.poison_kinds(GOOD, record_time_ms)
    assert len({kind.name for kind in kinds}) == len(kinds)
    found = compute({"p": [Record(index, kind.value, record_time_ms)
                           for index, kind in enumerate(kinds)]}, [document()], now_ms=T0)
    assert [(kinds[letter.offset].name, letter.reason) for letter in found.dead] == \
        [(kind.name, kind.reason) for kind in kinds]
    for _, value in poison.harmless_kinds(GOOD):
        parse_event(value)


def test_msgpack_is_as_json():
    fields = {**GOOD, "tags": ["a"], "watch_duration": 1.25}
    assert parse_event(msgpack.packb(fields)) == parse_event(json.dumps(fields).encode())


def test_file_records(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"one\n\n  \r\ntwo")
    assert records_of_file(path) == [Record(0, b"one"), Record(9, b"two")]


# --- What counts --------------------------------------------------------------------------------

HOT = {"window_size_minutes": 30, "window_slide_minutes": 10}


def test_hot_score_by_hand():
    # The greatest time is T0 + 25 min, so T = T0 + 30 min and the window is [T0, T0 + 30 min).
    found = run(event(T0 - 1, "purchase", item="before"), event(T0, "view", item="a"),
                event(T0 + 15 * MINUTE, "click", item="a"),
                event(T0 + 25 * MINUTE, "like", item="b"), hot_score=HOT)
    ranking = found.rankings["t", "s"]
    assert (ranking.window_start, ranking.window_end) == (T0, T0 + 30 * MINUTE)
    assert set(ranking.scores) == {"a", "b"}
    assert ranking.scores["a"].value == pytest.approx(math.exp(-0.05) + 2 * math.exp(-0.025))
    assert ranking.scores["b"].value == pytest.approx(3 * math.exp(-0.1 * 5 / 60))


def test_names_of_the_config_and_other():
    found = run(event(T0, "swipe"), event(T0, "Swipe "), event(T0, "hover"),
                hot_score={**HOT, "action_weights": {"swipe": 2}, "default_weight": 0.5,
                           "decay_lambda": 0})
    assert found.rankings["t", "s"].scores["i"].value == 4.5
    assert found.profiles["t", "s", "u"].counts == {"swipe": 2, "other": 1}


METRICS = {"window_size_minutes": 2, "window_slide_minutes": 1, "history_windows": 100,
           "metrics_to_calculate": ["ctr", "cvr", "watch_time", "completion_rate",
                                    "engagement_rate", "active_users", "exposed_items", "saves"],
           "definitions": {"saves": {"numerator": ["favorite"], "denominator": ["view", "click"]}}}


def test_metrics_by_hand():
    found = run(event(T0, "impression", user="a"), event(T0, "impression", user="b"),
                event(T0 + 1, "click", user="a", watch_duration=9, duration=10),
                event(T0 + 2, "view", user="c", watch_duration=80, duration=100),
                event(T0 + 3, "like", item="j"), metrics=METRICS)
    windows = found.metrics["t", "s"].windows
    assert [window.window_end for window in windows] == [T0 + MINUTE]
    assert windows[0].exact == {
        "total_actions": 5, "ctr": 0.5, "cvr": 0.0, "watch_time_seconds": 89.0,
        "avg_watch_time_seconds": 44.5, "completion_rate": 0.5, "engagement_rate": 1.0,
        "saves": 0.0}
    assert windows[0].distinct == {"active_users": 4, "exposed_items": 2}


def totals(found):
    return {(window.window_end - T0) // MINUTE: window.exact["total_actions"]
            for window in found.metrics["t", "s"].windows}


def test_out_of_order_counts_in_windows_not_yet_complete():
    # The third event comes when its partition's watermark is T0 + 1:55, so of its windows (1 and 2)
    # the first was complete. The fourth comes at watermark T0 + 2:55 and has none left: late.
    found = run(event(T0), event(T0 + 2 * MINUTE), event(T0 + 30_000), event(T0 + 3 * MINUTE),
                event(T0 + 40_000), metrics=METRICS, hot_score={"enabled": False})
    assert totals(found) == {1: 1, 2: 2, 3: 1, 4: 2}
    assert (found.counts["late"], found.counts["applied"], found.counts["out_of_order"]) == \
        (1, 4, 2)
    assert found.profiles["t", "s", "u"].counts == {"view": 5}


def test_the_watermark_must_be_below_the_window():
    # Out-of-orderness 5 s: at greatest T0 + 1:05 the watermark is T0 + 1:00, window 1 is complete.
    metrics = {**METRICS, "window_size_minutes": 1}
    at_the_bound = run(event(T0 + 65_000), event(T0), metrics=metrics,
                       hot_score={"enabled": False})
    just_before = run(event(T0 + 64_999), event(T0), metrics=metrics,
                      hot_score={"enabled": False})
    assert (at_the_bound.counts["late"], just_before.counts["late"]) == (1, 0)
    assert totals(just_before) == {1: 1, 2: 1}


def test_only_the_own_partition_decides():
    ahead = [event(T0 + HOUR)]
    found = run(event(T0), event(T0 + 10_000), others=[ahead], metrics=METRICS)
    assert (found.counts["late"], totals(found)[1]) == (0, 2)


def test_late_only_without_a_window_in_any_stage():
    late = (event(T0 + 30 * MINUTE), event(T0 + 29 * MINUTE - 6000))
    assert run(*late, metrics=METRICS, hot_score=HOT).counts["late"] == 0
    assert run(*late, metrics={**METRICS, "window_size_minutes": 1},
               hot_score={"enabled": False}).counts["late"] == 1


def test_unknown_scenarios_move_the_watermark_too():
    found = run(event(T0 + HOUR, scenario_id="unknown"), event(T0), metrics=METRICS,
                hot_score={"enabled": False})
    assert found.counts == {"in": 2, "applied": 0, "late": 1, "dead": 0,
                            "skipped": {"unknown": 1}, "wrong_types": 0, "out_of_order": 1}


def test_history_goes_on_over_empty_windows_and_ends():
    metrics = {**METRICS, "window_size_minutes": 1, "history_windows": 3}
    other = event(T0 + 10 * MINUTE, scenario_id="unknown")
    assert totals(run(event(T0), event(T0 + 2 * MINUTE), metrics=metrics)) == {1: 1, 2: 0, 3: 1}
    # Eleven minutes on: 4 and 5 were written empty; then none of the newest three had an event.
    assert totals(run(event(T0), event(T0 + 2 * MINUTE), other, metrics=metrics)) == \
        {3: 1, 4: 0, 5: 0}


def test_files_are_judged_by_the_clock_and_kafka_by_the_record():
    value = event(T0 + 300_001)
    for record in (Record(0, value), Record(0, value, T0)):
        found = compute({"p": [record]}, [document()], now_ms=T0)
        assert [letter.reason for letter in found.dead] == ["future"]
        allowed = record._replace(value=event(T0 + 300_000))
        assert compute({"p": [allowed]}, [document()], now_ms=T0).counts["applied"] == 1


# --- Profiles -----------------------------------------------------------------------------------

def test_profile_by_hand():
    context = {"category": "c", "tags": ["x", "y", "x"]}
    found = run(event(T0 + HOUR, "purchase", item="b", context=context),
                event(T0, "view", item="a", context={"category": "d", "tags": ["y"]}),
                event(T0 + 30 * MINUTE, "impression", item="z"),
                event(T0 + HOUR, "click", item="a"),
                user_profile={"interest_decay_days": 0.5, "recent_items": 2})
    profile = found.profiles["t", "s", "u"]
    assert profile.counts == {"purchase": 1, "view": 1, "impression": 1, "click": 1}
    assert profile.engagement_rate == 1.0
    assert profile.recent_items == ["a", "b"]       # both at the same time: by id, newest last
    assert profile.hours == {0: 2, 23: 2}
    assert (profile.first_seen, profile.updated_at) == (T0, T0 + HOUR)
    older = math.exp(-1 / 12)
    assert {name: score.value for name, score in profile.categories.items()} == \
        pytest.approx({"c": 10.0, "d": older})
    assert {name: score.value for name, score in profile.tags.items()} == \
        pytest.approx({"x": 10.0, "y": 10 + older})


def test_profile_begins_anew_after_three_periods():
    day = 24 * HOUR
    settings = {"interest_decay_days": 1}
    events = [event(T0, item="old"), event(T0 + 3 * day, item="new"),
              event(T0, item="ignored"), event(T0 + 1, item="ahead of it")]
    profile = run(*events, user_profile=settings, now_ms=T0 + 9 * day).profiles["t", "s", "u"]
    assert profile.recent_items == ["ahead of it", "new"]
    assert profile.counts == {"view": 2}


# --- The comparison -----------------------------------------------------------------------------

ORIGIN = {"lineage": "l", "era": 1, "revision": 1, "shards": 16, "complete": 1}


def write_expected(client, expected):
    """Puts into Redis what the oracle expects: the least that the comparison must accept."""
    for name, ranking in expected.rankings.items():
        best = sorted((item for item, score in ranking.scores.items() if score.value > 0),
                      key=lambda item: (-ranking.scores[item].value, item.encode()))
        best = best[:ranking.top_k]
        key = redis_check.key_of("hot:items:{}:{}", *name)
        if best:
            client.zadd(key, {item: ranking.scores[item].value for item in best})
            client.expire(key, 100)
        client.hset(key + b":meta", mapping={
            **ORIGIN, "window_start": ranking.window_start, "window_end": ranking.window_end,
            "exact": 1, "items": len(best), "computed_at": 5})
        client.expire(key + b":meta", 100)
        for item in best if ranking.stats is not None else ():
            stats = ranking.stats[item]
            key = redis_check.key_of("item:stats:{}:{}:{}", *name, item)
            client.hset(key, mapping={
                **{f"{action}_count": count for action, count in stats.counts.items()},
                "unique_users": len(stats.users),
                "avg_duration": sum(stats.watched_ms) / max(1, len(stats.watched_ms)) / 1000})
            client.expire(key, 100)
    for name, history in expected.metrics.items():
        key = redis_check.key_of("rec:metrics:{}:{}", *name)
        for window in history.windows:
            fields = {**ORIGIN, **window.exact, **window.distinct,
                      "window_start": window.window_start, "window_end": window.window_end}
            client.zadd(key + b":history", {json.dumps(fields): window.window_end})
        client.hset(key, mapping=fields)
        client.expire(key, 100)
        client.expire(key + b":history", 100)
    for (tenant, scenario, user), profile in expected.profiles.items():
        def best_of(interests, top):
            named = sorted((-score.value, name.encode(), name)
                           for name, score in interests.items() if score.value > 0)
            return [{"name": name, "score": -value} for value, _, name in named[:top]]
        client.set(redis_check.key_of("user:profile:{}:{}:{}", tenant, user, scenario), json.dumps({
            "tenant_id": tenant, "user_id": user, "scenario_id": scenario,
            "stats": {**{f"{action}_count": count for action, count in profile.counts.items()},
                      "engagement_rate": profile.engagement_rate},
            "preferences": {"categories": best_of(profile.categories, profile.top_categories),
                            "tags": best_of(profile.tags, profile.top_tags)},
            "active_hours": {str(hour): count for hour, count in profile.hours.items()},
            "recent_items": profile.recent_items,
            "first_seen": redis_check.iso_ms(profile.first_seen),
            "updated_at": redis_check.iso_ms(profile.updated_at)}), ex=100)


@pytest.fixture(scope="module")
def redis_server():
    with Redis() as server:
        yield server


@pytest.fixture(scope="module")
def made():
    stream = maker.make(maker.Options(
        events=3000, partitions=3, users=40, jitter_ms=20_000, late_share=0.01, uneven=True,
        poison=True, odd_ids=True, msgpack_share=0.3, for_kafka=True))
    return compute(stream.kafka_partitions(), stream.documents)


def test_comparison_accepts_what_is_right(redis_server, made):
    client = redis_server.client()
    client.flushall()
    write_expected(client, made)
    differences = redis_check.compare(client, made)
    assert not differences, redis_check.report(differences)


def _change_json(client, key, change):
    text = json.loads(client.get(key))
    change(text)
    client.set(key, json.dumps(text), ex=100)


HOT_KEY, METRICS_KEY = b"hot:items:acme:shop", b"rec:metrics:acme:shop"
PROFILE_KEY = b"user:profile:acme:user_21:home_video"
DAMAGES = [
    ("a score off by 3e-6", lambda client: client.zadd(HOT_KEY, {
        client.zrange(HOT_KEY, -1, -1)[0]:
            client.zrange(HOT_KEY, -1, -1, withscores=True)[0][1] * (1 + 3e-6)})),
    ("the best item gone", lambda client: client.zremrangebyrank(HOT_KEY, -1, -1)),
    ("an item too many", lambda client: client.zadd(HOT_KEY, {"stranger": 3})),
    ("no TTL", lambda client: client.persist(HOT_KEY)),
    ("TTL too long", lambda client: client.expire(HOT_KEY, 10**6)),
    ("meta of an older window", lambda client: client.hincrby(HOT_KEY + b":meta", "window_end",
                                                              -MINUTE)),
    ("meta not complete", lambda client: client.hset(HOT_KEY + b":meta", "complete", 0)),
    ("a count off by one", lambda client: client.hincrby(METRICS_KEY, "total_actions", 1)),
    ("a ratio off", lambda client: client.hset(METRICS_KEY, "cart_rate", 0.123)),
    ("a field gone", lambda client: client.hdel(METRICS_KEY, "watch_time_seconds")),
    ("a field too many", lambda client: client.hset(METRICS_KEY, "cxr", 1)),
    ("a window gone", lambda client: client.zremrangebyrank(METRICS_KEY + b":history", 3, 3)),
    ("a window twice", lambda client: client.zadd(METRICS_KEY + b":history", {
        client.zrange(METRICS_KEY + b":history", 3, 3)[0] + b" ":
            client.zrange(METRICS_KEY + b":history", 3, 3, withscores=True)[0][1]})),
    ("a profile gone", lambda client: client.delete(PROFILE_KEY)),
    ("a profile's count", lambda client: _change_json(
        client, PROFILE_KEY, lambda text: text["stats"].update(view_count=999))),
    ("a profile's action too many", lambda client: _change_json(
        client, PROFILE_KEY, lambda text: text["stats"].update(note_count=1))),
    ("a profile's hour", lambda client: _change_json(
        client, PROFILE_KEY, lambda text: text["active_hours"].update({"3": 1}))),
    ("recent items turned", lambda client: _change_json(
        client, PROFILE_KEY, lambda text: text["recent_items"].reverse())),
    ("interests turned", lambda client: _change_json(
        client, PROFILE_KEY, lambda text: text["preferences"]["tags"].insert(
            0, text["preferences"]["tags"].pop(1)))),
    ("updated_at off by a ms", lambda client: _change_json(
        client, PROFILE_KEY, lambda text: text.update(
            updated_at=text["updated_at"][:-2] + str((int(text["updated_at"][-2]) + 1) % 10)
            + "Z"))),
    ("a key of nobody", lambda client: client.set("hot:items:acme:shop:tmp:1", "x", ex=9)),
    ("an item's users", lambda client: client.hincrby(
        min(client.keys("item:stats:*")), "unique_users", 1)),
]


@pytest.mark.parametrize("damage", [case[1] for case in DAMAGES],
                         ids=[case[0] for case in DAMAGES])
def test_comparison_finds(redis_server, made, damage):
    client = redis_server.client()
    client.flushall()
    write_expected(client, made)
    damage(client)
    differences = redis_check.compare(client, made)
    assert 1 <= len(differences) <= 3, redis_check.report(differences)


def test_comparison_of_nothing_is_a_difference(redis_server):
    assert redis_check.compare(redis_server.client(), compute({}, []))


def test_key_encoding():
    assert redis_check.key_of("a:{}:{}", "x:{%} \n\x7f", "\u00e9") == \
        b"a:x%3A%7B%25%7D%20%0A%7F:" + "\u00e9".encode()


def test_maker_is_seeded_and_makes_what_it_counts():
    options = maker.Options(events=3000, partitions=3, jitter_ms=20_000, late_share=0.01,
                            uneven=True, idle_partition=True, poison=True)
    one, two = maker.make(options), maker.make(options)
    assert one.partitions == two.partitions
    for counter in ("out_of_order", "late", "uneven", "idle", "poison", "skipped"):
        assert one.counters[counter] > 0, counter
    assert compute({"p": records(b"x")}, []).counts["dead"] == 1
