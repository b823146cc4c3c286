"""What must hold once all has come to rest: Redis equals the oracle, live at the newest watermark and
after --once; and nothing was lost or counted twice, by Redis and by the state on disk.

What must hold while faults happen is in watcher.py.
"""

import json
import time
from typing import NamedTuple

from support import oracle, redis_check, state_reader

LIVE_SECONDS_MAX = 90
POLL_SECONDS = 0.25


class Truth:
    """The oracle's answers about one rig, whose input is complete; messages are read once."""

    def __init__(self, rig, complete_ms):
        self.rig = rig
        self.complete_ms = complete_ms
        self.partitions = rig.source.partitions()
        self.reading = oracle.read(self.partitions)

    def live(self):
        return oracle.compute(self.partitions, self.rig.documents, reading=self.reading,
                              complete_ms=self.complete_ms)

    def at_end(self):
        return oracle.compute(self.partitions, self.rig.documents, reading=self.reading)

    def events(self):
        return oracle.events_of(self.partitions, self.rig.stream.documents, reading=self.reading)


def wait_until_live_is_done(rig, truth, seconds=LIVE_SECONDS_MAX):
    """Faults are over and all input is there: without any restart Redis must come to what the oracle
    says of the newest complete windows, and Kafka's commits to the ends. What differs still."""
    expected = truth.live()
    client = rig.redis.client(socket_timeout=10)
    deadline = time.monotonic() + seconds
    while True:
        wrong = what_is_late(rig, client, expected)
        if not wrong or time.monotonic() > deadline:
            return wrong
        if problem := rig.host.problem():
            return [problem]
        time.sleep(POLL_SECONDS)


def what_is_late(rig, client, expected):
    """Cheap looks first: the whole comparison only once these agree."""
    late = []
    for name, ranking in expected.rankings.items():
        key = redis_check.key_of("hot:items:{}:{}:meta", *name)
        meta = client.hgetall(key)
        reached = int(meta.get(b"window_end", 0))
        if reached != ranking.window_end or meta.get(b"complete") != b"1":
            late.append(f"{key}: window {reached} of {ranking.window_end}, "
                        f"complete {meta.get(b'complete')}")
    committed = rig.source.committed()
    if committed is not None:
        for partition, messages in enumerate(rig.stream.partitions):
            if committed.get(partition, 0) != len(messages):
                late.append(f"partition {partition} is committed to {committed.get(partition)} "
                            f"of {len(messages)}")
    return late or compare(rig, client, expected)


def compare(rig, client, expected):
    """Redis against the oracle."""
    return redis_check.compare(client, expected, shards=rig.shards, emptied=rig.emptied)


# --- Nothing ahead of what is durable -----------------------------------------------------------

def commits_ahead(rig):
    """Everything has just been killed: no commit in Kafka may be ahead of what all shards hold."""
    committed = rig.source.committed()
    if not committed:
        return []
    durable = state_reader.durable_offsets(rig.state, shards=rig.shards)
    return [f"{rig.source.topic}/{number} is committed to {offset}, durable is "
            f"{durable.get(f'{rig.source.topic}/{number}', 0)}"
            for number, offset in committed.items()
            if offset > durable.get(f"{rig.source.topic}/{number}", 0)]


# --- Nothing lost, nothing twice ----------------------------------------------------------------

class Counted(NamedTuple):
    """Events (of each key that counts them) that are missing, and that are too many."""
    events: int     # compared, once for each key that counts them
    lost: int
    double: int


def count_lost_and_double(rig, expected):
    """Compares counts alone, each with the oracle's: of the whole state on disk, of each metrics
    window and action, of each user's profile and action."""
    pairs = [*state_counts(rig, expected), *metrics_counts(rig, expected),
             *profile_counts(rig, expected)]
    return Counted(sum(wanted for _, wanted in pairs),
                   sum(max(0, wanted - found) for found, wanted in pairs),
                   sum(max(0, found - wanted) for found, wanted in pairs))


def state_counts(rig, expected):
    heads = state_reader.read_shards(rig.state).values()
    return [(sum(head.counted for head in heads), expected.counts["applied"]),
            (sum(head.late for head in heads), expected.counts["late"])]


def metrics_counts(rig, expected):
    client = rig.redis.client(socket_timeout=10)
    pairs = []
    for name, history in expected.metrics.items():
        key = redis_check.key_of("rec:metrics:{}:{}:history", *name)
        found = {fields["window_end"]: fields
                 for fields in map(json.loads, client.zrange(key, 0, -1))}
        pairs += [(int(found.get(window.window_end, {}).get(field, 0)), wanted)
                  for window in history.windows
                  if not redis_check.is_beyond_repair(window, found, rig.emptied.get(name, 0))
                  for field, wanted in window.exact.items()
                  if field == "total_actions" or field.endswith("_count")]
    return pairs


def profile_counts(rig, expected):
    client = rig.redis.client(socket_timeout=10)
    names = sorted(expected.profiles)
    keys = [redis_check.key_of("user:profile:{}:{}:{}", tenant, user, scenario)
            for tenant, scenario, user in names]
    pairs = []
    for name, text in zip(names, client.mget(keys) if keys else [], strict=True):
        stats = json.loads(text)["stats"] if text else {}
        pairs += [(stats.get(f"{action}_count", 0), wanted)
                  for action, wanted in expected.profiles[name].counts.items()]
    return pairs
