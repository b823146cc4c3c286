"""make bench-scorers: the scorer stage by 1, 2, 4 and 8 processes, over the same file, in turns.

Says what an event costs of CPU in all scorers together and in all processes, and how many events a
second went through. On a machine of two cores, which all other processes share, the last says
little; the first must not grow by more than 15 % from one to two. Not in them: the start of the
processes (two runs of different size are subtracted). BENCH_SCORERS='1 2' runs these alone;
BENCH_EVENTS, BENCH_RUNS as in make bench.
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

import bench
import bench_events
import bench_report
from bench_process import BenchError, whole_number
from bench_scenarios import SCENARIOS
from support import servers

MORE_MAX = 1.15
EVENTS = 1_000_000
RESULT = bench_events.OUT / "scorers.json"
TITLES = ["scorers", "CPU of the stage, us an event", "CPU of all, us an event", "events/s"]


def scorer_seconds(measured):
    return measured.by_name()["hotpath-scorer"][0]


def compare(runner, counts, events, runs):
    """[{scorers, stage and all: CPU us an event, events_per_second}], medians."""
    small = events // bench.SMALL_SHARE
    paths = {size: bench_events.file_of(SCENARIOS["reference"], "live", size)
             for size in (events, small)}
    found = {count: [] for count in counts}
    for _ in range(runs):
        for scorers, results in found.items():
            runner.settings.arguments = ["--scorers", str(scorers)]
            whole, part = (runner.pipeline(["--file", str(path)], size)[0]
                           for size, path in paths.items())
            an_event = 1e6 / (events - small)
            results.append(((scorer_seconds(whole) - scorer_seconds(part)) * an_event,
                            (whole.cpu_seconds - part.cpu_seconds) * an_event,
                            events / whole.wall_seconds))
    names = ("stage", "all", "events_per_second")
    return [{"scorers": scorers,
             **dict(zip(names, map(statistics.median, zip(*results, strict=True)), strict=True))}
            for scorers, results in found.items()]


def markdown(found):
    return bench_report.markdown_table(TITLES, [
        [str(row["scorers"]), f"{row['stage']:.2f}", f"{row['all']:.2f}",
         f"{row['events_per_second'] / 1000:,.0f}k"] for row in found["counts"]], 0)


def run():
    settings = bench.Settings(os.environ)
    counts = [whole_number("BENCH_SCORERS", word)
              for word in os.environ.get("BENCH_SCORERS", "1 2 4 8").split()]
    events = settings.events or EVENTS
    bench_events.OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hotpath-bench-") as folder, servers.Redis() as redis:
        rows = compare(bench.Bench(settings, Path(folder), redis, None), counts, events,
                       settings.runs)
    found = {**bench_report.provenance(), "events": events, "runs": settings.runs, "counts": rows}
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    print(f"{events:,} events of a file, median of {settings.runs} runs in turns\n{markdown(found)}\n"
          f"{found['machine']}")
    by_count = {row["scorers"]: row["stage"] for row in rows}
    if {1, 2} <= set(by_count) and by_count[2] > MORE_MAX * by_count[1]:
        raise BenchError(f"two scorers cost {by_count[2] / by_count[1]:.2f} of what one does, more "
                         f"than {MORE_MAX:.2f}")


if __name__ == "__main__":
    sys.exit(bench.main(run))
