"""The number of processes changes nothing in the results."""

import pytest
from conftest import expected_of_files, expected_of_topic, file_arguments
from support import maker, redis_check

SEVERAL = ["--scorers", 3, "--profilers", 2, "--metrics", 2, "--ingestors", 2, "--sinks", 2]


def options(**more):
    return maker.Options(events=8_000, seed=31, partitions=4, jitter_ms=20_000, late_share=0.01,
                         **more)


def test_several_of_each_on_files(pipeline, tmp_path):
    stream = maker.make(options())
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    expected = expected_of_files(stream, paths)
    pipeline.once(*file_arguments(paths))
    pipeline.assert_equals(expected)
    alone = pipeline.dump()
    pipeline.fresh()
    pipeline.once(*file_arguments(paths), *SEVERAL)
    pipeline.assert_equals(expected)
    differences = redis_check.dump_differences(alone, pipeline.dump(),
                                               precision=redis_check.ORDER_PRECISION)
    assert not differences, redis_check.report(differences)


def test_several_of_each_on_kafka(pipeline, topic):
    stream = maker.make(options(for_kafka=True, msgpack_share=0.3))
    made = topic(4)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline), *SEVERAL)
    pipeline.assert_equals(expected_of_topic(stream))


@pytest.mark.parametrize("shards", [1, 5])
def test_other_shard_counts(pipeline, tmp_path, shards):
    stream = maker.make(maker.Options(events=2_000, seed=32))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths), "--shards", shards)
    pipeline.assert_equals(expected_of_files(stream, paths), shards=shards)
