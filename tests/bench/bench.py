"""make bench: the pipeline over a file and over a local Kafka, and the floor beside it.

Every run starts with an empty state folder and an empty Redis, and must say that it took in exactly
the events there are, none dead, late or skipped; otherwise the bench fails. The floor is measured
between the runs, so that a slow moment of the machine meets both. What is run: bench_scenarios.py;
what is measured, and how well: bench_process.py; what is printed: bench_report.py. By hand:
tests/bench/run.sh --help.
"""

import contextlib
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

import bench_events
import bench_process
import bench_report
import bench_scenarios
from bench_events import OUT, say
from bench_process import BenchError, integer
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from support import servers

ROOT = Path(__file__).resolve().parents[2]
HOTPATH = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin") / "hotpath"
SMALL_SHARE = 10                # the marginal cost is between N events and N / 10
RUN_SECONDS_MAX = 300


class Settings:
    """What BENCH_… says; None: as the scenario has it."""

    def __init__(self, environment):
        def words(name):
            return environment[name].split() if environment.get(name) else None

        names = words("BENCH_SCENARIOS") or ["reference"]
        unknown = set(names) - set(bench_scenarios.SCENARIOS) - {"all"}
        if unknown:
            raise BenchError(f"BENCH_SCENARIOS: {', '.join(sorted(unknown))}: none of all, "
                             f"{', '.join(bench_scenarios.SCENARIOS)}")
        self.scenarios = [scenario for name, scenario in bench_scenarios.SCENARIOS.items()
                          if name in names or "all" in names]
        self.events = integer(environment, "BENCH_EVENTS", None)
        self.runs = integer(environment, "BENCH_RUNS", 3)
        self.sources = words("BENCH_SOURCES")
        self.paces = words("BENCH_PACES")
        self.arguments = shlex.split(environment.get("BENCH_ARGUMENTS", ""))
        self.load_before = os.getloadavg()[0]
        self.result = Path(environment.get("BENCH_RESULT") or OUT / "result.json")
        if (self.events or 1000) < 1000 or self.runs < 1:
            raise BenchError("BENCH_EVENTS must be at least 1000, BENCH_RUNS at least 1")
        if not set(self.sources or []) <= {"file", "kafka"}:
            raise BenchError("BENCH_SOURCES: file, kafka")
        if not set(self.paces or []) <= {"live", "squeezed"}:
            raise BenchError("BENCH_PACES: live, squeezed")

    def cases(self, source):
        """(scenario, pace) of each case over this source."""
        return [(scenario, pace) for scenario in self.scenarios
                if source in (self.sources or scenario.sources)
                and not (source == "file" and scenario.msgpack)
                for pace in self.paces or scenario.paces]


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
    if bench_process.RESTARTED in measured.stderr:
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

    def pipeline(self, source, events, scenarios=bench_scenarios.REFERENCE_FOLDER):
        """One run of `hotpath run --once`; (Measured, the Redis server's CPU seconds)."""
        self.number += 1
        folder = self.folder / f"run-{self.number}"
        folder.mkdir()
        self.redis.client().flushall()
        command = [str(HOTPATH), "run", "--once", *source, "--scenarios-dir", str(scenarios),
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

    def case(self, source, scenario, pace):
        """All runs over one scenario from one source at one pace."""
        events = self.settings.events or scenario.events
        # The squeezed pace has other windows with fewer events: no marginal cost by a difference.
        small = events // SMALL_SHARE if pace == "live" else None
        whole, floor_arguments = self.prepare(source, scenario, pace, events)
        part = self.prepare(source, scenario, pace, small)[0] if small else None
        documents = bench_scenarios.folder_of(scenario, OUT)
        case = bench_report.Case(
            scenario=scenario, source=source, pace=pace, events=events, small_events=small,
            command=" ".join(["hotpath run --once", *source_words(whole), "--scenarios-dir",
                              str(documents.relative_to(ROOT)), "--redis … --state …",
                              *self.settings.arguments]))
        say(f"{scenario.name}, {source}, {pace}")
        parse = "parse-msgpack" if scenario.msgpack else "parse"
        for _ in range(self.settings.runs):
            case.floor_reads.append(floor([*floor_arguments, "read"], events))
            case.floor_parses.append(floor([*floor_arguments, parse], events))
            case.runs.append(self.pipeline(whole, events, documents))
            if part:
                case.small_runs.append(self.pipeline(part, small, documents))
        return case

    def prepare(self, source, scenario, pace, events):
        """Makes the events; what says to hotpath, and what to floor, where they are."""
        if source == "file":
            path = bench_events.file_of(scenario, pace, events)
            return ["--file", str(path)], ["file", str(path)]
        topic = f"user-behaviors-bench-{scenario.name}-{pace}-{events}"
        bench_events.fill_topic(self.kafka.brokers, topic, scenario, events,
                                bench_events.span_ms_of(pace, events))
        return (["--brokers", self.kafka.brokers, "--topics", f"^{topic}$", "--from", "earliest"],
                ["kafka", self.kafka.brokers, topic, str(events)])

    def forget(self, scenario):
        """One case's events are enough to hold at once; the reference's files are kept."""
        if self.kafka:
            admin = AdminClient({"bootstrap.servers": self.kafka.brokers})
            names = [name for name in admin.list_topics(timeout=30).topics
                     if name.startswith("user-behaviors-bench-")]
            for deleted in admin.delete_topics(names).values():
                deleted.result(30)
        if scenario.name != "reference":
            for path in OUT.glob(f"events-{scenario.name}-*.jsonl"):
                path.unlink()
        for left in self.folder.iterdir():
            shutil.rmtree(left)


def floor(arguments, events):
    """What ./floor says of one reading, with that it saw all events."""
    done = subprocess.run([OUT / "floor", *arguments], capture_output=True, text=True,
                          timeout=RUN_SECONDS_MAX)
    if done.returncode != 0:
        raise BenchError(f"floor {' '.join(arguments)}: {done.stderr[-2000:]}")
    result = json.loads(done.stdout)
    if result["events"] != events:
        raise BenchError(f"the floor saw {result['events']} of {events} events")
    return result


def source_words(flags):
    return ["--file build/bench/" + Path(flags[1]).name] if flags[0] == "--file" \
        else ["--brokers …", *flags[2:]]


# --- All of it ----------------------------------------------------------------------------------

def check_disk(folder):
    free = shutil.disk_usage(folder).free
    if free < 3 << 30:
        raise BenchError(f"{folder} has {free >> 20} MiB free, 3 GiB are needed")


def run_cases(settings, folder, redis, source, cases):
    """Measures each case over the source, adds it to `cases`, prints it, and writes what there is.
    One that fails keeps no other from being measured; the names of those."""
    failed = []
    with contextlib.ExitStack() as stack:
        kafka = None
        if source == "kafka":
            say("starting Kafka")
            kafka = stack.enter_context(servers.Kafka())
        runner = Bench(settings, folder, redis, kafka)
        for scenario, pace in settings.cases(source):
            try:
                cases.append(runner.case(source, scenario, pace))
            except BenchError as error:
                say(f"error: {scenario.name}, {source}, {pace}: {error}")
                failed.append(f"{scenario.name} ({source}, {pace})")
                runner.forget(scenario)
                continue
            print(bench_report.table(bench_report.numbers(cases[-1])), flush=True)
            bench_report.write_json(settings.result, cases, settings)
            runner.forget(scenario)
    return failed


def bench():
    settings = Settings(os.environ)
    if not HOTPATH.exists():
        raise BenchError(f"{HOTPATH} is absent: run make first")
    OUT.mkdir(parents=True, exist_ok=True)
    check_disk(OUT)
    cases, failed = [], []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hotpath-bench-")))
        check_disk(folder)
        redis = stack.enter_context(servers.Redis())
        for source in ("file", "kafka"):
            if settings.cases(source):
                failed += run_cases(settings, folder, redis, source, cases)
    print(f"\n{bench_report.summary([bench_report.numbers(case) for case in cases])}\n"
          f"\n{bench_report.LEGEND}\n{bench_report.machine()}; "
          f"load before: {settings.load_before:.1f}\n"
          f"As JSON: {settings.result}")
    if failed:
        raise BenchError(f"not measured: {', '.join(failed)}")


def main(run=bench):
    # SIGTERM must unwind the stack, or servers and folders stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run()
    except (BenchError, servers.ServerError, TimeoutError) as error:
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
