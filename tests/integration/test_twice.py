"""Running again over the same state changes nothing but computed_at and TTLs."""

from conftest import expected_of_files, expected_of_topic, file_arguments
from support import maker, redis_check

ONLY_THE_TIME = ("computed_at",)


def assert_again_changes_nothing(pipeline, arguments, expected):
    pipeline.once(*arguments)
    pipeline.assert_equals(expected)
    before = pipeline.dump(without=ONLY_THE_TIME)
    pipeline.once(*arguments)
    differences = redis_check.dump_differences(before, pipeline.dump(without=ONLY_THE_TIME))
    assert not differences, redis_check.report(differences)
    pipeline.assert_equals(expected)


def test_files(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=6_000, seed=51, partitions=2, jitter_ms=20_000,
                                      late_share=0.01))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    assert_again_changes_nothing(pipeline, file_arguments(paths), expected_of_files(stream, paths))


def test_kafka(pipeline, topic):
    stream = maker.make(maker.Options(events=6_000, seed=52, partitions=2, for_kafka=True))
    made = topic(2)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    assert_again_changes_nothing(pipeline, made.arguments(pipeline), expected_of_topic(stream))


def test_stdin(pipeline, tmp_path):
    """The same pipe again is the same partition, read from the spool of the first run or anew."""
    stream = maker.make(maker.Options(events=2_000, seed=53))
    paths = stream.write_files(tmp_path)
    text = open(paths[0], "rb").read()
    pipeline.write_scenarios(stream.documents)
    expected = expected_of_files(stream, paths)
    for _ in range(2):
        pipeline.once("--file", "-", stdin=text)
        pipeline.assert_equals(expected)


def test_an_emptied_redis_is_filled_again(pipeline, tmp_path):
    """What is live is in the state: rankings, metrics and profiles come back without new input."""
    stream = maker.make(maker.Options(events=3_000, seed=54))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths))
    pipeline.client.flushall()
    pipeline.once(*file_arguments(paths))
    found = pipeline.dump()
    for name, ranking in expected_of_files(stream, paths).rankings.items():
        key = redis_check.key_of("hot:items:{}:{}", *name)
        assert (key in found) == any(score.value > 0 for score in ranking.scores.values())
