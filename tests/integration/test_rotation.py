"""A file that is rotated away is forgotten by commits and announcements, not by the counts: when it comes back,
only what was appended to it counts."""

import os

from support import maker, oracle, servers
from test_storage_faults import GATHER, LIVE, SECONDS_MAX


def replace(path, data):
    """As logrotate and people do: another file in its place."""
    path.with_suffix(".new").write_bytes(data)
    os.replace(path.with_suffix(".new"), path)


def test_a_rotated_file_comes_back(pipeline, tmp_path):
    # Profiles alone: they count every event, whatever its time; windows would call some of them late.
    documents = [{"tenant_id": tenant, "scenario_id": scenario, "scenario_type": "shop", "status": "active",
                  "config": {"realtime_compute": {"hot_score": {"enabled": False},
                                                  "metrics": {"enabled": False},
                                                  "user_profile": {"update_frequency_seconds": 1}}}}
                 for tenant, scenario in (("acme", "shop"), ("globex", "news"))]
    stream = maker.make(maker.Options(events=3_000, seed=601, partitions=2, documents=documents))
    first, second = (b"".join(message.value + b"\n" for message in messages)
                     for messages in stream.partitions)
    half = first.index(b"\n", len(first) // 2) + 1
    path = tmp_path / "events.jsonl"
    pipeline.write_scenarios(stream.documents)
    path.write_bytes(first[:half])
    with pipeline.start("--file", path, *LIVE, "--retire-partitions", "1s") as running:
        def said(text, times=1):
            return running.stderr_path.read_text(errors="replace").count(text) >= times
        servers.wait_until(lambda: pipeline.client.keys("user:profile:*"), SECONDS_MAX, "profiles")
        replace(path, second)
        servers.wait_until(lambda: said("partitions that no ingestor lists any more are kept apart", 3),
                           SECONDS_MAX, "the first file kept apart")
        replace(path, first)
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    pipeline.once("--file", path, "--shards", 4, *GATHER)
    for name, data in (("first", first), ("second", second)):
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in ("first", "second")]
    pipeline.assert_equals(oracle.compute(maker.Stream.file_partitions(paths), stream.documents), shards=4)
