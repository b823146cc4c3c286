"""make bench-freshness: how soon Redis has it, while events come at a pace.

    BENCH_RATE=100000       events offered a second; what was reached is reported
    BENCH_SECONDS=60        of each of the parts below
    BENCH_SLIDE_SECONDS=2   of rankings (window: 10 slides) and of metrics (window: 1 slide)
    BENCH_ARGUMENTS=        more for `hotpath run`

1. From the end of a window to its ranking, and its metrics, in Redis. The clock starts when the
   producer hands to its library the first event that lets the watermark reach the end (window end +
   --max-out-of-orderness); so the library, Kafka and all queues are in it. A poll each 2 ms ends it.
   `by schedule`: the clock starts when that event was due, however late the producer was.
2. From a changed document (moved into the scenarios folder) to the ranking by its revision in Redis.
3. A reader's ZRANGE of 50 items: on the Redis that is written to, and in turns on a second Redis with
   the same rankings and no writes. The cores are as busy for both, so the difference is our writes'.
4. In a run of its own, one scenario with 1M items, while windows of all items slide: the longest pause
   between events that were applied (each worker's hotpath_applied_pause_seconds), and the longest for
   which events had come and waited (hotpath_intake_stall_seconds).

Broker, producer, Redis, readers and the pipeline share the machine's cores.
"""

import json
import os
import shlex
import socket
import sys
import tempfile
import time
from pathlib import Path

import bench_events
import bench_report
from bench_live import Live, percentiles
from bench_process import BenchError, integer
from bench_scenarios import REFERENCE_FOLDER
from support import servers

import bench

RESULT = bench_events.OUT / "freshness.json"
OUT_OF_ORDERNESS_MS = 5000      # the default of --max-out-of-orderness
POLL_SECONDS = 0.002
CHANGE_SECONDS = 0.4            # between two changes of documents
CHANGE_SECONDS_MAX = 20
READ_SECONDS = 0.001            # between two reads
READ_ITEMS = 50
WARM_SECONDS = 8
PAUSE_ITEMS = 1_000_000
PAUSE_WINDOW_SECONDS = 30
PAUSE_SLIDE_SECONDS = 10
PAUSE_LOOKS_BACK_SECONDS = 60   # of both gauges: so long at most
PAUSE_GAUGES = {"pause": "hotpath_applied_pause_seconds", "stall": "hotpath_intake_stall_seconds"}


class Settings:
    def __init__(self, environment):
        self.rate = integer(environment, "BENCH_RATE", 100_000)
        self.seconds = integer(environment, "BENCH_SECONDS", 60)
        self.slide = integer(environment, "BENCH_SLIDE_SECONDS", 2)
        self.arguments = shlex.split(environment.get("BENCH_ARGUMENTS", ""))
        if min(self.rate, self.slide) < 1 or self.seconds < 10:
            raise BenchError("BENCH_RATE and BENCH_SLIDE_SECONDS must be at least 1, BENCH_SECONDS 10")


class Redis:
    """A connection for commands that are sent as they are: quicker than a client, and steady."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")

    @staticmethod
    def encode(*words):
        return b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))

    def ask(self, command, count=1):
        """The answers to `count` commands that were encoded one after another."""
        self.socket.sendall(command)
        return [self._answer() for _ in range(count)]

    def _answer(self):
        line = self.answers.readline()
        kind, number = line[:1], line[1:-2]
        if kind == b"*":
            return [self._answer() for _ in range(int(number))]
        if kind == b"$":
            return self.answers.read(int(number) + 2)[:-2] if number != b"-1" else None
        raise BenchError(f"Redis says {line!r}")


def documents_of(folder, change):
    """The reference's documents, their realtime_compute changed by `change`;
    {(tenant, scenario): (file name, document)}."""
    folder.mkdir()
    found = {}
    for path in sorted(REFERENCE_FOLDER.glob("*.json")):
        document = json.loads(path.read_text())
        change(document["config"]["realtime_compute"])
        (folder / path.name).write_text(json.dumps(document))
        found[document["tenant_id"], document["scenario_id"]] = (path.name, document)
    return found


def set_windows(realtime, slide, slides):
    hot_score, metrics = (realtime.setdefault(name, {}) for name in ("hot_score", "metrics"))
    for section, size in ((hot_score, slide * slides), (metrics, slide)):
        for name in ("window_size_minutes", "window_slide_minutes"):
            section.pop(name, None)
        section.update(window_size_seconds=size, window_slide_seconds=slide)


class Watch:
    """What each scenario's ranking and metrics in Redis say of themselves."""

    def __init__(self, port, names):
        self.redis = Redis(port)
        self.keys = [(kind, name) for name in names for kind in ("ranking", "metrics")]
        self.command = b"".join(
            Redis.encode("HMGET", f"hot:items:{':'.join(name)}:meta" if kind == "ranking" else
                         f"rec:metrics:{':'.join(name)}", "window_end", "revision")
            for kind, name in self.keys)

    def look(self):
        """{(kind, name): (window_end, revision)}; 0 for what is not there."""
        answers = self.redis.ask(self.command, len(self.keys))
        return {key: tuple(int(value or 0) for value in answer)
                for key, answer in zip(self.keys, answers, strict=True)}


def marks_of(path):
    """{event time of a whole second: clock when its first event was sent}, in ms."""
    lines = path.read_text().splitlines(keepends=True)
    return {int(second): float(sent)
            for second, sent in (line.split() for line in lines if line.endswith("\n"))}


def measure_windows(watch, marks, seconds):
    """{kind: [ms from the watermark's passing of a window's end until it was seen in Redis]}."""
    seen_at = []
    last = watch.look()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(POLL_SECONDS)
        seen = watch.look()
        now_ms = time.time() * 1000
        for key, (window_end, _) in seen.items():
            if window_end > last[key][0]:
                seen_at.append((key[0], window_end + OUT_OF_ORDERNESS_MS, now_ms))
        last = seen
    sent = marks_of(marks)
    found = {}
    for kind, passing, now_ms in seen_at:
        found.setdefault(kind, []).append(now_ms - sent[passing])
        found.setdefault(f"{kind} (by schedule)", []).append(now_ms - passing)
    return dict(sorted(found.items(), key=lambda entry: "(" in entry[0]))


def measure_changes(watch, folder, documents, seconds):
    """[ms from a document's move into the folder until Redis has the ranking by it]."""
    found = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        name = list(documents)[len(found) % len(documents)]
        file_name, document = documents[name]
        document["config"]["realtime_compute"]["hot_score"]["action_weights"] = {
            "view": 1, "click": 2 + len(found) / 100, "purchase": 10}
        half = folder.with_suffix(".half")
        half.write_text(json.dumps(document))
        before = watch.look()["ranking", name][1]
        began = time.monotonic()
        os.replace(half, folder / file_name)
        while watch.look()["ranking", name][1] <= before:
            if time.monotonic() - began > CHANGE_SECONDS_MAX:
                raise BenchError(f"a change of {file_name} is not in Redis")
            time.sleep(POLL_SECONDS)
        found.append((time.monotonic() - began) * 1000)
        time.sleep(CHANGE_SECONDS)
    return found


def measure_reads(redis, quiet, names, seconds):
    """{written, quiet: [ms that a ZRANGE took]}, in turns."""
    keys = [f"hot:items:{':'.join(name)}" for name in names]
    for key in keys:
        quiet.client().restore(key, 0, redis.client().dump(key), replace=True)
    commands = [Redis.encode("ZRANGE", key, "0", str(READ_ITEMS - 1), "REV", "WITHSCORES")
                for key in keys]
    asked = {"written": Redis(redis.port), "quiet": Redis(quiet.port)}
    found = {name: [] for name in asked}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for name, connection in asked.items():
            command = commands[len(found[name]) % len(commands)]
            began = time.perf_counter()
            connection.ask(command)
            found[name].append((time.perf_counter() - began) * 1000)
        time.sleep(READ_SECONDS)
    return found


def applied(live):
    return live.metric("scorer", "hotpath_stage_events_total", 'outcome="applied"')


def measure_flow(settings, folder, redis, brokers):
    """Parts 1 to 3, and at which rate and cost."""
    documents = documents_of(folder / "scenarios",
                             lambda realtime: set_windows(realtime, settings.slide, 10))
    with servers.Redis() as quiet, \
            Live(folder, redis, folder / "scenarios", brokers,
                 flags=[*live_flags(settings), "--marks", str(folder / "marks")],
                 arguments=settings.arguments) as live:
        watch = Watch(redis.port, documents)
        time.sleep(WARM_SECONDS)
        servers.wait_until(lambda: all(end for end, _ in watch.look().values()), 60,
                           "every scenario has a ranking and metrics")
        events, usage, began = applied(live), live.usage(), time.monotonic()
        bench_events.say("windows")
        windows = measure_windows(watch, folder / "marks", settings.seconds)
        seconds, more = time.monotonic() - began, applied(live) - events
        cpu = sum(spent[0] for spent in live.usage().values()) - sum(u[0] for u in usage.values())
        live.check()
        bench_events.say("changes of documents")
        changes = measure_changes(watch, folder / "scenarios", documents, settings.seconds)
        live.check()
        bench_events.say("reads")
        reads = measure_reads(redis, quiet, documents, settings.seconds)
        live.check()
        feed = live.end_feed()
    return {"offered_per_second": settings.rate,
            "sent_per_second": feed["events"] / feed["wall_seconds"], "sent_late_ms": feed["late_ms"],
            "applied_per_second": more / seconds, "cpu_us_per_event": cpu / more * 1e6,
            "window_end_to_redis_ms": {kind: percentiles(found) for kind, found in windows.items()},
            "change_to_redis_ms": percentiles(changes),
            "zrange_ms": {kind: percentiles(found) for kind, found in reads.items()}}


def live_flags(settings):
    return ["--rate", str(settings.rate), "--start-ms", "0", "--jitter-ms", "0"]


def measure_pause(settings, folder, redis, brokers):
    """Part 4."""
    documents = folder / "scenarios"
    documents.mkdir()
    realtime = {}
    set_windows(realtime, PAUSE_SLIDE_SECONDS, PAUSE_WINDOW_SECONDS // PAUSE_SLIDE_SECONDS)
    (documents / "one.json").write_text(json.dumps({
        "tenant_id": "tenant_000", "scenario_id": "scenario_000", "status": "active",
        "config": {"realtime_compute": realtime}}))
    flags = [*live_flags(settings), "--tenants", "1", "--scenarios", "1", "--items", str(PAUSE_ITEMS),
             "--item-skew", "0"]
    stages = ("scorer", "profiler", "metrics")
    with Live(folder, redis, documents, brokers, flags=flags, arguments=settings.arguments) as live:
        time.sleep(PAUSE_WINDOW_SECONDS + PAUSE_LOOKS_BACK_SECONDS + WARM_SECONDS)
        events, began = applied(live), time.monotonic()
        longest = {kind: dict.fromkeys(stages, 0.0) for kind in PAUSE_GAUGES}
        while time.monotonic() - began < settings.seconds:
            for kind, gauge in PAUSE_GAUGES.items():
                for stage in stages:
                    longest[kind][stage] = max(longest[kind][stage], live.metric(stage, gauge) * 1000)
            time.sleep(5)
        live.check()
        meta = Redis(redis.port).ask(Redis.encode(
            "HMGET", "hot:items:tenant_000:scenario_000:meta", "items", "window_end"))[0]
        result = {"applied_per_second": (applied(live) - events) / (time.monotonic() - began),
                  "cells": live.metric("scorer", "hotpath_cells"), "ranked_items": int(meta[0] or 0),
                  "longest_pause_ms": longest["pause"], "longest_stall_ms": longest["stall"]}
        feed = live.end_feed()
    return {**result, "sent_per_second": feed["events"] / feed["wall_seconds"],
            "sent_late_ms": feed["late_ms"]}


# --- What is printed ----------------------------------------------------------------------------

def _row(title, found):
    return [title, f"{found['count']:,}",
            *("–" if found[name] is None else f"{found[name]:.1f}" if found[name] >= 10 else
              f"{found[name]:.2f}" for name in ("p50", "p99", "p999", "max"))]


def markdown(result):
    rows = [_row(f"window end -> {kind} in Redis", found)
            for kind, found in result["window_end_to_redis_ms"].items()]
    rows += [_row("changed document -> ranking in Redis", result["change_to_redis_ms"]),
             _row(f"ZRANGE of {READ_ITEMS}, on the Redis that is written to",
                  result["zrange_ms"]["written"]),
             _row("the same, on a Redis without writes", result["zrange_ms"]["quiet"])]
    text = bench_report.markdown_table(["ms", "samples", "p50", "p99", "p99.9", "greatest"], rows)
    pause = result.get("pause")
    text += (f"\n\nOffered: {result['offered_per_second']:,} events/s; sent "
             f"{result['sent_per_second']:,.0f}/s (at most {result['sent_late_ms']:.0f} ms after they "
             f"were due), applied {result['applied_per_second']:,.0f}/s at "
             f"{result['cpu_us_per_event']:.2f} us of CPU an event.")
    if pause:
        longest, waited = (", ".join(f"{stage} {ms:.0f} ms" for stage, ms in pause[kind].items())
                           for kind in ("longest_pause_ms", "longest_stall_ms"))
        text += (f"\n\nLongest pause between applied events while windows of {PAUSE_ITEMS:,} items "
                 f"slide ({pause['cells']:,.0f} cells, {pause['applied_per_second']:,.0f} events/s): "
                 f"{longest}; of it, with events that had come: {waited}. The producer itself was late by "
                 f"{pause['sent_late_ms']:.0f} ms at most.")
    return text


def run():
    settings = Settings(os.environ)
    bench_events.OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="hotpath-bench-") as name, servers.Redis() as redis, \
            servers.Kafka() as kafka:
        folder = Path(name)
        for part in ("flow", "pause"):
            (folder / part).mkdir()
        result = {**bench_report.provenance(),
                  **measure_flow(settings, folder / "flow", redis, kafka.brokers)}
        redis.client().flushall()
        bench_events.say(f"{PAUSE_ITEMS:,} items")
        result["pause"] = measure_pause(settings, folder / "pause", redis, kafka.brokers)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{markdown(result)}\n{result['machine']}\nAs JSON: {RESULT}")


if __name__ == "__main__":
    sys.exit(bench.main(run))
