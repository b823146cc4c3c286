"""Faults of storage: a full disk, a store at its bound, files that are removed, cut, overwritten, of another
version; a clock that is set back. Nothing is lost and nothing counts twice: Redis equals the oracle, what was
wrong is said, and the results that a reader sees never go back.
"""

import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import HOTPATH, Pipeline, Running, expected_of_files
from support import maker, redis_check, servers
from support.background import Background
from test_live import children
from test_status import PARTS, Status, free_ports

SECONDS_MAX = 60
# A part whose acknowledgement was lost is sent alone to the next sink, which waits so long for the others.
GATHER = ["--gather-timeout", "2s"]
LIVE = ["--follow", "--commit-interval", "300ms", "--idle-timeout", "1h", "--max-hold", "7d",
        "--idle-advance=off", "--max-skew", "7d", "--shards", "4", *GATHER]
SLIDE_MS = 20 * 60 * 1000   # more than one of acme/shop
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="mounts a small disk: only root may")


class Feed:
    """A stream as files that grow."""

    def __init__(self, folder, **options):
        self.stream = maker.make(maker.Options(**{"events": 6_000, "partitions": 2, "seed": 501,
                                                  "jitter_ms": 20_000, **options}))
        self.paths = [folder / f"events-{index}.jsonl"
                      for index in range(len(self.stream.partitions))]
        self.lines = [[message.value + b"\n" for message in messages]
                      for messages in self.stream.partitions]
        self.fed = [0] * len(self.lines)
        for path in self.paths:
            path.write_bytes(b"")

    def arguments(self):
        return [argument for path in self.paths for argument in ("--file", path)]

    def feed(self, share):
        """Appends up to this share of the whole, counted from its beginning."""
        for index, lines in enumerate(self.lines):
            end = int(len(lines) * share)
            with open(self.paths[index], "ab") as file:
                file.write(b"".join(lines[self.fed[index]:end]))
            self.fed[index] = max(end, self.fed[index])

    def expected(self):
        return expected_of_files(self.stream, [str(path) for path in self.paths])


class Live:
    """`hotpath run` over a Feed, with what it says."""

    def __init__(self, pipeline, feed, *more, status_port=None):
        status = ["--status-port", status_port] if status_port else []
        self.pipeline = pipeline
        self.feed = feed
        self.running = pipeline.start(*feed.arguments(), *LIVE, *status, *more)
        self.status = Status(status_port) if status_port else None

    def log(self):
        return self.running.stderr_path.read_text(errors="replace")

    def wait_said(self, *words, seconds=SECONDS_MAX, times=1):
        """Waits for lines of the log that have all of these words."""
        def found():
            lines = [line for line in self.log().splitlines() if all(word in line for word in words)]
            return lines if len(lines) >= times else None
        try:
            return servers.wait_until(found, seconds, f"said: {words}")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.log()[-6000:]}") from None

    def wait_window(self, share, seconds=SECONDS_MAX):
        """Waits until the ranking of acme/shop is of a window that this share of the events completes."""
        reached = min(messages[int(len(messages) * share) - 1].record_time_ms
                      for messages in self.feed.stream.partitions) - SLIDE_MS
        key = redis_check.key_of("hot:items:{}:{}:meta", "acme", "shop")
        try:
            servers.wait_until(
                lambda: int(self.pipeline.client.hget(key, "window_end") or 0) >= reached, seconds,
                f"the ranking at {share:g}")
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.log()[-6000:]}") from None

    def child(self, part):
        pids = children(self.running.process.pid, f"hotpath-{part}")
        return pids[0] if pids else None

    def deaths(self):
        return self.log().count("a process died and is started again")

    def finish(self, shards=4):
        """Stops it, reads what is left with --once, and compares."""
        finished = self.running.stop()
        assert finished.code == 0, finished.explain()
        self.pipeline.once(*self.feed.arguments(), *GATHER, "--shards", shards)
        self.pipeline.assert_equals(self.feed.expected(), shards=shards)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.kill()


class NoWayBack(Background):
    """Looks at rankings, metrics and some profiles while they are rebuilt: what a reader sees of one
    key never goes back in time."""

    def __init__(self, client):
        super().__init__()
        self.client = client
        self.seen = {}
        self.wrong = []
        self.looks = 0

    def look(self):
        for pattern in ("hot:items:*:meta", "rec:metrics:*"):
            for key in self.client.scan_iter(pattern, count=1000):
                if key.endswith(b":history"):
                    continue
                fields = self.client.hmget(key, "era", "revision", "window_end")
                if all(fields):
                    self.note(key, tuple(int(field) for field in fields))
        for key in self.client.scan_iter("user:profile:*", count=1000):
            value = self.client.get(key)
            if value:
                self.note(key, (json.loads(value)["updated_at"],))
        self.looks += 1

    def note(self, key, order):
        if order < self.seen.get(key, order):
            self.wrong.append(f"{key}: {self.seen[key]} and then {order}")
        self.seen[key] = order

    def run(self):
        while not self.ended.wait(0.02):
            self.look()

    def check(self):
        assert self.looks > 3 and self.seen
        assert not self.wrong, "\n".join(self.wrong[:10])


def started(pipeline, feed, *more, share=0.4, status_port=None):
    """A live run that has results of the first part of its input."""
    pipeline.write_scenarios(feed.stream.documents)
    feed.feed(share)
    live = Live(pipeline, feed, *more, status_port=status_port)
    try:
        live.wait_window(share)
        time.sleep(0.7)     # some commits
    except BaseException:
        live.running.kill()
        raise
    return live


# --- a full disk -----------------------------------------------------------------------------------

class SmallDisk:
    """A tmpfs of a few MiB, with a file that fills it."""

    def __init__(self, path, mib):
        self.path = path
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "hotpath-test", path], check=True)
        self.ballast = path / "ballast"

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                while True:
                    try:
                        file.write(b"\0" * size)
                    except OSError:
                        break

    def empty(self):
        self.ballast.unlink()

    def unmount(self):
        subprocess.run(["umount", "-l", self.path], check=False)


@pytest.fixture
def disk(tmp_path):
    small = SmallDisk(tmp_path / "disk", 48)
    yield small
    small.unmount()


@pytest.fixture
def on_small_disk(tmp_path, redis, disk):
    pipeline = Pipeline(tmp_path, redis)
    pipeline.state = disk.path / "state"
    return pipeline


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


@needs_root
def test_a_full_disk(on_small_disk, disk, tmp_path):
    """Intake stops and says so, processes that are restarted meanwhile wait too, and it goes on."""
    feed = Feed(tmp_path)
    port = free_ports(len(PARTS))
    with started(on_small_disk, feed, status_port=port) as live:
        disk.fill()
        feed.feed(0.7)
        live.wait_said("a commit failed: the worker takes nothing more", "No space left on device")
        for part in ("scorer-0", "profiler-0", "metrics-0"):
            live.status.wait_not_ready(part, 30, "storage", "intake stands still", "No space left")
        disk.fill()
        feed.feed(0.8)
        before = {part: rss_kib(live.child(part)) for part in ("scorer", "ingestor")}
        for part in ("scorer", "configd"):     # they come back, and wait
            os.kill(live.child(part), signal.SIGKILL)
        live.wait_said("a shard cannot be opened and stands still", "No space left on device")
        time.sleep(3)
        feed.feed(0.9)
        assert live.running.process.poll() is None
        assert live.deaths() == 2, live.log()[-6000:]
        after = {part: rss_kib(live.child(part)) for part in before}
        assert after["ingestor"] < before["ingestor"] + 64 * 1024, (before, after)
        assert after["scorer"] < before["scorer"] + 64 * 1024, (before, after)
        disk.empty()
        live.wait_said("commits again")
        feed.feed(1)
        live.wait_window(1)
        live.finish()


@needs_root
def test_dead_letters_on_a_full_disk(on_small_disk, disk, tmp_path):
    """Input waits for them; none is lost."""
    on_small_disk.dead_letters = disk.path / "letters.jsonl"
    feed = Feed(tmp_path, poison=True)
    with started(on_small_disk, feed) as live:
        disk.fill()
        feed.feed(1)
        live.wait_said("cannot write the dead letters; trying again", "No space left on device", times=3)
        disk.empty()
        live.wait_window(1)
        assert live.deaths() == 0
        live.finish()
    letters = {(letter["partition"], letter["offset"]) for letter in
               map(json.loads, on_small_disk.dead_letters.read_text().splitlines())}
    assert len(letters) == len(feed.expected().dead) > 0


@needs_root
def test_a_full_disk_at_the_end(on_small_disk, disk, tmp_path):
    """Told to stop on a full disk, it says that shards could not be committed, and ends with 75."""
    feed = Feed(tmp_path)
    with started(on_small_disk, feed) as live:
        disk.fill()
        feed.feed(1)
        live.wait_said("a commit failed: the worker takes nothing more")
        began = time.monotonic()
        finished = live.running.stop()
        assert finished.code == 75, finished.explain()
        # 5 s of the workers, that see that nothing moves, and 5 s of the sink; workers that wait take 15 s.
        assert time.monotonic() - began < 18
        assert "does not end and is killed" not in finished.stderr
        assert "shards could not be committed: nothing is lost" in finished.stderr
        disk.empty()
        on_small_disk.once(*feed.arguments(), *GATHER, "--shards", 4)
        on_small_disk.assert_equals(feed.expected(), shards=4)


@needs_root
def test_a_full_disk_at_the_start(on_small_disk, disk, tmp_path):
    feed = Feed(tmp_path, events=500)
    feed.feed(1)
    on_small_disk.write_scenarios(feed.stream.documents)
    disk.fill()
    finished = on_small_disk.run(*feed.arguments(), "--once", "--shards", 4)
    assert finished.code in (73, 75) and "No space left on device" in finished.stderr, finished.explain()
    assert len(finished.stderr.splitlines()) == 1, finished.explain()
    disk.empty()
    on_small_disk.once(*feed.arguments(), *GATHER, "--shards", 4)


def test_a_store_at_its_bound(pipeline, tmp_path):
    """It says which setting to raise, loses nothing, and goes on with a greater one."""
    feed = Feed(tmp_path, events=12_000, users=4_000)
    pipeline.write_scenarios(feed.stream.documents)
    feed.feed(1)
    port = free_ports(len(PARTS))
    with Live(pipeline, feed, "--shards", 1, "--shard-bytes-max", "1M", status_port=port) as live:
        said = live.wait_said("a commit failed", "has reached its bound of 1048576 bytes")
        assert "start again with a greater --shard-bytes-max" in said[0]
        bound = [part for part in ("scorer-0", "profiler-0", "metrics-0") if f"process={part}" in said[0]]
        live.status.wait_not_ready(bound[0], 30, "storage", "has reached its bound")
        finished = live.running.stop()
        assert finished.code == 75, finished.explain()
    pipeline.once(*feed.arguments(), *GATHER, "--shards", 1, "--shard-bytes-max", "64M")
    pipeline.assert_equals(feed.expected(), shards=1)


# --- files that are removed ------------------------------------------------------------------------

def remove(pipeline, name):
    """At once, as nobody can tell when an owner makes its folder anew."""
    aside = pipeline.state.parent / "removed"
    (pipeline.state / name).rename(aside)
    shutil.rmtree(aside) if aside.is_dir() else aside.unlink()


def test_parts_removed_while_it_runs(pipeline, tmp_path):
    """A shard's owner notices, drops it without a commit and rebuilds it from the source."""
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live, NoWayBack(pipeline.client) as watch:
        removed = ["profiler/1", "profiler/2/data.mdb", "profiler/3/lock", "scorer/3", "scorer/1/data.mdb",
                   "metrics/2/lock", "metrics/0"]
        for index, name in enumerate(removed):
            remove(pipeline, name)
            stage, shard = name.split("/")[:2]
            # Where only the lock is gone, what is stored is still there.
            live.wait_said("a shard is given up without a commit", f"stage={stage} shard={shard}")
            if not name.endswith("/lock"):
                live.wait_said("it is rebuilt from the oldest kept offsets", f"stage={stage} shard={shard}")
                live.wait_said("a shard that was rebuilt has caught up", f"stage={stage} shard={shard}")
            feed.feed(0.4 + 0.08 * (index + 1))
        for name in ("scorer", "metrics/members"):
            remove(pipeline, name)
        live.wait_said("a shard is given up without a commit", "stage=scorer", times=2 + 4)
        feed.feed(1)
        live.wait_window(1)
        assert live.deaths() == 0
        live.finish()
        watch.check()
    folders = sorted(path.name for path in (pipeline.state / "scorer").iterdir())
    assert folders == ["0", "1", "2", "3", "members"]


def test_the_state_folder_removed_while_it_runs(pipeline, tmp_path):
    """All begins anew, by itself."""
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        before = (pipeline.state / "layout").read_text()
        shutil.rmtree(pipeline.state, ignore_errors=True)
        live.wait_said("all processes are ended and started anew")
        live.wait_said("all processes run", times=2)
        feed.feed(1)
        live.wait_window(1)
        assert (pipeline.state / "layout").read_text() != before
        live.finish()


def exchange(one, other):
    """In one step: nobody finds that there is nothing at either path."""
    at_cwd, rename_exchange = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), rename_exchange) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one))


def test_the_state_folder_replaced_while_it_runs(pipeline, tmp_path):
    """By another of a copy: what runs belongs to neither, and the new one counts."""
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        copy = tmp_path / "copy"
        shutil.copytree(pipeline.state, copy, ignore=shutil.ignore_patterns("run", "members"))
        exchange(pipeline.state, copy)      # a worker that finds no folder at all ends as a whole
        live.wait_said("run.lock was removed while this ran")
        live.wait_said("a shard is given up without a commit", times=12)
        # configd finds out at its own next look, which may come as late as the stop: then its 75 would
        # be the pipeline's.
        live.wait_said("a process died and is started again", "process=configd")
        feed.feed(1)
        live.wait_window(1)
        live.finish()


def test_sockets_and_locks_removed_while_it_runs(pipeline, tmp_path):
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        (pipeline.state / "run.lock").unlink()
        live.wait_said("run.lock was removed while this ran")
        assert pipeline.run(*feed.arguments(), "--once", "--shards", 4).code == 75
        (pipeline.state / "run" / "scorer-0").unlink()
        live.wait_said("the socket of a process is gone", "process=scorer-0")
        servers.wait_until(lambda: (pipeline.state / "run" / "scorer-0").exists(), SECONDS_MAX, "its socket")
        feed.feed(0.6)
        live.wait_window(0.6)
        shutil.rmtree(pipeline.state / "run")
        live.wait_said("the folder of sockets, was removed while this ran")
        for part in PARTS:
            live.wait_said("the socket of a process is gone", f"process={part}")
        live.wait_said("process=configd", "config is complete", times=2)
        feed.feed(0.8)
        live.wait_window(0.8)
        shutil.rmtree(pipeline.state / "configd")
        live.wait_said("process=configd", "a process ended", "exit=75")
        feed.feed(1)
        live.wait_window(1)
        live.finish()


def test_removed_while_it_was_stopped(pipeline, tmp_path):
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        assert live.running.stop().code == 0
    feed.feed(1)
    for name in ("scorer/0", "profiler", "metrics/1/data.mdb", "configd", "clock"):
        remove(pipeline, name)
    finished = pipeline.once(*feed.arguments(), *GATHER, "--shards", 4)
    assert "it is rebuilt from the oldest kept offsets" in finished.stderr
    pipeline.assert_equals(feed.expected(), shards=4)


def test_a_partition_that_is_gone_as_well(pipeline, tmp_path):
    """What a shard that is rebuilt cannot read again is missing, and it says so: exact is 0."""
    feed = Feed(tmp_path, seed=502)
    with started(pipeline, feed) as live:
        assert live.running.stop().code == 0
    shutil.rmtree(pipeline.state / "scorer" / "2")
    pipeline.once("--file", feed.paths[0], *GATHER, "--shards", 4)
    finished = pipeline.once("--file", feed.paths[0], *GATHER, "--shards", 4)
    assert finished.code == 0
    key = redis_check.key_of("hot:items:{}:{}:meta", "acme", "shop")
    assert pipeline.client.hget(key, "exact") == b"0"


# --- bytes that go bad -----------------------------------------------------------------------------

def damage(path, how, seed):
    """One way in which a file's bytes go bad."""
    choose = random.Random(seed)
    size = path.stat().st_size
    with open(path, "r+b") as file:
        if how == "emptied":
            file.truncate(0)
        elif how == "cut":
            file.truncate(size // 2 // 4096 * 4096 + 100)
        elif how == "garbage":
            file.write(choose.randbytes(size))
        elif how == "zeros":
            file.seek(8192)
            file.write(b"\0" * (size - 8192))
        elif how == "pages":
            for _ in range(max(size // 4096 // 8, 4)):
                file.seek(choose.randrange(2, max(size // 4096, 3)) * 4096)
                file.write(choose.randbytes(4096))
        elif how == "bytes":
            for _ in range(max(size // 100, 200)):
                file.seek(choose.randrange(8192, size))
                file.write(choose.randbytes(1))


DAMAGES = ("emptied", "cut", "garbage", "zeros", "pages", "bytes")


def test_damaged_while_it_was_stopped(pipeline, tmp_path):
    """Every shard in some other way, and configd's record: set aside and said, no crash loop, rebuilt."""
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        assert live.running.stop().code == 0
    era = pipeline.client.hget(redis_check.key_of("hot:items:{}:{}:meta", "acme", "shop"), "era")
    for index, (stage, shard) in enumerate((stage, shard) for shard in range(4)
                                           for stage in ("scorer", "profiler", "metrics")):
        damage(pipeline.state / stage / str(shard) / "data.mdb", DAMAGES[index % len(DAMAGES)], index)
    damage(pipeline.state / "configd" / "data.mdb", "pages", 99)
    damage(pipeline.state / "configd" / "data.mdb", "garbage", 99)
    with Live(pipeline, feed) as live:
        live.wait_said("the stored revisions are broken and were set aside: a new era begins")
        live.wait_said("the store of a shard is broken and was set aside", times=10)
        feed.feed(1)
        live.wait_window(1)
        # Each worker may meet one store that ends it; from then on it has all of them verified first.
        assert live.deaths() <= 6, live.log()[-6000:]
        live.finish()
    aside = list(pipeline.state.glob("*/*/data.mdb.corrupt-*"))
    assert len(aside) >= 10
    assert not list(pipeline.state.glob("*/*/data.mdb.suspect"))
    again = pipeline.client.hget(redis_check.key_of("hot:items:{}:{}:meta", "acme", "shop"), "era")
    assert int(again) > int(era)


def test_damaged_while_it_runs(pipeline, tmp_path):
    """Cut or overwritten under a worker's feet: what a commit finds wrong is given up; a crash is no loop."""
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        damage(pipeline.state / "scorer" / "1" / "data.mdb", "emptied", 1)
        damage(pipeline.state / "profiler" / "2" / "data.mdb", "cut", 2)
        damage(pipeline.state / "metrics" / "3" / "data.mdb", "garbage", 3)
        feed.feed(0.7)
        for stage in ("scorer", "profiler", "metrics"):
            live.wait_said("from the oldest kept offsets of the source", f"stage={stage}")
        feed.feed(1)
        live.wait_window(1)
        assert live.deaths() <= 3, live.log()[-6000:]
        live.finish()


def test_not_a_file(pipeline, tmp_path):
    """It stands still, named by log and readiness, until somebody puts it right."""
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        assert live.running.stop().code == 0
    store = pipeline.state / "scorer" / "1" / "data.mdb"
    aside = store.with_suffix(".aside")
    store.rename(aside)
    store.mkdir()
    port = free_ports(len(PARTS))
    with Live(pipeline, feed, status_port=port) as live:
        live.wait_said("a shard cannot be opened and stands still", "is not a file: move it away")
        live.status.wait_not_ready("scorer-0", 30, "scorer shard 1 cannot be opened", "is not a file")
        assert live.deaths() == 0
        store.rmdir()
        aside.rename(store)
        feed.feed(1)
        live.wait_window(1)
        live.finish()


@pytest.mark.parametrize("format,words", [(99, "is of format 99, this program knows 2: run the newer version"),
                                          (1, "is of format 1, this program knows 2: run the older version")])
def test_another_version(pipeline, tmp_path, format, words):
    feed = Feed(tmp_path, events=300)
    feed.feed(1)
    pipeline.write_scenarios(feed.stream.documents)
    pipeline.once(*feed.arguments(), *GATHER, "--shards", 4)
    layout = pipeline.state / "layout"
    layout.write_text(layout.read_text().replace("format=2", f"format={format}"))
    finished = pipeline.run(*feed.arguments(), "--once", "--shards", 4)
    assert finished.code == 78 and words in finished.stderr, finished.explain()
    assert len(finished.stderr.splitlines()) == 1, finished.explain()


# --- a clock that is set back ----------------------------------------------------------------------

def test_a_clock_that_is_set_back(pipeline, tmp_path, monkeypatch):
    """Whoever starts anew with its clock an hour back is heard all the same: also a sink, which keeps
    nothing on disk, and everybody once what they kept is gone."""
    shim = tmp_path / "faulty_clock.so"
    source = Path(__file__).parents[1] / "support" / "faulty_clock.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", source, "-o", shim, "-ldl"], check=True)
    offset = tmp_path / "offset"
    offset.write_text("0")
    monkeypatch.setenv("LD_PRELOAD", str(shim))
    monkeypatch.setenv("FAULTY_CLOCK_FILE", str(offset))
    monkeypatch.setenv("ASAN_OPTIONS", "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", ""))
    feed = Feed(tmp_path)
    with started(pipeline, feed) as live:
        offset.write_text(str(-3600 * 1000))
        killed = 0
        for part in ("sink", "scorer", "profiler", "metrics", "ingestor", "configd"):
            os.kill(live.child(part), signal.SIGKILL)
            killed += 1
            live.wait_said("a process died and is started again", times=killed)
            feed.feed(0.4 + 0.05 * killed)
            live.wait_window(0.4 + 0.05 * killed)
        (pipeline.state / "clock").unlink()
        for part in ("scorer", "ingestor"):
            os.kill(live.child(part), signal.SIGKILL)
        feed.feed(0.8)
        live.wait_window(0.8)
        offset.write_text(str(-7200 * 1000))
        shutil.rmtree(pipeline.state, ignore_errors=True)
        live.wait_said("all processes are ended and started anew")
        feed.feed(1)
        live.wait_window(1)
        live.finish()
