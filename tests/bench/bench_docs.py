"""make bench-docs: the tables of docs/performance.md and docs/scaling.md, from what the benches wrote.

A table stands between the lines `<!-- bench NAME: begin -->` and `<!-- bench NAME: end -->`, and is
replaced whole. A bench that has not run here leaves its tables as they are. Text around the tables is
written by hand: read it again afterwards, whether it still says what the tables do.
"""

import json
import re
import sys
from pathlib import Path

import bench_events
import bench_freshness
import bench_memory
import bench_report
import scorers
from bench_process import BenchError

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("performance.md", "scaling.md")
RATES = (1_000_000, 10_000_000, 100_000_000)
STAGES = ("ingestor", "scorer", "profiler", "metrics", "sink")
BUSY = 0.7      # of a core, in the plan: the rest is for catching up and for moved shards


def stamped(text, result):
    return f"{text}\n\n{result['machine']}; {result['at'][:10]}."


def case_of(result, scenario, source, pace):
    return next((case for case in result["cases"] if (case["scenario"], case["source"], case["pace"])
                 == (scenario, source, pace)), None)


def stage_costs(case):
    """{stage: marginal CPU us an event}, the server's as `redis`."""
    found = {stage: case["marginal_by_process"][f"hotpath-{stage}"] for stage in STAGES}
    return {**found, "redis": case["redis_cpu_us_per_event"]["median"]}


def cores_table(result):
    """Cores that each stage needs at each rate, from what an event more costs it here."""
    case = case_of(result, "reference", "kafka", "live")
    if case is None or "marginal_by_process" not in case:
        raise BenchError("the reference over Kafka at the live pace is not in it")
    costs = stage_costs(case)
    rows = [[stage, f"{cost:.2f}", f"{BUSY / cost:.2f}M" if cost > 0 else "",
             *(f"{rate * cost / 1e6 / BUSY:,.1f}" for rate in RATES)] for stage, cost in costs.items()]
    ours = sum(cost for stage, cost in costs.items() if stage != "redis")
    rows.append(["hotpath, all", f"{ours:.2f}", "",
                 *(f"{rate * ours / 1e6 / BUSY:,.1f}" for rate in RATES)])
    return bench_report.markdown_table(
        ["stage", "CPU us an event", f"events/s a core {BUSY:.0%} busy",
         *(f"cores at {rate // 1_000_000}M/s" for rate in RATES)], rows)


def hot_table(result):
    """What one hot key does to each stage."""
    rows = []
    for name in ("reference", "uniform", "hot-item", "one-scenario"):
        case = case_of(result, name, "file", "live")
        if case:
            costs = stage_costs(case)
            rows.append([name, *(f"{costs[stage]:.2f}" for stage in STAGES),
                         f"{case['marginal_cpu_us_per_event']['median']:.2f}"])
    return bench_report.markdown_table(["scenario (file, live)", *STAGES, "all"], rows)


REFERENCE = bench_events.OUT / "result.json"     # of make bench
ALL = bench_events.OUT / "result-all.json"      # of make bench-all
# Of each table: the file of its results, and what makes it of them.
TABLES = {
    "reference": (REFERENCE, lambda result: bench_report.markdown(result["cases"])),
    "cases": (ALL, lambda result: bench_report.markdown(result["cases"])),
    "cores": (ALL, cores_table),
    "hot-keys": (ALL, hot_table),
    "freshness": (bench_freshness.RESULT, bench_freshness.markdown),
    "memory": (bench_memory.MEMORY_RESULT, bench_memory.memory_markdown),
    "churn": (bench_memory.CHURN_RESULT, bench_memory.churn_markdown),
    "scorers": (scorers.RESULT, scorers.markdown),
}


def replaced(text, name, table):
    """The page's text with the table in its place; unchanged where the page has no such place."""
    marks = re.compile(rf"(<!-- bench {name}: begin[^\n]*-->\n).*?(<!-- bench {name}: end -->)",
                       re.DOTALL)
    return marks.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text)


def main():
    for page in PAGES:
        path = DOCS / page
        text = path.read_text()
        for name, (source, make) in TABLES.items():
            if f"<!-- bench {name}: begin" not in text:
                continue
            if not source.exists():
                print(f"{page}: {name}: {source.name} is absent, left as it is")
                continue
            result = json.loads(source.read_text())
            try:
                text = replaced(text, name, stamped(make(result), result))
            except BenchError as error:
                print(f"{page}: {name}: {source.name}: {error}, left as it is")
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
