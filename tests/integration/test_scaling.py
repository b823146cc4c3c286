"""More scorers, more speed: 1 -> 4 -> 2 scorers while events are read as fast as they can be, and Redis
equals the oracle.

HOTPATH_TEST_SCALE_ROUNDS (1) rounds over HOTPATH_TEST_SCALE_EVENTS (150000) events, with one answer of the
oracle for all. `make soak-scaling` runs 20 over a million.
"""

import json
import os
import signal
import subprocess
import threading
import time

import pytest
from conftest import HOTPATH
from support import maker, oracle, redis_check, servers

ROUNDS = int(os.environ.get("HOTPATH_TEST_SCALE_ROUNDS", "1"))
EVENTS = int(os.environ.get("HOTPATH_TEST_SCALE_EVENTS", "150000"))
SECONDS_MAX = 60
AHEAD_BYTES = 16 << 20      # what the file is ahead of what is applied: more than can be read in one look
SHARDS = 16
LIVE = ["--commit-interval", "300ms", "--idle-timeout", "1h", "--idle-advance=off", "--max-hold", "7d",
        "--max-skew", "7d"]

pytestmark = pytest.mark.timeout(240 + 120 * ROUNDS + EVENTS // 2000)


class Status:
    """What `hotpath status` says, as objects."""

    def __init__(self, state):
        self.state = state

    def parts(self):
        said = subprocess.run([HOTPATH, "status", "--state", self.state, "--json"], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        return [part for line in said.stdout.splitlines() if "name" in (part := json.loads(line))]

    def scorers(self):
        """{name: shards owned} of the living scorers."""
        return {part["name"]: int(part["what"].split()[0]) for part in self.parts()
                if part["kind"] == "scorer" and part["state"] == "ready"}

    def lag(self):
        """Bytes written and not applied, or None where it is not known yet."""
        for part in self.parts():
            if part["kind"] == "ingestor" and "lag" in part["what"]:
                words = part["what"].split()
                if words[words.index("lag") + 1].isdigit():
                    return int(words[words.index("lag") + 1])
        return None

    def wait_shared(self, names):
        """Until these scorers alone hold all shards, each at most its fair share; seconds it took."""
        began = time.monotonic()
        most = -(-SHARDS // len(names))

        def shared():
            owned = self.scorers()
            return set(owned) == set(names) and sum(owned.values()) == SHARDS \
                and max(owned.values()) <= most
        servers.wait_until(shared, SECONDS_MAX, f"shards shared out among {sorted(names)}", 0.05)
        return time.monotonic() - began


class Feeder(threading.Thread):
    """Keeps the file ahead of what is read, until it is told to write the rest."""

    def __init__(self, path, data, status):
        super().__init__(daemon=True)
        self.path, self.data, self.status = path, data, status
        self.began = threading.Event()
        self.hurry = threading.Event()
        self.dry = 0        # looks at which all had been applied: then it was not full speed

    def run(self):
        at = 0
        with open(self.path, "ab", buffering=0) as file:
            while at < len(self.data) and not self.hurry.is_set():
                lag = self.status.lag()
                self.dry += at > 0 and lag == 0
                step = len(self.data) // 16 if EVENTS < 500_000 else AHEAD_BYTES
                if lag is None or lag < step:
                    at += file.write(self.data[at:at + step])
                    self.began.set()
                time.sleep(0.02)
            while at < len(self.data):
                at += file.write(self.data[at:])


@pytest.fixture(scope="module")
def stream():
    return maker.make(maker.Options(events=EVENTS, seed=440, jitter_ms=20_000, late_share=0.01))


@pytest.fixture(scope="module")
def expected(stream, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "events.jsonl"
    path.write_bytes(b"".join(message.value + b"\n" for message in stream.partitions[0]))
    return oracle.compute(stream.file_partitions([str(path)]), stream.documents)


def start_more(state, folder, count):
    """More scorers, started as an operator would: as the first, under other names."""
    pid = next(part["pid"] for part in Status(state).parts() if part["name"] == "scorer-0")
    command = open(f"/proc/{pid}/cmdline").read().split("\0")[:-1]
    own = [part for part in command
           if not part.startswith(("--beat-fd", "--name", "--listen", "--status-listen"))]
    return {f"scorer-more-{index}": subprocess.Popen(
        [*own, f"--name=scorer-more-{index}", f"--listen=ipc://{folder}/more-{index}",
         "--status-listen=127.0.0.1:0"], stdin=subprocess.DEVNULL,
        stderr=open(folder / f"more-{index}.log", "ab")) for index in range(count)}


@pytest.mark.parametrize("number", range(ROUNDS))
def test_one_four_two(pipeline, tmp_path, stream, expected, number):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"")
    pipeline.write_scenarios(stream.documents)
    status = Status(pipeline.state)
    feeder = Feeder(path, b"".join(message.value + b"\n" for message in stream.partitions[0]), status)
    more = {}
    took = {}
    with pipeline.start("--file", path, "--follow", *LIVE) as running:
        try:
            status.wait_shared(["scorer-0"])
            feeder.start()
            assert feeder.began.wait(SECONDS_MAX), "no event was written"
            more = start_more(pipeline.state, tmp_path, 3)
            took["1 -> 4"] = status.wait_shared(["scorer-0", *more])
            for name, end in (("scorer-more-0", signal.SIGTERM),
                              ("scorer-more-1", signal.SIGTERM if number % 2 else signal.SIGKILL)):
                more[name].send_signal(end)
                assert more.pop(name).wait(SECONDS_MAX) == (0 if end == signal.SIGTERM else -end)
            took["4 -> 2"] = status.wait_shared(["scorer-0", *more])
            feeder.hurry.set()
            feeder.join()
            servers.wait_until(lambda: status.lag() == 0, SECONDS_MAX * 4, "all applied", 0.1)
        finally:
            for process in more.values():
                process.terminate()
            for process in more.values():
                process.wait(SECONDS_MAX)
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    once = pipeline.run("--file", path, "--once", *LIVE)
    assert once.code == 0, once.explain()
    differences = redis_check.compare(pipeline.client, expected)
    assert not differences, redis_check.report(differences)
    print(f"round {number}: {took}, dry {feeder.dry} times")
