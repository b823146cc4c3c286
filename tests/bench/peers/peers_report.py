"""What bench-peers found, as a table for people and as JSON for machines."""

import json
from dataclasses import dataclass
from datetime import datetime, timezone

import engines
from bench_process import Measured
from bench_report import machine, spread  # noqa: F401

LEGEND = """\
us: microseconds of CPU (user + system, wait4) of the engine's own processes; brokers and Redis are
not in it. total: over all events, start and end in. marginal: what one event more costs, from the
large topic and its first tenth, so that the start, and most of what a JVM compiles, fall out.
ratio: of medians, to hotpath in the same rows. RSS: the sum of the processes' peaks."""


@dataclass
class Run:
    measured: Measured
    redis_cpu_seconds: float
    profile_writes: int


@dataclass
class Group:
    """Runs over the same topics: {engine: [(Run over all events, Run over the first tenth)]}."""
    events: int
    small_events: int
    span_ms: int
    runs: dict


def engine_numbers(group, name):
    pairs = group.runs[name]
    more = group.events - group.small_events
    return {
        "cpu_us_per_event": spread([large.measured.cpu_seconds / group.events * 1e6
                                    for large, _ in pairs]),
        "marginal_cpu_us_per_event": spread([
            (large.measured.cpu_seconds - small.measured.cpu_seconds) / more * 1e6
            for large, small in pairs]),
        "small_cpu_seconds": spread([small.measured.cpu_seconds for _, small in pairs]),
        "rss_peak_bytes": spread([sum(process.rss_bytes
                                      for process in large.measured.processes.values())
                                  for large, _ in pairs]),
        "wall_seconds": spread([large.measured.wall_seconds for large, _ in pairs]),
        "redis_cpu_us_per_event": spread([large.redis_cpu_seconds / group.events * 1e6
                                          for large, _ in pairs]),
        "processes_cpu_us_per_event": processes(group.events, [large for large, _ in pairs]),
        "profile_writes": spread([large.profile_writes for large, _ in pairs]),
        "command": "hotpath run --once" if name == "hotpath" else engines.PEERS[name].words(),
    }


def processes(events, runs):
    """{process name: least CPU us an event}, so that one sees where an engine's cost is."""
    names = sorted({name for run in runs for name in run.measured.by_name()})
    return {name: min(run.measured.by_name().get(name, (0.0, 0, 0))[0] for run in runs)
            / events * 1e6 for name in names}


def numbers(group):
    found = {name: engine_numbers(group, name) for name in group.runs}
    ours = found["hotpath"]
    for theirs in found.values():
        theirs["ratio_to_hotpath"] = {
            key: theirs[key]["median"] / ours[key]["median"]
            for key in ("cpu_us_per_event", "marginal_cpu_us_per_event", "rss_peak_bytes")}
    return {"events": group.events, "small_events": group.small_events,
            "span_ms": group.span_ms, "runs": len(group.runs["hotpath"]), "engines": found}


def table(group):
    found = numbers(group)
    lines = [
        f"\n{group.events:,} events in {group.span_ms / 60000:g} min of event time, marginal from "
        f"{group.small_events:,} events of the same density; {found['runs']} runs, "
        "median (least .. most)",
        f"  {'':<15}{'total us':<29}{'ratio':<8}{'marginal us':<29}{'ratio':<8}{'RSS MiB':<10}"
        f"{'ratio':<8}profile writes"]
    for name, engine in found["engines"].items():
        ratio = engine["ratio_to_hotpath"]
        lines.append(
            f"  {name:<15}{_spread(engine['cpu_us_per_event']):<29}"
            f"{ratio['cpu_us_per_event']:<8.1f}"
            f"{_spread(engine['marginal_cpu_us_per_event']):<29}"
            f"{ratio['marginal_cpu_us_per_event']:<8.1f}"
            f"{engine['rss_peak_bytes']['median'] / (1 << 20):<10.0f}"
            f"{ratio['rss_peak_bytes']:<8.1f}{engine['profile_writes']['median']:,.0f}")
    return "\n".join(lines)


def _spread(values):
    digits = 2 if values["max"] < 1000 else 0
    return " ".join([f"{values['median']:.{digits}f}",
                     f"({values['min']:.{digits}f} .. {values['max']:.{digits}f})"])


def legend(checked):
    return "\n".join([LEGEND, *(
        f"{', '.join(check['engines'])} left in Redis what the oracle says of {check['events']:,} "
        f"events: {check['rankings']} rankings, {check['metrics_windows']} windows of metrics, "
        f"{check['profiles']:,} profiles." for check in checked)])


def write_json(path, groups, checked, load):
    path.write_text(json.dumps({
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(), "load_before": load, "checked": checked,
        "groups": [numbers(group) for group in groups]}, indent=2) + "\n")
