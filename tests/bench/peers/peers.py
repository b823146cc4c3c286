"""make bench-peers: hotpath beside the engines that it replaces, over the same Kafka topics.

First every engine computes a small topic, and what it leaves in Redis is compared with the oracle
of the integration tests: one difference fails the bench. Then each reads a large topic and its
first tenth (the same density of events in event time), in turn, so that what the machine does
meanwhile falls on all of them. Slow engines (PyFlink) have a smaller topic; hotpath reads that one
too.

What is measured and how well: ../bench_process.py. By hand: tests/bench/peers/run.sh --help.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]

import bench  # noqa: E402
import bench_events  # noqa: E402
import bench_process  # noqa: E402
import bench_scenarios  # noqa: E402
import engines  # noqa: E402
import peers_report  # noqa: E402
from bench_events import SQUEEZED_MS, say  # noqa: E402
from bench_process import BenchError  # noqa: E402
from settings import Settings  # noqa: E402
from support import kafka_tools, oracle, redis_check, servers  # noqa: E402

RUN_SECONDS_MAX = 1800
HOTPATH_SHARDS = 16
REFERENCE = bench_scenarios.SCENARIOS["reference"]


class PeersBench:
    """Runs of any engine over a topic, each with an empty Redis."""

    def __init__(self, settings, folder, redis, kafka):
        self.settings = settings
        self.folder = folder
        self.redis = redis
        self.kafka = kafka
        self.hotpath = bench.Bench(settings, folder, redis, kafka)
        self.number = 0

    def fill(self, name, events, span_ms):
        """A topic of events that fill the span of event time; its name."""
        topic = f"user-behaviors-bench-{name}"
        bench_events.fill_topic(self.kafka.brokers, topic, REFERENCE, events, span_ms)
        return topic

    def run(self, name, topic, events):
        """One run of one engine; peers_report.Run."""
        self.redis.client().config_resetstat()
        if name == "hotpath":
            measured, redis_cpu = self.hotpath.pipeline(
                ["--brokers", self.kafka.brokers, "--topics", f"^{topic}$", "--from", "earliest"],
                events)
        else:
            measured, redis_cpu = self.peer(engines.PEERS[name], topic, events)
        calls = self.redis.client().info("commandstats")
        return peers_report.Run(measured, redis_cpu, profile_writes(calls))

    def peer(self, engine, topic, events):
        self.number += 1
        folder = self.folder / f"peer-{self.number}"
        (folder / "state").mkdir(parents=True)
        self.redis.client().flushall()
        command = engine.command(self.kafka.brokers, topic, self.redis.url, folder / "state")
        before = bench_process.cpu_seconds(self.redis.process.pid)
        measured = bench_process.run(command, folder, RUN_SECONDS_MAX, engine.is_slow)
        redis_cpu = bench_process.cpu_seconds(self.redis.process.pid) - before
        if measured.code != 0:
            raise BenchError(f"{engine.name} ended with {measured.code}:\n"
                             f"{measured.stdout[-2000:]}\n{measured.stderr[-6000:]}")
        shutil.rmtree(folder)
        say(f"{engine.name}: {measured.cpu_seconds / events * 1e6:.2f} us of CPU an event, "
            f"{measured.wall_seconds:.1f} s")
        return measured, redis_cpu

    # --- The check ---

    def check(self, names, events):
        """BenchError unless each engine leaves in Redis what the oracle says."""
        topic = self.fill(f"check-{events}", events, SQUEEZED_MS)
        documents = [json.loads(path.read_text())
                     for path in sorted(bench_scenarios.REFERENCE_FOLDER.glob("*.json"))]
        expected = oracle.compute(kafka_tools.partitions_of_topic(self.kafka.brokers, topic),
                                  documents)
        if expected.counts["applied"] != events:
            raise BenchError(f"the oracle counts {expected.counts} of {events} events")
        for name in names:
            self.run(name, topic, events)
            differences = redis_check.compare(
                self.redis.client(), expected, shards=HOTPATH_SHARDS if name == "hotpath" else 1)
            if differences:
                raise BenchError(f"{name} and the oracle: {redis_check.report(differences)}")
            say(f"{name} leaves in Redis what the oracle says")
        return {"events": events, "engines": list(names), "rankings": len(expected.rankings),
                "metrics_windows": sum(len(history.windows)
                                       for history in expected.metrics.values()),
                "profiles": len(expected.profiles)}

    # --- The measurement ---

    def measure(self, names, events, runs):
        """A peers_report.Group of runs of the engines over `events` and over their first tenth."""
        span_ms = SQUEEZED_MS * events // self.settings.events
        small = events // bench.SMALL_SHARE
        topic = self.fill(f"{events}", events, span_ms)
        small_topic = self.fill(f"{events}-tenth", small, span_ms // bench.SMALL_SHARE)
        group = peers_report.Group(events, small, span_ms, {name: [] for name in names})
        for _ in range(runs):
            for name in names:
                group.runs[name].append((self.run(name, topic, events),
                                         self.run(name, small_topic, small)))
        self.hotpath.forget(REFERENCE)
        return group


def profile_writes(calls):
    """SET and SETEX of a run: the one result that is written many times over."""
    return sum(calls.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("set", "setex"))


def peers():
    settings = Settings(os.environ)
    if not bench.HOTPATH.exists():
        raise BenchError(f"{bench.HOTPATH} is absent: run make first")
    bench.OUT.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotpath-peers-")))
        bench.check_disk(folder)
        redis = stack.enter_context(servers.Redis())
        say("starting Kafka")
        kafka = stack.enter_context(servers.Kafka())
        runner = PeersBench(settings, folder, redis, kafka)
        slow = [name for name in settings.peers if engines.PEERS[name].is_slow]
        quick = [name for name in settings.peers if name not in slow]
        checked, groups = [], []
        for names, check_events, events, runs in (
                (quick, settings.check_events, settings.events, settings.runs),
                (slow, settings.slow_check_events, settings.slow_events, settings.slow_runs)):
            if names:
                checked.append(runner.check(["hotpath", *names], check_events))
                groups.append(runner.measure(["hotpath", *names], events, runs))
                print(peers_report.table(groups[-1]), flush=True)
    path = bench.OUT / "peers.json"
    peers_report.write_json(path, groups, checked, load)
    print(f"\n{peers_report.legend(checked)}\n{peers_report.machine()}; load before: {load:.1f}\n"
          f"As JSON: {path.relative_to(bench.ROOT)}")


if __name__ == "__main__":
    sys.exit(bench.main(peers))
