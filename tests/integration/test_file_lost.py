"""A file that became shorter in place: the partition stops, or with --on-lost-offsets=skip is read as another
file from its beginning, as tail -F does, and results say exact=0."""

import pytest
from conftest import file_arguments
from support import maker, oracle, servers
from support.oracle_input import records_of_file
from test_kafka_lost import assert_inexact

DATA_ERROR = 65
SECONDS_MAX = 60
SKIP = "--on-lost-offsets=skip"
LIVE = ["--commit-interval", "500ms", "--idle-timeout", "1h", "--max-hold", "7d",
        "--idle-advance=off", "--follow"]


# The first line names a partition; this one is no event.
HEADER = b'{"file": "events"}\n'


def make(seed, minutes_later=0, events=1_000):
    return maker.make(maker.Options(events=events, seed=seed, minutes=20,
                                    start_ms=maker.START_MS + minutes_later * 60_000))


def lines_of(stream):
    return [HEADER, *(message.value + b"\n" for message in stream.partitions[0])]


def write_in_place(path, lines):
    """As copytruncate does: the file stays the same one."""
    with open(path, "r+b") as file:
        file.truncate(0)
        file.write(b"".join(lines))


def expected_of(documents, *parts):
    """Of lines that were read one after the other as partitions of their own: [(folder, lines)]."""
    partitions = {}
    for index, (folder, lines) in enumerate(parts):
        path = folder / f"expected-{index}"
        path.write_bytes(b"".join(lines))
        partitions[str(path)] = records_of_file(str(path))
    return oracle.compute(partitions, documents)


def test_cut_between_two_runs(pipeline, tmp_path):
    """Twice, by different processes: the second generation is known from the shards."""
    streams = [make(801), make(802, 20, 400), make(803, 40, 200)]
    contents = [lines_of(stream) for stream in streams]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(contents[0]))
    pipeline.write_scenarios(streams[0].documents)
    pipeline.once("--file", path)
    for lines in contents[1:]:
        write_in_place(path, lines)
        finished = pipeline.run("--file", path, "--once")
        assert finished.code == DATA_ERROR, finished.explain()
        assert "cut below what was applied" in finished.stderr and SKIP in finished.stderr
        finished = pipeline.once("--file", path, SKIP)
        assert f"events in {len(lines)} " in finished.stdout, finished.explain()
        finished = pipeline.once("--file", path)
        assert "events in 0 " in finished.stdout, finished.explain()
    expected = expected_of(streams[0].documents, *((tmp_path, lines) for lines in contents))
    pipeline.assert_equals(expected, exact=False)
    assert_inexact(pipeline)


@pytest.mark.parametrize("way", ["at once", "in steps"])
def test_copytruncate_with_the_same_first_line(pipeline, tmp_path, way):
    """While it is followed; also where it was seen empty in between, and grew beyond where it was."""
    before, after = make(811, events=500), make(812, 20, events=1_500 if way == "in steps" else 300)
    lines = lines_of(after)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(lines_of(before)))
    pipeline.write_scenarios(before.documents)
    with pipeline.start("--file", path, SKIP, *LIVE) as running:
        servers.wait_until(lambda: metrics_time_ms(pipeline) > last_ms(before) - 120_000, SECONDS_MAX,
                           "the first content")
        if way == "in steps":
            write_in_place(path, [])
            servers.wait_until(lambda: "overwritten with another first line" in running.finished(None).stderr,
                               SECONDS_MAX, "it was seen empty")
            with open(path, "ab") as file:
                file.write(b"".join(lines))
        else:
            write_in_place(path, lines)
        servers.wait_until(lambda: metrics_time_ms(pipeline) > last_ms(after) - 120_000, SECONDS_MAX,
                           "the second content")
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert "lost offsets" in finished.stderr and "+1@0" in finished.stderr, finished.explain()
    pipeline.once("--file", path)
    pipeline.assert_equals(expected_of(before.documents, (tmp_path, lines_of(before)), (tmp_path, lines)),
                           exact=False)


def metrics_time_ms(pipeline):
    return int(pipeline.client.hget("rec:metrics:acme:shop", "window_end") or 0)


def last_ms(stream):
    return stream.partitions[0][-1].record_time_ms


def test_several_ingestors_name_it_alike(pipeline, tmp_path):
    streams = [make(821 + index, events=300) for index in range(4)]
    paths = [tmp_path / f"events-{index}.jsonl" for index in range(4)]
    for path, stream in zip(paths, streams):
        path.write_bytes(b"".join(lines_of(stream)))
    pipeline.write_scenarios(streams[0].documents)
    arguments = [*file_arguments(paths), "--ingestors", 3]
    pipeline.once(*arguments)
    later = lines_of(make(830, 20, events=100))
    for path in paths:
        write_in_place(path, later)
    pipeline.once(*arguments, SKIP)
    finished = pipeline.once(*arguments)
    assert "events in 0 " in finished.stdout, finished.explain()
    contents = [*map(lines_of, streams), *[later] * len(paths)]
    pipeline.assert_equals(expected_of(streams[0].documents,
                                       *((tmp_path, lines) for lines in contents)), exact=False)
