"""Streams as they come: jitter beyond the out-of-orderness, events half an hour late, partitions at
different speeds, partitions that go idle. Equal to the oracle in every window of the history."""

from conftest import assert_made, expected_of_files, expected_of_topic, file_arguments
from support import maker, oracle


def options(**more):
    return maker.Options(**{"events": 10_000, "partitions": 3, "jitter_ms": 20_000,
                            "late_share": 0.01, **more})


def assert_history_is_whole(expected):
    """The histories hold all windows, not just the newest: else much would go unlooked at."""
    windows = sum(len(history.windows) for history in expected.metrics.values())
    assert windows > 150, windows
    assert expected.counts["late"] > 0 and expected.counts["out_of_order"] > 0


def test_three_files_at_different_speeds(pipeline, tmp_path):
    stream = maker.make(options(seed=81, uneven=True))
    assert_made(stream, "out_of_order", "late", "uneven")
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths))
    expected = expected_of_files(stream, paths)
    assert_history_is_whole(expected)
    pipeline.assert_equals(expected)


def test_three_kafka_partitions_at_different_speeds(pipeline, topic):
    stream = maker.make(options(seed=82, uneven=True, for_kafka=True))
    assert_made(stream, "out_of_order", "late", "uneven")
    made = topic(3)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    expected = expected_of_topic(stream)
    assert_history_is_whole(expected)
    pipeline.assert_equals(expected)


def test_files_of_hours_that_follow_each_other(pipeline, tmp_path):
    """Three files, each an hour, given newest first: no partition may spoil another's windows."""
    hours = [maker.make(options(seed=83 + hour, events=3_000, partitions=1, minutes=60,
                                start_ms=maker.START_MS + hour * 3_600_000))
             for hour in range(3)]
    paths = []
    for index, hour in enumerate(hours):
        assert_made(hour, "out_of_order", "late")
        paths += hour.write_files(tmp_path, stem=f"hour-{index}")
    pipeline.write_scenarios(hours[0].documents)
    pipeline.once(*file_arguments(reversed(paths)))
    expected = oracle.compute(hours[0].file_partitions(paths), hours[0].documents)
    assert_history_is_whole(expected)
    pipeline.assert_equals(expected)


def test_a_partition_that_goes_idle(pipeline, topic):
    stream = maker.make(options(seed=86, partitions=4, idle_partition=True, for_kafka=True))
    assert_made(stream, "idle", "out_of_order", "late")
    made = topic(5)     # the fifth never has a message
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    expected = expected_of_topic(stream)
    assert_history_is_whole(expected)
    pipeline.assert_equals(expected)


def test_another_out_of_orderness(pipeline, tmp_path):
    stream = maker.make(options(seed=87, events=4_000))
    assert_made(stream, "out_of_order", "late")
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths), "--max-out-of-orderness", "30s")
    partitions = stream.file_partitions(paths)
    expected = oracle.compute(partitions, stream.documents, out_of_orderness_ms=30_000)
    strict = oracle.compute(partitions, stream.documents)
    assert expected.counts["late"] < strict.counts["late"]
    pipeline.assert_equals(expected)


def test_the_sum_adds_up(pipeline, tmp_path):
    """Events in = applied + skipped by reason + late + dead, as --once prints it."""
    stream = maker.make(options(seed=88, events=3_000, poison=True, unknown_share=0.1))
    assert_made(stream, "late", "poison", "skipped")
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    finished = pipeline.once(*file_arguments(paths))
    counts = expected_of_files(stream, paths).counts
    assert counts["in"] == counts["applied"] + sum(counts["skipped"].values()) + counts["late"] \
        + counts["dead"]
    for number in (counts["in"], counts["applied"], counts["late"], counts["dead"],
                   *counts["skipped"].values()):
        assert str(number) in finished.stdout, f"{counts}\n{finished.explain()}"
