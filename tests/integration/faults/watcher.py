"""What must hold while faults happen: a thread that reads Redis and Kafka, as readers do.

- A ranking and its meta, read in one MULTI, are of one window: as many items as meta says; and
  (judged afterwards) each complete ranking that was seen is the oracle's of its window, by the
  weights of one revision.
- Metrics and their history, read in one MULTI: the hash is the newest member of the history; each
  complete window that was seen is the oracle's.
- Within a lineage no ranking's revision goes back nor, within a revision, its window; no metrics' window nor,
  within a window, its revision.
- A user's profile never goes back: not its newest event, nor a count; first_seen only to earlier. (A
  profiler that died begins at its last commit, and may write an older profile until it has caught up:
  such steps are counted, and none may be left at the end, which the comparison sees.)
- Offsets committed in Kafka never go back and never pass what was written.
"""

import json
import threading
import time

import redis as redis_client
from rig import CHANGED
from support import oracle, redis_check

POLL_SECONDS = 0.02
KAFKA_POLL_SECONDS = 1.0
SNAPSHOTS_MAX = 2000
PROFILES_A_LOOK = 8
PROBLEMS_MAX = 100
REFILL_SECONDS_MAX = 10      # after Redis was emptied


class Watcher:
    """Reads until stop (); `problems` are what must not have been seen."""

    def __init__(self, rig):
        self.rig = rig
        self.problems = []
        self.reads = 0
        self.rankings = {}      # (scenario, era, number, window end) -> {item: score}
        self.metrics = {}       # (scenario, window end) -> fields
        self.last = {}          # key -> (emptyings of Redis, *place)
        self.profiles = {}      # key -> as last seen
        self.profiles_seen = 0
        self.profiles_back = 0  # times that a profile was older than before
        self.committed = {}
        self.names = [(document["tenant_id"], document["scenario_id"])
                      for document in rig.documents if document["status"] == "active"]
        self.turn = 0
        self.keys = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.thread.join(30)

    def problem(self, text):
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(text)

    def watch(self):
        client = self.rig.redis.client(socket_timeout=2)
        kafka_at = 0.0
        while not self.stopping.wait(POLL_SECONDS):
            try:
                self.turn += 1
                name = self.names[self.turn % len(self.names)]
                self.look_at_ranking(client, name)
                self.look_at_metrics(client, name)
                self.look_at_profiles(client)
            except (redis_client.RedisError, OSError):
                continue    # it is being restarted
            if time.monotonic() - kafka_at > KAFKA_POLL_SECONDS:
                self.look_at_commits()
                kafka_at = time.monotonic()

    # --- rankings and metrics ---

    def look_at_ranking(self, client, name):
        key = redis_check.key_of("hot:items:{}:{}", *name)
        pipe = client.pipeline(transaction=True)
        pipe.zrange(key, 0, -1, withscores=True)
        pipe.hgetall(key + b":meta")
        emptyings = self.rig.emptyings
        members, meta = pipe.execute()
        self.reads += 1
        if not meta:
            return
        if int(meta[b"items"]) != len(members):
            self.problem(f"{key}: {len(members)} items beside a meta of {meta}")
        revision, end = (int(meta[b"era"]), int(meta[b"revision"])), int(meta[b"window_end"])
        self.check_place(key, (meta[b"lineage"], revision, end), emptyings)
        if meta[b"complete"] == b"1" and len(self.rankings) < SNAPSHOTS_MAX:
            self.rankings[name, *revision, end] = {item.decode(): score for item, score in members}

    def look_at_metrics(self, client, name):
        key = redis_check.key_of("rec:metrics:{}:{}", *name)
        pipe = client.pipeline(transaction=True)
        pipe.hgetall(key)
        pipe.zrange(key + b":history", -1, -1)
        emptyings = self.rig.emptyings
        fields, newest = pipe.execute()
        self.reads += 1
        if not fields and not newest:
            return
        fields = {field.decode(): value.decode() for field, value in fields.items()}
        member = json.loads(newest[0]) if newest else {}
        # Until it is noticed that Redis was emptied, the hash counts as written.
        if not fields and time.monotonic() - self.rig.emptied_at < REFILL_SECONDS_MAX:
            return
        if not same_fields(fields, member):
            self.problem(f"{key}: {fields} beside a newest member of {member}")
            return
        revision, end = (int(fields["era"]), int(fields["revision"])), int(fields["window_end"])
        self.check_place(key, (fields["lineage"], end, revision), emptyings)
        if fields["complete"] == "1" and len(self.metrics) < SNAPSHOTS_MAX:
            self.metrics[name, end] = fields

    def check_place(self, key, place, emptyings):
        """(lineage, what orders the results of the key); none of an empty Redis is older than what it held before."""
        last = self.last.get(key)
        if emptyings % 2 == 0 and emptyings == self.rig.emptyings:
            if last and last[:2] == (emptyings, place[0]) and place < last[1:]:
                self.problem(f"{key}: went back from {last[1:]} to {place}")
            self.last[key] = (emptyings, *place)

    # --- profiles ---

    def look_at_profiles(self, client):
        if self.turn % 64 == 1:
            self.keys = sorted(client.scan_iter(match=b"user:profile:*", count=1000))
        if not self.keys:
            return
        start = self.turn * PROFILES_A_LOOK % len(self.keys)
        keys = self.keys[start:start + PROFILES_A_LOOK]
        for key, text in zip(keys, client.mget(keys), strict=True):
            if text is None:
                continue
            found, last = json.loads(text), self.profiles.get(key)
            self.profiles_seen += 1
            if last and is_older(found, last):
                self.profiles_back += 1
            self.profiles[key] = found

    # --- Kafka ---

    def look_at_commits(self):
        try:
            committed = self.rig.source.committed()
        except Exception:       # the broker is being restarted
            return
        for partition, offset in (committed or {}).items():
            if offset < self.committed.get(partition, 0):
                self.problem(f"the commit of partition {partition} went back to {offset}")
            if offset > len(self.rig.stream.partitions[partition]):
                self.problem(f"partition {partition} is committed to {offset}")
            self.committed[partition] = offset

    # --- afterwards ---

    def judge(self, truth):
        """Each complete window that was seen against the oracle's."""
        events, scenarios = truth.events()
        for (name, era, number, end), found in self.rankings.items():
            ranking = oracle.ranking_at(events.get(name, []), scenarios[name], end)
            key = f"{name} revision {number} window {end}"
            factors = self.rig.factors if name == CHANGED else [1.0]
            tried = [redis_check.ranking_differences(
                key, {item: score / factor for item, score in found.items()}, ranking)
                for factor in factors]
            if all(tried):
                self.problem(f"{key} (era {era}) is no revision's: "
                             + "; ".join(min(tried, key=len)[:5]))
        for (name, end), fields in self.metrics.items():
            window = oracle.metrics_at(events.get(name, []), scenarios[name], end)
            wrong = redis_check.metrics_differences(f"{name} metrics of window {end}", fields,
                                                    window)
            if wrong:
                self.problem("; ".join(wrong[:5]))


def same_fields(fields, member):
    if fields.keys() != member.keys():
        return False
    for name, value in fields.items():
        other = member[name]
        if value != str(other) and (isinstance(other, str) or float(value) != float(other)):
            return False
    return True


def is_older(found, last):
    return found["updated_at"] < last["updated_at"] or found["first_seen"] > last["first_seen"] or \
        any(found["stats"].get(name, 0) < count for name, count in last["stats"].items()
            if name.endswith("_count"))
