"""--unknown-scenarios=defaults, live: a scenario without a document runs by all defaults, goes on when
configd dies, and gives way to its document. No event is skipped on the way: the end equals the oracle."""

import os
import signal

from conftest import assert_made
from support import maker, oracle, servers
from test_live import LIVE, SECONDS_MAX, children

# As the defaults but for a weight, so that no window that was published before would be another now.
LATER = {"tenant_id": "acme", "scenario_id": "later", "scenario_type": "video", "status": "active",
         "config": {"realtime_compute": {"hot_score": {"action_weights": {"view": 7, "like": 1}}}}}


def test_live(pipeline, tmp_path):
    documents = [*maker.scenario_documents(), LATER]
    stream = maker.make(maker.Options(events=6_000, seed=151, unknown_share=0.3, documents=documents))
    assert_made(stream, "skipped")
    path = tmp_path / "events.jsonl"
    lines = [message.value + b"\n" for message in stream.partitions[0]]
    # "nobody" comes while configd is dead: its first event waits for the next configd.
    quiet = [line for line in lines[:2_000] if b"nobody" not in line]
    lines = quiet + lines[2_000:]
    path.write_bytes(b"".join(quiet))

    def revision(key):
        return int(pipeline.client.hget(f"{key}:meta", "revision") or 0)

    def append(part):
        with open(path, "ab") as file:
            file.write(b"".join(part))

    pipeline.write_scenarios(documents[:-1])
    with pipeline.start("--file", path, "--follow", "--unknown-scenarios=defaults",
                        *LIVE) as running:
        servers.wait_until(lambda: revision("hot:items:acme:later") == 1, SECONDS_MAX,
                           "the ranking of a scenario without a document")
        assert not pipeline.client.exists("hot:items:nobody:nowhere")
        before = pipeline.client.hget("hot:items:acme:later:meta", "window_end")
        killed = children(running.process.pid, "hotpath-configd")
        assert len(killed) == 1, killed
        os.kill(killed[0], signal.SIGKILL)
        append(lines[2_000:4_000])
        servers.wait_until(lambda: revision("hot:items:nobody:nowhere") == 1, SECONDS_MAX,
                           "the ranking of one that came while there was no configd")
        servers.wait_until(
            lambda: pipeline.client.hget("hot:items:acme:later:meta", "window_end") > before,
            SECONDS_MAX, "another ranking of the first")
        assert revision("hot:items:acme:later") == 1
        pipeline.write_scenarios(documents)
        servers.wait_until(lambda: revision("hot:items:acme:later") == 2, SECONDS_MAX,
                           "the ranking by its document")
        append(lines[4_000:])
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert "active=false" not in finished.stderr.replace("scenario=paused number=1 active=false", "")
    pipeline.once("--file", path, "--unknown-scenarios=defaults")
    expected = oracle.compute(stream.file_partitions([str(path)]), documents,
                              unknown_scenario="defaults")
    assert {("acme", "later"), ("nobody", "nowhere")} <= set(expected.rankings)
    assert expected.counts["skipped"].keys() == {"inactive"}
    pipeline.assert_equals(expected)


def test_several_readers_ask_for_the_same(pipeline, topic):
    """Partitions of two ingestors meet the unknown at once, in front of two scorers."""
    stream = maker.make(maker.Options(events=4_000, seed=152, partitions=4, unknown_share=0.2,
                                      for_kafka=True, documents=maker.scenario_documents()[:2]))
    made = topic(4)
    made.produce(stream.kafka_records())
    pipeline.write_scenarios(stream.documents[:1])      # the other runs by its defaults
    pipeline.once(*made.arguments(pipeline), "--unknown-scenarios=defaults", "--ingestors", "2",
                  "--scorers", "2")
    expected = oracle.compute(stream.kafka_partitions(), stream.documents[:1],
                              unknown_scenario="defaults")
    assert len(expected.rankings) == 3, expected.rankings.keys()
    assert not expected.counts["skipped"]
    pipeline.assert_equals(expected)
