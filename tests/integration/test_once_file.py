"""`hotpath run --once --file` ends by itself, and Redis then holds what the oracle says."""

from conftest import assert_made, expected_of_files, file_arguments
from support import maker


def test_one_file(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=15_000, seed=11))
    assert_made(stream, "skipped")
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths))
    pipeline.assert_equals(expected_of_files(stream, paths))


def test_several_files(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=12_000, seed=12, partitions=3))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths))
    pipeline.assert_equals(expected_of_files(stream, paths))


def test_stdin(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=5_000, seed=13))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once("--file", "-", stdin=open(paths[0], "rb").read())
    pipeline.assert_equals(expected_of_files(stream, paths))


def test_last_line_without_newline_counts_and_blank_lines_do_not(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=500, seed=14))
    path = tmp_path / "events.jsonl"
    lines = [message.value for message in stream.partitions[0]]
    path.write_bytes(b"\n\n" + b"\r\n".join(lines[:200]) + b"\n  \n" + b"\n\n".join(lines[200:]))
    pipeline.write_scenarios(stream.documents)
    pipeline.once("--file", path)
    pipeline.assert_equals(expected_of_files(stream, [str(path)]))


def test_nothing_to_read(pipeline, tmp_path):
    """An empty file is no error, and writes nothing."""
    (tmp_path / "empty.jsonl").write_bytes(b"")
    pipeline.write_scenarios(maker.scenario_documents())
    pipeline.once("--file", tmp_path / "empty.jsonl")
    assert not [key for key in pipeline.dump() if not key.endswith(b":meta")]


def test_unknown_scenarios_with_defaults(pipeline, tmp_path):
    from support import oracle
    stream = maker.make(maker.Options(events=2_000, seed=15, unknown_share=0.2))
    assert_made(stream, "skipped")
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths), "--unknown-scenarios=defaults")
    expected = oracle.compute(stream.file_partitions(paths), stream.documents,
                              unknown_scenario="defaults")
    assert ("nobody", "nowhere") in expected.rankings
    pipeline.assert_equals(expected)


def test_dedicated_to_one_scenario(pipeline, tmp_path):
    from support import oracle
    stream = maker.make(maker.Options(events=4_000, seed=16))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.once(*file_arguments(paths), "--tenant-id", "acme", "--scenario-id", "shop")
    expected = oracle.compute(stream.file_partitions(paths), stream.documents, tenant="acme",
                              scenario="shop")
    assert set(expected.rankings) == {("acme", "shop")}
    pipeline.assert_equals(expected)


def test_key_prefix(pipeline, tmp_path):
    stream = maker.make(maker.Options(events=1_000, seed=17))
    paths = stream.write_files(tmp_path)
    pipeline.write_scenarios(stream.documents)
    pipeline.client.set("user:profile:neighbour", "untouched")
    pipeline.once(*file_arguments(paths), "--key-prefix", "new:")
    pipeline.assert_equals(expected_of_files(stream, paths), prefix="new:")
    outside = [key for key in pipeline.client.keys("*") if not key.startswith(b"new:")]
    assert outside == [b"user:profile:neighbour"]
