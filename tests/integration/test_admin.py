"""The admin API of a configd alone, over files and over MongoDB: every operation, what it refuses, and
what it leaves behind in documents, history and audit log."""

import json
import uuid

import pytest
from conftest import HOTPATH
from support import servers
from support.admin import Admin, Configd, config, quote

CONFIGD = HOTPATH.with_name("hotpath-configd")
SECONDS_MAX = 30
DEFAULT_WEIGHTS = {"impression": 0.5, "view": 1, "click": 2, "like": 3, "favorite": 4, "comment": 5,
                   "share": 6, "purchase": 10}


def document(scenario, compute=None, tenant="acme", status="active"):
    return {"tenant_id": tenant, "scenario_id": scenario, "status": status,
            "other": {"service": [1, 2.5, "three"]},
            "config": {"mine": True, "realtime_compute": compute or {}}}


class Files:
    """Documents that are files of a folder."""

    def __init__(self, folder):
        self.folder = folder / "scenarios"
        self.folder.mkdir(exist_ok=True)
        self.arguments = ["--scenarios-dir", self.folder]

    def put(self, body):
        path = self.folder / f"{body['tenant_id']}-{body['scenario_id']}.json"
        written = path.with_suffix(".tmp")
        written.write_text(json.dumps(body))
        written.rename(path)

    def get(self, scenario, tenant="acme"):
        for path in self.folder.glob("*.json"):
            body = json.loads(path.read_text())
            if (body.get("tenant_id"), body.get("scenario_id")) == (tenant, scenario):
                return body
        return None

    def close(self):
        pass


class Collection:
    """Documents of a collection."""

    def __init__(self, server):
        self.client = server.client()
        self.name = f"hotpath_{uuid.uuid4().hex[:10]}"
        self.arguments = ["--mongodb-url", server.url, "--database", self.name]
        self.scenarios = self.client[self.name].scenarios
        self.revisions = self.client[self.name].scenario_revisions

    def put(self, body):
        self.scenarios.replace_one({key: body[key] for key in ("tenant_id", "scenario_id")},
                                   body, upsert=True)

    def get(self, scenario, tenant="acme"):
        return self.scenarios.find_one({"tenant_id": tenant, "scenario_id": scenario}, {"_id": 0})

    def close(self):
        self.client.drop_database(self.name)
        self.client.close()


@pytest.fixture(params=["files", "mongodb"])
def store(request, tmp_path):
    made = Files(tmp_path) if request.param == "files" else \
        Collection(request.getfixturevalue("mongodb"))
    yield made
    made.close()


@pytest.fixture
def configd(store, tmp_path):
    store.put(document("shop"))
    with Configd(CONFIGD, tmp_path, *store.arguments) as started:
        yield started


def wait_history(admin, scenario, count):
    """The history once it has so many revisions, the oldest first."""
    def read():
        revisions = admin.get(f"{scenario}/revisions?limit=200").body.get("revisions", [])
        return len(revisions) >= count and revisions[::-1]      # none: the store is away now
    return servers.wait_until(read, SECONDS_MAX, f"{count} revisions of {scenario}")


def weights_of(answer):
    return answer.body["effective"]["hot_score"]["action_weights"]


def test_a_weight_is_raised_and_the_others_stay(configd, store):
    admin = configd.admin()
    changed = admin.weights("shop", purchase=15.0)
    assert changed.status == 200, changed
    assert weights_of(changed) == {**DEFAULT_WEIGHTS, "purchase": 15}
    assert changed.body["changes"] == [
        {"pointer": "/hot_score/action_weights/purchase", "from": 10, "to": 15}]
    stored = store.get("shop")
    assert stored["other"] == document("shop")["other"] and stored["config"]["mine"] is True
    assert stored["config"]["realtime_compute"] == {
        "hot_score": {"action_weights": {**DEFAULT_WEIGHTS, "purchase": 15}}}
    read = admin.get("shop")
    assert read.status == 200 and weights_of(read) == weights_of(changed)
    assert read.etag == changed.etag and read.body["revision"] == 2
    assert read.body["change"]["author"] == "ci"
    external, ours = wait_history(admin, "shop", 2)
    assert (external["revision"], external["author"]) == (1, "external")
    assert (ours["revision"], ours["author"], ours["from"]) == (2, "ci", "127.0.0.1")
    servers.wait_until(lambda: "number=2 active=true" in configd.log(), SECONDS_MAX,
                       "the revision is published")


def test_every_way_to_change(configd, store):
    admin = configd.admin()
    put = admin.put("shop", config({"hot_score": {"top_k": 7}}, reason="seven will do"))
    assert put.status == 200 and put.body["revision"] == 2
    assert admin.get("shop/revisions/2").body["reason"] == "seven will do"
    assert admin.weights("shop", view=9).body["stored"] == {
        "hot_score": {"top_k": 7, "action_weights": {**DEFAULT_WEIGHTS, "view": 9}}}
    dropped = admin.post("shop", config({"hot_score": {"top_k": None,
                                                       "action_weights": {"share": None}}}))
    assert "share" not in weights_of(dropped) and dropped.body["effective"]["hot_score"]["top_k"] == 1000
    reset = admin.delete("shop?reason=back+to+the+start")
    assert reset.status == 200 and reset.body["stored"] is None and reset.body["revision"] == 5
    assert "realtime_compute" not in store.get("shop")["config"]
    rolled = admin.post("shop/rollback", {"revision": 2})
    assert rolled.status == 200 and rolled.body["revision"] == 6
    assert rolled.body["stored"] == {"hot_score": {"top_k": 7}}
    history = wait_history(admin, "shop", 6)
    assert [entry["revision"] for entry in history] == [1, 2, 3, 4, 5, 6]
    assert history[5]["reason"] == "rollback to revision 2"
    assert history[4]["reason"] == "back to the start"
    page = admin.get("shop/revisions?limit=2").body
    assert [entry["revision"] for entry in page["revisions"]] == [6, 5] and page["next_below"] == 5
    assert [entry["revision"] for entry in
            admin.get("shop/revisions?limit=2&below=5").body["revisions"]] == [4, 3]
    assert admin.get("shop/diff?from=defaults&to=2").body["changes"] == [
        {"pointer": "/hot_score/top_k", "from": 1000, "to": 7}]
    assert admin.get("shop/diff?from=2&to=current").body["changes"] == []
    assert admin.get("shop/diff").body == {
        "from": 5, "to": 6, "changes": [{"pointer": "/hot_score/top_k", "from": 1000, "to": 7}]}
    same = admin.post("shop/rollback", {"revision": 2})
    assert same.status == 200 and same.body["changed"] is False and same.body["revision"] == 6


def test_units_of_time_and_names_fold(configd):
    admin = configd.admin()
    assert admin.put("shop", config({
        "hot_score": {"window_size_minutes": 60, "window_slide_minutes": 20,
                      "action_weights": {"Purchase": 3, "view": 1}},
        "metrics": {"definitions": {"a": {"numerator": ["x"], "denominator": ["y"]}}}})).status == 200
    changed = admin.post("shop", config({
        "hot_score": {"window_slide_seconds": 90, "action_weights": {" PURCHASE ": 4}},
        "metrics": {"window_size_minutes": 10,
                    "definitions": {"b": {"numerator": ["x"], "denominator": ["z"]}}}}))
    assert changed.status == 200, changed.body
    stored = changed.body["stored"]
    assert stored["hot_score"] == {"window_size_minutes": 60, "window_slide_seconds": 90,
                                   "action_weights": {"purchase": 4, "view": 1}}
    assert set(stored["metrics"]["definitions"]) == {"a", "b"}
    # The slide of metrics is the size where it is not given: it follows.
    assert changed.body["effective"]["metrics"]["window_slide_minutes"] == 10


def test_validate_says_all_at_once(configd, store):
    admin = configd.admin("reader")
    answer = admin.post("shop/validate", config({
        "hot_score": {"top_k": 0, "action_weights": {"a.b/c~d": "x"}, "window_slide_minutes": 7},
        "metric": {}}))
    assert answer.status == 200 and answer.body["valid"] is False
    assert {error["pointer"] for error in answer.body["errors"]} == {
        "/config/realtime_compute/metric", "/config/realtime_compute/hot_score/top_k",
        "/config/realtime_compute/hot_score/action_weights/a.b~1c~0d"}
    refused = configd.admin().post("shop", config({"hot_score": {"window_slide_minutes": 7}}))
    assert refused.status == 422 and refused.headers["content-type"] == "application/problem+json"
    assert refused.body["type"] == "urn:hotpath:problem:invalid" and refused.body["status"] == 422
    assert [error["pointer"] for error in refused.body["errors"]] == [
        "/config/realtime_compute/hot_score/window_slide_minutes"]
    good = admin.post("shop/validate", config({"hot_score": {"top_k": 5}}))
    assert good.body["valid"] and good.body["changes"] == [
        {"pointer": "/hot_score/top_k", "from": 1000, "to": 5}]
    assert store.get("shop")["config"]["realtime_compute"] == {}


def test_dry_run_changes_nothing(configd, store):
    before = store.get("shop")
    answer = configd.admin("reader").weights("shop", "?dry_run=true", purchase=15)
    assert answer.status == 200 and answer.body["dry_run"] and answer.body["changed"]
    assert weights_of(answer)["purchase"] == 15 and "revision" not in answer.body
    created = configd.admin("reader").post("?dry_run=true", {"scenario_id": "new"})
    assert created.status == 200 and created.body["effective"]
    assert store.get("shop") == before and store.get("new") is None
    assert configd.audit() == []


def test_create(configd, store):
    admin = configd.admin()
    made = admin.post("", {"scenario_id": "new/one", "scenario_type": "feed",
                           **config({"hot_score": {"top_k": 3}}, reason="a new one")})
    assert made.status == 201, made.body
    assert made.headers["location"] == "/api/v1/scenarios/" + quote("new/one")
    assert made.body["revision"] == 1 and made.body["effective"]["hot_score"]["top_k"] == 3
    stored = store.get("new/one")
    assert stored["status"] == "active" and stored["scenario_type"] == "feed"
    assert stored["config"] == {"realtime_compute": {"hot_score": {"top_k": 3}}}
    again = admin.post("", {"scenario_id": "new/one"})
    assert again.status == 409 and again.body["type"] == "urn:hotpath:problem:exists"
    read = admin.get(quote("new/one"))
    assert read.status == 200 and read.etag == made.etag
    servers.wait_until(lambda: admin.get(quote("new/one")).body["active"], SECONDS_MAX,
                       "the new scenario is published")
    assert admin.weights(quote("new/one"), view=2).body["revision"] == 2


def test_status(configd, store):
    admin = configd.admin()
    paused = admin.post("shop/status", {"status": "paused", "reason": "out of stock"})
    assert paused.status == 200 and paused.body["changed"]
    assert store.get("shop")["status"] == "paused"
    servers.wait_until(lambda: not admin.get("shop").body["active"], SECONDS_MAX, "it is paused")
    assert [one["scenario_id"] for one in admin.get("?status=paused").body["scenarios"]] == ["shop"]
    assert admin.get("?status=active").body["scenarios"] == []
    assert admin.post("shop/status", {"status": "paused"}).body["changed"] is False
    assert admin.post("shop/status", {"status": "gone"}).status == 422
    assert admin.post("shop/status", {"status": "active"}, If_Match=paused.etag).status == 200
    assert admin.post("shop/status", {"status": "paused"}, If_Match=paused.etag).status == 412
    record = configd.audit()[0]
    assert record["scenario_status"] == {"from": "active", "to": "paused"}
    assert record["reason"] == "out of stock"


def test_list_by_pages(configd, store):
    for number in range(7):
        store.put(document(f"s{number}", tenant="beta" if number % 2 else "acme"))
    admin = configd.admin("two")
    servers.wait_until(lambda: len(admin.get().body["scenarios"]) == 8, SECONDS_MAX, "all are there")
    wanted = [("acme", name) for name in ("s0", "s2", "s4", "s6", "shop")] + \
             [("beta", name) for name in ("s1", "s3", "s5")]
    found, path = [], "?limit=3"
    while path:
        page = admin.get(path)
        assert len(page.body["scenarios"]) <= 3
        found += [(one["tenant_id"], one["scenario_id"]) for one in page.body["scenarios"]]
        path = page.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert found == wanted
    assert len(admin.get("?tenant=beta").body["scenarios"]) == 3
    assert len(configd.admin("beta").get().body["scenarios"]) == 3
    assert len(configd.admin("ci").get().body["scenarios"]) == 5
    assert len(configd.admin("two", "beta").get().body["scenarios"]) == 3
    assert configd.admin("beta").get("?tenant=acme").status == 403


def test_if_match(configd, store):
    admin = configd.admin()
    first = admin.get("shop").etag
    second = admin.weights("shop", view=2)
    assert second.etag != first
    lost = admin.post("shop", config({"hot_score": {"top_k": 5}}), If_Match=first)
    assert lost.status == 412 and lost.etag == second.etag
    assert admin.post("shop", config({"hot_score": {"top_k": 5}}), If_Match="W/" + second.etag).status == 412
    assert admin.post("shop", config({"hot_score": {"top_k": 5}}),
                      If_Match=f'"other", {second.etag}').status == 200
    assert admin.put("shop", config({}), If_Match="*").status == 200
    # What others write is another state as well.
    etag = admin.get("shop").etag
    store.put(document("shop", {"hot_score": {"top_k": 8}}))
    assert admin.delete("shop", If_Match=etag).status == 412
    assert admin.delete("shop", If_Match=admin.get("shop").etag).status == 200
    history = wait_history(admin, "shop", 6)
    assert [entry["author"] for entry in history] == ["external", "ci", "ci", "ci", "external", "ci"]


def test_idempotency_key(configd):
    admin = configd.admin()
    body = config({"hot_score": {"top_k": 5}})
    first = admin.post("shop", body, Idempotency_Key="k-1")
    assert first.status == 200 and first.body["revision"] == 2
    assert admin.put("shop", config({"hot_score": {"top_k": 6}})).body["revision"] == 3
    again = admin.post("shop", body, Idempotency_Key="k-1")
    assert again.status == 200 and again.body["repeated"] and again.body["revision"] == 2
    assert admin.get("shop").body["revision"] == 3
    other = admin.post("shop", config({"hot_score": {"top_k": 9}}), Idempotency_Key="k-1")
    assert other.status == 422 and other.body["type"] == "urn:hotpath:problem:idempotency-key"
    assert admin.post("shop", body, Idempotency_Key="x" * 256).status == 400
    made = {"scenario_id": "made"}
    assert admin.post("", made, Idempotency_Key="k-2").status == 201
    assert admin.post("", made, Idempotency_Key="k-2").status == 201
    assert admin.post("", made, Idempotency_Key="k-3").status == 409
    assert admin.post("", {**made, "status": "paused"}, Idempotency_Key="k-2").status == 422
    configd.kill()
    configd.start()
    assert configd.admin().post("shop", body, Idempotency_Key="k-1").body["repeated"]


def test_changes_of_others_become_revisions(configd, store):
    admin = configd.admin()
    store.put(document("shop", {"hot_score": {"top_k": 11}}))
    store.put(document("late", {"hot_score": {"top_k": 12}}))
    wait_history(admin, "shop", 2)
    wait_history(admin, "late", 1)
    configd.stop()
    store.put(document("shop", {"hot_score": {"top_k": 13}}))      # while nobody looks
    configd.start()
    history = wait_history(admin, "shop", 3)
    assert [entry["author"] for entry in history] == ["external"] * 3
    assert admin.get("shop/revisions/3").body["effective"]["hot_score"]["top_k"] == 13
    # One that is not valid runs nowhere, and is shown with what is wrong.
    store.put(document("shop", {"hot_score": {"top_k": 0}}))
    invalid = servers.wait_until(
        lambda: (read := admin.get("shop")).body["document"] == "invalid" and read, SECONDS_MAX,
        "the document is seen to be invalid")
    assert invalid.body["errors"][0]["pointer"] == "/config/realtime_compute/hot_score/top_k"
    servers.wait_until(lambda: any(one["document"] == "invalid" for one in admin.get().body["scenarios"]),
                       SECONDS_MAX, "the list shows it")
    assert invalid.body["effective"]["hot_score"]["top_k"] == 13
    assert admin.weights("shop", view=2).status == 422
    mended = admin.post("shop/rollback", {"revision": 1})
    assert mended.status == 200 and mended.body["revision"] == 4


def test_what_is_not_there(configd):
    admin = configd.admin()
    for method, path, body, status in [
            ("GET", "nowhere", None, 404), ("POST", "nowhere", config({}), 404),
            ("GET", "shop/revisions/99", None, 404), ("POST", "shop/rollback", {"revision": 99}, 404),
            ("GET", "shop/diff?from=98&to=99", None, 404), ("GET", "/api/v2/x", None, 404),
            ("PATCH", "shop", config({}), 405), ("DELETE", "/api/v1/scenarios", None, 405),
            ("GET", "shop/revisions/x", None, 400), ("GET", "%ff", None, 400), ("GET", "a%00b", None, 400),
            ("GET", "x" * 257, None, 400), ("POST", "shop", b"{", 400), ("POST", "shop", b"[]", 400),
            ("POST", "shop", b"[" * 1000 + b"]" * 1000, 400),
            ("POST", "shop", {"konfig": {}}, 422), ("POST", "shop", {"config": {"x": 1}}, 422),
            ("POST", "shop?dry_runn=true", config({}), 422), ("GET", "?limit=0", None, 422),
            ("POST", "shop", b" " * (2 << 20), 413)]:
        answer = admin.send(method, path if path.startswith("/") else f"/api/v1/scenarios/{path}"
                            if not path.startswith("?") else f"/api/v1/scenarios{path}", body)
        assert answer.status == status, (method, path[:40], answer)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.body["status"] == status and answer.body["title"] and answer.body["instance"]
    assert admin.send("PATCH", "/api/v1/scenarios/shop", {}).headers["allow"] == \
        "GET, HEAD, POST, PUT, DELETE"
    assert admin.send("POST", "/api/v1/scenarios/shop", b"{}", Content_Type="text/plain").status == 415
    assert admin.send("HEAD", "/api/v1/scenarios/shop").status == 200
