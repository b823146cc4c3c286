"""A weight that is changed shows in Redis within a second, also for events from before the change;
an invalid change leaves the last good one running."""

import json
import os
import statistics
import time
import uuid

import pytest
from support import maker, servers

CHANGES = 20
MEDIAN_SECONDS_MAX = 1.0
SECONDS_MAX = 30
KEY = "hot:items:acme:live"
ITEMS = 200


def document(weight):
    return {"tenant_id": "acme", "scenario_id": "live", "status": "active",
            "config": {"realtime_compute": {
                "hot_score": {"window_size_minutes": 30, "window_slide_minutes": 10,
                              "action_weights": {"view": weight}},
                "user_profile": {"enabled": False}, "metrics": {"enabled": False}}}}


def write_events(path):
    """Views of every item, and one event later that completes their window. Item n has n views."""
    end = maker.START_MS - maker.START_MS % 600_000 + 600_000
    events = [(end - 300_000 + view, f"item_{item}") for item in range(1, ITEMS + 1)
              for view in range(item)]
    events = sorted(events) + [(end + 60_000, "later")]
    path.write_text("".join(json.dumps({
        "tenant_id": "acme", "scenario_id": "live", "user_id": "u", "item_id": item,
        "action_type": "view", "timestamp": at}) + "\n" for at, item in events))


class Folder:
    """Scenario files; a change is moved in, as editors do."""

    def __init__(self, pipeline, _request):
        self.path = pipeline.scenarios_dir / "live.json"
        pipeline.scenarios_dir.mkdir()
        self.arguments = []

    def put(self, changed):
        written = self.path.with_suffix(".tmp")
        written.write_text(json.dumps(changed))
        os.replace(written, self.path)

    def close(self):
        pass


class Collection:
    """The scenarios collection of a server, with change streams or without."""

    def __init__(self, pipeline, server):
        self.client = server.client()
        self.database = f"hotpath_test_{uuid.uuid4().hex[:12]}"
        self.arguments = ["--mongodb-url", server.url, "--database", self.database]

    def put(self, changed):
        self.client[self.database].scenarios.replace_one(
            {"tenant_id": "acme", "scenario_id": "live"}, changed, upsert=True)

    def close(self):
        self.client.drop_database(self.database)
        self.client.close()


@pytest.fixture
def standalone():
    with servers.Mongodb(standalone=True) as server:
        yield server


@pytest.fixture(params=["folder", "change stream", "polling"])
def scenarios(request, pipeline):
    if request.param == "folder":
        made = Folder(pipeline, None)
    elif request.param == "change stream":
        made = Collection(pipeline, request.getfixturevalue("mongodb"))
    else:
        server = request.getfixturevalue("standalone")
        if server.is_external:
            pytest.skip("HOTPATH_TEST_MONGODB_URI cannot be made a standalone server")
        made = Collection(pipeline, server)
    yield made
    made.close()


def test_a_changed_weight_shows_within_a_second(pipeline, tmp_path, scenarios):
    path = tmp_path / "events.jsonl"
    write_events(path)
    scenarios.put(document(1))
    best = f"item_{ITEMS}"
    with pipeline.start("--file", path, "--follow", "--idle-advance=off",
                        *scenarios.arguments) as running:
        servers.wait_until(lambda: pipeline.client.zscore(KEY, best), SECONDS_MAX,
                           "the first ranking")
        before = dict(pipeline.client.zrange(KEY, 0, -1, withscores=True))
        assert len(before) == ITEMS
        took = []
        for change in range(CHANGES):
            weight = 2 + change
            scenarios.put(document(weight))
            written = time.monotonic()
            wanted = before[best.encode()] * weight
            servers.wait_until(
                lambda: abs(pipeline.client.zscore(KEY, best) - wanted) < wanted * 1e-5,
                SECONDS_MAX, f"weight {weight} in the ranking", poll_seconds=0.005)
            took.append(time.monotonic() - written)
            # The ranking is replaced at once: no item of it still has the weight before.
            for item, score in pipeline.client.zrange(KEY, 0, -1, withscores=True):
                assert score == pytest.approx(before[item] * weight, rel=2e-6), item
        revision = int(pipeline.client.hget(f"{KEY}:meta", "revision"))
        assert revision == CHANGES + 1

        # An invalid document keeps the last good revision; a good one after it holds at once.
        broken = document(1)
        broken["config"]["realtime_compute"]["hot_score"]["top_q"] = 1
        scenarios.put(broken)
        time.sleep(2)
        assert pipeline.client.zscore(KEY, best) == pytest.approx(wanted, rel=1e-5)
        scenarios.put(document(1))
        servers.wait_until(
            lambda: abs(pipeline.client.zscore(KEY, best) - before[best.encode()]) < 1e-5,
            SECONDS_MAX, "the good document after the invalid one")
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert "top_q" in finished.stderr, finished.explain()
    assert statistics.median(took) < MEDIAN_SECONDS_MAX, sorted(took)
