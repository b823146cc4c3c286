"""Invalid messages stop nothing: each lands in the dead letters with its reason, bytes untouched,
and the rest is right. Wrongly typed optional fields are as absent."""

import base64
import json
from collections import Counter

from conftest import assert_made, expected_of_files, expected_of_topic, file_arguments
from support import maker

KEPT_BYTES = 64 << 10
LIMIT_BYTES = 1 << 20


def kept(value):
    """What a dead letter holds of a message."""
    value = value or b""
    return value if len(value) <= LIMIT_BYTES else value[:KEPT_BYTES]


def reasons_of(expected):
    return Counter((letter.offset, letter.reason, kept(letter.value)) for letter in expected.dead)


def read_file_letters(path):
    """[(fields, bytes)] of a dead-letter file; the bytes stand as base64 in one of the fields."""
    letters = []
    for line in path.read_text().splitlines():
        fields = json.loads(line)
        text = next(fields[name] for name in ("value", "base64", "value_base64", "bytes", "message")
                    if name in fields)
        letters.append((fields, base64.b64decode(text, validate=True)))
    return letters


def header(headers, name):
    """A header by the end of its name, as text: how they are prefixed is hotpath's matter."""
    found = [value for key, value in headers.items() if key.lower().endswith(name)]
    assert len(found) == 1, f"{name} in {headers}"
    return found[0].decode()


def test_every_kind_in_a_file(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=3_000, seed=71, partitions=2, poison=True))
    assert_made(stream, "poison", "harmless")
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths))
    expected = expected_of_files(stream, paths)
    assert expected.counts["dead"] == stream.counters["poison"]
    pipeline.assert_equals(expected)
    letters = read_file_letters(pipeline.dead_letters)
    assert Counter((fields["offset"], fields["reason"], value) for fields, value in letters) == \
        reasons_of(expected)
    for fields, value in letters:
        assert any(path in fields["partition"] for path in paths), fields
        assert "time" in fields, fields
        assert bool(fields.get("truncated")) == (fields["reason"] == "too_large"), fields
        if fields.get("truncated"):
            assert fields["size"] > LIMIT_BYTES, fields


def test_every_kind_in_kafka(pipeline, topic):
    stream = maker.make(maker.Options(events=3_000, seed=72, partitions=2, poison=True,
                                      for_kafka=True, msgpack_share=0.3))
    assert_made(stream, "poison", "harmless", "msgpack")
    made = topic(2)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    expected = expected_of_topic(stream)
    assert expected.counts["dead"] == stream.counters["poison"]
    pipeline.assert_equals(expected)
    letters = made.dead_letters()
    assert Counter((int(header(headers, "offset")), header(headers, "reason"), value or b"")
                   for headers, value in letters) == reasons_of(expected)
    for headers, _ in letters:
        assert header(headers, "topic") == made.name
        assert int(header(headers, "partition")) in (0, 1)
        assert header(headers, "time")


def test_a_partition_of_poison_alone_holds_nothing_back(pipeline, topic):
    stream = maker.make(maker.Options(events=2_000, seed=73, partitions=2, for_kafka=True))
    stream.partitions[1] = [maker.Message(b"poison %d" % index, maker.START_MS)
                            for index in range(500)]
    made = topic(2)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*made.arguments(pipeline))
    expected = expected_of_topic(stream)
    assert expected.counts["dead"] == 500
    pipeline.assert_equals(expected)
    assert len(made.dead_letters()) == 500


def test_again_writes_no_letter_twice(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=200, seed=74, poison=True))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    for _ in range(2):
        pipeline.once(*file_arguments(paths))
        assert len(read_file_letters(pipeline.dead_letters)) == stream.counters["poison"]
