"""make bench-memory, make bench-churn: what a key costs in memory, and whether memory grows.

bench-memory: one scenario, 5M users and 1M items, each of which occurs (BENCH_USERS, BENCH_ITEMS; as
many events as the more numerous of them). Reports the RSS of each process when all is applied and
Redis has it, bytes a key, and fails if all together is more than BENCH_BUDGET_MIB (3072).

bench-churn (bench_memory.py --churn): BENCH_MINUTES (3) of events at BENCH_RATE (30,000) a second whose
keys change all the time, event time going 120 times as fast as the clock, so that cells, profiles and
windows end within a minute of theirs. Reports the slope of RSS over the second half, when as many go
as come.
"""

import json
import os
import shlex
import sys
import tempfile
import time
from pathlib import Path

import bench_events
import bench_report
from bench_live import Live
from bench_process import BenchError, integer
from bench_scenarios import Scenario
from support import servers

import bench

MEMORY_RESULT = bench_events.OUT / "memory.json"
CHURN_RESULT = bench_events.OUT / "churn.json"
APPLY_SECONDS_MAX = 900
SETTLE_SECONDS = 15         # three commits
SAMPLE_SECONDS = 2
SPEED = 120
DRIFT_EVENTS = 10           # one item and one user in so many events is new
MIB = 1 << 20
STAGES = ("scorer", "profiler", "metrics")
# A profile ends 43 minutes of event time after its last event (3 periods) and a while.
CHURN = {"hot_score": {"window_size_minutes": 10, "window_slide_minutes": 1},
         "user_profile": {"interest_decay_days": 0.01, "ttl_seconds": 60},
         "metrics": {"window_size_minutes": 1, "history_windows": 10}}


def write_document(folder, realtime):
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps({
        "tenant_id": "tenant_000", "scenario_id": "scenario_000", "status": "active",
        "config": {"realtime_compute": realtime}}))
    return folder


# --- bench-memory -------------------------------------------------------------------------------

def wait_applied(live, events):
    def all_applied():
        live.check()
        return all(live.metric(stage, "hotpath_stage_events_total", 'outcome="applied"') >= events
                   for stage in STAGES)
    servers.wait_until(all_applied, APPLY_SECONDS_MAX, f"{events:,} events are applied")


def measure_memory(folder, redis, users, items, arguments):
    events = max(users, items)
    scenario = Scenario("memory", "", ("--users", str(users), "--items", str(items), "--in-turn", "1"),
                        tenants=1, scenarios=1)
    path = bench_events.file_of(scenario, "live", events)
    documents = write_document(folder / "scenarios", {})
    try:
        with Live(folder / "run", redis, documents, path=path, arguments=arguments) as live:
            time.sleep(1)
            wait_applied(live, events)
            bench_events.say("all is applied")
            time.sleep(SETTLE_SECONDS)
            usage = live.usage()
            found = {stage: [live.metric(stage, name)
                             for name in ("hotpath_cells", "hotpath_cells_bytes")] for stage in STAGES}
            live.check()
        state = sum(file.stat().st_blocks * 512
                    for file in (folder / "run" / "state").rglob("data.mdb"))
    finally:
        path.unlink()
    return {"users": users, "items": items, "events": events,
            "rss_bytes": {name: rss for name, (_, rss, _) in usage.items()},
            "anonymous_bytes": {name: anonymous for name, (_, _, anonymous) in usage.items()},
            "stages": {stage: {"cells": cells, "counted_bytes": counted}
                       for stage, (cells, counted) in found.items()},
            "state_bytes": state, "redis_bytes": redis.client().info("memory")["used_memory"],
            "redis_keys": redis.client().dbsize()}


def memory_markdown(result):
    keys = {"scorer": ("item", result["items"]), "profiler": ("user", result["users"])}
    rows = []
    for name, rss in result["rss_bytes"].items():
        stage = name.removeprefix("hotpath-")
        counted = result["stages"].get(stage)
        key = keys.get(stage)
        anonymous = result["anonymous_bytes"][name]
        rows.append([name, f"{rss / MIB:,.0f}", f"{anonymous / MIB:,.0f}",
                     f"{counted['cells']:,.0f}" if counted else "",
                     f"{counted['counted_bytes'] / counted['cells']:,.0f}"
                     if counted and counted["cells"] else "",
                     f"{anonymous / key[1]:,.0f} a {key[0]}" if key else ""])
    rows.append(["all", *(f"{sum(result[kind].values()) / MIB:,.0f}"
                          for kind in ("rss_bytes", "anonymous_bytes")), "", "", ""])
    table = bench_report.markdown_table(
        ["process", "RSS MiB", "without LMDB's pages", "cells (profiler: users)",
         "bytes a cell, as it counts them", "bytes a key, without LMDB's pages"], rows)
    return (f"{table}\n\n{result['users']:,} users and {result['items']:,} items, {result['events']:,} "
            f"events, one scenario. State on disk: {result['state_bytes'] / MIB:,.0f} MiB; Redis: "
            f"{result['redis_keys']:,} keys, {result['redis_bytes'] / MIB:,.0f} MiB.")


def run_memory():
    users = integer(os.environ, "BENCH_USERS", 5_000_000)
    items = integer(os.environ, "BENCH_ITEMS", 1_000_000)
    budget = integer(os.environ, "BENCH_BUDGET_MIB", 3072)
    with tempfile.TemporaryDirectory(prefix="hotpath-bench-") as folder, servers.Redis() as redis:
        result = {**bench_report.provenance(), "budget_mib": budget,
                  **measure_memory(Path(folder), redis, users, items, arguments())}
    MEMORY_RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{memory_markdown(result)}\n{result['machine']}\nAs JSON: {MEMORY_RESULT}")
    used = sum(result["rss_bytes"].values()) / MIB
    if used > budget:
        raise BenchError(f"{used:,.0f} MiB are more than the budget of {budget:,} MiB")


# --- bench-churn --------------------------------------------------------------------------------

def slope(points):
    """Of the least-squares line through (x, y)."""
    count = len(points)
    mean_x, mean_y = (sum(values) / count for values in zip(*points, strict=True))
    over = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return over / sum((x - mean_x) ** 2 for x, _ in points)


def measure_churn(folder, redis, brokers, minutes, rate, arguments):
    documents = write_document(folder / "scenarios", CHURN)
    flags = ["--rate", str(rate), "--speed", str(SPEED), "--drift-events", str(DRIFT_EVENTS),
             "--tenants", "1", "--scenarios", "1", "--lean", "1"]
    samples = []
    # Event time is long ago: each record has its event's time, so nothing is of the future.
    with Live(folder / "run", redis, documents, brokers, flags=flags, arguments=arguments) as live:
        began = time.monotonic()
        while time.monotonic() - began < minutes * 60:
            time.sleep(SAMPLE_SECONDS)
            live.check()
            samples.append({"seconds": time.monotonic() - began,
                            **{name: rss for name, (_, rss, _) in live.usage().items()},
                            **{f"cells of {stage}": live.metric(stage, "hotpath_cells")
                               for stage in STAGES}})
        feed = live.end_feed()
        lag = live.metric("ingestor", "hotpath_lag_messages")
    return {"minutes": minutes, "speed": SPEED, "events": feed["events"],
            "sent_per_second": feed["events"] / feed["wall_seconds"], "lag_messages": lag,
            "samples": samples}


def churn_rows(result):
    """[(name, least, greatest, last, slope a minute)] over the second half."""
    half = [sample for sample in result["samples"] if sample["seconds"] >= result["minutes"] * 30]
    rows = []
    for name in half[-1]:
        if name != "seconds":
            points = [(sample["seconds"] / 60, sample[name]) for sample in half if name in sample]
            values = [value for _, value in points]
            rows.append((name, min(values), max(values), values[-1], slope(points)))
    return rows


def churn_markdown(result):
    rows = []
    for name, least, greatest, last, a_minute in churn_rows(result):
        unit, digits = (1, ".0f") if name.startswith("cells") else (MIB, ".1f")
        rows.append([name if unit == 1 else f"{name}, MiB",
                     *(f"{value / unit:,{digits}}" for value in (least, greatest, last)),
                     f"{a_minute / unit:+,{digits if unit == 1 else '.2f'}}"])
    table = bench_report.markdown_table(["second half", "least", "greatest", "last", "slope a minute"],
                                        rows)
    hours = result["minutes"] * result["speed"] / 60
    return (f"{table}\n\n{result['minutes']:g} minutes, {hours:g} h of event time, "
            f"{result['events']:,} events at {result['sent_per_second']:,.0f}/s; at the end "
            f"{result['lag_messages']:,.0f} messages were not read yet.")


def run_churn():
    minutes = integer(os.environ, "BENCH_MINUTES", 3)
    rate = integer(os.environ, "BENCH_RATE", 30_000)
    # The broker may drop what was read long ago: the disk is bounded however long it runs.
    kept = {"log_retention_bytes": 256 << 20, "log_segment_bytes": 64 << 20,
            "log_retention_check_interval_ms": 10_000}
    with tempfile.TemporaryDirectory(prefix="hotpath-bench-") as folder, servers.Redis() as redis, \
            servers.Kafka(**kept) as kafka:
        result = {**bench_report.provenance(), **measure_churn(
            Path(folder), redis, kafka.brokers, minutes, rate, arguments())}
    CHURN_RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{churn_markdown(result)}\n{result['machine']}\nAs JSON: {CHURN_RESULT}")


def arguments():
    return shlex.split(os.environ.get("BENCH_ARGUMENTS", ""))


if __name__ == "__main__":
    bench_events.OUT.mkdir(parents=True, exist_ok=True)
    sys.exit(bench.main(run_churn if sys.argv[1:] == ["--churn"] else run_memory))
