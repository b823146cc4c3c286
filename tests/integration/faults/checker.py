"""What must hold while faults happen, and after them.

While it runs (Watcher, a thread that reads Redis): the ranking and its meta, read in one MULTI, are
of one window (as many items as meta says); within a lineage a revision never goes back, and neither
does the window within a revision; every complete ranking that was seen equals the oracle's for its
window, by the weights of one revision (judged afterwards); offsets committed in Kafka never go back
and never pass what was written.

After it has come to rest (compare): Redis equals the oracle. What this does not do: cause faults.
"""

import threading
import time

import redis as redis_client
from rig import CHANGED
from support import oracle, redis_check
from support.oracle_input import Invalid, parse_event

POLL_SECONDS = 0.02
KAFKA_POLL_SECONDS = 1.0
SNAPSHOTS_MAX = 2000
LIVE_SECONDS_MAX = 60
OUT_OF_ORDERNESS_MS = 5000
FUTURE_MS = 300_000


class Watcher:
    """Reads Redis until stop (); `problems` are what must not have been seen."""

    def __init__(self, rig):
        self.rig = rig
        self.problems = []
        self.reads = 0
        self.snapshots = {}     # (scenario, era, number, window end) -> {item: score}
        self.last = {}          # scenario -> (lineage, era, number, window end)
        self.committed = {}
        self.names = [(document["tenant_id"], document["scenario_id"])
                      for document in rig.documents if document["status"] == "active"]
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

    def watch(self):
        client = self.rig.redis.client(socket_timeout=2)
        kafka_at = 0.0
        while not self.stopping.wait(POLL_SECONDS):
            try:
                for name in self.names:
                    self.look(client, name)
            except (redis_client.RedisError, OSError):
                continue    # it is being restarted
            if time.monotonic() - kafka_at > KAFKA_POLL_SECONDS:
                self.look_at_commits()
                kafka_at = time.monotonic()

    def look(self, client, name):
        key = redis_check.key_of("hot:items:{}:{}", *name)
        pipe = client.pipeline(transaction=True)
        pipe.zrange(key, 0, -1, withscores=True)
        pipe.hgetall(key + b":meta")
        members, meta = pipe.execute()
        self.reads += 1
        if not meta:
            return
        if int(meta[b"items"]) != len(members):
            self.problems.append(f"{key}: {len(members)} items beside a meta of {meta}")
        place = (meta[b"lineage"], int(meta[b"era"]), int(meta[b"revision"]),
                 int(meta[b"window_end"]))
        last = self.last.get(name)
        if last and last[0] == place[0] and place < last:
            self.problems.append(f"{key}: went back from {last} to {place}")
        self.last[name] = place
        if meta[b"complete"] == b"1" and len(self.snapshots) < SNAPSHOTS_MAX:
            self.snapshots[name, *place[1:]] = {item.decode(): score for item, score in members}

    def look_at_commits(self):
        try:
            committed = self.rig.source.committed()
        except Exception:       # the broker is being restarted
            return
        for partition, offset in (committed or {}).items():
            if offset < self.committed.get(partition, 0):
                self.problems.append(f"the commit of partition {partition} went back to {offset}")
            if offset > len(self.rig.stream.partitions[partition]):
                self.problems.append(f"partition {partition} is committed to {offset}")
            self.committed[partition] = offset

    def judge_snapshots(self):
        """Each complete ranking that was seen against the oracle's of its window."""
        events, scenarios = oracle.events_of(self.rig.source.partitions(),
                                             self.rig.stream.documents)
        for (name, era, number, end), found in self.snapshots.items():
            ranking = oracle.ranking_at(events.get(name, []), scenarios[name], end)
            key = f"{name} revision {number} window {end}"
            factors = self.rig.factors if name == CHANGED else [1.0]
            tried = [redis_check.ranking_differences(
                key, {item: score / factor for item, score in found.items()}, ranking)
                for factor in factors]
            if all(tried):
                self.problems.append(f"{key} (era {era}) is no revision's: "
                                     + "; ".join(min(tried, key=len)[:5]))


def complete_windows(rig):
    """{(tenant, scenario): end of the newest window of its ranking that is complete, live}."""
    watermark = None
    for records in rig.source.partitions().values():
        greatest = None
        for record in records:
            try:
                time_ms = parse_event(record.value, record.time_ms).time_ms
            except Invalid:
                continue
            clock_ms = time.time() * 1000 if record.time_ms is None else record.time_ms
            if time_ms > clock_ms + FUTURE_MS:
                continue
            greatest = time_ms if greatest is None else max(greatest, time_ms)
        if greatest is None:
            return {}
        watermark = greatest if watermark is None else min(watermark, greatest)
    watermark -= OUT_OF_ORDERNESS_MS
    scenarios = [oracle.parse_scenario(document) for document in rig.documents]
    return {(scenario.tenant, scenario.scenario): watermark // scenario.hot.slide_ms
            * scenario.hot.slide_ms
            for scenario in scenarios if scenario.active and scenario.hot.enabled}


def wait_until_live_is_done(rig, seconds=LIVE_SECONDS_MAX):
    """Faults are over and all input is there: without any restart it must come to the newest
    complete window, and to Kafka's ends. Returns what did not."""
    windows = complete_windows(rig)
    deadline = time.monotonic() + seconds
    while True:
        late = what_is_late(rig, windows)
        if not late or time.monotonic() > deadline:
            return late
        if rig.run.poll() is not None:
            return [f"hotpath run has ended with {rig.run.returncode}"]
        time.sleep(0.2)


def what_is_late(rig, windows):
    late = []
    client = rig.redis.client(socket_timeout=5)
    for name, end in windows.items():
        key = redis_check.key_of("hot:items:{}:{}:meta", *name)
        meta = client.hgetall(key)
        reached = int(meta.get(b"window_end", 0))
        if reached < end or meta.get(b"complete") != b"1":
            late.append(f"{key}: window {reached} of {end}, complete {meta.get(b'complete')}")
    committed = rig.source.committed()
    if committed is not None:
        for partition, messages in enumerate(rig.stream.partitions):
            if committed.get(partition, 0) != len(messages):
                late.append(f"partition {partition} is committed to {committed.get(partition)} "
                            f"of {len(messages)}")
    return late


def compare(rig):
    """Differences between Redis and the oracle, once --once has run to the end."""
    expected = oracle.compute(rig.source.partitions(), rig.documents)
    return redis_check.compare(rig.redis.client(), expected)
