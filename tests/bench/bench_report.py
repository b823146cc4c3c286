"""What the bench found, as tables for people and as JSON for machines. Median (least .. most).

    build/venv/bin/python tests/bench/bench_report.py --markdown build/bench/result.json
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from bench_scenarios import Scenario

PACES = {"live": "100,000 events a second of event time",
         "squeezed": "3 h of event time in the same events"}
STAGES = ("ingestor", "scorer", "profiler", "metrics", "sink")
LEGEND = """\
CPU is user + system. all: exact (wait4), start and end of the processes in it. Of each process:
read every 20 ms in ticks of 10 ms, so that a little of its end is not seen. RSS: the peak of each
process, pages of LMDB's files in it; all: the sum of the peaks. written: bytes to disk (state,
logs). marginal: what one event more costs. The floor has one process and keeps nothing. Brokers and
Redis run on the same cores."""


@dataclass
class Case:
    scenario: Scenario
    source: str
    pace: str
    events: int
    small_events: int       # None: no small runs
    command: str
    runs: list = field(default_factory=list)    # of (bench_process.Measured, Redis' CPU seconds)
    small_runs: list = field(default_factory=list)
    floor_reads: list = field(default_factory=list)     # of what ./floor says
    floor_parses: list = field(default_factory=list)


# --- Numbers ------------------------------------------------------------------------------------

def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": list(values)}


def _process_numbers(case):
    names = sorted({name for measured, _ in case.runs for name in measured.by_name()},
                   key=lambda name: ("-" not in name, name))
    processes = {}
    for name in names:
        found = [measured.by_name().get(name, (0.0, 0, 0)) for measured, _ in case.runs]
        processes[name] = {
            "cpu_us_per_event": spread([cpu / case.events * 1e6 for cpu, _, _ in found]),
            "rss_peak_bytes": spread([rss for _, rss, _ in found]),
            "written_bytes_per_event": spread([measured.written_by(name) / case.events
                                               for measured, _ in case.runs]),
            "processes": max(count for _, _, count in found)}
    return processes


def numbers(case):
    """All that is reported, as plain values: CPU in microseconds an event."""
    def an_event(seconds):
        return seconds / case.events * 1e6

    measured = [measured for measured, _ in case.runs]
    total = spread([an_event(run.cpu_seconds) for run in measured])
    floor = {"read": spread([an_event(found["cpu_seconds"]) for found in case.floor_reads]),
             "parse": spread([an_event(found["cpu_seconds"]) for found in case.floor_parses])}
    result = {
        "scenario": case.scenario.name, "says": case.scenario.says,
        "source": case.source, "pace": case.pace, "events": case.events,
        "event_bytes": round(case.floor_reads[0]["bytes"] / case.events, 1), "command": case.command,
        "runs": len(case.runs), "processes": _process_numbers(case), "cpu_us_per_event": total,
        "cpu_us_per_event_unattributed": spread([
            an_event(run.cpu_seconds
                     - sum(process.cpu_seconds for process in run.processes.values()))
            for run in measured]),
        "rss_peak_bytes": spread([sum(process.rss_bytes for process in run.processes.values())
                                  for run in measured]),
        "written_bytes_per_event": spread([run.written_bytes / case.events for run in measured]),
        "events_per_second": spread([case.events / run.wall_seconds for run in measured]),
        "floor_cpu_us_per_event": floor,
        "ratio_to_floor": statistics.median(
            cpu / least for cpu, least in zip(total["runs"], floor["parse"]["runs"], strict=True)),
        "redis_cpu_us_per_event": spread([an_event(redis) for _, redis in case.runs]),
    }
    if case.small_runs:
        # The start, the end and what is written once fall out; pairs by order, as good as any.
        more = case.events - case.small_events
        result["small_events"] = case.small_events
        result["marginal_cpu_us_per_event"] = spread([
            (run.cpu_seconds - few.cpu_seconds) / more * 1e6
            for run, (few, _) in zip(measured, case.small_runs, strict=True)])
        result["marginal_by_process"] = {
            name: statistics.median(
                (run.by_name()[name][0] - few.by_name().get(name, (0.0,))[0]) / more * 1e6
                for run, (few, _) in zip(measured, case.small_runs, strict=True))
            for name in result["processes"]}
    return result


# --- Tables -------------------------------------------------------------------------------------

def _cpu(values):
    return f"{values['median']:8.3f}  ({values['min']:.3f} .. {values['max']:.3f})"


def _row(name, values, rss=None, written=None, note=""):
    memory = f"{rss['median'] / (1 << 20):10.1f}" if rss else ""
    disk = f"{written['median']:10.1f}" if written else ""
    return f"  {name:<28}{_cpu(values):<30}{memory:<14}{disk:<14}{note}".rstrip()


def table(found):
    """One case in full, of what numbers () gave."""
    floor = found["floor_cpu_us_per_event"]
    reads = "poll" if found["source"] == "kafka" else "read"
    lines = [
        f"\n{found['scenario']} ({found['says']}), {found['source']}, {found['pace']} pace "
        f"({PACES[found['pace']]}): {found['events']:,} events of {found['event_bytes']:.0f} bytes, "
        f"{found['runs']} runs, median (least .. most)",
        f"  {found['command']}",
        f"  {'process':<28}{'CPU us an event':<30}{'peak RSS MiB':<14}{'written B/event':<14}"]
    for name, process in found["processes"].items():
        count = process["processes"]
        lines.append(_row(name, process["cpu_us_per_event"], process["rss_peak_bytes"],
                          process["written_bytes_per_event"], f"x{count}" if count > 1 else ""))
    lines += [
        _row("(not seen of any process)", found["cpu_us_per_event_unattributed"]),
        _row("all", found["cpu_us_per_event"], found["rss_peak_bytes"],
             found["written_bytes_per_event"]),
        _row(f"floor: {reads} + parse", floor["parse"], None, None,
             f"of it {reads} alone {floor['read']['median']:.3f}"),
        f"  ratio to the floor          {found['ratio_to_floor']:8.2f}",
    ]
    if "marginal_cpu_us_per_event" in found:
        lines.append(_row("marginal", found["marginal_cpu_us_per_event"], None, None,
                          f"({found['events']:,} less {found['small_events']:,} events)"))
    speed = found["events_per_second"]
    lines += [
        f"  events/s, start and end in  {speed['median']:8,.0f}  "
        f"({speed['min']:,.0f} .. {speed['max']:,.0f})",
        _row("redis-server (not in all)", found["redis_cpu_us_per_event"])]
    return "\n".join(lines)


def _cells(found):
    """The columns of a case in the tables of all cases."""
    def median(name):
        return found[name]["median"]

    stages = [found["processes"][f"hotpath-{stage}"]["cpu_us_per_event"]["median"] for stage in STAGES]
    marginal = found.get("marginal_cpu_us_per_event")
    total = found["cpu_us_per_event"]
    return [found["scenario"], f"{found['source']}, {found['pace']}", f"{found['event_bytes']:.0f}",
            *(f"{cpu:.2f}" for cpu in stages), f"{total['median']:.2f}",
            f"{total['min']:.2f} .. {total['max']:.2f}",
            f"{marginal['median']:.2f}" if marginal else "",
            f"{found['floor_cpu_us_per_event']['parse']['median']:.2f}",
            f"{found['ratio_to_floor']:.1f}", f"{median('events_per_second') / 1000:,.0f}k",
            f"{median('rss_peak_bytes') / (1 << 20):,.0f}", f"{median('written_bytes_per_event'):.0f}"]


TITLES = ["scenario", "from", "bytes", *STAGES, "all", "least .. most", "marginal", "floor", "ratio",
          "events/s", "RSS MiB", "written B"]


def summary(cases):
    """All cases, a line each, for a terminal."""
    rows = [TITLES, *map(_cells, cases)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES))]
    return "\n".join("  ".join(cell.ljust(width) if column < 2 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
                     .rstrip() for row in rows)


def markdown_table(titles, rows, text_columns=1):
    """A table of Markdown; all columns but the first ones are numbers."""
    marks = ["---" if column < text_columns else "--:" for column in range(len(titles))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [titles, marks, *rows])


def markdown(cases):
    return markdown_table(TITLES, list(map(_cells, cases)), 2)


# --- Files --------------------------------------------------------------------------------------

def machine():
    model = next((line.partition(":")[2].strip()
                  for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (f"Machine: {model}, {os.cpu_count()} cores, {memory:.0f} GiB, "
            f"{platform.system()} {platform.release()}; {version()}")


def version():
    done = subprocess.run(["git", "describe", "--tags", "--always", "--dirty"],
                          capture_output=True, text=True, cwd=Path(__file__).parent)
    return f"hotpath {done.stdout.strip()}" if done.returncode == 0 else "hotpath"


def provenance():
    """What every file of results begins with."""
    return {"at": datetime.now(timezone.utc).isoformat(timespec="seconds"), "machine": machine()}


def write_json(path, cases, settings):
    path.write_text(json.dumps({
        **provenance(), "load_before": settings.load_before, "runs": settings.runs,
        "arguments": settings.arguments,
        "cases": [numbers(case) for case in cases]}, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="as a table of Markdown")
    parser.add_argument("result", type=Path, help="build/bench/result.json")
    options = parser.parse_args()
    cases = json.loads(options.result.read_text())["cases"]
    print(markdown(cases) if options.markdown else summary(cases))


if __name__ == "__main__":
    main()
