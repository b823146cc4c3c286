"""`hotpath run --once --brokers` reads up to the ends at its start, and equals the oracle."""

from conftest import assert_made, expected_of_topic
from support import kafka_tools, maker, oracle


def test_four_partitions_of_json_and_msgpack(pipeline, topic):
    stream = maker.make(maker.Options(events=15_000, seed=21, partitions=4, msgpack_share=0.5,
                                      for_kafka=True))
    assert_made(stream, "msgpack", "record_time")
    made = topic(4)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    pipeline.assert_equals(expected_of_topic(stream))
    committed = kafka_tools.committed_offsets(made.brokers, pipeline.group, made.name)
    assert committed == {index: len(messages) for index, messages in enumerate(stream.partitions)}


def test_several_topics_by_pattern(pipeline, topic, kafka):
    stream = maker.make(maker.Options(events=4_000, seed=22, partitions=2, for_kafka=True))
    one = topic(1)
    other = f"{one.name}-more"
    kafka_tools.create_topic(kafka.brokers, other, 1)
    records = stream.kafka_records()
    one.produce([record for record in records if record.partition == 0])
    kafka_tools.produce(kafka.brokers, other,
                        [record._replace(partition=0) for record in records
                         if record.partition == 1])
    pipeline.write_scenarios(stream.documents)
    pipeline.once("--brokers", kafka.brokers, "--topics", f"^{one.name}(-.*)?$",
                  "--group", pipeline.group)
    pipeline.assert_equals(expected_of_topic(stream))


def test_empty_partitions_hold_nothing_back(pipeline, topic):
    stream = maker.make(maker.Options(events=3_000, seed=23, for_kafka=True))
    made = topic(4)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    pipeline.assert_equals(expected_of_topic(stream))


def test_from_mongodb(pipeline, topic, mongodb):
    """The scenarios come from a collection; what other services keep in a document stays."""
    stream = maker.make(maker.Options(events=3_000, seed=24, partitions=2, for_kafka=True))
    made = topic(2)
    made.produce(stream.kafka_records())
    client = mongodb.client()
    database = f"hotpath_test_{made.name[-12:]}"
    documents = [{**document, "name": "of another service"} for document in stream.documents]
    # An invalid document never stops a start: that scenario is absent.
    broken = {"tenant_id": "nobody", "scenario_id": "nowhere", "status": "active",
              "config": {"realtime_compute": {"hot_score": {"top_q": 1}}}}
    try:
        client[database].scenarios.insert_many([*documents, broken])
        before = list(client[database].scenarios.find())
        pipeline.once(*made.arguments(pipeline), "--mongodb-url", mongodb.url,
                      "--database", database)
        assert list(client[database].scenarios.find()) == before
    finally:
        client.drop_database(database)
        client.close()
    pipeline.assert_equals(oracle.compute(stream.kafka_partitions(), stream.documents))
