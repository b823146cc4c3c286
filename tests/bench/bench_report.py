"""What the bench found, as a table for people and as JSON for machines. Median (least .. most)."""

import json
import os
import platform
import statistics
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

PACES = {"live": "100,000 events a second of event time",
         "squeezed": "3 h of event time in the same events"}
LEGEND = """\
CPU is user + system. all: exact (wait4), start and end of the processes in it. Of each process:
read every 20 ms in ticks of 10 ms, so that a little of its end is not seen. RSS: the peak of each
process, pages of LMDB's files in it; all: the sum of the peaks. marginal: what one event more
costs. The floor has one process and keeps nothing. Brokers and Redis run on the same cores."""


@dataclass
class Case:
    source: str
    pace: str
    events: int
    event_bytes: float
    command: str
    runs: list              # of (bench_process.Measured, Redis' CPU seconds)
    floor: dict             # {read, parse: [CPU seconds]}
    small_events: int
    small_runs: list        # as runs; [] if there were none


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": list(values)}


def numbers(case):
    """All that is reported, as plain values: CPU in microseconds an event."""
    def an_event(seconds):
        return seconds / case.events * 1e6

    names = sorted({name for measured, _ in case.runs for name in measured.by_name()},
                   key=lambda name: ("-" not in name, name))
    processes = {}
    for name in names:
        found = [measured.by_name().get(name, (0.0, 0, 0)) for measured, _ in case.runs]
        processes[name] = {
            "cpu_us_per_event": spread([an_event(cpu) for cpu, _, _ in found]),
            "rss_peak_bytes": spread([rss for _, rss, _ in found]),
            "processes": max(count for _, _, count in found)}
    floor = {mode: spread(list(map(an_event, values))) for mode, values in case.floor.items()}
    total = spread([an_event(measured.cpu_seconds) for measured, _ in case.runs])
    result = {
        "source": case.source, "pace": case.pace, "events": case.events,
        "event_bytes": round(case.event_bytes, 1), "command": case.command,
        "runs": len(case.runs), "processes": processes, "cpu_us_per_event": total,
        "cpu_us_per_event_unattributed": spread([
            an_event(measured.cpu_seconds
                     - sum(process.cpu_seconds for process in measured.processes.values()))
            for measured, _ in case.runs]),
        "rss_peak_bytes": spread([sum(process.rss_bytes
                                      for process in measured.processes.values())
                                  for measured, _ in case.runs]),
        "events_per_second": spread([case.events / measured.wall_seconds
                                     for measured, _ in case.runs]),
        "floor_cpu_us_per_event": floor,
        "ratio_to_floor": total["median"] / floor["parse"]["median"],
        "redis_cpu_us_per_event": spread([an_event(redis) for _, redis in case.runs]),
    }
    if case.small_runs:
        # The start, the end and what is written once fall out; pairs by order, as good as any.
        more = case.events - case.small_events
        result["marginal_cpu_us_per_event"] = spread([
            (measured.cpu_seconds - few.cpu_seconds) / more * 1e6
            for (measured, _), (few, _) in zip(case.runs, case.small_runs)])
    return result


def _cpu(values):
    return f"{values['median']:8.3f}  ({values['min']:.3f} .. {values['max']:.3f})"


def _row(name, values, rss=None, note=""):
    memory = f"{rss['median'] / (1 << 20):10.1f}" if rss else ""
    return f"  {name:<28}{_cpu(values):<30}{memory:<14}{note}".rstrip()


def table(case):
    found = numbers(case)
    floor = found["floor_cpu_us_per_event"]
    lines = [
        f"\n{case.source}, {case.pace} pace ({PACES[case.pace]}): {case.events:,} events of "
        f"{case.event_bytes:.0f} bytes, {found['runs']} runs, median (least .. most)",
        f"  {case.command}",
        f"  {'process':<28}{'CPU us an event':<30}{'peak RSS MiB':<14}"]
    for name, process in found["processes"].items():
        count = process["processes"]
        lines.append(_row(name, process["cpu_us_per_event"], process["rss_peak_bytes"],
                          f"x{count}" if count > 1 else ""))
    lines += [
        _row("(not seen of any process)", found["cpu_us_per_event_unattributed"]),
        _row("all", found["cpu_us_per_event"], found["rss_peak_bytes"]),
        _row(f"floor: {'poll' if case.source == 'kafka' else 'read'} + parse", floor["parse"], None,
             f"of it {'poll' if case.source == 'kafka' else 'read'} alone "
             f"{floor['read']['median']:.3f}"),
        f"  ratio to the floor          {found['ratio_to_floor']:8.2f}",
    ]
    if "marginal_cpu_us_per_event" in found:
        lines.append(_row("marginal", found["marginal_cpu_us_per_event"], None,
                          f"({case.events:,} less {case.small_events:,} events)"))
    speed = found["events_per_second"]
    lines += [
        f"  events/s, start and end in  {speed['median']:8,.0f}  "
        f"({speed['min']:,.0f} .. {speed['max']:,.0f})",
        _row("redis-server (not in all)", found["redis_cpu_us_per_event"])]
    return "\n".join(lines)


def machine():
    model = next((line.partition(":")[2].strip()
                  for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (f"Machine: {model}, {os.cpu_count()} cores, {memory:.0f} GiB, "
            f"{platform.system()} {platform.release()}; {_version()}")


def _version():
    done = subprocess.run(["git", "describe", "--tags", "--always", "--dirty"],
                          capture_output=True, text=True, cwd=Path(__file__).parent)
    return f"hotpath {done.stdout.strip()}" if done.returncode == 0 else "hotpath"


def write_json(path, cases, settings, load):
    path.write_text(json.dumps({
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(), "load_before": load, "runs": settings.runs,
        "arguments": settings.arguments,
        "cases": [numbers(case) for case in cases]}, indent=2) + "\n")
