"""configd alone: what it makes of documents that come, go and are wrong, from a folder and from MongoDB
with and without change streams. Its log tells each revision; how fast a change reaches Redis is
test_live_config's."""

import json
import os
import re
import subprocess
import uuid
from pathlib import Path

import msgpack
import pymongo
import pytest
import zmq
from bson import Decimal128, Int64
from conftest import HOTPATH
from support import servers

SECONDS_MAX = 30
CONFIGD = HOTPATH.with_name("hotpath-configd")


def document(scenario, top_k, status="active"):
    return {"tenant_id": "acme", "scenario_id": scenario, "status": status, "other": {"of": "others"},
            "config": {"mine": 1, "realtime_compute": {"hot_score": {"top_k": top_k}}}}


class Configd:
    """One configd; started again it keeps its state."""

    def __init__(self, folder, *arguments, **environment):
        self.folder = folder
        self.arguments = arguments
        self.environment = {name: value for name, value in {**os.environ, **environment}.items()
                            if value is not None}
        self.log_path = folder / "configd.log"
        self.process = None
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(CONFIGD), "--state", "state", "--publish", "ipc://config", *self.arguments],
                cwd=self.folder, stderr=log, env=self.environment)

    def log(self):
        return self.log_path.read_text()

    def revisions(self, scenario):
        """[(number, active)] as told, oldest first."""
        found = re.findall(rf"msg=revision .*scenario={scenario} number=(\d+) active=(\w+)", self.log())
        return [(int(number), active == "true") for number, active in found]

    def wait_revision(self, scenario, number, active=True):
        servers.wait_until(lambda: self.revisions(scenario)[-1:] == [(number, active)], SECONDS_MAX,
                           f"{scenario} is number {number}, active {active}; log:\n{self.log()[-3000:]}",
                           poll_seconds=0.01)

    def wait_log(self, text, count=1):
        servers.wait_until(lambda: self.log().count(text) >= count, SECONDS_MAX,
                           f"{text}; log:\n{self.log()[-3000:]}", poll_seconds=0.01)

    def ask(self, scenario, tenant="acme"):
        """As an ingestor that has an event of a scenario that it does not know."""
        values = [2, 3, "ingestor-9", 1, "", 0, 0, tenant, scenario]
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.connect(f"ipc://{self.folder}/config.requests")
            socket.linger = 5000
            socket.send(b"".join(map(msgpack.packb, values)))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def again(self, *arguments):
        """Killed, and started with these arguments."""
        complete = self.log().count("config is complete")
        self.kill()
        self.arguments = arguments
        self.start()
        self.wait_log("config is complete", complete + 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                assert self.process.wait(30) == 0, self.log()[-3000:]
            finally:
                self.kill()


def write(folder, name, body):
    """Moved in, as editors do."""
    written = folder / f"{name}.tmp"
    written.write_text(body if isinstance(body, str) else json.dumps(body))
    os.replace(written, folder / name)


def test_folder(tmp_path):
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    write(scenarios, "a.json", document("a", 1))
    write(scenarios, "not-a-scenario.txt", "{")
    with Configd(tmp_path, "--scenarios-dir", "scenarios") as configd:
        configd.wait_revision("a", 1)
        write(scenarios, "a.json", document("a", 2))
        configd.wait_revision("a", 2)
        write(scenarios, "a.json", "{")
        configd.wait_log("is not JSON")
        write(scenarios, "a.json", document("a", 0))
        configd.wait_log("config.realtime_compute.hot_score.top_k")
        write(scenarios, "a.json", document("a", 2.0))      # the same effective config
        write(scenarios, "b.json", document("b", 1))
        configd.wait_revision("b", 1)
        write(scenarios, "b2.json", document("b", 5))
        configd.wait_log("b.json and b2.json are both of this scenario")
        (scenarios / "b.json").unlink()
        configd.wait_revision("b", 2)
        (scenarios / "b2.json").unlink()
        configd.wait_revision("b", 2, active=False)
        (scenarios / "a.json").rename(scenarios / "a-renamed.json")
        write(scenarios, "c.json", document("c", 1, status="paused"))
        configd.wait_revision("c", 1, active=False)
        configd.kill()
        write(scenarios, "c.json", document("c", 1))
        configd.start()
        configd.wait_revision("c", 1)
        assert configd.revisions("a") == [(1, True), (2, True)]


def test_begun_by_default(tmp_path):
    """A scenario that is asked for and has no document runs by all defaults, until there is a valid one."""
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    drop = ["--scenarios-dir", "scenarios"]
    defaults = [*drop, "--unknown-scenarios=defaults"]
    with Configd(tmp_path, *defaults) as configd:
        configd.wait_log("config is complete")
        for scenario in ("a", "b", "a"):
            configd.ask(scenario)
            configd.wait_revision(scenario, 1)
        configd.again(*defaults)
        assert configd.revisions("a") == configd.revisions("b") == [(1, True)]
        write(scenarios, "a.json", document("a", 0))        # not valid: the last good stays
        configd.wait_log("config.realtime_compute.hot_score.top_k")
        write(scenarios, "a.json", document("a", 5))
        configd.wait_revision("a", 2)
        (scenarios / "a.json").unlink()
        configd.wait_revision("a", 2, active=False)
        configd.ask("a")                                    # removed, not unknown
        configd.again(*drop)
        configd.wait_revision("b", 1, active=False)
        configd.ask("c")
        configd.wait_log("a scenario without a document is asked for, and is not begun")
        configd.again(*defaults)
        configd.wait_revision("b", 1)
        configd.again(*defaults, "--tenant-id", "another")
        configd.wait_revision("b", 1, active=False)
        assert configd.revisions("a") == [(1, True), (2, True), (2, False)]
        assert configd.revisions("c") == []


@pytest.mark.parametrize("files, words", [
    ({"a.json": "{"}, "scenarios/a.json: document: is not JSON"),
    ({"a.json": document("a", 0)}, "scenarios/a.json: config.realtime_compute.hot_score.top_k: must be"),
    ({"a.json": document("a", 1), "b.json": document("a", 1)}, "a.json and b.json are both of"),
    ({"a.json": " " * (1 << 20) + "{}"}, "scenarios/a.json: document: it is larger than 1 MiB"),
])
def test_folder_refused_at_start(tmp_path, files, words):
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    for name, body in files.items():
        write(scenarios, name, body)
    ended = subprocess.run([str(CONFIGD), "--state", "state", "--publish", "ipc://config",
                            "--scenarios-dir", "scenarios"], cwd=tmp_path, capture_output=True,
                           text=True, timeout=SECONDS_MAX)
    assert ended.returncode == 78
    assert words in ended.stderr and ended.stderr.count("\n") == 1


def test_killed_leaves_no_counters_of_the_driver(tmp_path):
    """The MongoDB driver shows counters in /dev/shm: a configd that is killed leaves none there."""
    (tmp_path / "scenarios").mkdir()
    write(tmp_path / "scenarios", "a.json", document("a", 1))
    with Configd(tmp_path, "--scenarios-dir", "scenarios", MONGOC_DISABLE_SHM=None) as configd:
        configd.wait_revision("a", 1)
        configd.kill()
        assert not Path(f"/dev/shm/mongoc-{configd.process.pid}").exists()
        configd.start()
        configd.wait_log("config is complete", 2)


@pytest.fixture(params=["change-stream", "polled"])
def server(request):
    with servers.Mongodb(standalone=request.param == "polled", test_commands=True) as started:
        yield started


def test_mongodb(tmp_path, server):
    name = f"hotpath_{uuid.uuid4().hex[:8]}"
    database = server.client()[name]
    scenarios = database.scenarios
    scenarios.insert_many([document("a", 5), document("bad", 0)])
    a = {"scenario_id": "a"}

    def set_top_k(value):
        scenarios.update_one(a, {"$set": {"config.realtime_compute.hot_score.top_k": value}})

    with Configd(tmp_path, "--database", name, HOTPATH_MONGODB_URL=server.url) as configd:
        configd.wait_revision("a", 1)
        configd.wait_log("scenario=bad path=config.realtime_compute.hot_score.top_k")
        number = 1
        for value in (Decimal128("33"), Int64(34), 35.0):
            set_top_k(value)
            number += 1
            configd.wait_revision("a", number)
        for count, value in enumerate((float("nan"), float("inf"), Decimal128("NaN"), "5", 5.5), 1):
            set_top_k(value)
            configd.wait_log("source=\"{ \\\"_id\\\"", count + 1)
        # The unique index is made at the start; a collection may have had twins before it.
        servers.wait_until(lambda: "hotpath_identity" in scenarios.index_information(), SECONDS_MAX,
                           "the unique index")
        with pytest.raises(pymongo.errors.DuplicateKeyError):
            scenarios.insert_one(document("a", 41))
        scenarios.drop_index("hotpath_identity")
        twin = scenarios.insert_one(document("a", 41)).inserted_id
        set_top_k(35)
        configd.wait_log("are both of this scenario")
        scenarios.delete_one({"_id": twin})
        scenarios.update_one(a, {"$set": {"status": "paused", "other": {}}})
        configd.wait_revision("a", number, active=False)
        scenarios.update_one({"scenario_id": "bad"}, {"$set": document("bad", 9)})
        configd.wait_revision("bad", 1)
        scenarios.drop()
        configd.wait_revision("bad", 1, active=False)
        scenarios.insert_many([document("a", 50), document("bad", 9)])
        number += 1
        configd.wait_revision("a", number)
        configd.wait_revision("bad", 1)
        configd.kill()
        set_top_k(0)                                        # the stored last good one stays
        scenarios.delete_one({"scenario_id": "bad"})
        configd.start()
        configd.wait_revision("bad", 1, active=False)
        assert configd.revisions("a")[-1] == (number, True)
        set_top_k(51)
        configd.wait_revision("a", number + 1)


@pytest.mark.parametrize("code", [286, 280, 6])
def test_mongodb_stream_lost(tmp_path, code):
    """A lost resume token, an invalid change stream, an unreachable host: a full read, and on it goes."""
    with servers.Mongodb(test_commands=True) as server:
        if server.is_external:
            pytest.skip("fail points need a server of the test's own")
        client = server.client()
        scenarios = client.hotpath.scenarios
        scenarios.insert_one(document("a", 1))
        with Configd(tmp_path, "--mongodb-url", server.url) as configd:
            configd.wait_revision("a", 1)
            client.admin.command("configureFailPoint", "failCommand", mode={"times": 3},
                                 data={"failCommands": ["getMore"], "errorCode": code})
            configd.wait_log("followed by a change stream", 2)
            scenarios.update_one({}, {"$set": {"config.realtime_compute.hot_score.top_k": 2}})
            configd.wait_revision("a", 2)
