"""Input in parts, over one state, gives what it gives at once; what was lost is said."""

from conftest import assert_made, expected_of_files, expected_of_topic, file_arguments
from support import maker, oracle, redis_check


def made_file(tmp_path, **options):
    stream = maker.make(maker.Options(**{"events": 6_000, "jitter_ms": 20_000, "late_share": 0.01,
                                         **options}))
    assert_made(stream, "out_of_order", "late")
    return stream, [message.value + b"\n" for message in stream.partitions[0]], \
        tmp_path / "events.jsonl"


def append(path, lines):
    with open(path, "ab") as file:
        file.write(b"".join(lines))


def test_a_file_in_two_halves(pipeline, tmp_path):
    stream, lines, path = made_file(tmp_path, seed=61)
    pipeline.write_scenarios(stream.documents)
    append(path, lines)
    expected = expected_of_files(stream, [str(path)])
    pipeline.once("--file", path)
    pipeline.assert_equals(expected)
    at_once = pipeline.dump()

    pipeline.fresh()
    path.write_bytes(b"")
    for part in (lines[:3_000], lines[3_000:]):
        append(path, part)
        pipeline.once("--file", path)
    pipeline.assert_equals(expected)
    differences = redis_check.dump_differences(at_once, pipeline.dump(),
                                               precision=redis_check.ORDER_PRECISION)
    assert not differences, redis_check.report(differences)


def test_kafka_in_two_halves(pipeline, topic):
    stream = maker.make(maker.Options(events=6_000, seed=62, jitter_ms=20_000, for_kafka=True))
    made = topic(1)
    records = stream.kafka_records()
    pipeline.write_scenarios(stream.documents)
    for part in (records[:3_000], records[3_000:]):
        made.produce(part)
        pipeline.once(*made.arguments(pipeline))
    pipeline.assert_equals(expected_of_topic(stream))


def test_one_then_three_then_two_workers(pipeline, tmp_path):
    stream, lines, path = made_file(tmp_path, seed=63)
    pipeline.write_scenarios(stream.documents)
    for part, workers in enumerate((1, 3, 2)):
        append(path, lines[part * 2_000:(part + 1) * 2_000])
        pipeline.once("--file", path, "--scorers", workers, "--profilers", workers,
                      "--metrics", workers)
    pipeline.assert_equals(expected_of_files(stream, [str(path)]))


def test_a_truncated_file_has_lost_offsets(pipeline, tmp_path):
    stream, lines, path = made_file(tmp_path, seed=64, events=1_000)
    pipeline.write_scenarios(stream.documents)
    append(path, lines)
    pipeline.once("--file", path)
    before = pipeline.dump()
    path.write_bytes(b"".join(lines[:500]))
    finished = pipeline.run("--file", path, "--once")
    assert finished.code == 65, finished.explain()
    assert "lost" in finished.stderr and path.name in finished.stderr, finished.explain()
    differences = redis_check.dump_differences(before, pipeline.dump())
    assert not differences, redis_check.report(differences)


def test_a_replaced_file_is_read_from_its_beginning(pipeline, tmp_path):
    stream, lines, path = made_file(tmp_path, seed=65, events=2_000, minutes=60)
    later = maker.make(maker.Options(events=1_000, seed=66, minutes=60,
                                     start_ms=maker.START_MS + 90 * 60_000))
    pipeline.write_scenarios(stream.documents)
    append(path, lines)
    pipeline.once("--file", path)
    path.unlink()
    append(path, [message.value + b"\n" for message in later.partitions[0]])
    pipeline.once("--file", path)
    both = {"old": stream.kafka_partitions()["topic/0"], "new": later.kafka_partitions()["topic/0"]}
    pipeline.assert_equals(oracle.compute(both, stream.documents))


def test_a_file_more_later(pipeline, tmp_path):
    """A second file, of later events, given only to the second run."""
    stream, lines, path = made_file(tmp_path, seed=67, events=2_000, minutes=60)
    later = maker.make(maker.Options(events=1_000, seed=68, minutes=60,
                                     start_ms=maker.START_MS + 90 * 60_000))
    pipeline.write_scenarios(stream.documents)
    append(path, lines)
    pipeline.once("--file", path)
    more = tmp_path / "more.jsonl"
    append(more, [message.value + b"\n" for message in later.partitions[0]])
    pipeline.once(*file_arguments([path, more]))
    pipeline.assert_equals(oracle.compute(stream.file_partitions([str(path), str(more)]),
                                          stream.documents))
