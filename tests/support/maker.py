"""Makes believable behaviour streams, always the same ones for the same options.

Several tenants and scenarios of different types; items whose popularity is Zipf and shifts with
time; users with tastes; durations in all the places where clients put them; numbers as ids, times
as ISO strings, seconds or ms; aliases; and, by knobs, the things that streams get wrong: jitter, a
share that comes half an hour late, partitions at different speeds, one that goes idle, poison.
The counters say how much of each was made, so that a test can fail if there was none.

    stream = make (Options (events=20000, partitions=3))
    paths = stream.write_files (folder)                 # JSON lines, one file a partition
    records = stream.kafka_records ()                   # for kafka_tools.produce
    expected = oracle.compute (stream.file_partitions (paths), stream.documents)

By hand: python -m support.maker FOLDER --events 100000 writes the files and the scenarios.
"""

import argparse
import bisect
import itertools
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple, Optional

import msgpack

from support.oracle_input import Record, records_of_file
from support.poison import harmless_kinds, poison_kinds

START_MS = 1_700_000_100_000    # a fixed day, not a multiple of any slide
UNEVEN_MS = 60_000


@dataclass
class Options:
    events: int = 10_000
    seed: int = 1
    partitions: int = 1
    minutes: float = 180            # event time that the stream spans
    start_ms: int = START_MS
    jitter_ms: int = 0              # each event comes up to this much later than it happened
    late_share: float = 0.0         # this share comes late_ms later
    late_ms: int = 1_800_000
    uneven: bool = False            # partitions at different speeds: each has fewer events
    idle_partition: bool = False    # the last partition ends after a tenth of the time
    poison: bool = False            # every kind of poison once a partition, and harmless oddities
    msgpack_share: float = 0.0      # of the values (Kafka only)
    odd_ids: bool = False           # : { } % white space emoji 256 bytes
    unknown_share: float = 0.01     # events of scenarios that are absent or paused
    for_kafka: bool = False         # record timestamps count: some events have no timestamp
    users: int = 400
    items: int = 300
    documents: Optional[list] = None


class Message(NamedTuple):
    value: Optional[bytes]
    record_time_ms: int


@dataclass
class Stream:
    options: Options
    partitions: list                # of lists of Message
    documents: list                 # scenario documents
    counters: Counter = field(default_factory=Counter)

    def write_files(self, folder, stem="events"):
        """One file a partition; returns the paths as strings."""
        paths = []
        for index, messages in enumerate(self.partitions):
            path = Path(folder) / f"{stem}-{index}.jsonl"
            path.write_bytes(b"".join(message.value + b"\n" for message in messages))
            paths.append(str(path))
        return paths

    @staticmethod
    def file_partitions(paths):
        """What the oracle reads for these files."""
        return {path: records_of_file(path) for path in paths}

    def kafka_records(self):
        """kafka_tools.Records, the partitions interleaved evenly."""
        from support import kafka_tools
        rounds = itertools.zip_longest(*self.partitions)
        return [kafka_tools.Record(index, None, message.value, message.record_time_ms)
                for messages in rounds for index, message in enumerate(messages)
                if message is not None]

    def kafka_partitions(self, topic="topic"):
        """What the oracle reads once the records are in a topic that was empty."""
        return {f"{topic}/{index}": [Record(offset, message.value, message.record_time_ms)
                                     for offset, message in enumerate(messages)]
                for index, messages in enumerate(self.partitions)}

    def write_scenarios(self, folder):
        write_scenarios(folder, self.documents)


def write_scenarios(folder, documents):
    """One file a document, as --scenarios-dir wants them."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for index, document in enumerate(documents):
        (Path(folder) / f"scenario-{index}.json").write_text(
            json.dumps(document, ensure_ascii=False, indent=2))


def scenario_documents():
    """Scenarios that differ in what matters: sizes, slides, units, weights, what is enabled."""
    def document(tenant, scenario, kind, status="active", **realtime):
        return {"tenant_id": tenant, "scenario_id": scenario, "scenario_type": kind,
                "status": status, "config": {"realtime_compute": realtime}}

    everything = ["ctr", "cvr", "watch_time", "completion_rate", "engagement_rate",
                  "active_users", "exposed_items", "action_counts"]
    return [
        document(
            "acme", "home_video", "video",
            hot_score={"window_size_minutes": 60, "window_slide_minutes": 15, "item_stats": True},
            metrics={"window_size_minutes": 10, "window_slide_minutes": 5, "history_windows": 200,
                     "metrics_to_calculate": [*everything, "finish_rate"],
                     "definitions": {"finish_rate": {"numerator": ["play_end", "complete"],
                                                     "denominator": ["play", "view"]}}}),
        document(
            "acme", "shop", "commerce",
            hot_score={"window_size_minutes": 30, "window_slide_minutes": 1, "top_k": 50,
                       "decay_lambda": 0.02, "decay_unit": "minute", "default_weight": 0.25,
                       "action_weights": {"view": 1, "add_cart": 4, "purchase": 12.5,
                                          "dislike": -3, "swipe_up": 0.75}},
            user_profile={"interest_decay_days": 0.5, "top_categories": 3, "top_tags": 4,
                          "recent_items": 5, "default_weight": 0.1},
            metrics={"window_size_seconds": 120, "window_slide_seconds": 60,
                     "history_windows": 400, "ctr_denominator": "view",
                     "metrics_to_calculate": [*everything, "cart_rate"],
                     "definitions": {"cart_rate": {"numerator": ["add_cart"],
                                                   "denominator": ["view", "swipe_up"]}}}),
        document(
            "globex", "news", "news",
            hot_score={"window_size_minutes": 20, "window_slide_minutes": 10, "decay_lambda": 0,
                       "top_k": 20},
            user_profile={"enabled": False},
            metrics={"window_size_minutes": 15, "history_windows": 100,
                     "metrics_to_calculate": everything}),
        document("globex", "learn", "education", hot_score={"enabled": False}),
        document("globex", "paused", "music", status="paused"),
    ]


_ACTIONS = (("impression", 40), ("view", 22), ("click", 10), ("play", 6), ("play_end", 4),
            ("like", 4), ("favorite", 2), ("comment", 2), ("share", 2), ("add_cart", 2),
            ("purchase", 2), ("dislike", 1), ("complete", 1), ("swipe_up", 1), ("hover", 1))
_ODD_IDS = (
    "a:b", "{x}", "100%", "%3A", "with space", "tab\tin", "line\nbreak", "\x7f", "x:y:{z}%20",
    "\u00fcml\u00e4ut", "\u65e5\u672c\u8a9e", "\U0001f600\U0001f680", "b" * 256, "\u00e9" * 128,
    "quote\"back\\slash", "a:", ":a")
_SKEW = 1.1


class _Maker:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.documents = options.documents or scenario_documents()
        self.counters = Counter()
        self.actions = [name for name, _ in _ACTIONS]
        self.action_steps = list(itertools.accumulate(share for _, share in _ACTIONS))
        self.item_steps = list(itertools.accumulate(
            1 / rank**_SKEW for rank in range(1, options.items + 1)))
        self.tastes = [self.random.sample(range(12), 3) for _ in range(options.users)]
        self.active = [(document["tenant_id"], document["scenario_id"],
                        document.get("scenario_type", "video"))
                       for document in self.documents if document["status"] == "active"]
        self.skipped = [(document["tenant_id"], document["scenario_id"], "video")
                        for document in self.documents if document["status"] != "active"]
        self.skipped.append(("nobody", "nowhere", "video"))

    def pick(self, steps):
        return bisect.bisect_left(steps, self.random.random() * steps[-1])

    def make(self):
        options = self.options
        partitions = [[] for _ in range(options.partitions)]
        for index in range(options.events):
            at = options.start_ms + int((index + self.random.random()) * options.minutes * 60000
                                        / options.events)
            arrival = at + self.delay()
            partition = self.partition(index / options.events)
            partitions[partition].append((arrival, at, self.event(at, arrival)))
        for messages in partitions:
            messages.sort(key=lambda message: message[0])
        self.count_order(partitions)
        encoded = [[Message(self.encode(event), arrival) for arrival, _, event in messages]
                   for messages in partitions]
        if options.poison:
            for messages in encoded:
                self.add_poison(messages)
        return Stream(options, encoded, self.documents, self.counters)

    def delay(self):
        options = self.options
        delay = int(self.random.random() * options.jitter_ms)
        if self.random.random() < options.late_share:
            delay += options.late_ms
            self.counters["late"] += 1
        return delay

    def partition(self, elapsed):
        """elapsed: 0 .. 1 of the stream's time."""
        options = self.options
        count = options.partitions
        if options.idle_partition and count > 1 and elapsed > 0.1:
            count -= 1
            self.counters["idle"] += 1      # events that the idle partition could have had
        if options.uneven:
            # 1, 1/4, 1/16: the emptier a partition, the more time goes by between its events.
            return self.pick([sum(0.25**step for step in range(upto + 1))
                              for upto in range(count)])
        return self.random.randrange(count)

    def count_order(self, partitions):
        for messages in partitions:
            greatest = 0
            for _, at, _ in messages:
                self.counters["out_of_order"] += at < greatest
                greatest = max(greatest, at)
        # Read side by side, how often is one partition a minute of event time from another?
        for together in zip(*partitions):
            times = [at for _, at, _ in together]
            self.counters["uneven"] += max(times) - min(times) > UNEVEN_MS

    # --- One event ---

    def event(self, at, arrival):
        chance = self.random.random()
        tenant, scenario, kind = self.random.choice(self.active)
        if chance < self.options.unknown_share:
            tenant, scenario, kind = self.random.choice(self.skipped)
            self.counters["skipped"] += 1
        user = self.random.randrange(self.options.users)
        item = self.item(at, user)
        event = {"tenant_id": tenant, "scenario_id": scenario, "user_id": self.user_id(user),
                 "item_id": self.item_id(item)}
        action = self.actions[self.pick(self.action_steps)]
        event["action" if chance > 0.9 else "action_type"] = self.spelled(action)
        time_value = self.time_value(at, arrival)
        if time_value is not None:
            event["timestamp"] = time_value
        self.add_context(event, item)
        if action in ("view", "play", "play_end", "complete", "purchase"):
            self.add_durations(event, kind)
        if chance < 0.1:
            event["event_id"] = f"e{self.random.getrandbits(48):x}"
            event["position"] = self.random.randrange(20)
        return event

    def item(self, at, user):
        """Zipf, with the order of the items turning by an eighth each half an hour; now and then an
        item of the user's taste."""
        items = self.options.items
        shift = (at - self.options.start_ms) // 1_800_000 * (items // 8 + 1)
        item = (self.pick(self.item_steps) + shift) % items
        if self.random.random() < 0.4:
            item = item - item % 12 + self.random.choice(self.tastes[user])
        return item % items

    def user_id(self, user):
        if self.options.odd_ids and user < len(_ODD_IDS):
            return _ODD_IDS[user]
        return 10_000_000 + user if user % 5 == 0 else f"user_{user}"

    def item_id(self, item):
        if self.options.odd_ids and item < len(_ODD_IDS):
            return _ODD_IDS[item]
        if item % 7 == 0:
            return item + 2**63 if item % 2 else -item - 1
        return f"  item_{item}\t" if self.random.random() < 0.01 else f"item_{item}"

    def spelled(self, action):
        if self.random.random() < 0.02:
            return f" {action.upper()}\n"
        return action

    def time_value(self, at, arrival):
        chance = self.random.random()
        if self.options.for_kafka and at == arrival and chance < 0.2:
            self.counters["record_time"] += 1
            return None
        if chance < 0.7:
            return at
        moment = datetime.fromtimestamp(at // 1000, timezone.utc)
        if chance < 0.8 and at % 1000 == 0:
            return at // 1000
        if chance < 0.8:
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
        if chance < 0.9:
            return f"{moment:%Y-%m-%d %H:%M:%S}.{at % 1000:03d}000"
        hours, minutes = self.random.randrange(-11, 13), self.random.choice((0, 30, 45))
        shifted = moment + timedelta(minutes=60 * hours + (minutes if hours >= 0 else -minutes))
        return f"{shifted:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}" \
               f"{'-' if hours < 0 else '+'}{abs(hours):02d}:{minutes:02d}"

    def add_context(self, event, item):
        chance = self.random.random()
        category = f"cat_{item % 12}"
        tags = [f"tag_{item % 12}", f"tag_{item % 31}", f"tag_{item % 31}"]
        if chance < 0.7:
            event["context"] = {"device_type": "mobile", "category": category, "tags": tags}
        elif chance < 0.85:
            event["category"], event["tags"] = category, tags
        elif chance < 0.9:
            event["context"], event["category"] = {"category": ["no"], "tags": tags}, category

    def add_durations(self, event, kind):
        watched = self.random.randrange(0, 400_000) / 1000
        content = self.random.randrange(1_000, 400_000) / 1000
        place = self.random.randrange(7)
        if place == 0:
            event["watch_duration"], event["duration"] = watched, content
        elif place == 1:
            event["scenario_data"] = {
                "video": {"video_data": {"watch_duration": watched, "duration": content}},
                "music": {"music_data": {"play_duration": watched, "duration": content}},
                "news": {"news_data": {"read_duration": watched}},
                "education": {"education_data": {"study_duration": watched,
                                                 "lesson_duration": content}},
            }.get(kind, {"music_data": {"play_duration": int(watched), "duration": content}})
        elif place == 2:
            event["extra"] = {"duration": watched, "video_duration": content}
        elif place == 3:
            event["completion_rate"] = round(self.random.random(), 3)
            event["watch_duration"] = int(watched)
        elif place == 4:
            # Exactly 0.8 is not above it.
            event["watch_duration"], event["duration"] = 80, 100
        elif place == 5:
            event["watch_duration"] = -5
            event["extra"] = {"duration": watched}

    def encode(self, event):
        if self.random.random() < self.options.msgpack_share:
            self.counters["msgpack"] += 1
            return msgpack.packb(event)
        return json.dumps(event, ensure_ascii=self.random.random() < 0.5).encode()

    def add_poison(self, messages):
        """Spreads every kind over the partition: an invalid message moves no watermark. The
        harmless ones are valid, so they go where their time is."""
        tenant, scenario, _ = self.active[0]
        middle = len(messages) // 2
        at = messages[middle].record_time_ms
        good = {"tenant_id": tenant, "scenario_id": scenario, "user_id": "user_1",
                "item_id": "item_1", "action_type": "view", "timestamp": at}
        harmless = harmless_kinds(good)
        messages[middle:middle] = [Message(value, at) for _, value in harmless]
        self.counters["harmless"] += len(harmless)
        kinds = poison_kinds(good, at if self.options.for_kafka else None)
        for kind in kinds:
            messages.insert(self.random.randrange(len(messages) + 1), Message(kind.value, at))
        self.counters["poison"] += len(kinds)


def make(options):
    """A Stream for the Options."""
    return _Maker(options).make()


def main():
    parser = argparse.ArgumentParser(description="Writes a made stream as JSON lines.")
    parser.add_argument("folder")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=180)
    parser.add_argument("--jitter-ms", type=int, default=20_000)
    parser.add_argument("--late-share", type=float, default=0.01)
    options = parser.parse_args()
    Path(options.folder).mkdir(parents=True, exist_ok=True)
    stream = make(Options(events=options.events, seed=options.seed, minutes=options.minutes,
                          partitions=options.partitions, jitter_ms=options.jitter_ms,
                          late_share=options.late_share))
    for path in stream.write_files(options.folder):
        print(path)
    stream.write_scenarios(Path(options.folder) / "scenarios")
    print(dict(stream.counters))


if __name__ == "__main__":
    main()
