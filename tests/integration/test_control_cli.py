"""`hotpath scenario` over a configd, and `hotpath validate` over files: what they print and their exit
codes."""

import json
import os
import subprocess

import pytest
from conftest import HOTPATH, ROOT
from support import servers
from support.admin import TOKENS, Configd

CONFIGD = HOTPATH.with_name("hotpath-configd")
SECONDS_MAX = 60


def document(**hot_score):
    return {"tenant_id": "acme", "scenario_id": "shop", "status": "active",
            "config": {"realtime_compute": {"hot_score": hot_score}}}


def hotpath(folder, *arguments, stdin=None, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOTPATH_")}
    return subprocess.run([str(HOTPATH), *map(str, arguments)], cwd=folder, text=True, input=stdin,
                          capture_output=True, timeout=SECONDS_MAX, env=kept | environment)


@pytest.fixture
def configd(tmp_path):
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    (scenarios / "shop.json").write_text(json.dumps(document()))
    with Configd(CONFIGD, tmp_path, "--scenarios-dir", scenarios) as started:
        yield started


@pytest.fixture
def scenario(configd):
    def run(*arguments, who="ci", stdin=None):
        return hotpath(configd.folder, "scenario", *arguments, stdin=stdin,
                       HOTPATH_ADMIN=f"http://127.0.0.1:{configd.port}",
                       HOTPATH_ADMIN_TOKEN=TOKENS[who][2])
    return run


def test_the_way_of_a_change(scenario, configd):
    listed = scenario("list")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[0].split() == ["TENANT", "SCENARIO", "STATUS", "REVISION", "DOCUMENT"]
    assert listed.stdout.splitlines()[1].split() == ["acme", "shop", "active", "1", "valid"]
    tried = scenario("set", "shop", "hot_score.action_weights.purchase=15", "--dry-run")
    assert tried.stdout == "acme/shop: would change\n" \
                           "  hot_score.action_weights.purchase: 10 -> 15\n"
    made = scenario("set", "shop", "hot_score.action_weights.purchase=15",
                    "/hot_score/action_weights/a.b=1", "hot_score.decay_unit=day", "--reason", "sale")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("acme/shop: revision 2; ")
    assert '  hot_score.decay_unit: "hour" -> "day"' in made.stdout
    assert "  /hot_score/action_weights/a.b: (none) -> 1" in made.stdout
    same = scenario("set", "shop", "hot_score.decay_unit=day")
    assert same.returncode == 0 and "nothing changes" in same.stdout
    history = scenario("history", "shop").stdout.splitlines()
    assert history[1].split()[0::2] == ["2", "ci"] and history[1].endswith("sale")
    assert history[2].split()[2] == "external"
    assert "hot_score.action_weights.purchase: 10 -> 15" in scenario("diff", "shop").stdout
    back = scenario("diff", "shop", "--from-revision", 2, "--to-revision", 1).stdout
    assert "hot_score.action_weights.purchase: 15 -> 10" in back
    shown = json.loads(scenario("show", "shop", 2).stdout)
    assert shown["reason"] == "sale" and shown["effective"]["hot_score"]["decay_unit"] == "day"
    rolled = scenario("rollback", "shop", 1)
    assert rolled.returncode == 0 and "revision 3" in rolled.stdout
    got = scenario("get", "shop")
    assert got.stdout.startswith("acme/shop: active, runs, revision 3, document valid\n")
    assert "by ci: rollback to revision 1" in got.stdout
    assert scenario("pause", "shop").returncode == 0
    servers.wait_until(lambda: "does not run" in scenario("get", "shop").stdout, SECONDS_MAX, "paused")
    assert scenario("resume", "shop").returncode == 0
    assert scenario("reset", "shop", "--reason", "a b").returncode == 0


def test_files_and_json(scenario, configd):
    path = configd.folder / "wanted.json"
    path.write_text(json.dumps(document(top_k=7)))
    made = scenario("set", "shop", "--config-file", path, "--replace", "--json")
    assert made.returncode == 0 and json.loads(made.stdout)["stored"] == {"hot_score": {"top_k": 7}}
    piped = scenario("set", "shop", "--config-file", "-", "hot_score.top_k=9",
                     stdin='{"hot_score": {"top_k": 8, "decay_lambda": 0}}')
    assert "hot_score.top_k: 7 -> 9" in piped.stdout and "decay_lambda: 0.1 -> 0" in piped.stdout
    created = scenario("create", "new one", "hot_score.top_k=3", "--type", "feed")
    assert created.returncode == 0 and "acme/new one: revision 1, active" in created.stdout
    assert scenario("create", "new one").returncode == 73
    pages = [json.loads(line) for line in scenario("list", "--json").stdout.splitlines()]
    assert [one["scenario_id"] for page in pages for one in page["scenarios"]] == ["new one", "shop"]


@pytest.mark.parametrize("arguments, code, words", [
    (["set", "shop", "hot_score.top_k=0"], 65, "/config/realtime_compute/hot_score/top_k: must be from 1"),
    (["validate", "shop", "hot_score.top_q=1"], 65, "top_q"),
    (["get", "nowhere"], 66, "404 There is no such scenario"),
    (["rollback", "shop", "99"], 66, "no revision 99"),
    (["rollback", "shop", "x"], 64, "number of one revision"),
    (["set", "shop"], 64, "PATH=VALUE"),
    (["set", "shop", "top_k"], 64, "is not PATH=VALUE"),
    (["set", "shop", "a..b=1"], 64, "empty key"),
    (["set", "shop", "a=1", "a.b=2"], 64, "below a value"),
    (["set", "shop", "--config-file", "absent.json"], 66, "absent.json"),
    (["set", "shop", "hot_score.top_k=2", "--if-match", '"x"'], 75, "412"),
    (["set"], 64, "needs the id"),
    (["list", "more"], 64, "unexpected 'more'"),
    (["frobnicate"], 64, "unknown command"),
    ([], 64, "a command is needed"),
    (["list", "--admin", "https://127.0.0.1"], 64, "is not http://"),
    (["list", "--admin", "http://127.0.0.1:1"], 69,
     "cannot reach 127.0.0.1:1: Connection refused: configd must run with --admin-listen"),
    (["set", "shop", "hot_score.top_k=2", "--wait", "--timeout", "100ms"], 75, ""),
    (["preview", "shop", "hot_score.top_k=2"], 69, "503"),
])
def test_exit_codes(scenario, arguments, code, words):
    ended = scenario(*arguments)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    assert words in ended.stdout + ended.stderr, ended


def test_if_match(scenario):
    etag = json.loads(scenario("get", "shop", "--json").stdout)["etag"]
    assert scenario("set", "shop", "hot_score.top_k=2", "--if-match", etag).returncode == 0
    assert scenario("set", "shop", "hot_score.top_k=3", "--if-match", etag).returncode == 75
    assert scenario("set", "shop", "hot_score.top_k=3", "--if-match", "*").returncode == 0


def test_who_may_not(scenario):
    assert scenario("set", "shop", "hot_score.top_k=2", who="reader").returncode == 77
    refused = scenario("get", "shop", "--tenant", "acme", who="beta")
    assert refused.returncode == 77 and "none of the token's" in refused.stderr
    assert scenario("get", "shop", "--tenant", "acme", who="alice").returncode == 0


def test_validate_files(tmp_path):
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(document(top_k=5)))
    fine = hotpath(tmp_path, "validate", "scenarios")
    assert (fine.returncode, fine.stdout) == (0, "1 document is valid\n")
    (folder / "twin.json").write_text(json.dumps(document(top_k=6)))
    (folder / "wrong.json").write_text(json.dumps(
        document(top_k=0, top_q=1) | {"scenario_id": "other"}))
    (folder / "broken.json").write_text("{")
    (folder / ".hidden.json").write_text("{")
    wrong = hotpath(tmp_path, "validate", "scenarios")
    assert wrong.returncode == 78
    lines = wrong.stdout.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["scenarios/broken.json", "document"], ["scenarios/twin.json", "scenario_id"],
        ["scenarios/wrong.json", "config.realtime_compute.hot_score.top_q"],
        ["scenarios/wrong.json", "config.realtime_compute.hot_score.top_k"]]
    as_json = json.loads(hotpath(tmp_path, "validate", "--json", "scenarios/wrong.json").stdout)
    assert as_json["valid"] is False and as_json["files"] == 1
    assert {error["pointer"] for error in as_json["errors"]} == {
        "/config/realtime_compute/hot_score/top_k", "/config/realtime_compute/hot_score/top_q"}
    assert hotpath(tmp_path, "validate", "absent.json").returncode == 66
    assert hotpath(tmp_path, "validate").returncode == 64
    assert hotpath(tmp_path, "validate", "-", stdin=json.dumps(document())).returncode == 0


def test_the_schema_in_docs_is_of_this_version(tmp_path):
    printed = hotpath(tmp_path, "validate", "--schema")
    assert printed.stdout == (ROOT / "docs" / "realtime_compute.schema.json").read_text(), \
        "write it anew: hotpath validate --schema > docs/realtime_compute.schema.json"
