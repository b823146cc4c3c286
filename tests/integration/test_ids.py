"""Ids with : { } %, white space, control bytes, emoji, 256 bytes: keys of their own, values raw."""

import json

from conftest import expected_of_files, file_arguments
from support import maker, oracle, redis_check

ODD = ["a:b", "{x}", "100%", "%3A", "with space", "\x7f", "\u00fcml\u00e4ut", "\U0001f600",
       "b" * 256, "\u00e9" * 128, "a", "b:c", "quote\"back\\slash", "in\nside"]


def test_odd_users_and_items(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=6_000, seed=91, odd_ids=True, users=60, items=60))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths))
    expected = expected_of_files(stream, paths)
    users = {user for _, _, user in expected.profiles}
    assert {"a:b", "{x}", "%3A", "b" * 256, "\U0001f600\U0001f680"} <= users
    pipeline.assert_equals(expected)


def test_odd_tenants_and_scenarios(pipeline, tmp_path):
    """Every pair is a scenario of its own: ("a", "b:c") is not ("a:b", "c")."""
    base = maker.scenario_documents()[0]
    names = [(odd, "s") for odd in ODD] + [("t", odd) for odd in ODD] + \
        [("a", "b:c"), ("a:b", "c"), ("12", "34")]
    documents = [{**base, "tenant_id": tenant, "scenario_id": scenario}
                 for tenant, scenario in sorted(set(names))]
    stream = maker.make(maker.Options(events=4_000, seed=92, documents=documents))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(documents)
    pipeline.once(*file_arguments(paths))
    expected = expected_of_files(stream, paths)
    assert len(expected.rankings) == len(documents)
    assert redis_check.key_of("hot:items:{}:{}", "a", "b:c") != \
        redis_check.key_of("hot:items:{}:{}", "a:b", "c")
    pipeline.assert_equals(expected)


def test_numbers_are_their_digits(pipeline, tmp_path):
    base = {"tenant_id": 12, "scenario_id": 34, "action_type": "view",
            "timestamp": maker.START_MS}
    events = [{**base, "user_id": user, "item_id": item}
              for user, item in ((0, 2**64 - 1), ("0", "18446744073709551615"), (-2**63, -1),
                                 (" 7 ", 7))]
    path = tmp_path / "numbers.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    documents = [{**maker.scenario_documents()[0], "tenant_id": "12", "scenario_id": "34"}]
    pipeline.write_scenarios(documents)
    pipeline.once("--file", path)
    expected = oracle.compute({"p": oracle.records_of_file(path)}, documents)
    assert set(expected.rankings["12", "34"].scores) == {"18446744073709551615", "-1", "7"}
    assert {user for _, _, user in expected.profiles} == {"0", str(-2**63), "7"}
    pipeline.assert_equals(expected)
