"""What a person can get wrong: one line on stderr that says what and where, and the right code."""

import json

import pytest
from support import maker, servers

USAGE, NO_INPUT, UNAVAILABLE, CONFIG = 64, 66, 69, 78


@pytest.fixture
def ready(pipeline, tmp_path):
    """A pipeline that would work, and the path of its input."""
    stream = maker.make(maker.Options(events=200, seed=95))
    pipeline.write_scenarios(stream.documents)
    return pipeline, stream.write_files(tmp_path)[0]


def assert_one_line(finished, code, *words):
    assert finished.code == code, finished.explain()
    lines = [line for line in finished.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, finished.explain()
    for word in words:
        assert str(word) in lines[0], f"{word} in {lines[0]}"


WRONG_FLAGS = [
    ("unknown", ["--no-such-flag"], "no-such-flag"),
    ("no value", ["--scorers"], "scorers"),
    ("no number", ["--scorers", "many"], "scorers"),
    ("out of range", ["--scorers", "-1"], "scorers"),
    ("no duration", ["--commit-interval", "soon"], "commit-interval"),
    ("no choice", ["--unknown-scenarios=perhaps"], "unknown-scenarios"),
    ("an argument too many", ["stray"], "stray"),
]


@pytest.mark.parametrize("flags,word", [case[1:] for case in WRONG_FLAGS],
                         ids=[case[0] for case in WRONG_FLAGS])
def test_wrong_flag(ready, flags, word):
    pipeline, path = ready
    assert_one_line(pipeline.run("--file", path, "--once", *flags), USAGE, word)


def test_fetches_that_wait_too_long(ready):
    """No partition would be known to be at its end."""
    pipeline, _ = ready
    finished = pipeline.run("--brokers", "127.0.0.1:9", "-X", "fetch.wait.max.ms=5000", "--once")
    assert_one_line(finished, USAGE, "fetch.wait.max.ms=5000", "1000")


def test_no_source(ready):
    pipeline, _ = ready
    assert_one_line(pipeline.run("--once"), USAGE, "--file", "--brokers")


def test_two_sources(ready):
    pipeline, path = ready
    assert_one_line(pipeline.run("--once", "--file", path, "--brokers", "127.0.0.1:9"), USAGE,
                    "--file", "--brokers")


def test_absent_file(ready, tmp_path):
    pipeline, _ = ready
    absent = tmp_path / "absent.jsonl"
    assert_one_line(pipeline.run("--file", absent, "--once"), NO_INPUT, absent)


def test_absent_scenarios_dir(ready, tmp_path):
    pipeline, path = ready
    finished = pipeline.run("--file", path, "--once", "--scenarios-dir", tmp_path / "nowhere")
    assert_one_line(finished, NO_INPUT, tmp_path / "nowhere")


def test_unreachable_redis(ready):
    pipeline, path = ready
    port = servers.free_port()
    pipeline.redis.stop()
    pipeline.redis.port = port
    assert_one_line(pipeline.run("--file", path, "--once", seconds=60), UNAVAILABLE, port)


def test_unreachable_kafka(ready):
    pipeline, _ = ready
    brokers = f"127.0.0.1:{servers.free_port()}"
    assert_one_line(pipeline.run("--brokers", brokers, "--once", seconds=90), UNAVAILABLE, brokers)


INVALID_DOCUMENTS = [
    ("unknown key", {"hot_score": {"top_q": 5}}, "hot_score.top_q"),
    ("out of range", {"hot_score": {"top_k": 0}}, "hot_score.top_k"),
    ("wrong type", {"user_profile": {"top_tags": "ten"}}, "user_profile.top_tags"),
    ("a weight", {"hot_score": {"action_weights": {"view": 1e7}}},
     "hot_score.action_weights.view"),
    ("size not a multiple", {"metrics": {"window_size_minutes": 10, "window_slide_minutes": 3}},
     "metrics.window"),
    ("both units", {"metrics": {"window_size_minutes": 10, "window_size_seconds": 600}},
     "metrics.window_size"),
    ("unknown metric", {"metrics": {"metrics_to_calculate": ["ctr", "cxr"]}},
     "metrics.metrics_to_calculate"),
    ("too steep", {"hot_score": {"decay_lambda": 100, "decay_unit": "second",
                                 "window_size_minutes": 60}}, "decay_lambda"),
]


@pytest.mark.parametrize("compute,word", [case[1:] for case in INVALID_DOCUMENTS],
                         ids=[case[0] for case in INVALID_DOCUMENTS])
def test_invalid_scenario_document(ready, compute, word):
    pipeline, path = ready
    (pipeline.scenarios_dir / "broken.json").write_text(json.dumps(
        {"tenant_id": "t", "scenario_id": "s", "status": "active",
         "config": {"realtime_compute": compute}}))
    assert_one_line(pipeline.run("--file", path, "--once"), CONFIG, "broken.json", word)


def test_document_that_is_no_json(ready):
    pipeline, path = ready
    (pipeline.scenarios_dir / "broken.json").write_text('{"tenant_id": ')
    assert_one_line(pipeline.run("--file", path, "--once"), CONFIG, "broken.json")


def test_two_documents_of_one_scenario(ready):
    pipeline, path = ready
    twin = (pipeline.scenarios_dir / "scenario-0.json").read_text()
    (pipeline.scenarios_dir / "twin.json").write_text(twin)
    assert_one_line(pipeline.run("--file", path, "--once"), CONFIG, "twin.json", "scenario-0.json")


def test_other_shard_count(ready):
    pipeline, path = ready
    pipeline.once("--file", path)
    finished = pipeline.run("--file", path, "--once", "--shards", 8)
    assert_one_line(finished, CONFIG, "16", "8")


def test_state_folder_in_use(ready):
    pipeline, path = ready
    with pipeline.start("--file", path, "--follow") as running:
        servers.wait_until(lambda: pipeline.client.keys("hot:items:*"), 30, "the first results")
        finished = pipeline.run("--file", path, "--once")
        assert finished.code not in (0, None), finished.explain()
        assert str(pipeline.state) in finished.stderr, finished.explain()
        assert running.process.poll() is None
        assert running.stop().code == 0


def test_help_and_version(pipeline):
    from conftest import Running
    for arguments, word in ((["--help"], "run"), (["run", "--help"], "--scenarios-dir"),
                            (["--version"], "hotpath")):
        with Running(arguments, pipeline.folder) as running:
            finished = running.wait(30)
        assert finished.code == 0 and word in finished.stdout, finished.explain()
