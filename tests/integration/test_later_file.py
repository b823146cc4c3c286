"""A run over other files with the same state: those of the first run, gone from the source, hold nobody
back, however far behind in event time they stayed."""

import dataclasses

from conftest import file_arguments
from support import maker

DAY_MS = 86_400_000


def test_later_file(pipeline, tmp_path):
    options = maker.Options(events=2_000, seed=71, unknown_share=0)
    first = maker.make(options)
    second = maker.make(dataclasses.replace(options, seed=72, start_ms=options.start_ms + DAY_MS))
    pipeline.write_scenarios(first.documents)
    for name, stream in (("first", first), ("second", second)):
        folder = tmp_path / name
        folder.mkdir()
        finished = pipeline.once(*file_arguments(stream.write_files(folder)), seconds=60)
        assert " late 0 " in finished.stdout, finished.explain()
        assert " applied 0 " not in finished.stdout, finished.explain()
