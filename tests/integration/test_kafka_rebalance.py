"""Ingestors come, go, die and freeze while events flow: their partitions go to the others, and back, and
each event counts once.

`hotpath run` starts each of them again, so that every fault is two rebalances. Nothing is idle: what counts
depends on the input alone.
"""

import os
import random
import signal
import time

from conftest import expected_of_topic
from support import kafka_tools, maker, servers
from test_live import children

SECONDS_MAX = 90
LIVE = ["--commit-interval", "500ms", "--idle-timeout", "1h", "--max-hold", "7d",
        "--idle-advance=off", "--max-skew", "7d", "--ingestors", 3, "--shards", 8,
        "-X", "session.timeout.ms=6000"]


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def restart(running, chance, number):
    """One ingestor gets the signal; waits until three live again."""
    before = children(running.process.pid, "hotpath-ingestor")
    send(chance.choice(before), number)
    servers.wait_until(
        lambda: set(children(running.process.pid, "hotpath-ingestor")) != set(before), SECONDS_MAX,
        "it ends", 0.01)
    servers.wait_until(lambda: len(children(running.process.pid, "hotpath-ingestor")) == 3,
                       SECONDS_MAX, "another one")


def freeze(running, chance):
    """Longer than the group waits for it: it comes back as one that lost its partitions."""
    pid = chance.choice(children(running.process.pid, "hotpath-ingestor"))
    send(pid, signal.SIGSTOP)
    time.sleep(8)
    send(pid, signal.SIGCONT)


def test_rebalance_in_full_flow(pipeline, topic):
    stream = maker.make(maker.Options(events=24_000, seed=701, partitions=6, jitter_ms=20_000,
                                      late_share=0.01, for_kafka=True))
    made = topic(6)
    records = stream.kafka_records()
    chance = random.Random(701)
    faults = [signal.SIGTERM, signal.SIGKILL, None, signal.SIGKILL, signal.SIGTERM]
    pipeline.write_scenarios(stream.documents)
    made.produce(records[:4_000])
    with pipeline.start(*made.arguments(pipeline), *LIVE) as running:
        servers.wait_until(lambda: pipeline.client.keys("rec:metrics:*"), SECONDS_MAX,
                           "the first metrics")
        for index, fault in enumerate(faults):
            start = 4_000 * (index + 1)
            made.produce(records[start:start + 2_000])
            if fault:
                restart(running, chance, fault)
            else:
                freeze(running, chance)
            made.produce(records[start + 2_000:start + 4_000])
        servers.wait_until(
            lambda: kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
            == {index: len(part) for index, part in enumerate(stream.partitions)}, SECONDS_MAX,
            "all is read", 0.5)
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert finished.stderr.count("partitions revoked") >= 3, finished.explain()
    pipeline.once(*made.arguments(pipeline), "--shards", 8)
    pipeline.assert_equals(expected_of_topic(stream), shards=8)
