"""A live pipeline for the benchmarks: a local Kafka, events at a pace, `hotpath run` on them, a Redis.

Everything runs on this machine, beside each other. What is asked of the pipeline is asked as an
operator would: /metrics of each process, Redis, /proc.
"""

import json
import math
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import bench_events
import bench_process
from bench_process import BenchError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import kafka_tools, servers  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
HOTPATH = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin") / "hotpath"
TOPIC = "user-behaviors-bench-live"
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 120
FEED_EVENTS_MAX = 1_000_000_000
SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)", re.MULTILINE)


class Live:
    """`flags` are of make_events; `arguments` more of `hotpath run`. The source is Kafka where
    `brokers` is given, else the file `path`, followed."""

    def __init__(self, folder, redis, documents, brokers=None, path=None, flags=(), arguments=()):
        self.folder = folder
        self.redis = redis
        self.documents = documents
        self.brokers = brokers
        self.path = path
        self.flags = list(flags)
        self.arguments = list(arguments)
        self.run = self.feed = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        source = ["--file", str(self.path), "--follow", "--idle-advance=off"]
        if self.brokers:
            kafka_tools.create_topic(self.brokers, TOPIC, bench_events.PARTITIONS)
            source = ["--brokers", self.brokers, "--topics", f"^{TOPIC}$"]
        with open(self.folder / "log.txt", "wb") as log:
            self.run = subprocess.Popen(
                [HOTPATH, "run", *source, "--scenarios-dir", str(self.documents), "--redis",
                 self.redis.url, "--state", str(self.folder / "state"), *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        servers.wait_until(self.is_up, READY_SECONDS_MAX, "the pipeline is up")
        if self.brokers:
            self.feed = subprocess.Popen(
                [bench_events.MAKER, "--brokers", self.brokers, "--topic", TOPIC, "--events",
                 str(FEED_EVENTS_MAX), "--linger-ms", "5", *self.flags],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_up(self):
        return len(self.notes()) == len(self.pids()) - 1 >= 6

    def notes(self):
        """{name of the process: address of its status}."""
        found = {}
        for path in (self.folder / "state" / "status").glob("*"):
            try:
                text = path.read_text(errors="replace")
            except FileNotFoundError:
                continue        # a note is made under another name first
            address = re.search(r"(?:127\.0\.0\.1|localhost):[1-9]\d*", text)
            if address:
                found[path.name.rpartition(".")[0] or path.name] = address[0]
        return found

    def pids(self):
        """{name of the executable: pid}, of one each, with `hotpath` itself."""
        found = {"hotpath": self.run.pid}
        try:
            children = Path(f"/proc/{self.run.pid}/task/{self.run.pid}/children").read_text().split()
            for pid in map(int, children):
                found[os.path.basename(os.readlink(f"/proc/{pid}/exe"))] = pid
        except OSError:
            pass        # it is starting or ending
        return found

    def metrics(self, part):
        """{name, or name{labels}: number} of the process whose name begins so."""
        address = next((at for name, at in self.notes().items() if name.startswith(part)), None)
        if address is None:
            raise BenchError(f"{part} has no status; the log ends:\n{self.log_tail()}")
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {f"{name}{{{labels}}}" if labels else name: float(number)
                for name, labels, number in SAMPLE.findall(text)}

    def metric(self, part, name, *labels):
        """The sum of the samples of a name that have all these labels, as name="value"."""
        return sum(number for key, number in self.metrics(part).items()
                   if key.partition("{")[0] == name and all(label in key for label in labels))

    def usage(self):
        """{executable: (CPU seconds so far, RSS bytes now, of them anonymous: no pages of files)}."""
        found = {}
        for name, pid in self.pids().items():
            cpu = bench_process.cpu_seconds(pid)
            sizes = dict(re.findall(r"(VmRSS|RssAnon):\s+(\d+) kB",
                                    Path(f"/proc/{pid}/status").read_text()))
            if cpu is not None and len(sizes) == 2:
                found[name] = (cpu, int(sizes["VmRSS"]) * 1024, int(sizes["RssAnon"]) * 1024)
        return found

    def check(self):
        """BenchError where a process of it has ended."""
        for name, process in (("hotpath run", self.run), ("make_events", self.feed)):
            if process and process.poll() is not None:
                error = process.stderr.read() if process.stderr else self.log_tail()
                raise BenchError(f"{name} ended with {process.returncode}:\n{error}")
        if bench_process.RESTARTED in self.log_text():
            raise BenchError(f"a part was restarted meanwhile:\n{self.log_tail()}")

    def end_feed(self):
        """What make_events says of its work."""
        self.feed.send_signal(signal.SIGTERM)
        out, errors = self.feed.communicate(timeout=STOP_SECONDS_MAX)
        code, self.feed = self.feed.returncode, None
        if code != 0:
            raise BenchError(f"make_events: {errors}")
        return json.loads(out)

    def log_text(self):
        return (self.folder / "log.txt").read_text(errors="replace")

    def log_tail(self):
        return bench_process.tail(self.folder / "log.txt")

    def __exit__(self, *_):
        for process in (self.feed, self.run):
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        if self.brokers:
            kafka_tools.delete_topic(self.brokers, TOPIC)


def percentile(values, share):
    """The nearest rank: the least value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)] if ordered else None


def percentiles(values):
    """p99 and p99.9 are None where there are too few values to tell them from the greatest."""
    return {"count": len(values), "p50": percentile(values, 50),
            "p99": percentile(values, 99) if len(values) >= 100 else None,
            "p999": percentile(values, 99.9) if len(values) >= 1000 else None,
            "max": max(values, default=None)}
