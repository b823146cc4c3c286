"""In which order the events of different partitions arrive changes nothing in the results."""

from conftest import assert_made, expected_of_files, expected_of_topic, file_arguments
from support import maker, redis_check


def options(**more):
    return maker.Options(events=8_000, seed=41, partitions=3, jitter_ms=20_000, late_share=0.01,
                         uneven=True, **more)


def test_files_in_another_order(pipeline, tmp_path):
    stream = maker.make(options())
    assert_made(stream, "out_of_order", "late", "uneven")
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths))
    pipeline.assert_equals(expected_of_files(stream, paths))
    before = pipeline.dump()
    pipeline.fresh()
    pipeline.once(*file_arguments(reversed(paths)))
    differences = redis_check.dump_differences(before, pipeline.dump(),
                                               precision=redis_check.ORDER_PRECISION)
    assert not differences, redis_check.report(differences)


def test_partitions_written_one_after_the_other(pipeline, topic):
    stream = maker.make(options(for_kafka=True))
    together, apart = topic(3), topic(3)
    records = stream.kafka_records()
    together.produce(records)
    apart.produce(sorted(records, key=lambda record: -record.partition))
    pipeline.write_scenarios(stream.documents)
    dumps = []
    for made in (together, apart):
        pipeline.fresh()
        pipeline.once(*made.arguments(pipeline))
        pipeline.assert_equals(expected_of_topic(stream))
        dumps.append(pipeline.dump())
    differences = redis_check.dump_differences(*dumps, precision=redis_check.ORDER_PRECISION)
    assert not differences, redis_check.report(differences)
