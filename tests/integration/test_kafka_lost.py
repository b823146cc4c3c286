"""Offsets that are gone: the partition stops and says so, others go on, and it goes on where told.

With --on-lost-offsets=skip what is still there counts once, and results say exact=0. Retention that
passed what was applied keeps the partition's name; a topic that was made anew or cut goes on as
another generation of it, which all processes name alike, now and later. In Kafka it is the same.
"""

import re
import shutil
import time

import pytest
from conftest import Topic, expected_of_topic
from support import kafka_tools, maker, oracle, servers
from test_status import Status, free_ports

DATA_ERROR = 65
SECONDS_MAX = 120
SKIP = "--on-lost-offsets=skip"
MINUTES = 20    # of event time: less than the windows of two rankings, so that they cover the loss


def make(seed, minutes_later=0, events=1_500, partitions=2):
    return maker.make(maker.Options(
        events=events, seed=seed, partitions=partitions, minutes=MINUTES, for_kafka=True,
        start_ms=maker.START_MS + minutes_later * 60_000))


def of_partition(stream, partition):
    return [record for record in stream.kafka_records() if record.partition == partition]


def renamed(stream, names):
    """The stream's partitions by other names, for the oracle: {index: name}."""
    partitions = stream.kafka_partitions("t")
    return {name: partitions[f"t/{index}"] for index, name in names.items()}


def assert_inexact(pipeline):
    exact = [pipeline.client.hget(key, "exact") for key in pipeline.client.keys("hot:items:*:meta")]
    assert exact and b"0" in exact, exact


def stopped(pipeline, made, *words):
    """--once ends with 65, naming all of these."""
    finished = pipeline.run(*made.arguments(pipeline), "--once")
    assert finished.code == DATA_ERROR, finished.explain()
    for word in words:
        assert word in finished.stderr, finished.explain()


def test_retention(pipeline, topic):
    stream, made = make(401), topic(2)
    records = stream.kafka_records()
    pipeline.write_scenarios(stream.documents)
    made.produce(records[:900])
    pipeline.once(*made.arguments(pipeline))
    made.produce(records[900:])
    applied = sum(record.partition == 0 for record in records[:900])
    kafka_tools.delete_records(made.brokers, made.name, {0: applied + 100})
    stopped(pipeline, made, f"{made.name}/0", f"applied={applied}", f"oldest={applied + 100}",
            "--on-lost-offsets=skip")

    pipeline.once(*made.arguments(pipeline), SKIP)
    del stream.partitions[0][applied:applied + 100]
    pipeline.assert_equals(expected_of_topic(stream), exact=False)
    assert_inexact(pipeline)
    # It is settled: what was skipped is not asked for again.
    finished = pipeline.once(*made.arguments(pipeline))
    assert "events in 0 " in finished.stdout
    pipeline.assert_equals(expected_of_topic(stream), exact=False)


def test_retention_stops_one_partition_alone(pipeline, topic):
    stream, made = make(402), topic(2)
    records = stream.kafka_records()
    pipeline.write_scenarios(stream.documents)
    made.produce(records[:300])
    pipeline.once(*made.arguments(pipeline))
    made.produce(records[300:])
    counts = [len(of_partition(stream, partition)) for partition in (0, 1)]
    kafka_tools.delete_records(made.brokers, made.name, {0: counts[0]})
    status = Status(free_ports(6))
    with pipeline.start(*made.arguments(pipeline), "--commit-interval", "500ms",
                        "--status-port", status.ports["configd"]) as running:
        servers.wait_until(
            lambda: kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name).get(1)
            == counts[1], SECONDS_MAX, "the other partition is read to its end", 0.5)
        # One partition may be read to its end before it is known that the other cannot be.
        status.wait_not_ready("ingestor-0", SECONDS_MAX, f"{made.name}/0 has lost offsets")
        code, text = status.get("ingestor-0", "/readyz")
        assert code == 503, text
        assert f"{made.name}/0 has lost offsets" in text and f"{counts[0]} to {counts[0]}" in text, text
        assert f"{made.name}/1" not in text, text
        assert running.process.poll() is None
        assert running.stop().code == 0


@pytest.mark.parametrize("shards", ["all know it", "some are new"])
def test_topic_made_anew(pipeline, topic, shards):
    """Stopped each time until it is told to skip; then it is the partition's next generation for all."""
    before, after, made = make(403), make(404, minutes_later=MINUTES, events=1_200), topic(2)
    pipeline.write_scenarios(before.documents)
    made.produce(before.kafka_records())
    pipeline.once(*made.arguments(pipeline))
    kafka_tools.recreate_topic(made.brokers, made.name, 2)
    # In the order of their times: the last run's end makes nothing late.
    first, second = after.kafka_records()[:200], after.kafka_records()[200:]
    made.produce(first)
    if shards == "some are new":
        shutil.rmtree(pipeline.state / "scorer")
    stopped(pipeline, made, f"{made.name}/0", "made anew", "--on-lost-offsets=skip")
    stopped(pipeline, made, f"{made.name}/0")

    pipeline.once(*made.arguments(pipeline), SKIP)
    made.produce(second)
    # The generation is known now: there is nothing to skip, whoever asks.
    finished = pipeline.once(*made.arguments(pipeline))
    counts = [len(of_partition(after, partition)) for partition in (0, 1)]
    assert kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name) \
        == dict(enumerate(counts)), finished.explain()
    if shards == "all know it":
        expected = oracle.compute({**renamed(before, {0: "a", 1: "b"}),
                                   **renamed(after, {0: "c", 1: "d"})}, before.documents)
        pipeline.assert_equals(expected, exact=False)
        assert_inexact(pipeline)
    # Another group knows it from the shards alone.
    pipeline.group += "-other"
    finished = pipeline.once(*made.arguments(pipeline))
    assert "events in 0 " in finished.stdout, finished.explain()


def test_topic_made_anew_twice(pipeline, topic):
    streams = [make(410 + index, minutes_later=MINUTES * index, events=900 - 300 * index,
                    partitions=1) for index in range(3)]
    made = topic(1)
    pipeline.write_scenarios(streams[0].documents)
    made.produce(streams[0].kafka_records())
    pipeline.once(*made.arguments(pipeline))
    for stream in streams[1:]:
        kafka_tools.recreate_topic(made.brokers, made.name, 1)
        made.produce(stream.kafka_records())
        finished = pipeline.once(*made.arguments(pipeline), SKIP, "--log-level", "info")
    assert f"{made.name}/0+2@0" in finished.stderr, finished.explain()
    expected = oracle.compute({f"p{index}": renamed(stream, {0: "x"})["x"]
                               for index, stream in enumerate(streams)}, streams[0].documents)
    pipeline.assert_equals(expected, exact=False)
    committed = kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
    assert committed == {0: len(streams[2].partitions[0])}


LIVE = ["--commit-interval", "500ms", "--idle-timeout", "1h", "--max-hold", "7d",
        "--idle-advance=off", "--ingestors", 2]


def all_committed(pipeline, made, stream):
    offsets = kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
    return offsets == {index: len(part) for index, part in enumerate(stream.partitions)}


def wait_for_a_partition_each(running):
    """Both ingestors read then: one that gets a partition only while its topic is made anew has not seen
    the commits that tell it so (docs/decisions/0007)."""
    servers.wait_until(
        lambda: all(re.search(rf'process=ingestor-{number} msg="Kafka: partitions assigned" count=[12]',
                              running.finished(None).stderr) for number in (0, 1)),
        SECONDS_MAX, "each ingestor has a partition", 0.1)


def test_topic_made_anew_while_it_is_read(pipeline, topic):
    """Two ingestors, told to skip: they go over to the new generation by themselves."""
    before, after, made = make(420), make(421, minutes_later=MINUTES, events=300), topic(2)
    pipeline.write_scenarios(before.documents)
    with pipeline.start(*made.arguments(pipeline), *LIVE, SKIP) as running:
        wait_for_a_partition_each(running)
        made.produce(before.kafka_records())
        servers.wait_until(lambda: all_committed(pipeline, made, before), SECONDS_MAX,
                           "all is read", 0.5)
        kafka_tools.recreate_topic(made.brokers, made.name, 2)
        made.produce(after.kafka_records())
        servers.wait_until(lambda: all_committed(pipeline, made, after), SECONDS_MAX,
                           "all is read again", 0.5)
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    pipeline.once(*made.arguments(pipeline))
    expected = oracle.compute({**renamed(before, {0: "a", 1: "b"}),
                               **renamed(after, {0: "c", 1: "d"})}, before.documents)
    pipeline.assert_equals(expected, exact=False)


def actions(pipeline):
    return sum(float(pipeline.client.hget(key, "total_actions") or 0)
               for key in pipeline.client.keys("rec:metrics:*") if not key.endswith(b":history"))


@pytest.mark.parametrize("way", ["stop", "skip"])
def test_topic_made_anew_and_longer(pipeline, topic, way):
    """The offsets that are wanted next are there, but of another topic: that is noticed too, if not
    before some of it was read, and none of it counts twice."""
    before, made = make(440, events=200), topic(2)
    after = make(441, minutes_later=1, events=4_000)
    pipeline.write_scenarios(before.documents)
    more = [SKIP] if way == "skip" else []
    with pipeline.start(*made.arguments(pipeline), *LIVE, *more) as running:
        wait_for_a_partition_each(running)
        made.produce(before.kafka_records())
        servers.wait_until(lambda: all_committed(pipeline, made, before), SECONDS_MAX,
                           "all is read", 0.5)
        kafka_tools.recreate_topic(made.brokers, made.name, 2)
        made.produce(after.kafka_records())
        if way == "stop":
            servers.wait_until(lambda: "made anew" in running.finished(None).stderr, SECONDS_MAX,
                               "it says so")
            time.sleep(2)
            assert not kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
        else:
            servers.wait_until(lambda: all_committed(pipeline, made, after), SECONDS_MAX,
                               "all is read again", 0.5)
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert "lost offsets" in finished.stderr, finished.explain()
    if way == "stop":
        return
    pipeline.once(*made.arguments(pipeline))
    assert_inexact(pipeline)
    expected = oracle.compute({**renamed(before, {0: "a", 1: "b"}),
                               **renamed(after, {0: "c", 1: "d"})}, before.documents)
    most = sum(window.exact["total_actions"] for history in expected.metrics.values()
               for window in history.windows[-1:])
    assert 0 < actions(pipeline) <= most


def cut_log(kafka, topic):
    """Cuts the log of partition 0 in the middle, as an unclean election may."""
    folder = kafka.folder / "data" / f"{topic}-0"
    [log] = folder.glob("*.log")
    for index in [*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")]:
        index.unlink()
    with open(log, "r+b") as file:
        file.truncate(log.stat().st_size // 2)


def test_partition_that_was_cut(pipeline):
    before, after = make(430, partitions=1), make(431, minutes_later=MINUTES, partitions=1)
    with servers.Kafka() as kafka:
        made = Topic(kafka, 1)
        pipeline.write_scenarios(before.documents)
        # Small batches: the broker keeps whole ones.
        for start in range(0, 1_500, 100):
            made.produce(before.kafka_records()[start:start + 100])
        pipeline.once(*made.arguments(pipeline))
        kafka.kill()
        cut_log(kafka, made.name)
        kafka.start()
        end = servers.wait_until(lambda: kafka_tools.end_offsets(made.brokers, made.name)[0],
                                 SECONDS_MAX, "the broker leads it again")
        assert 0 < end < 1_500
        stopped(pipeline, made, f"{made.name}/0", "applied=1500", f"end={end}")
        finished = pipeline.once(*made.arguments(pipeline), SKIP, "--log-level", "info")
        assert f"{made.name}/0+1@{end}" in finished.stderr, finished.explain()
        made.produce(after.kafka_records())
        pipeline.once(*made.arguments(pipeline))
        expected = oracle.compute({**renamed(before, {0: "a"}), **renamed(after, {0: "b"})},
                                  before.documents)
        pipeline.assert_equals(expected, exact=False)
        assert_inexact(pipeline)
