"""make bench: the pipeline over a file and over a local Kafka, and the floor beside it.

Every run starts with an empty state folder and an empty Redis, and must say that it took in exactly
the events there are, none dead, late or skipped; otherwise the bench fails. What is measured, and
how well: bench_process.py. What is printed: bench_report.py. By hand: tests/bench/run.sh --help.
"""

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import bench_process
import bench_report
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from bench_process import BenchError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import kafka_tools, servers  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "bench"
HOTPATH = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin") / "hotpath"
SCENARIOS = ROOT / "tests" / "bench" / "scenarios"
PARTITIONS = 4
LIVE_EVENTS_PER_SECOND = 100_000
SQUEEZED_MS = 3 * 3600 * 1000
SMALL_SHARE = 10                # the marginal cost is between N events and N / 10
RUN_SECONDS_MAX = 900


class Settings:
    def __init__(self, environment):
        self.events = int(environment.get("BENCH_EVENTS", "2000000"))
        self.runs = int(environment.get("BENCH_RUNS", "3"))
        self.sources = environment.get("BENCH_SOURCES", "file kafka").split()
        self.paces = environment.get("BENCH_PACES", "live squeezed").split()
        self.arguments = shlex.split(environment.get("BENCH_ARGUMENTS", ""))
        if self.events < 1000 or self.runs < 1:
            raise BenchError("BENCH_EVENTS must be at least 1000, BENCH_RUNS at least 1")
        if not set(self.sources) <= {"file", "kafka"} or not self.sources:
            raise BenchError("BENCH_SOURCES: file, kafka")
        if not set(self.paces) <= {"live", "squeezed"} or not self.paces:
            raise BenchError("BENCH_PACES: live, squeezed")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# --- The events ---------------------------------------------------------------------------------

def span_ms(pace, events):
    return events * 1000 // LIVE_EVENTS_PER_SECOND if pace == "live" else SQUEEZED_MS


def made_file(pace, events):
    """The file of the events, made once: its name holds the maker's hash."""
    maker = OUT / "make_events"
    version = hashlib.sha256(maker.read_bytes()).hexdigest()[:12]
    path = OUT / f"events-{pace}-{events}-{version}.jsonl"
    if path.exists():
        return path
    for older in OUT.glob(f"events-{pace}-{events}-*.jsonl"):
        older.unlink()
    say(f"making {path.name}")
    half = path.with_suffix(".half")
    try:
        with open(half, "wb") as out:
            subprocess.run([maker, "--events", str(events), "--span-ms",
                            str(span_ms(pace, events))], stdout=out, check=True)
        half.rename(path)
    finally:
        half.unlink(missing_ok=True)
    return path


def produce_file(brokers, topic, path, time_ms_of=None):
    """The file's lines, one a message, over the partitions in turn; uncompressed. time_ms_of (line)
    is a record's time, else the producer's clock says it."""
    kafka_tools.create_topic(brokers, topic, PARTITIONS)
    failures = []
    # Idempotent: else a retry may change the order, and events come late.
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "batch.size": 1 << 20,
                         "enable.idempotence": True,
                         "queue.buffering.max.messages": 1_000_000, "log_level": 3,
                         "on_delivery": lambda error, _: error and failures.append(error)})
    count = 0
    with open(path, "rb") as lines:
        for line in lines:
            timed = {"timestamp": time_ms_of(line)} if time_ms_of else {}
            while True:
                try:
                    producer.produce(topic, line[:-1], partition=count % PARTITIONS, **timed)
                    break
                except BufferError:
                    producer.poll(0.05)
            count += 1
            if count % 10_000 == 0:
                producer.poll(0)
    left = producer.flush(120)
    ends = sum(kafka_tools.end_offsets(brokers, topic).values())
    if failures or left or ends != count:
        raise BenchError(f"{topic}: {ends} of {count} events arrived, {failures[:1]}")


# --- One run ------------------------------------------------------------------------------------

def summary_counts(text):
    """{name: number} of the sum that `hotpath run --once` prints at its end: "events in 5 = applied
    5 + skipped 0 (...) + late 0 + dead 0"."""
    line = next((line for line in text.splitlines() if line.startswith("events in ")), "")
    return {name: int(number) for name, number in
            re.findall(r"(events in|applied|skipped|late|dead) (\d+)", line)}


def check_counts(measured, events, command):
    """BenchError unless it took in all the events and computed all of them, in one clean run."""
    if measured.code != 0:
        raise BenchError(f"exit code {measured.code} of: {command}\n{measured.stderr[-4000:]}")
    counts = summary_counts(measured.stdout)
    if counts != {"events in": events, "applied": events, "skipped": 0, "late": 0, "dead": 0}:
        raise BenchError(f"the run did not apply {events} events exactly; it says:\n"
                         f"{measured.stdout[-2000:]}{measured.stderr[-2000:]}")
    if "restarted" in measured.stdout:
        raise BenchError(f"a part was restarted meanwhile:\n{measured.stderr[-4000:]}")
    names = [process.name for process in measured.processes.values()]
    for name in ("ingestor", "scorer", "profiler", "metrics", "configd", "sink"):
        if f"hotpath-{name}" not in names:
            raise BenchError(f"hotpath-{name} was not seen running: nothing to report")


class Bench:
    def __init__(self, settings, folder, redis, kafka):
        self.settings = settings
        self.folder = folder
        self.redis = redis
        self.kafka = kafka
        self.number = 0

    def pipeline(self, source, events):
        """One run of `hotpath run --once`; (Measured, the Redis server's CPU seconds)."""
        self.number += 1
        folder = self.folder / f"run-{self.number}"
        folder.mkdir()
        self.redis.client().flushall()
        command = [str(HOTPATH), "run", "--once", *source, "--scenarios-dir", str(SCENARIOS),
                   "--redis", self.redis.url, "--state", str(folder / "state"),
                   *self.settings.arguments]
        if "--brokers" in source:
            command += ["--group", f"hotpath-bench-{self.number}"]
        else:
            command += ["--dead-letters", str(folder / "dead-letters.jsonl")]
        before = bench_process.cpu_seconds(self.redis.process.pid)
        measured = bench_process.run(command, folder, RUN_SECONDS_MAX)
        redis_cpu = bench_process.cpu_seconds(self.redis.process.pid) - before
        check_counts(measured, events, shlex.join(command))
        shutil.rmtree(folder)
        say(f"run {self.number}: {measured.cpu_seconds / events * 1e6:.2f} us of CPU an event, "
            f"{measured.wall_seconds:.1f} s")
        return measured, redis_cpu

    def floor(self, arguments, events):
        """{read, parse: [CPU seconds of each run]}."""
        found = {}
        for mode in ("read", "parse"):
            results = []
            for _ in range(self.settings.runs):
                done = subprocess.run([OUT / "floor", *arguments, mode], capture_output=True,
                                      text=True, timeout=RUN_SECONDS_MAX)
                if done.returncode != 0:
                    raise BenchError(f"floor {' '.join(arguments)}: {done.stderr[-2000:]}")
                result = json.loads(done.stdout)
                if result["events"] != events:
                    raise BenchError(f"the floor saw {result['events']} of {events} events")
                results.append(result["cpu_seconds"])
            found[mode] = results
        return found

    def case(self, source, pace):
        """All runs over one source at one pace."""
        events = self.settings.events
        path = made_file(pace, events)
        small = events // SMALL_SHARE
        small_path = made_file(pace, small) if pace == "live" else None
        if source == "file":
            flags, floor_arguments = ["--file", str(path)], ["file", str(path)]
            small_flags = ["--file", str(small_path)]
        else:
            flags, floor_arguments = self.topic(pace, path, events)
            small_flags = self.topic(f"{pace}-small", small_path, small)[0] if small_path else None
        say(f"{source}, {pace}: the floor")
        floor = self.floor(floor_arguments, events)
        say(f"{source}, {pace}: the pipeline")
        runs = [self.pipeline(flags, events) for _ in range(self.settings.runs)]
        small_runs = []
        if small_path:
            small_runs = [self.pipeline(small_flags, small) for _ in range(self.settings.runs)]
        return bench_report.Case(
            source=source, pace=pace, events=events, event_bytes=path.stat().st_size / events - 1,
            command=" ".join(["hotpath run --once", *source_words(flags),
                              "--scenarios-dir tests/bench/scenarios --redis … --state …",
                              *self.settings.arguments]),
            runs=runs, floor=floor, small_events=small, small_runs=small_runs)

    def topic(self, name, path, events):
        topic = f"user-behaviors-bench-{name}"
        say(f"filling {topic}")
        produce_file(self.kafka.brokers, topic, path)
        return (["--brokers", self.kafka.brokers, "--topics", f"^{topic}$", "--from", "earliest"],
                ["kafka", self.kafka.brokers, topic, str(events)])

    def forget_topics(self):
        """One pace's topics are enough to hold at once."""
        admin = AdminClient({"bootstrap.servers": self.kafka.brokers})
        names = [name for name in admin.list_topics(timeout=30).topics
                 if name.startswith("user-behaviors-bench-")]
        for deleted in admin.delete_topics(names).values():
            deleted.result(30)


def source_words(flags):
    return ["--file build/bench/" + Path(flags[1]).name] if flags[0] == "--file" \
        else ["--brokers …", *flags[2:]]


# --- All of it ----------------------------------------------------------------------------------

def check_disk(folder):
    free = shutil.disk_usage(folder).free
    if free < 3 << 30:
        raise BenchError(f"{folder} has {free >> 20} MiB free, 3 GiB are needed")


def bench():
    settings = Settings(os.environ)
    if not HOTPATH.exists():
        raise BenchError(f"{HOTPATH} is absent: run make first")
    OUT.mkdir(parents=True, exist_ok=True)
    check_disk(OUT)
    cases, load = [], os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotpath-bench-")))
        check_disk(folder)
        redis = stack.enter_context(servers.Redis())
        for source in settings.sources:
            with contextlib.ExitStack() as of_source:
                kafka = None
                if source == "kafka":
                    say("starting Kafka")
                    kafka = of_source.enter_context(servers.Kafka())
                runner = Bench(settings, folder, redis, kafka)
                for pace in settings.paces:
                    cases.append(runner.case(source, pace))
                    print(bench_report.table(cases[-1]), flush=True)
                    if kafka:
                        runner.forget_topics()
                    for left in folder.iterdir():
                        shutil.rmtree(left)
    bench_report.write_json(OUT / "result.json", cases, settings, load)
    print(f"\n{bench_report.LEGEND}\n{bench_report.machine()}; load before: {load:.1f}\n"
          f"As JSON: {(OUT / 'result.json').relative_to(ROOT)}")


def main(run=bench):
    # SIGTERM must unwind the stack, or servers and folders stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run()
    except (BenchError, servers.ServerError) as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    except KafkaException as error:
        print(f"bench: error: Kafka: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
