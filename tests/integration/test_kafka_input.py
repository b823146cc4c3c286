"""What Kafka may hold: large messages, compressed batches, transactions, tombstones, odd keys, its own times.

The oracle reads the topic itself, as it is when all is written.
"""

import json
import random
import string
import time

import pytest
from confluent_kafka import Producer
from conftest import Topic, assert_made, expected_of_topic
from support import kafka_tools, maker, oracle, servers
from support.kafka_tools import Record

MESSAGE_BYTES_MAX = 1 << 20
HEAD_BYTES = 64 << 10
SECONDS_MAX = 120


def make(seed, **more):
    return maker.make(maker.Options(**{"events": 600, "seed": seed, "minutes": 20,
                                       "for_kafka": True, **more}))


def event_of_size(at, size):
    """A valid event of `size` bytes, in a field that nobody reads."""
    event = {"tenant_id": "acme", "scenario_id": "shop", "user_id": "large", "item_id": f"i{size}",
             "action_type": "purchase", "timestamp": at, "note": ""}
    event["note"] = "n" * (size - len(json.dumps(event)))
    value = json.dumps(event).encode()
    assert len(value) == size
    return value


def noise(size):
    """No message, and little that compression could do about its size."""
    return bytes(random.Random(size).choices(string.ascii_letters.encode(), k=size))


def expected_now(made, stream):
    return oracle.compute(kafka_tools.partitions_of_topic(made.brokers, made.name),
                          stream.documents)


def test_sizes_up_to_the_limit(pipeline, topic):
    """1 MiB is the most; one byte more is a dead letter with its head. 24 large ones in a row pass
    every limit of a fetch."""
    stream, made = make(501), topic(1)
    records = stream.kafka_records()
    at = records[-1].time_ms
    large = [Record(0, None, event_of_size(at, size), at) for size in
             [MESSAGE_BYTES_MAX] * 24 + [MESSAGE_BYTES_MAX + 1, 3 << 20, MESSAGE_BYTES_MAX - 1]]
    # Invalid, and as large as may be: kept whole.
    broken = Record(0, None, noise(MESSAGE_BYTES_MAX), at)
    made.produce([*records, *large, broken])
    pipeline.write_scenarios(stream.documents)
    finished = pipeline.once(*made.arguments(pipeline))
    assert "dead 3 (too_large 2, syntax 1)" in finished.stdout, finished.explain()
    pipeline.assert_equals(expected_now(made, stream))
    letters = {(headers["reason"], int(headers["size"])): (headers["truncated"], value)
               for headers, value in made.dead_letters()}
    for size in (MESSAGE_BYTES_MAX + 1, 3 << 20):
        assert letters[b"too_large", size] == (b"true", event_of_size(at, size)[:HEAD_BYTES])
    assert letters[b"syntax", MESSAGE_BYTES_MAX] == (b"false", broken.value)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed(pipeline, topic, codec):
    stream, made = make(502, partitions=2), topic(2)
    kafka_tools.produce(made.brokers, made.name, stream.kafka_records(), compression_type=codec,
                        linger_ms=100)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    pipeline.assert_equals(expected_of_topic(stream))


class Transactions:
    """A producer of transactions; `begin` ones stay open until commit () or abort ()."""

    def __init__(self, made):
        self.made = made
        self.producer = Producer({"bootstrap.servers": made.brokers, "log_level": 0,
                                  "transactional.id": f"{made.name}-{time.monotonic_ns()}"})
        self.producer.init_transactions(SECONDS_MAX)

    def begin(self, records):
        self.producer.begin_transaction()
        for record in records:
            self.producer.produce(self.made.name, value=record.value, partition=record.partition,
                                  timestamp=record.time_ms)
        assert self.producer.flush(SECONDS_MAX) == 0

    def commit(self):
        self.producer.commit_transaction(SECONDS_MAX)

    def abort(self):
        self.producer.abort_transaction(SECONDS_MAX)


def test_transactions(pipeline, topic):
    """Aborted ones are not seen, open ones and what is behind them wait; markers are passed."""
    stream, made = make(503), topic(1)
    records = stream.kafka_records()
    one, other = Transactions(made), Transactions(made)
    pipeline.write_scenarios(stream.documents)
    made.produce(records[:100])
    one.begin(records[100:200])
    one.commit()
    one.begin(records[200:300])
    one.abort()
    one.begin(records[300:400])
    made.produce(records[400:450])
    other.begin(records[450:500])
    other.commit()
    finished = pipeline.once(*made.arguments(pipeline))
    assert "events in 200 " in finished.stdout, finished.explain()
    one.commit()
    other.begin(records[500:])
    other.abort()
    finished = pipeline.once(*made.arguments(pipeline))
    assert "events in 200 " in finished.stdout, finished.explain()
    expected = expected_now(made, stream)
    assert sum(map(len, kafka_tools.partitions_of_topic(made.brokers, made.name).values())) == 400
    pipeline.assert_equals(expected)
    committed = kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
    assert committed == {0: 600 + 5}    # the markers, too


def test_open_transaction_is_not_idleness(pipeline, topic):
    """What was written and not yet committed is not nothing: event time waits for it."""
    scenario = {"tenant_id": "acme", "scenario_id": "now", "status": "active", "config": {
        "realtime_compute": {"hot_score": {"window_size_seconds": 2, "window_slide_seconds": 1},
                             "metrics": {"window_size_seconds": 1, "history_windows": 1000}}}}
    made = topic(1)
    pipeline.write_scenarios([scenario])
    transactions = Transactions(made)

    def records():
        at = int(time.time() * 1000)
        value = {"tenant_id": "acme", "scenario_id": "now", "user_id": "u", "item_id": "i",
                 "action_type": "view", "timestamp": at}
        return [Record(0, None, json.dumps(value).encode(), at)]

    def metrics_time_ms():
        return int(pipeline.client.hget("rec:metrics:acme:now", "window_end") or 0)
    with pipeline.start(*made.arguments(pipeline), "--idle-timeout", "1s", "--commit-interval",
                        "500ms", "--max-out-of-orderness", "1s") as running:
        made.produce(records())
        servers.wait_until(metrics_time_ms, SECONDS_MAX, "the clock closes the first window")
        late = records()
        transactions.begin(late)
        time.sleep(8)
        assert metrics_time_ms() <= late[0].time_ms + 1_000
        transactions.commit()
        servers.wait_until(lambda: metrics_time_ms() > late[0].time_ms + 1_000, SECONDS_MAX,
                           "time goes on")
        history = [json.loads(member) for member in
                   pipeline.client.zrange("rec:metrics:acme:now:history", 0, -1)]
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert sum(float(window["total_actions"]) for window in history) == 2, history


def test_tombstones_and_odd_keys(pipeline, topic):
    """A key decides nothing, and a dead letter keeps it: none is not the same as an empty one."""
    stream, made = make(504), topic(1)
    keys = [None, b"", b"k", bytes(range(256)), b"\xff\xfe", b"long" * 5_000]
    records = [record._replace(key=keys[index % len(keys)])
               for index, record in enumerate(stream.kafka_records())]
    at = records[300].time_ms
    poison = [Record(0, key, value, at) for key in keys for value in (None, b"", b"[]")]
    made.produce([*records[:300], *poison, *records[300:]])
    pipeline.write_scenarios(stream.documents)
    finished = pipeline.once(*made.arguments(pipeline))
    assert "dead 18 (empty 12, not_an_object 6)" in finished.stdout, finished.explain()
    pipeline.assert_equals(expected_now(made, stream))
    letters = [(record.key, record.value) for headers, record in
               kafka_tools.read_topic_with_headers(made.brokers, "hotpath.dlq")
               if headers["topic"] == made.name.encode()]
    assert letters == [(record.key, record.value) for record in poison]


def test_log_append_time(pipeline, topic):
    """Where the broker says the record's time, that is an event's without a timestamp of its own."""
    made = topic(1)
    kafka_tools.configure_topic(made.brokers, made.name, message_timestamp_type="LogAppendTime")
    # An old time of the producer, which the broker replaces; the events' own are of a while ago.
    stream = make(505, start_ms=int(time.time() * 1000) - 25 * 60_000)
    assert_made(stream, "record_time")
    made.produce(record._replace(time_ms=1_000) for record in stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    partitions = kafka_tools.partitions_of_topic(made.brokers, made.name)
    assert all(record.time_ms > 1_000_000 for record in partitions[f"{made.name}/0"])
    pipeline.assert_equals(oracle.compute(partitions, stream.documents))


@pytest.mark.parametrize("fault", ["absent", "too small"])
def test_dead_letters_are_refused(pipeline, fault):
    """The partition stands in front of what it cannot bury, the other one goes on, the log says why;
    when the topic takes it, all of it comes."""
    stream = make(506, partitions=2)
    records = stream.kafka_records()
    first = [index for index, record in enumerate(records) if record.partition == 0][50]
    poison = Record(0, b"k", noise(10_000), records[first].time_ms)
    records.insert(first, poison)
    with servers.Kafka(auto_create_topics_enable="false") as kafka:
        made = Topic(kafka, 2)
        if fault == "too small":
            kafka_tools.create_topic(kafka.brokers, "hotpath.dlq", 1, max_message_bytes=5_000)
        made.produce(records)
        pipeline.write_scenarios(stream.documents)
        with pipeline.start(*made.arguments(pipeline), "--commit-interval", "500ms",
                            "--idle-timeout", "1h", "--max-hold", "7d",
                            "-X", "topic.metadata.propagation.max.ms=1000") as running:
            def committed():
                return kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
            whole = len(stream.partitions[1])
            servers.wait_until(lambda: committed().get(1) == whole, SECONDS_MAX,
                               "the other partition", 0.5)
            servers.wait_until(lambda: "a dead letter" in running.finished(None).stderr,
                               SECONDS_MAX, "it says so")
            assert committed().get(0, 0) <= 50
            if fault == "absent":
                kafka_tools.create_topic(kafka.brokers, "hotpath.dlq", 1)
            else:
                kafka_tools.configure_topic(kafka.brokers, "hotpath.dlq", max_message_bytes=50_000)
            servers.wait_until(lambda: committed().get(0) == len(stream.partitions[0]) + 1,
                               SECONDS_MAX, "this partition goes on", 0.5)
            finished = running.stop()
        assert finished.code == 0, finished.explain()
        pipeline.once(*made.arguments(pipeline))
        pipeline.assert_equals(expected_now(made, stream))
        letters = made.dead_letters()
        assert [(value, headers["offset"]) for headers, value in letters] == [(poison.value, b"50")]
