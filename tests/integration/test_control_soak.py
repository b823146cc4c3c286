"""Many scenarios that change all the time, through the admin API and in MongoDB, some of the changes
wrong, while processes are killed: in the end everybody runs what MongoDB holds, no reader saw a
revision go back, nothing wrong was applied, and the history has each accepted change once.

HOTPATH_CONTROL_SCENARIOS and HOTPATH_CONTROL_SECONDS make it long (make control-soak)."""

import concurrent.futures
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter

import pytest
from support import maker, servers
from support.admin import TOKENS, Admin, config, write_tokens
from support.config_reader import read_snapshot
from test_admin import Collection

SCENARIOS = int(os.environ.get("HOTPATH_CONTROL_SCENARIOS", 60))
SECONDS = float(os.environ.get("HOTPATH_CONTROL_SECONDS", 10))
SEED = int(os.environ.get("HOTPATH_CONTROL_SEED", 11))
CHANGES_A_SECOND = 10
KILL_EVERY_SECONDS = 3.5
BUSY = 20                       # scenarios that have events
SECONDS_MAX = 120
CHILDREN = ["configd", "scorer", "metrics", "profiler", "scorer"]


def name_of(number):
    return f"s{number:04}"


def write_events(path):
    end = maker.START_MS - maker.START_MS % 3_600_000 + 3_600_000
    events = []
    for number in range(BUSY):
        events += [{"tenant_id": "acme", "scenario_id": name_of(number), "user_id": f"u{item % 5}",
                    "item_id": f"item_{item}", "action_type": "view",
                    "timestamp": end - 60_000 * (item + 1)} for item in range(10)]
    events.sort(key=lambda event: event["timestamp"])
    events.append(events[-1] | {"timestamp": end + 60_000, "item_id": "later"})
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def document(number):
    return {"tenant_id": "acme", "scenario_id": name_of(number), "status": "active",
            "owner": {"of": "others"}, "config": {"realtime_compute": {"hot_score": {"top_k": 50}}}}


class Reader(threading.Thread):
    """Follows the revisions in Redis; what it sees go back is in `backwards`."""

    def __init__(self, client):
        super().__init__()
        self.client = client
        self.ended = threading.Event()
        self.newest = {}
        self.backwards = []

    def run(self):
        keys = [f"hot:items:acme:{name_of(number)}:meta" for number in range(BUSY)]
        while not self.ended.is_set():
            pipe = self.client.pipeline(transaction=False)
            for key in keys:
                pipe.hmget(key, "era", "revision")
            for key, (era, revision) in zip(keys, pipe.execute()):
                if era is None:
                    continue
                seen = (int(era), int(revision))
                if seen < self.newest.get(key, (0, 0)):
                    self.backwards.append((key, self.newest[key], seen))
                self.newest[key] = seen
            time.sleep(0.01)


class Killer(threading.Thread):
    """Kills one child after the other."""

    def __init__(self, running, rng):
        super().__init__()
        self.running = running
        self.rng = rng
        self.ended = threading.Event()
        self.killed = Counter()

    def run(self):
        while not self.ended.wait(KILL_EVERY_SECONDS):
            name = self.rng.choice(CHILDREN)
            found = subprocess.run(
                ["pgrep", "-P", str(self.running.process.pid), "-f", f"hotpath-{name} "],
                capture_output=True, text=True, check=False).stdout.split()
            if found:
                try:
                    os.kill(int(self.rng.choice(found)), signal.SIGKILL)
                    self.killed[name] += 1
                except ProcessLookupError:
                    pass


class Changer:
    """Makes changes at a steady pace, several under way at once, and knows which were accepted."""

    def __init__(self, port, store, rng):
        self.port = port
        self.store = store
        self.rng = rng
        self.own = threading.local()
        self.accepted = {}      # reason -> (scenario, revision)
        self.refused = 0
        self.external = set()   # scenarios that were written past the API
        self.retried = 0

    @property
    def admin(self):
        if not hasattr(self.own, "admin"):
            self.own.admin = Admin(self.port)
        return self.own.admin

    def through_the_api(self, scenario, weight):
        """One change, repeated with its key until it has an answer."""
        reason = uuid.uuid4().hex
        change = config({"hot_score": {"action_weights": {"view": weight}}}, reason=reason)
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            try:
                answer = self.admin.post(scenario, change, Idempotency_Key=reason)
                if answer.status != 503:
                    break
            except (OSError, http.client.HTTPException):
                self.admin.close()
            assert time.monotonic() < deadline, "the admin API does not come back"
            self.retried += 1
            time.sleep(0.1)
        if answer.status == 422 and scenario in self.external:
            return          # others have made the document invalid
        assert answer.status == 200, answer
        if answer.body["changed"]:
            self.accepted[reason] = (scenario, answer.body["revision"])

    def past_it(self, scenario, value):
        self.external.add(scenario)
        self.store.scenarios.update_one(
            {"scenario_id": scenario},
            {"$set": {"config.realtime_compute.hot_score.top_k": value}})

    def a_wrong_one(self, scenario):
        try:
            answer = self.admin.post(scenario, config({"hot_score": {"top_k": 0}}))
            assert answer.status in (422, 503), answer
            self.refused += answer.status == 422
        except (OSError, http.client.HTTPException):
            self.admin.close()

    def run(self, seconds):
        began = time.monotonic()
        number = 0
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            under_way = []
            while time.monotonic() < began + seconds:
                scenario = name_of(self.rng.randrange(SCENARIOS) if number % 2 else
                                   self.rng.randrange(BUSY))
                if number % (2 * CHANGES_A_SECOND) == 0:
                    under_way.append(pool.submit(self.past_it, scenario, 0))
                elif number % CHANGES_A_SECOND == 0:
                    under_way.append(pool.submit(self.a_wrong_one, scenario))
                elif number % 5 == 1:
                    under_way.append(pool.submit(self.past_it, scenario,
                                                 self.rng.randrange(1, 1000)))
                else:
                    under_way.append(pool.submit(self.through_the_api, scenario,
                                                 self.rng.randrange(1, 10 ** 6)))
                number += 1
                rest = began + number / CHANGES_A_SECOND - time.monotonic()
                if rest > 0:
                    time.sleep(rest)
            for one in under_way:
                one.result()
        return number


def mend_all(store, rng):
    """What others left invalid they make valid again."""
    for body in list(store.scenarios.find({"config.realtime_compute.hot_score.top_k": 0})):
        store.scenarios.update_one({"_id": body["_id"]}, {"$set": {
            "config.realtime_compute.hot_score.top_k": rng.randrange(1, 1000)}})


def expected_of(body):
    """What of the effective config the changes are about."""
    hot = body["config"]["realtime_compute"]["hot_score"]
    return hot["top_k"], hot.get("action_weights", {}).get("view", 1)


def published_of(published):
    hot = published.config["hot_score"]
    return hot["top_k"], hot["action_weights"]["view"]


def check_history(store, changer):
    found = list(store.revisions.find({}, {"effective": 0, "realtime_compute": 0}))
    numbers = Counter((one["scenario_id"], one["number"]) for one in found)
    assert max(numbers.values()) == 1
    by_reason = {}
    for one in found:
        if one.get("reason"):
            by_reason.setdefault(one["reason"], []).append((one["scenario_id"], one["number"]))
    for reason, accepted in changer.accepted.items():
        assert by_reason.get(reason) == [accepted], (reason, accepted, by_reason.get(reason))
    ours = [one for one in found if one["author"] == "ci"]
    assert len(ours) == len(changer.accepted), "a change that nobody was told of"


def check_agreement(store, endpoint):
    snapshot = read_snapshot(endpoint)
    differing = []
    for body in store.scenarios.find({}):
        published = snapshot[body["tenant_id"], body["scenario_id"]]
        if published_of(published) != expected_of(body) or not published.active:
            differing.append((body["scenario_id"], expected_of(body), published))
    return not differing


def newest_of(store):
    newest = {}
    for one in store.revisions.find({}, {"scenario_id": 1, "number": 1, "effective": 1}):
        if one["number"] > newest.get(one["scenario_id"], (0, None))[0]:
            newest[one["scenario_id"]] = (one["number"], one["effective"])
    return newest


def wait_all_agree(store, endpoint, reader):
    """Until what is published, what Redis has and the newest of the history have the same numbers:
    what was published last as it was when this returns."""
    differing = {}

    def agree():
        snapshot = read_snapshot(endpoint)
        history = newest_of(store)
        differing.clear()
        for (_, scenario), published in snapshot.items():
            redis = reader.newest.get(f"hot:items:acme:{scenario}:meta")
            if redis not in (None, published[1:3]) or \
                    history.get(scenario, (0,))[0] != published.number:
                differing[scenario] = (published[:3], redis, history.get(scenario, (0,))[0])
        return not differing and snapshot

    try:
        return servers.wait_until(agree, SECONDS_MAX, "all agree", 1)
    except TimeoutError:
        raise AssertionError(f"(published, Redis, history) of {len(differing)} scenarios differ: "
                             f"{dict(list(differing.items())[:5])}") from None


@pytest.mark.timeout(SECONDS + 3 * SECONDS_MAX)
def test_changes_while_processes_are_killed(pipeline):
    rng = random.Random(SEED)
    port = servers.free_port()
    write_tokens(pipeline.folder / "tokens")
    write_events(pipeline.folder / "events.jsonl")
    with servers.Mongodb(durable=True) as server:
        store = Collection(server)
        store.scenarios.insert_many([document(number) for number in range(SCENARIOS)])
        arguments = ["--file", pipeline.folder / "events.jsonl", "--follow", "--idle-advance=off",
                     "--scorers", "2", "--metrics", "2", "--commit-interval", "1s",
                     "--admin-listen", f"127.0.0.1:{port}",
                     "--admin-tokens", pipeline.folder / "tokens", *store.arguments]
        with pipeline.start(*arguments) as running:
            servers.wait_until(
                lambda: all(pipeline.client.exists(f"hot:items:acme:{name_of(number)}:meta")
                            for number in range(BUSY)), SECONDS_MAX,
                f"the first rankings; {running.stderr_path.read_text()[-3000:]}")
            reader, killer = Reader(pipeline.client), Killer(running, random.Random(SEED))
            changer = Changer(port, store, rng)
            reader.start()
            killer.start()
            try:
                made = changer.run(SECONDS)
            finally:
                killer.ended.set()
                killer.join()
            mend_all(store, rng)
            endpoint = f"ipc://{pipeline.state}/run/configd"
            servers.wait_until(lambda: check_agreement(store, endpoint), SECONDS_MAX,
                                          "what is published is what MongoDB holds", 0.5)
            admin = Admin(port, "alice")
            servers.wait_until(
                lambda: (told := admin.send("GET", "/api/v1/processes").body)["behind"] == 0
                and len(told["processes"]) >= 6 and told, SECONDS_MAX, "all processes run it", 0.5)
            snapshot = wait_all_agree(store, endpoint, reader)
            reader.ended.set()
            reader.join()
            finished = running.stop()
        print(f"{made} changes: {len(changer.accepted)} accepted, {changer.refused} refused, "
              f"{changer.retried} repeated; killed {dict(killer.killed)}")
        assert finished.code == 0, finished.explain()
        assert not reader.backwards, reader.backwards[:5]
        assert sum(killer.killed.values()) >= SECONDS / KILL_EVERY_SECONDS / 2
        for scenario, (number, effective) in newest_of(store).items():
            assert effective["hot_score"]["top_k"] >= 1
            assert effective == snapshot["acme", scenario].config, (scenario, number)
        check_history(store, changer)
        owners = [body["owner"] for body in store.scenarios.find({})]
        assert owners == [{"of": "others"}] * SCENARIOS
