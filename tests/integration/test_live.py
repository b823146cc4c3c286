"""The live path: it follows, closes the last window though nobody sends, and survives what dies.

Results of live runs are brought to the end of input by a last `--once` over the same state, and
then equal the oracle. The live part never calls a partition idle, since that would decide what
counts: without it the numbers depend on the input alone.
"""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from conftest import assert_made, expected_of_files, expected_of_topic
from support import kafka_tools, maker, servers

SECONDS_MAX = 60
LIVE = ["--commit-interval", "1s", "--idle-timeout", "1h", "--max-hold", "10h",
        "--idle-advance=off"]


def children(pid, name):
    """Process ids of the executables called `name` that `pid` started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            program = os.path.basename(os.readlink(entry / "exe"))
        except OSError:
            continue    # it ended while we looked
        if parent == pid and program == name:
            found.append(int(entry.name))
    return found


def wait_for_results(pipeline):
    servers.wait_until(lambda: pipeline.client.keys("rec:metrics:*"), SECONDS_MAX,
                       "the first metrics")


def test_follows_a_file(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=4_000, seed=101, jitter_ms=20_000, late_share=0.01))
    assert_made(stream, "out_of_order", "late")
    path = tmp_path / "events.jsonl"
    lines = [message.value + b"\n" for message in stream.partitions[0]]
    path.write_bytes(b"".join(lines[:1_000]))
    pipeline.write_scenarios(stream.documents)
    with pipeline.start("--file", path, "--follow", *LIVE) as running:
        wait_for_results(pipeline)
        for start in range(1_000, 4_000, 500):
            with open(path, "ab") as file:
                text = b"".join(lines[start:start + 500])
                # A writer may stop in the middle of a line.
                file.write(text[:-20])
                file.flush()
                time.sleep(0.1)
                file.write(text[-20:])
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    pipeline.once("--file", path)
    pipeline.assert_equals(expected_of_files(stream, [str(path)]))


@pytest.mark.parametrize("part", ["ingestor", "scorer", "profiler", "metrics", "sink", "configd"])
def test_one_process_killed(pipeline, topic, part):
    stream = maker.make(maker.Options(events=6_000, seed=102, partitions=2, jitter_ms=20_000,
                                      late_share=0.01, for_kafka=True))
    made = topic(2)
    records = stream.kafka_records()
    pipeline.write_scenarios(stream.documents)
    made.produce(records[:3_000])
    with pipeline.start(*made.arguments(pipeline), *LIVE) as running:
        wait_for_results(pipeline)
        killed = children(running.process.pid, f"hotpath-{part}")
        assert len(killed) == 1, killed
        if part == "configd":   # or each kill would leave the MongoDB driver's file in /dev/shm
            assert b"MONGOC_DISABLE_SHM=1" in Path(f"/proc/{killed[0]}/environ").read_bytes()
        os.kill(killed[0], signal.SIGKILL)
        made.produce(records[3_000:])
        servers.wait_until(
            lambda: [pid for pid in children(running.process.pid, f"hotpath-{part}")
                     if pid not in killed], SECONDS_MAX, f"another {part}")
        assert running.process.poll() is None
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    pipeline.once(*made.arguments(pipeline))
    pipeline.assert_equals(expected_of_topic(stream))


def test_everything_killed(pipeline, topic):
    stream = maker.make(maker.Options(events=6_000, seed=103, partitions=2, for_kafka=True))
    made = topic(2)
    records = stream.kafka_records()
    pipeline.write_scenarios(stream.documents)
    made.produce(records[:4_000])
    with pipeline.start(*made.arguments(pipeline), *LIVE) as running:
        wait_for_results(pipeline)
        running.kill()
    made.produce(records[4_000:])
    pipeline.once(*made.arguments(pipeline))
    pipeline.assert_equals(expected_of_topic(stream))


def test_redis_away_for_a_while(tmp_path, topic):
    """Results wait as owed: intake goes on, and nothing is lost."""
    from conftest import Pipeline
    stream = maker.make(maker.Options(events=6_000, seed=104, partitions=2, for_kafka=True))
    made = topic(2)
    records = stream.kafka_records()
    with servers.Redis("--appendonly", "yes") as redis:
        pipeline = Pipeline(tmp_path, redis)
        pipeline.write_scenarios(stream.documents)
        made.produce(records[:2_000])
        with pipeline.start(*made.arguments(pipeline), *LIVE) as running:
            wait_for_results(pipeline)
            redis.stop()
            made.produce(records[2_000:])
            committed = len(records) // 2

            def took_in():
                offsets = kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
                return sum(offsets.values()) > committed
            servers.wait_until(took_in, SECONDS_MAX, "intake without Redis", poll_seconds=0.5)
            redis.start()
            servers.wait_until(
                lambda: int(pipeline.client.hget("rec:metrics:acme:shop", "window_end") or 0)
                > records[5_000].time_ms, SECONDS_MAX, "what was owed")
            finished = running.stop()
        assert finished.code == 0, finished.explain()
        pipeline.once(*made.arguments(pipeline))
        pipeline.assert_equals(expected_of_topic(stream))


def test_the_last_window_closes_though_nobody_sends(pipeline, topic):
    """One partition stops early, another gets only poison from then on: neither holds back."""
    scenario = {"tenant_id": "acme", "scenario_id": "now", "status": "active", "config": {
        "realtime_compute": {
            "hot_score": {"window_size_seconds": 4, "window_slide_seconds": 2},
            "metrics": {"window_size_seconds": 2, "history_windows": 1000}}}}
    made = topic(3)
    pipeline.write_scenarios([scenario])
    with pipeline.start(*made.arguments(pipeline), "--idle-timeout", "1s") as running:
        now_ms = int(time.time() * 1000)
        records = []
        for index in range(2_000):
            at = now_ms - 20_000 + index * 10
            good = json.dumps({"tenant_id": "acme", "scenario_id": "now",
                               "user_id": f"u{index % 9}", "item_id": f"i{index % 5}",
                               "action_type": "view", "timestamp": at}).encode()
            if index < 100:
                records.append(kafka_tools.Record(index % 3, None, good, at))
            else:
                records.append(kafka_tools.Record(0, None, good, at))
                records.append(kafka_tools.Record(1, None, b"poison", at))
        made.produce(records)
        last_ms = now_ms - 10

        def windows():
            return {int(end): json.loads(member) for member, end in pipeline.client.zrange(
                "rec:metrics:acme:now:history", 0, -1, withscores=True)}
        servers.wait_until(lambda: max(windows(), default=0) > last_ms, SECONDS_MAX,
                           "the window of the last event")
        assert sum(float(window["total_actions"]) for window in windows().values()) == 2_000
        # Two slides of the wall clock later the items have left, and the ranking is gone.
        servers.wait_until(lambda: not pipeline.client.exists("hot:items:acme:now"), SECONDS_MAX,
                           "an empty ranking")
        finished = running.stop()
    assert finished.code == 0, finished.explain()
