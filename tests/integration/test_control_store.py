"""What the control plane keeps when things go wrong: two writers at once, a crash between the two
writes of a change, a MongoDB that is killed, steps down, loses its history or is full, two configds."""

import os
import subprocess
import threading
import time

import pytest
from conftest import HOTPATH
from support import servers
from support.admin import Configd, config
from test_admin import Collection, Files, document, wait_history

CONFIGD = HOTPATH.with_name("hotpath-configd")
ROUNDS = int(os.environ.get("HOTPATH_CONTROL_RACES", 30))
AWAY_SECONDS = float(os.environ.get("HOTPATH_CONTROL_AWAY_SECONDS", 2))
SECONDS_MAX = 60


@pytest.fixture(scope="module")
def durable():
    """A server of these tests' own that can be killed and keeps what it has; fail points are on."""
    with servers.Mongodb(test_commands=True, durable=True) as server:
        if server.is_external:
            pytest.skip("this needs a server of the test's own")
        yield server


@pytest.fixture
def collection(durable):
    made = Collection(durable)
    made.server = durable
    yield made
    durable.start()
    made.client.admin.command("configureFailPoint", "failCommand", mode="off")
    made.close()


def fail(collection, commands, code, times):
    collection.client.admin.command("configureFailPoint", "failCommand", mode={"times": times},
                                    data={"failCommands": commands, "errorCode": code})


def race(admins, rounds):
    """Both read, then both write with If-Match, at once: of each round who won."""
    barrier = threading.Barrier(len(admins))
    outcomes = [[None] * rounds for _ in admins]

    def write(index):
        admin = admins[index]
        for number in range(rounds):
            etag = admin.get("shop").etag
            barrier.wait(SECONDS_MAX)
            answer = admin.put("shop", config({"hot_score": {"top_k": 10 + 2 * number + index}},
                                              reason=f"{number} of {index}"), If_Match=etag)
            outcomes[index][number] = answer
            barrier.wait(SECONDS_MAX)

    threads = [threading.Thread(target=write, args=[index]) for index in range(len(admins))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.parametrize("kind", ["files", "mongodb"])
def test_two_writers_with_if_match(kind, tmp_path, request):
    """Exactly one wins each round: through two configds over one MongoDB, through one over files."""
    store = Files(tmp_path) if kind == "files" else Collection(request.getfixturevalue("mongodb"))
    store.put(document("shop"))
    with Configd(CONFIGD, tmp_path, *store.arguments) as one:
        with Configd(CONFIGD, tmp_path, *(store.arguments if kind == "mongodb" else
                                          ["--scenarios-dir", (tmp_path / "scenarios")]),
                     name="other", publish="ipc://other") as other:
            admins = [one.admin(), (other if kind == "mongodb" else one).admin("two", "acme")]
            outcomes = race(admins, ROUNDS)
            wins = [[answer.status for answer in answers] for answers in zip(*outcomes)]
            assert all(sorted(statuses) == [200, 412] for statuses in wins), wins
            history = wait_history(one.admin(), "shop", min(ROUNDS + 1, 200))
            newest = history[-1]["revision"]
            assert newest == ROUNDS + 1
            entries = {entry["revision"]: entry for entry in history}
            for number, answers in enumerate(zip(*outcomes)):
                winner = next(index for index, answer in enumerate(answers) if answer.status == 200)
                revision = answers[winner].body["revision"]
                assert revision == number + 2
                if revision in entries:
                    assert entries[revision]["reason"] == f"{number} of {winner}"
                    assert entries[revision]["author"] == ("ci", "two")[winner]
            for configd in (one, other) if kind == "mongodb" else (one,):
                servers.wait_until(
                    lambda admin=configd.admin("two", "acme"): admin.get(
                        "shop/applied").body["published"] == newest, SECONDS_MAX,
                    "both publish the last one")
    store.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_crash_between_the_two_writes(collection, tmp_path, killed):
    """The document is written, the history is not: it is mended from the document's note."""
    collection.put(document("shop"))
    with Configd(CONFIGD, tmp_path, *collection.arguments) as configd:
        admin = configd.admin()
        wait_history(admin, "shop", 1)
        fail(collection, ["insert"], 50, 1000)
        answer = admin.put("shop", config({"hot_score": {"top_k": 5}}, reason="half"),
                           Idempotency_Key="half")
        assert answer.status == 200 and answer.body["revision"] == 2
        assert collection.revisions.count_documents({}) == 1
        assert collection.get("shop")["hotpath"]["reason"] == "half"
        if killed:
            configd.kill()
        collection.client.admin.command("configureFailPoint", "failCommand", mode="off")
        if killed:
            configd.start()
        history = wait_history(configd.admin(), "shop", 2)
        assert [(entry["revision"], entry["author"]) for entry in history] == \
            [(1, "external"), (2, "ci")]
        assert history[1]["reason"] == "half"
        # The request may be repeated: it is done.
        again = configd.admin().put("shop", config({"hot_score": {"top_k": 5}}, reason="half"),
                                    Idempotency_Key="half")
        assert again.body["repeated"] and again.body["revision"] == 2


def test_a_change_over_an_unrecorded_one_records_it_first(collection, tmp_path):
    """Whoever writes next brings the history up before: no accepted change is missing from it."""
    collection.put(document("shop"))
    with Configd(CONFIGD, tmp_path, *collection.arguments) as configd:
        admin = configd.admin()
        wait_history(admin, "shop", 1)
        fail(collection, ["insert"], 50, 1)
        assert admin.put("shop", config({"hot_score": {"top_k": 5}})).body["revision"] == 2
        assert admin.put("shop", config({"hot_score": {"top_k": 6}})).body["revision"] == 3
        history = wait_history(admin, "shop", 3)
        assert [(entry["revision"], entry["author"]) for entry in history] == \
            [(1, "external"), (2, "ci"), (3, "ci")]


ERRORS = [(["update"], 10107), (["update"], 11602), (["find"], 189), (["getMore", "find"], 286),
          (["insert"], 91)]
if "HOTPATH_CONTROL_RACES" in os.environ:
    ERRORS = [(commands, code) for code in (10107, 189, 91, 11602, 13435, 6, 286)
              for commands in (["update"], ["find"], ["getMore", "find"], ["insert"])]


@pytest.mark.parametrize("commands, code", ERRORS)
def test_errors_that_pass(collection, tmp_path, commands, code):
    """A primary that steps down, a lost history: the change is made once, or refused; all agree."""
    collection.put(document("shop"))
    with Configd(CONFIGD, tmp_path, *collection.arguments) as configd:
        admin = configd.admin()
        wait_history(admin, "shop", 1)
        fail(collection, commands, code, 2)
        answer = admin.put("shop", config({"hot_score": {"top_k": 5}}))
        if answer.status != 200:
            assert answer.status == 503, answer.body
            collection.client.admin.command("configureFailPoint", "failCommand", mode="off")
            answer = admin.put("shop", config({"hot_score": {"top_k": 5}}))
        assert answer.status == 200 and answer.body["revision"] == 2, answer.body
        history = wait_history(admin, "shop", 2)
        assert [entry["revision"] for entry in history] == [1, 2]
        assert history[1]["author"] == "ci"
        servers.wait_until(lambda: "number=2 active=true" in configd.log(), SECONDS_MAX,
                           "it is published")


def test_mongodb_is_killed_and_comes_back(collection, tmp_path):
    """What runs goes on, also in a configd that starts meanwhile; changes are refused; then all is
    as before, and what others wrote becomes a revision."""
    collection.put(document("shop", {"hot_score": {"top_k": 5}}))
    collection.put(document("rest"))
    with Configd(CONFIGD, tmp_path, *collection.arguments) as configd:
        admin = configd.admin()
        assert admin.put("shop", config({"hot_score": {"top_k": 6}})).status == 200
        servers.wait_until(lambda: admin.get("shop").body["applied"].get("published") == 2,
                           SECONDS_MAX, "it is published")
        collection.server.kill()
        began = time.monotonic()
        refused = admin.put("shop", config({"hot_score": {"top_k": 7}}))
        assert refused.status == 503 and refused.headers["retry-after"], refused.body
        assert time.monotonic() - began < 20
        read = admin.get("shop")
        assert read.status == 200 and read.body["store_answers"] is False
        assert read.body["effective"]["hot_score"]["top_k"] == 6 and read.body["revision"] == 2
        configd.kill()
        configd.start(wait=False)       # nobody answers it: what was stored holds
        servers.wait_until(lambda: "the last good configs run on" in configd.log(), SECONDS_MAX,
                           f"the stored config; log:\n{configd.log()[-2000:]}")
        listed = servers.wait_until(lambda: len(configd.admin().get().body["scenarios"]) == 2
                                    and configd.admin().get().body, SECONDS_MAX, "both are listed")
        assert all(one["active"] for one in listed["scenarios"])
        time.sleep(AWAY_SECONDS)        # the outage lasts
        collection.server.start()
        collection.scenarios.update_one(
            {"scenario_id": "shop"}, {"$set": {"config.realtime_compute.hot_score.top_k": 8}})
        history = wait_history(configd.admin(), "shop", 3)
        assert [(entry["revision"], entry["author"]) for entry in history] == \
            [(1, "external"), (2, "ci"), (3, "external")]
        assert configd.admin().get("shop").body["effective"]["hot_score"]["top_k"] == 8
        assert configd.admin().put("shop", config({})).body["revision"] == 4


def test_standalone(tmp_path):
    """A server without a replica set: changes and those of others all the same."""
    with servers.Mongodb(standalone=True) as server:
        store = Collection(server)
        store.put(document("shop"))
        with Configd(CONFIGD, tmp_path, *store.arguments) as configd:
            admin = configd.admin()
            first = admin.get("shop").etag
            assert admin.put("shop", config({"hot_score": {"top_k": 5}}), If_Match=first).status == 200
            assert admin.put("shop", config({"hot_score": {"top_k": 6}}), If_Match=first).status == 412
            store.put(document("shop", {"hot_score": {"top_k": 7}}))
            history = wait_history(admin, "shop", 3)
            assert [entry["author"] for entry in history] == ["external", "ci", "external"]


def test_a_document_with_16_mib_of_others(collection, tmp_path):
    """Found and followed like any other; a change that does not fit is refused, and nothing is lost."""
    roomy = document("roomy") | {"other": "x" * ((16 << 20) - 4000)}
    full = document("full") | {"other": "x" * ((16 << 20) - 240)}
    for body in (roomy, full):
        collection.scenarios.insert_one(body)
    with Configd(CONFIGD, tmp_path, *collection.arguments) as configd:
        admin = configd.admin()
        changed = admin.weights("roomy", purchase=15)
        assert changed.status == 200 and changed.body["revision"] == 2
        assert len(collection.get("roomy")["other"]) == len(roomy["other"])
        refused = admin.weights("full", purchase=15)
        assert refused.status == 409, refused.body
        assert refused.body["type"] == "urn:hotpath:problem:document-too-large"
        collection.scenarios.update_one({"scenario_id": "roomy"},
                                        {"$set": {"config.realtime_compute.hot_score.top_k": 9}})
        wait_history(admin, "roomy", 3)
        assert admin.get("full").body["revision"] == 1


def test_a_second_configd_stands_by(tmp_path):
    """Of two over one state folder the second waits, and takes over when the first goes."""
    store = Files(tmp_path)
    store.put(document("shop"))
    with Configd(CONFIGD, tmp_path, *store.arguments) as first:
        admin = first.admin()
        assert admin.put("shop", config({"hot_score": {"top_k": 5}})).body["revision"] == 2
        second = Configd.__new__(Configd)
        second.__dict__.update(first.__dict__)
        second.log_path = tmp_path / "second.log"
        second.start(wait=False)
        try:
            servers.wait_until(lambda: "stands by" in second.log(), SECONDS_MAX, "it waits")
            time.sleep(1)
            assert second.process.poll() is None and "revision" not in second.log()
            first.kill()
            servers.wait_until(lambda: "config is complete" in second.log(), SECONDS_MAX,
                               f"it takes over; log: {second.log()}")
            servers.wait_until(second.is_complete, SECONDS_MAX, "its admin API answers")
            assert second.admin().get("shop").body["revision"] == 2
            assert second.admin().put("shop", config({})).body["revision"] == 3
        finally:
            second.stop()
        first.start()


def test_a_stand_by_ends_when_told(tmp_path):
    store = Files(tmp_path)
    with Configd(CONFIGD, tmp_path, *store.arguments) as first:
        waiting = subprocess.Popen(first.command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        try:
            # A library may have said something before.
            assert any("stands by" in line for line in waiting.stderr)
            waiting.terminate()
            assert waiting.wait(SECONDS_MAX) == 0
        finally:
            waiting.kill()
            waiting.wait()
