"""Topics that every engine reads: made events, in order, each record's time that of its event."""

import subprocess

from bench_events import MAKER, PARTITIONS
from bench_process import BenchError
from confluent_kafka import Producer
from support import kafka_tools

TIMESTAMP = b'"timestamp":'


def event_time_ms(line):
    """A made event's time, for its record: PyFlink takes event time from there alone."""
    at = line.index(TIMESTAMP) + len(TIMESTAMP)
    return int(line[at:at + 13])


def fill(brokers, topic, path, events, span_ms):
    """Makes the topic and writes so many events of that span of event time into it, by way of the
    file `path`, over its partitions in turn; uncompressed."""
    with open(path, "wb") as out:
        subprocess.run([MAKER, "--events", str(events), "--span-ms", str(span_ms)], stdout=out,
                       check=True)
    kafka_tools.create_topic(brokers, topic, PARTITIONS)
    failures = []
    # Idempotent: else a retry may change the order, and events come late.
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "batch.size": 1 << 20,
                         "enable.idempotence": True,
                         "queue.buffering.max.messages": 1_000_000, "log_level": 3,
                         "on_delivery": lambda error, _: error and failures.append(error)})
    with open(path, "rb") as lines:
        for count, line in enumerate(lines):
            while True:
                try:
                    producer.produce(topic, line[:-1], partition=count % PARTITIONS,
                                     timestamp=event_time_ms(line))
                    break
                except BufferError:
                    producer.poll(0.05)
            if count % 10_000 == 0:
                producer.poll(0)
    left = producer.flush(120)
    path.unlink()
    ends = sum(kafka_tools.end_offsets(brokers, topic).values())
    if failures or left or ends != events:
        raise BenchError(f"{topic}: {ends} of {events} events arrived, {failures[:1]}")
