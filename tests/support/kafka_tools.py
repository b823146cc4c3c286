"""What the tests do to a Kafka: make a topic, write records, read a topic, look at commits."""

from typing import NamedTuple, Optional

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

SECONDS_MAX = 30.0


class Record(NamedTuple):
    """One record of a topic. `time_ms` None lets the producer's clock say it."""
    partition: int
    key: Optional[bytes]
    value: Optional[bytes]
    time_ms: Optional[int]
    offset: int = -1


def _admin(brokers):
    return AdminClient({"bootstrap.servers": brokers})


def create_topic(brokers, topic, partitions, **config):
    """Makes a topic and waits until every partition of it has a leader."""
    admin = _admin(brokers)
    config = {key.replace("_", "."): str(value) for key, value in config.items()}
    made = admin.create_topics([NewTopic(topic, partitions, 1, config=config)])
    made[topic].result(SECONDS_MAX)
    _wait_for_topic(admin, topic, partitions)


def add_partitions(brokers, topic, partitions):
    """Grows a topic to `partitions` in all."""
    from confluent_kafka.admin import NewPartitions
    admin = _admin(brokers)
    admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(SECONDS_MAX)
    _wait_for_topic(admin, topic, partitions)


def configure_topic(brokers, topic, **config):
    """Changes settings of a topic."""
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource
    admin = _admin(brokers)
    entries = [ConfigEntry(key.replace("_", "."), str(value),
                           incremental_operation=AlterConfigOpType.SET)
               for key, value in config.items()]
    resource = ConfigResource("topic", topic, incremental_configs=entries)
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(SECONDS_MAX)


def delete_topic(brokers, topic):
    admin = _admin(brokers)     # its answer comes as long as it lives
    admin.delete_topics([topic])[topic].result(SECONDS_MAX)


def recreate_topic(brokers, topic, partitions, **config):
    """Deletes a topic and makes it anew, as soon as Kafka lets it."""
    from support.servers import wait_until
    admin = _admin(brokers)
    delete_topic(brokers, topic)
    wait_until(lambda: topic not in admin.list_topics(timeout=SECONDS_MAX).topics, SECONDS_MAX,
               f"{topic} is deleted")
    create_topic(brokers, topic, partitions, **config)


def delete_records(brokers, topic, before):
    """Drops all records below the offsets, {partition: offset}, as retention does."""
    wanted = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
    admin = _admin(brokers)     # its answers come as long as it lives
    for future in admin.delete_records(wanted).values():
        future.result(SECONDS_MAX)


def _wait_for_topic(admin, topic, partitions):
    from support.servers import wait_until

    def has_leaders():
        found = admin.list_topics(topic, timeout=SECONDS_MAX).topics[topic].partitions
        return len(found) == partitions and all(part.leader >= 0 for part in found.values())
    wait_until(has_leaders, SECONDS_MAX, f"leaders of {topic}")


def produce(brokers, topic, records, **settings):
    """Writes the records in their order (per partition it is kept); returns them with offsets.

    `settings` are more of librdkafka's, such as compression_type.
    """
    failures = []
    offsets = {}
    producer = Producer({
        "bootstrap.servers": brokers, "linger.ms": 5, "acks": "all", "enable.idempotence": True,
        "message.max.bytes": 8 << 20, "queue.buffering.max.messages": 1000000,
        "queue.buffering.max.kbytes": 1 << 20, "log_level": 3,
        **{name.replace("_", "."): value for name, value in settings.items()},
    })

    def keep(index):
        def on_delivery(error, message):
            if error is not None:
                failures.append(error)
            else:
                offsets[index] = message.offset()
        return on_delivery

    for index, record in enumerate(records):
        timed = {} if record.time_ms is None else {"timestamp": record.time_ms}
        while True:
            try:
                producer.produce(topic, value=record.value, key=record.key,
                                 partition=record.partition, on_delivery=keep(index), **timed)
                break
            except BufferError:
                producer.poll(0.1)
        if index % 1000 == 0:
            producer.poll(0)
    left = producer.flush(SECONDS_MAX)
    if failures or left:
        raise RuntimeError(f"{len(failures)} records refused, {left} not sent: {failures[:1]}")
    return [record._replace(offset=offsets[index]) for index, record in enumerate(records)]


def end_offsets(brokers, topic):
    """{partition: offset after the last record}."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "hotpath-test-look"})
    try:
        found = consumer.list_topics(topic, timeout=SECONDS_MAX).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return {index: consumer.get_watermark_offsets(TopicPartition(topic, index),
                                                      timeout=SECONDS_MAX)[1]
                for index in found.partitions}
    finally:
        consumer.close()


def read_topic(brokers, topic):
    """All records of a topic as they are now, by partition and offset; [] if it does not exist."""
    return [record for _, record in read_topic_with_headers(brokers, topic)]


def partitions_of_topic(brokers, topic):
    """What the oracle reads of a topic as it is now: committed records with their offsets and times."""
    from support.oracle_input import Record as Input
    partitions = {f"{topic}/{index}": [] for index in end_offsets(brokers, topic)}
    for record in read_topic(brokers, topic):
        partitions[f"{topic}/{record.partition}"].append(
            Input(record.offset, record.value, record.time_ms))
    return partitions


def read_topic_with_headers(brokers, topic):
    """As read_topic, but [({header name: bytes}, Record)]."""
    try:
        ends = end_offsets(brokers, topic)
    except KafkaException:
        return []
    open_ends = {index: end for index, end in ends.items() if end > 0}
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "hotpath-test-read",
                         "enable.auto.commit": False, "enable.partition.eof": True,
                         "fetch.message.max.bytes": 8 << 20, "log_level": 0})
    records = []
    try:
        consumer.assign([TopicPartition(topic, index, OFFSET_BEGINNING) for index in open_ends])
        done = set()
        while len(done) < len(open_ends):
            message = consumer.poll(SECONDS_MAX)
            if message is None:
                raise TimeoutError(f"{topic} gave nothing for {SECONDS_MAX:g} s")
            if message.error() is not None:
                if message.error().name() == "_PARTITION_EOF":
                    done.add(message.partition())
                    continue
                raise KafkaException(message.error())
            records.append((dict(message.headers() or ()),
                            Record(message.partition(), message.key(), message.value(),
                                   message.timestamp()[1], message.offset())))
    finally:
        consumer.close()
    return sorted(records, key=lambda pair: (pair[1].partition, pair[1].offset))


def committed_offsets(brokers, group, topic):
    """{partition: committed offset} of the group; partitions without a commit are left out, all of
    them while the broker has just begun to look after the group."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group,
                         "enable.auto.commit": False, "log_level": 0})
    try:
        found = consumer.list_topics(topic, timeout=SECONDS_MAX).topics[topic].partitions
        asked = [TopicPartition(topic, index) for index in found]
        return {part.partition: part.offset
                for part in consumer.committed(asked, timeout=SECONDS_MAX) if part.offset >= 0}
    except KafkaException as error:
        if error.args[0].name() not in ("NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS"):
            raise
        return {}
    finally:
        consumer.close()
