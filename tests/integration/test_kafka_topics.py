"""Partitions and topics come and go while the pipeline runs: new ones are read from their beginning, a deleted
one is named and holds nobody back."""

import pytest
from conftest import expected_of_topic
from support import kafka_tools, maker, oracle, servers
from test_status import Status, free_ports

SECONDS_MAX = 120
LIVE = ["--commit-interval", "500ms", "--idle-timeout", "1h", "--max-hold", "7d",
        "--idle-advance=off"]


def make(seed, partitions, minutes_later=0, events=1_500):
    return maker.make(maker.Options(
        events=events, seed=seed, partitions=partitions, minutes=30, for_kafka=True,
        start_ms=maker.START_MS + minutes_later * 60_000))


def wait_read(pipeline, brokers, topic, counts):
    servers.wait_until(
        lambda: kafka_tools.committed_offsets(brokers, pipeline.group, topic) == counts,
        SECONDS_MAX, f"{topic} is read to {counts}", 0.5)


def begin_later(stream, partitions):
    """Leaves out what these would have before half of the time; returns that. Event time does not wait for
    partitions that may come."""
    begin_ms = stream.options.start_ms + 15 * 60_000
    for index in partitions:
        stream.partitions[index] = [message for message in stream.partitions[index]
                                    if message.record_time_ms >= begin_ms]
    return begin_ms


@pytest.mark.parametrize("begin", ["earliest", "latest"])
def test_partitions_are_added(pipeline, topic, begin):
    """`latest` is for what was there before the pipeline: it must not pass over new partitions."""
    stream, made = make(601, 4), topic(2)
    begin_ms = begin_later(stream, (2, 3))
    records = stream.kafka_records()
    early = [record for record in records if record.time_ms < begin_ms]
    pipeline.write_scenarios(stream.documents)
    with pipeline.start(*made.arguments(pipeline), *LIVE, "--from", begin) as running:
        wait_read(pipeline, made.brokers, made.name, {0: 0, 1: 0})
        made.produce(early)
        wait_read(pipeline, made.brokers, made.name,
                  {partition: sum(record.partition == partition for record in early)
                   for partition in (0, 1)})
        kafka_tools.add_partitions(made.brokers, made.name, 4)
        # Before the pipeline knows of them; the others do not go on before it does.
        made.produce(record for record in records if record.partition >= 2)
        servers.wait_until(
            lambda: kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name).get(3)
            == len(stream.partitions[3]), SECONDS_MAX, "a new partition is read", 0.5)
        made.produce(record for record in records
                     if record.partition < 2 and record.time_ms >= begin_ms)
        wait_read(pipeline, made.brokers, made.name,
                  {index: len(part) for index, part in enumerate(stream.partitions)})
        assert running.stop().code == 0
    pipeline.once(*made.arguments(pipeline))
    pipeline.assert_equals(expected_of_topic(stream))


def test_topic_comes_later(pipeline, topic, kafka):
    stream, made = make(602, 2), topic(1)
    later = f"{made.name}-later"
    begin_ms = begin_later(stream, (1,))
    records = stream.kafka_records()
    early = [record for record in records if record.partition == 0 and record.time_ms < begin_ms]
    arguments = ["--brokers", kafka.brokers, "--topics", f"^{made.name}(-.*)?$", "--group",
                 pipeline.group]
    pipeline.write_scenarios(stream.documents)
    with pipeline.start(*arguments, *LIVE) as running:
        made.produce(early)
        servers.wait_until(
            lambda: kafka_tools.committed_offsets(kafka.brokers, pipeline.group, made.name).get(0),
            SECONDS_MAX, "the first topic", 0.5)
        kafka_tools.create_topic(kafka.brokers, later, 1)
        kafka_tools.produce(kafka.brokers, later, [record._replace(partition=0)
                                                   for record in records if record.partition == 1])
        wait_read(pipeline, kafka.brokers, later, {0: len(stream.partitions[1])})
        made.produce(record for record in records
                     if record.partition == 0 and record.time_ms >= begin_ms)
        wait_read(pipeline, kafka.brokers, made.name, {0: len(stream.partitions[0])})
        assert running.stop().code == 0
    pipeline.once(*arguments)
    pipeline.assert_equals(expected_of_topic(stream))


def test_topic_is_deleted(pipeline, topic, kafka):
    """It would hold event time back for ever: nothing comes of it any more."""
    stream, made = make(603, 2), topic(1)
    more = make(604, 1, minutes_later=30)
    deleted = f"{made.name}-deleted"
    records = stream.kafka_records()
    arguments = ["--brokers", kafka.brokers, "--topics", f"^{made.name}(-.*)?$", "--group",
                 pipeline.group]
    kafka_tools.create_topic(kafka.brokers, deleted, 1)
    made.produce(record for record in records if record.partition == 0)
    kafka_tools.produce(kafka.brokers, deleted, [record._replace(partition=0)
                                                 for record in records if record.partition == 1])
    pipeline.write_scenarios(stream.documents)
    status = Status(free_ports(6))
    with pipeline.start(*arguments, *LIVE, "--status-port", status.ports["configd"]) as running:
        wait_read(pipeline, kafka.brokers, deleted, {0: len(stream.partitions[1])})
        kafka_tools.delete_topic(kafka.brokers, deleted)
        made.produce(more.kafka_records())
        end_ms = more.kafka_records()[-1].time_ms - 10 * 60_000
        servers.wait_until(
            lambda: int(pipeline.client.hget("rec:metrics:acme:shop", "window_end") or 0) > end_ms,
            SECONDS_MAX, "event time goes on without it")
        servers.wait_until(
            lambda: f"{deleted}/0 is gone: its topic was deleted" in
            status.get("ingestor-0", "/readyz?verbose")[1], SECONDS_MAX, "readiness says so")
        assert status.get("ingestor-0", "/readyz")[0] == 200
        servers.wait_until(lambda: status.value("ingestor-0", "hotpath_partitions_gone") == 1,
                           SECONDS_MAX, "a metric says so")
        assert running.process.poll() is None
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert "as if its topic was deleted" in finished.stderr and f"{deleted}/0" in finished.stderr
    pipeline.once(*arguments)
    partitions = stream.kafka_partitions()
    partitions["topic/0"] += [record._replace(offset=record.offset + len(stream.partitions[0]))
                              for record in more.kafka_partitions()["topic/0"]]
    pipeline.assert_equals(oracle.compute(partitions, stream.documents))
