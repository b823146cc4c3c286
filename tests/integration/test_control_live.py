"""The control plane over a running pipeline: a change through the admin API is in Redis when it is
said to be applied; a preview is what happens; who is down does not count as applied."""

import json
import os
import random
import signal
import statistics
import subprocess
import time

import pytest
from conftest import HOTPATH
from support import maker, servers
from support.admin import Admin, config, write_tokens

CHANGES = int(os.environ.get("HOTPATH_CONTROL_CHANGES", 15))
PREVIEWS = int(os.environ.get("HOTPATH_CONTROL_PREVIEWS", 15))
MEDIAN_SECONDS_MAX = 1.0
SECONDS_MAX = 60
KEY = "hot:items:acme:live"
ITEMS = 200
ACTIONS = ["view", "click", "like", "purchase", "share"]


def write_events(path):
    """Actions of every item over an hour, and one event later that completes their windows."""
    rng = random.Random(7)
    end = maker.START_MS - maker.START_MS % 3_600_000 + 3_600_000
    events = [(end - rng.randrange(1, 3_600_000), f"item_{item}", rng.choice(ACTIONS))
              for item in range(1, ITEMS + 1) for _ in range(rng.randrange(1, 30))]
    events = sorted(events) + [(end + 60_000, "later", "view")]
    path.write_text("".join(json.dumps({
        "tenant_id": "acme", "scenario_id": "live", "user_id": f"u{at % 7}", "item_id": item,
        "action_type": action, "timestamp": at}) + "\n" for at, item, action in events))


@pytest.fixture
def live(pipeline, request):
    """A pipeline that has computed its first ranking and stands still, with the admin API."""
    pipeline.scenarios_dir.mkdir()
    pipeline.port = servers.free_port()
    events = pipeline.folder / "events.jsonl"
    write_events(events)
    document = {"tenant_id": "acme", "scenario_id": "live", "status": "active",
                "config": {"realtime_compute": {
                    "hot_score": {"window_size_minutes": 60, "window_slide_minutes": 10}}}}
    (pipeline.scenarios_dir / "live.json").write_text(json.dumps(document))
    arguments = ["--file", events, "--follow", "--idle-advance=off", "--scorers", "2",
                 "--metrics", "2", "--admin-listen", f"127.0.0.1:{pipeline.port}",
                 "--admin-tokens", write_tokens(pipeline.folder / "tokens"),
                 *getattr(request, "param", [])]
    with pipeline.start(*arguments) as running:
        servers.wait_until(lambda: pipeline.client.zcard(KEY), SECONDS_MAX,
                           f"the first ranking; {running.stderr_path.read_text()[-3000:]}")
        pipeline.running = running
        yield pipeline
        finished = running.stop()
        assert finished.code == 0, finished.explain()


def ranking(live, count=-1):
    """The ranking in Redis as hotpath orders it: by score, equal ones by item."""
    found = live.client.zrange(KEY, 0, -1, withscores=True)
    return sorted(((item.decode(), score) for item, score in found),
                  key=lambda one: (-one[1], one[0].encode()))[:count if count > 0 else None]


def test_applied_means_that_redis_has_it(live):
    admin = Admin(live.port)
    took = []
    first = live.client.hgetall(f"{KEY}:meta")
    assert first[b"changed"] == b"0" and b"revision_since" not in first
    for change in range(CHANGES):
        best = ranking(live, 1)[0]
        began = time.monotonic()
        answer = admin.weights("live", "?wait=applied&timeout=30s", view=2 + change, click=0,
                               like=0, purchase=0, share=0)
        took.append(time.monotonic() - began)
        assert answer.status == 200 and answer.body["applied"]["applied"], answer.body
        meta = live.client.hgetall(f"{KEY}:meta")
        assert int(meta[b"revision"]) == answer.body["revision"]
        # All its events are older than the revision that made it.
        assert meta[b"changed"] == b"1"
        assert int(meta[b"revision_since"]) > int(meta[b"window_start"])
        if change:
            expected = best[1] * (2 + change) / (1 + change)
            assert dict(ranking(live))[best[0]] == pytest.approx(expected, rel=1e-9)
    assert statistics.median(took) < MEDIAN_SECONDS_MAX, sorted(took)
    print(f"wait=applied over {CHANGES}: median {statistics.median(took) * 1000:.0f} ms, "
          f"longest {max(took) * 1000:.0f} ms")
    paused = admin.post("live/status?wait=applied", {"status": "paused"})
    assert paused.status == 200 and not admin.get("live").body["active"]
    # Nothing is computed of a scenario that is paused: it is applied as soon as all know.
    assert admin.weights("live", "?wait=applied", view=1).status == 200
    assert admin.post("live/status?wait=applied", {"status": "active"}).status == 200


def random_change(rng):
    """A change of weights, of decay, of the window or of the ranking's length."""
    hot = {"action_weights": {action: rng.choice([0, 0.5, 1, 3, 7.25, -1, 20])
                              for action in rng.sample(ACTIONS, rng.randrange(1, 4))}}
    if rng.random() < 0.3:
        hot["decay_lambda"] = rng.choice([0, 0.1, 0.5, 2])
    if rng.random() < 0.2:
        slide = rng.choice([5, 10, 20])
        hot |= {"window_slide_minutes": slide, "window_size_minutes": slide * rng.choice([1, 2, 3])}
    if rng.random() < 0.2:
        hot["top_k"] = rng.choice([5, 15, 100])
    if rng.random() < 0.2:
        hot["default_weight"] = rng.choice([0, 1])
    return config({"hot_score": hot})


def test_preview_is_what_happens(live):
    admin = Admin(live.port)
    rng = random.Random(int(os.environ.get("HOTPATH_CONTROL_SEED", 3)))
    differing = 0
    for number in range(PREVIEWS):
        change = random_change(rng)
        before = ranking(live, 20)
        preview = admin.post("live/preview", change)
        assert preview.status == 200, preview.body
        assert [(one["item"], one["score"]) for one in preview.body["before"]] == before
        assert ranking(live, 20) == before      # nothing was published
        made = admin.post("live?wait=applied&timeout=30s", change)
        assert made.status == 200, made.body
        after = ranking(live, 20)
        assert [(one["item"], one["score"]) for one in preview.body["after"]] == after, \
            (number, change, preview.body)
        assert [one["rank"] for one in preview.body["after"]] == list(range(1, len(after) + 1))
        ranks = {item: rank for rank, (item, _) in enumerate(before, 1)}
        for one in preview.body["after"]:
            if one["item"] in ranks:
                assert one["rank_before"] == ranks[one["item"]]
        assert preview.body["changes"] == made.body["changes"]
        differing += before != after
    assert differing > PREVIEWS / 3
    assert admin.put("live?wait=applied&timeout=30s", config({})).status == 200
    disabled = admin.post("live/preview", config({"hot_score": {"enabled": False}}))
    assert disabled.body["after"] == [] and disabled.body["before"]
    assert admin.post("live/preview", config({"hot_score": {"top_k": 0}})).status == 422
    assert admin.post("live/preview", {**config({}), "items": 0}).status == 422
    assert len(admin.post("live/preview", {**config({}), "items": 3}).body["after"]) == 3


def children_of(running, name):
    """Process ids of the pipeline's children of this name."""
    found = subprocess.run(["pgrep", "-P", str(running.process.pid), "-f", f"hotpath-{name} "],
                           capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def test_who_is_frozen_is_not_applied(live):
    """A scorer that stands still holds the answer back: 202, with a place to ask."""
    admin = Admin(live.port)
    scorer = children_of(live.running, "scorer")[0]
    os.kill(scorer, signal.SIGSTOP)
    # Long enough for the others, less than what makes a process count as gone, or killed (10 s).
    answer = admin.weights("live", "?wait=applied&timeout=5s", view=50)
    os.kill(scorer, signal.SIGCONT)
    assert answer.status == 202, answer.body
    assert answer.body["applied"]["behind"] == 1
    where = answer.headers["location"]
    assert where == f"/api/v1/scenarios/live/applied?revision={answer.body['revision']}"
    asked = admin.send("GET", f"{where}&wait=applied&timeout=30s")
    assert asked.status == 200 and asked.body["applied"], asked.body
    # Killed, and started again by the supervisor: what it has is applied once its shards are served.
    os.kill(scorer, signal.SIGKILL)
    again = admin.weights("live", "?wait=applied&timeout=40s", view=51)
    assert again.status == 200, again.body
    assert int(live.client.hget(f"{KEY}:meta", "revision")) == again.body["revision"]
    processes = Admin(live.port, "alice").send("GET", "/api/v1/processes").body
    assert processes["behind"] == 0
    owned = [one["shards_owned"] for one in processes["processes"] if one["role"] == "scorer"]
    assert sum(owned) >= 16
