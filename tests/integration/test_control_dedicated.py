"""The dedicated mode end to end: one scenario has a pipeline of its own, beside one that serves the
rest (--except), over the same input, documents and Redis; each sees and writes only its own."""

import json

import pytest
from conftest import Running
from support import maker, servers
from support.admin import Admin, write_tokens

SECONDS_MAX = 60
SCENARIOS = [("acme", "live"), ("acme", "other"), ("beta", "live")]


def write_events(path):
    end = maker.START_MS - maker.START_MS % 3_600_000 + 3_600_000
    events = [{"tenant_id": tenant, "scenario_id": scenario, "user_id": f"u{item}",
               "item_id": f"item_{item}", "action_type": "view", "timestamp": end - 60_000 * item}
              for tenant, scenario in SCENARIOS for item in range(1, 10)]
    events.sort(key=lambda event: event["timestamp"])
    events.append(events[-1] | {"timestamp": end + 60_000})
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def keys_of(client):
    """Which scenarios have a ranking, metrics or profiles."""
    found = set()
    for key in client.keys("*"):
        parts = key.decode().split(":")
        if parts[:2] == ["hot", "items"] or parts[:2] == ["rec", "metrics"]:
            found.add((parts[0], parts[2], parts[3]))
        elif parts[:2] == ["user", "profile"]:
            found.add(("user", parts[2], parts[4]))
    return found


def of(*scenarios):
    return {(kind, *scenario) for kind in ("hot", "rec", "user") for scenario in scenarios}


def test_beside_a_pipeline_that_serves_the_rest(pipeline):
    pipeline.write_scenarios([{"tenant_id": tenant, "scenario_id": scenario, "status": "active"}
                              for tenant, scenario in SCENARIOS])
    events = pipeline.folder / "events.jsonl"
    write_events(events)
    tokens = write_tokens(pipeline.folder / "tokens")
    ports = [servers.free_port(), servers.free_port()]
    common = ["run", "--redis", pipeline.redis.url, "--scenarios-dir", pipeline.scenarios_dir,
              "--file", events, "--follow", "--idle-advance=off", "--admin-tokens", tokens]
    rest = [*common, "--state", pipeline.folder / "rest", "--except", "acme/live",
            "--admin-listen", f"127.0.0.1:{ports[0]}"]
    own = [*common, "--state", pipeline.folder / "own", "--tenant-id", "acme", "--scenario-id", "live",
           "--admin-listen", f"127.0.0.1:{ports[1]}"]
    with Running(rest, pipeline.folder) as one:
        servers.wait_until(lambda: keys_of(pipeline.client) == of(*SCENARIOS[1:]), SECONDS_MAX,
                           "the rest is written")
        with Running(own, pipeline.folder) as other:
            servers.wait_until(lambda: keys_of(pipeline.client) == of(*SCENARIOS), SECONDS_MAX,
                               "the dedicated one writes its own")
            lineages = {scenario: pipeline.client.hget(f"hot:items:{':'.join(scenario)}:meta", "lineage")
                        for scenario in SCENARIOS}
            assert lineages["acme", "other"] == lineages["beta", "live"] != lineages["acme", "live"]
            admins = [Admin(port, "alice") for port in ports]
            listed = [{(entry["tenant_id"], entry["scenario_id"])
                       for entry in admin.get().body["scenarios"]} for admin in admins]
            assert listed == [set(SCENARIOS[1:]), {SCENARIOS[0]}]
            admins = [Admin(port, "alice", "acme") for port in ports]
            assert [admin.get("live").status for admin in admins] == [404, 200]
            assert [admin.get("other").status for admin in admins] == [200, 404]
            assert admins[0].post("", {"scenario_id": "live"}).status == 404
            changed = admins[1].weights("live", "?wait=applied&timeout=30s", view=7)
            assert changed.status == 200 and changed.body["applied"]["applied"], changed.body
            assert admins[0].weights("other", "?wait=applied&timeout=30s", view=3).status == 200
            ended = other.stop()
            assert ended.code == 0, ended.explain()
        ended = one.stop()
        assert ended.code == 0, ended.explain()
    for running in (one, other):
        log = running.stderr_path.read_text()
        assert "ended an older redis connection" not in log, log[-3000:]


@pytest.mark.parametrize("except_, words", [
    ("acme", "--except: acme is not TENANT/SCENARIO"),
    ("acme/", "--except: acme/ has no scenario"),
])
def test_a_wrong_exception_is_refused(pipeline, except_, words):
    pipeline.write_scenarios([])
    (pipeline.folder / "events.jsonl").write_text("")
    ended = pipeline.run("--file", pipeline.folder / "events.jsonl", "--once", "--except", except_)
    assert ended.code == 64 and words in ended.stderr, ended.explain()


def test_a_tenant_is_left_out_as_a_whole(pipeline):
    pipeline.write_scenarios([{"tenant_id": tenant, "scenario_id": scenario, "status": "active"}
                              for tenant, scenario in SCENARIOS])
    events = pipeline.folder / "events.jsonl"
    write_events(events)
    ended = pipeline.once("--file", events, "--except", "acme/*")
    assert keys_of(pipeline.client) == of(("beta", "live"))
    assert "other tenants or scenarios 18" in ended.stdout, ended.stdout
