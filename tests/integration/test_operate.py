"""What an operator does: sees how all is (hotpath status), restarts it part by part while it runs (hotpath
restart), and reads its numbers with Prometheus (promtool)."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest
from conftest import HOTPATH, ROOT
from support import maker, oracle, redis_check, servers
from test_status import PARTS, Status, free_ports

PROMTOOL = ROOT / "build" / "deps" / "bin" / "promtool"
LIVE = ["--commit-interval", "300ms", "--idle-timeout", "1h", "--idle-advance=off",
        "--max-hold", "7d", "--max-skew", "7d"]
READY_SECONDS_MAX = 30
ROLLING_RESTARTS = int(os.environ.get("HOTPATH_TEST_ROLLING_RESTARTS", "1"))


def hotpath(*arguments, seconds=90):
    return subprocess.run([HOTPATH, *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=seconds, check=False)


def status(state, *more):
    return hotpath("status", "--state", state, *more)


def wait_ready(state, count, *words):
    """Until so many are known, all are ready, and these words are said too; all that was said. (--wait is
    content with those that are known by now.)"""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while True:
        said = status(state, "--wait", f"{READY_SECONDS_MAX}s")
        assert said.returncode == 0, said.stdout + said.stderr
        if f"all {count} processes are ready" in said.stdout and all(word in said.stdout for word in words):
            return said.stdout
        assert time.monotonic() < deadline, said.stdout + said.stderr
        time.sleep(0.1)


def lines_of(said):
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_status_in_words_and_for_programs(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=3_000, seed=401))
    path = stream.write_files(tmp_path)[0]
    pipeline.write_scenarios(stream.documents)
    absent = status(pipeline.state)
    assert absent.returncode == 69 and "no process is noted" in absent.stderr, absent
    with pipeline.start("--file", path, "--follow", "--scorers", 2, *LIVE) as running:
        # A scorer that comes first takes all shards, and is ready before it has given half of them away.
        wait_ready(pipeline.state, 7, "scorer-0    ready      8 of 16 shards",
                   "scorer-1    ready      8 of 16 shards")
        servers.wait_until(lambda: "1 partitions, lag 0 bytes" in status(pipeline.state).stdout,
                           READY_SECONDS_MAX, "no lag")
        *parts, whole = lines_of(status(pipeline.state, "--json"))
        assert [part["name"] for part in parts] == ["configd", "ingestor-0", "scorer-0", "scorer-1",
                                                    "profiler-0", "metrics-0", "sink-0"]
        assert whole == {"processes": 7, "ready": 7, "all_ready": True, "problems": []}

        # A frozen one is named, and the others with what they lack.
        frozen = next(part["pid"] for part in parts if part["name"] == "scorer-1")
        os.kill(running.process.pid, signal.SIGSTOP)    # it would end what is silent
        os.kill(frozen, signal.SIGSTOP)
        try:
            said = status(pipeline.state, "--timeout", "3s", "--json")
        finally:
            os.kill(frozen, signal.SIGCONT)
            os.kill(running.process.pid, signal.SIGCONT)
        assert said.returncode == 75
        by_name = {line.get("name"): line for line in lines_of(said)}
        assert by_name["scorer-1"]["state"] == "silent"
        assert "does not answer" in by_name["scorer-1"]["problems"][0]
        assert by_name[None]["problems"] == ["scorer: 8 of 16 shards are with no process that answers"]
        wait_ready(pipeline.state, 7)
        # An address that is given beside the notes.
        given = status(pipeline.state, "--at", "127.0.0.1:1")
        assert given.returncode == 75 and "no answer at 127.0.0.1:1" in given.stdout
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert status(pipeline.state).returncode == 69


def test_wrong_calls_are_explained(tmp_path):
    for arguments, code, words in [
            (["status"], 64, "--state or --at is needed"),
            (["status", "--state", tmp_path, "--nope"], 64, "unknown setting '--nope'"),
            (["restart"], 64, "--state is needed"),
            (["restart", "--state", tmp_path], 69, "no process is noted"),
            (["status", "--at", "127.0.0.1:1"], 69, "")]:
        said = hotpath(*arguments)
        assert said.returncode == code and words in said.stderr, said


class Feeder(threading.Thread):
    """Appends lines to a file at a pace, as a source under load."""

    def __init__(self, path, lines, seconds):
        super().__init__(daemon=True)
        self.path, self.lines, self.pause = path, lines, 0.05
        self.step = max(1, int(len(lines) * self.pause / seconds))

    def run(self):
        with open(self.path, "ab", buffering=0) as file:
            for at in range(0, len(self.lines), self.step):
                file.write(b"".join(self.lines[at:at + self.step]))
                time.sleep(self.pause)


@pytest.mark.parametrize("number", range(ROLLING_RESTARTS))
def test_a_rolling_restart_under_load(pipeline, tmp_path, number):
    """Each process is ended and started again, one after the other, while events come: nothing is lost
    or counted twice."""
    stream = maker.make(maker.Options(events=40_000, seed=410 + number))
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"")
    pipeline.write_scenarios(stream.documents)
    feeder = Feeder(path, [message.value + b"\n" for message in stream.partitions[0]], 12)
    more = ["--scorers", 2, "--profilers", 2, *LIVE]
    with pipeline.start("--file", path, "--follow", *more) as running:
        wait_ready(pipeline.state, 8)
        feeder.start()
        before = {part.get("name"): part.get("pid")
                  for part in lines_of(status(pipeline.state, "--json"))}
        said = hotpath("restart", "--state", pipeline.state, seconds=240)
        assert said.returncode == 0, said.stdout + said.stderr
        assert len(said.stdout.splitlines()) == 8, said.stdout
        after = {part.get("name"): part.get("pid")
                 for part in lines_of(status(pipeline.state, "--json"))}
        assert set(before) == set(after)
        assert not [name for name in before if name and before[name] == after[name]]
        # A single one, and one that is not there.
        assert hotpath("restart", "--state", pipeline.state, "scorer-1").returncode == 0
        unknown = hotpath("restart", "--state", pipeline.state, "scorer-9")
        assert unknown.returncode == 69 and "no process scorer-9 is known" in unknown.stderr
        feeder.join()
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert "died" not in finished.stderr, finished.stderr
    once = pipeline.run("--file", path, "--once", *more)
    assert once.code == 0, once.explain()
    expected = oracle.compute(stream.file_partitions([str(path)]), stream.documents)
    differences = redis_check.compare(pipeline.redis.client(), expected)
    assert not differences, redis_check.report(differences)


def test_nothing_starts_it_again(pipeline, tmp_path):
    """Beside `hotpath run`, a worker of one's own: restart says that nobody starts it again."""
    stream = maker.make(maker.Options(events=500, seed=420))
    path = stream.write_files(tmp_path)[0]
    pipeline.write_scenarios(stream.documents)
    with pipeline.start("--file", path, "--follow", *LIVE) as running:
        wait_ready(pipeline.state, 6)
        scorer = next(part["pid"] for part in lines_of(status(pipeline.state, "--json"))
                      if part.get("name") == "scorer-0")
        command = open(f"/proc/{scorer}/cmdline").read().split("\0")[:-1]
        own = [part for part in command
               if not part.startswith(("--beat-fd", "--name", "--listen", "--status-listen"))]
        extra = subprocess.Popen([*own, f"--listen=ipc://{tmp_path}/extra",
                                  "--status-listen=127.0.0.1:0", "--name=scorer-extra"],
                                 stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            servers.wait_until(lambda: "all 7 processes are ready" in status(pipeline.state).stdout,
                               READY_SECONDS_MAX, "the extra worker is known and ready")
            said = hotpath("restart", "--state", pipeline.state, "--wait", "3s", "scorer-extra")
            assert said.returncode == 75 and "nothing has started scorer-extra again" in said.stderr
            assert extra.wait(30) == 0
        finally:
            extra.kill()
            extra.wait()
        finished = running.stop()
    assert finished.code == 0, finished.explain()


def test_promtool_takes_the_metrics(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=2_000, seed=430, poison=True))
    path = stream.write_files(tmp_path)[0]
    pipeline.write_scenarios(stream.documents)
    port = free_ports(len(PARTS))
    served = Status(port)
    with pipeline.start("--file", path, "--follow", "--status-port", port, *LIVE) as running:
        wait_ready(pipeline.state, len(PARTS))
        for part in PARTS:
            code, text = served.get(part, "/metrics")
            assert code == 200
            checked = subprocess.run([PROMTOOL, "check", "metrics"], input=text, text=True,
                                     capture_output=True, timeout=30, check=False)
            assert checked.returncode == 0, f"{part}: {checked.stdout}{checked.stderr}"
        assert running.stop().code == 0
