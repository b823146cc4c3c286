"""make bench-check, make bench-record: did an event get more expensive?

Measures the reference from a file at the live pace: the floor and the pipeline in turns, and of each
turn the ratio of their CPU time, so that a slow or crowded machine meets both. Fails if the median
ratio is more than 15 % above the one in recorded.json; --record writes that file.

The ratio depends on the kind of machine (its caches above all), so record it where it is checked.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import bench_events
import bench_report
from bench_process import BenchError, integer
from bench_scenarios import SCENARIOS
from support import servers

import bench

RECORDED = Path(__file__).resolve().parent / "recorded.json"
WORSE_MAX = 0.15
EVENTS = 1_000_000
RUNS = 7
SECONDS_MAX = 150       # no further turn is begun after this


def decide(recorded, measured, worse_max=WORSE_MAX):
    """(whether that is good, what to say), of two {events, ratio, cpu_us_per_event, machine, …}."""
    if recorded["events"] != measured["events"]:
        return False, (f"recorded with {recorded['events']:,} events, measured with "
                       f"{measured['events']:,}: these ratios cannot be compared")
    change = measured["ratio"] / recorded["ratio"] - 1
    text = (f"CPU an event is {measured['ratio']:.2f} times the floor "
            f"({measured['cpu_us_per_event']:.2f} us), recorded: {recorded['ratio']:.2f} "
            f"({recorded['cpu_us_per_event']:.2f} us): {change:+.1%}")
    if change > worse_max:
        text += f", more than {worse_max:.0%} worse"
        if recorded["machine"] != measured["machine"]:
            text += (f". It was recorded on another machine ({recorded['machine']}): record it on this "
                     "one, at the commit to compare with, by make bench-record")
        return False, text
    if change < -worse_max:
        text += ". Better: make bench-record keeps it so"
    return True, text


def machine():
    """The kind of machine, without the version of hotpath."""
    return bench_report.machine().partition(";")[0]


def measure(events, runs, seconds_max):
    """{ratio, …}: the median over turns of the floor and the pipeline."""
    path = bench_events.file_of(SCENARIOS["reference"], "live", events)
    settings = bench.Settings({})
    turns = []
    with tempfile.TemporaryDirectory(prefix="hotpath-bench-") as folder, servers.Redis() as redis:
        runner = bench.Bench(settings, Path(folder), redis, None)
        for _ in bench_events.turns(runs, seconds_max):
            # Short beside the pipeline: of three, the one in the middle.
            floor = statistics.median(bench.floor(["file", str(path), "parse"], events)["cpu_seconds"]
                                      for _ in range(3))
            cpu = runner.pipeline(["--file", str(path)], events)[0].cpu_seconds
            turns.append((cpu / floor, cpu, floor))
    ratios, pipeline, floors = zip(*turns, strict=True)
    return {"events": events, "ratio": statistics.median(ratios), "ratios": list(ratios),
            "cpu_us_per_event": statistics.median(pipeline) / events * 1e6,
            "floor_cpu_us_per_event": statistics.median(floors) / events * 1e6,
            "machine": machine(), "version": bench_report.version()}


def run():
    record = sys.argv[1:] == ["--record"]
    if sys.argv[1:] and not record:
        raise BenchError("it knows --record alone")
    if not record and not RECORDED.exists():
        raise BenchError(f"{RECORDED.name} is absent: make bench-record writes it")
    bench_events.OUT.mkdir(parents=True, exist_ok=True)
    measured = measure(integer(os.environ, "BENCH_EVENTS", EVENTS),
                       integer(os.environ, "BENCH_RUNS", RUNS), SECONDS_MAX)
    (bench_events.OUT / "check.json").write_text(json.dumps(measured, indent=2) + "\n")
    if record:
        shutil.copyfile(bench_events.OUT / "check.json", RECORDED)
        print(f"recorded: {measured['ratio']:.2f} times the floor "
              f"({measured['cpu_us_per_event']:.2f} us an event)")
        return
    good, text = decide(json.loads(RECORDED.read_text()), measured)
    print(f"bench-check: {text}")
    if not good:
        raise BenchError("an event got too expensive, or that cannot be said")


if __name__ == "__main__":
    sys.exit(bench.main(run))
