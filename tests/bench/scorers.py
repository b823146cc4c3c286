"""make bench-scorers: the scorer stage by one process and by two, over the same file, in turns.

Says what an event costs of CPU in all scorers together, and how many events a second went through. On a machine
of two cores, which all other processes share, the second says little; the first must not grow by more than
15 %. Not in it: the start of the second process (two runs of different size are subtracted).
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

import bench
import bench_report
from bench_process import BenchError
from support import servers

MORE_MAX = 1.15


def scorer_seconds(measured):
    return measured.by_name()["hotpath-scorer"][0]


def compare(runner, runs):
    """{scorers: (CPU us an event, events a second), medians}."""
    events = runner.settings.events
    small = events // bench.SMALL_SHARE
    paths = {count: bench.made_file("live", count) for count in (events, small)}
    found = {1: [], 2: []}
    for _ in range(runs):
        for scorers, results in found.items():
            runner.settings.arguments = ["--scorers", str(scorers)]
            whole, part = (runner.pipeline(["--file", str(paths[count])], count)[0] for count in paths)
            results.append(((scorer_seconds(whole) - scorer_seconds(part)) / (events - small) * 1e6,
                            events / whole.wall_seconds))
    return {scorers: [statistics.median(values) for values in zip(*results, strict=True)]
            for scorers, results in found.items()}


def run():
    settings = bench.Settings(os.environ)
    bench.OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hotpath-bench-") as folder, servers.Redis() as redis:
        found = compare(bench.Bench(settings, Path(folder), redis, None), settings.runs)
    print(f"{settings.events} events of a file, median of {settings.runs} runs in turns")
    print("scorers   CPU of the stage, us an event   events/s through all processes")
    for scorers, (cpu, rate) in found.items():
        print(f"{scorers:7}   {cpu:29.3f}   {rate:30,.0f}")
    more = found[2][0] / found[1][0]
    print(f"CPU an event with two: {more:.2f} of that with one\n{bench_report.machine()}")
    if more > MORE_MAX:
        raise BenchError(f"two scorers cost more than {MORE_MAX:.2f} of what one does")


if __name__ == "__main__":
    sys.exit(bench.main(run))
