"""Makes the demo's behaviour stream: three scenarios of two tenants, as it could be right now.

Appends JSON lines to a file, at a steady pace, with the time of the clock; begins with a backlog,
so that windows are full at once. Popularity moves: an item trends for a while, then another. The
same seed makes the same events, but for their times. Standard library only.

    python3 stream.py EVENTS.jsonl [--events-per-second 3000] [--backlog-seconds 75] [--seed 7]

Prints the number of events once the backlog is written; runs until SIGTERM or SIGINT.
"""

import argparse
import itertools
import math
import random
import signal
import sys
import time

TICK_MS = 50
JITTER_MS = 600                 # events come up to this much after they happened
TREND_SECONDS = 3.5             # another item begins to trend that often
TREND_RISE_SECONDS = 2.0
TREND_FALL_SECONDS = 6.0
USERS = 3000
REGULAR = "ada"                 # the user whose profile the demo shows
REGULAR_TASTES = ("running", "outdoor")

# Item, category, how likely it is bought: what is cheap and used up is bought more than looked at.
SHOP = (
    ("trail-shoes", "running", 0.3), ("espresso-machine", "kitchen", 0.1),
    ("rain-jacket", "outdoor", 0.4), ("running-watch", "running", 0.1),
    ("coffee-beans-1kg", "kitchen", 4.0), ("tent-for-two", "outdoor", 0.1),
    ("wool-socks", "running", 3.0), ("cast-iron-pan", "kitchen", 0.6),
    ("yoga-mat", "fitness", 0.8), ("headlamp", "outdoor", 1.0),
    ("protein-bars", "fitness", 4.5), ("chef-knife", "kitchen", 0.3),
    ("camping-stove", "outdoor", 0.4), ("kettlebell-16kg", "fitness", 0.3),
    ("energy-gels", "running", 4.0), ("water-bottle", "outdoor", 1.5),
)
CLIPS = tuple((name, category, 1.0) for name, category in (
    ("cat-vs-printer", "pets"), ("sourdough-in-60s", "food"), ("parkour-lisbon", "sport"),
    ("old-synths", "music"), ("dog-learns-skate", "pets"), ("ramen-at-home", "food"),
    ("goal-of-the-day", "sport"), ("street-piano", "music"), ("parrot-beatbox", "pets"),
    ("knife-skills", "food"), ("wingsuit-alps", "sport"), ("vinyl-restored", "music")))
NEWS = tuple((name, category, 1.0) for name, category in (
    ("comet-tonight", "science"), ("cup-final-recap", "sport"), ("budget-vote", "politics"),
    ("new-metro-line", "local"), ("heat-record", "science"), ("transfer-rumours", "sport"),
    ("coalition-talks", "politics"), ("bridge-reopens", "local"), ("whale-song-decoded", "science"),
    ("marathon-record", "sport"), ("museum-night", "local"), ("harbour-fire", "local")))

SHOP_ACTIONS = {"impression": 40, "view": 30, "click": 12, "favorite": 2.5, "add_cart": 4,
                "purchase": 1.2}
CLIPS_ACTIONS = {"impression": 30, "click": 14, "play": 30, "complete": 10, "like": 6, "share": 1.5}
NEWS_ACTIONS = {"impression": 45, "click": 18, "read": 14, "read_end": 7, "comment": 1.5,
                "share": 1.5}


class Scenario:
    """One scenario's items, how popular each is at a time, and its events."""

    def __init__(self, tenant, name, share, catalogue, actions, chance):
        self.head = f'{{"tenant_id":"{tenant}","scenario_id":"{name}","user_id":"'
        self.share = share
        self.chance = chance
        self.names = [item for item, _, _ in catalogue]
        self.bases = [1 / (rank + 2)**0.6 for rank in range(len(catalogue))]
        # Many lesser items that nobody sees in the top, as in life.
        lesser = 12 * len(catalogue)
        self.names += [f"{name}-{number:04}" for number in range(lesser)]
        self.bases += [0.4 / (rank + 4)**0.9 for rank in range(lesser)]
        self.categories = [category for _, category, _ in catalogue]
        self.buys = [buy for _, _, buy in catalogue]
        self.actions = list(actions)
        self.action_steps = [list(itertools.accumulate(
            weight * (self.of_item(self.buys, item) if action == "purchase" else 1)
            for action, weight in actions.items())) for item in range(len(self.names))]
        self.tails = [self.tail(item) for item in range(len(self.names))]
        self.trends = []                # (begin second, item, peak)
        self.next_trend_at = 0.0
        self.next_items = []
        self.popularity = self.bases

    def of_item(self, values, item):
        return values[item % len(values)]

    def tail(self, item):
        category = self.of_item(self.categories, item)
        return (f',"context":{{"device_type":"mobile","category":"{category}",'
                f'"tags":["{category}","tag-{item % 23}"]}}')

    def begin_trends(self, seconds):
        while seconds >= self.next_trend_at:
            # Each of the named items has its turn.
            if not self.next_items:
                self.next_items = self.chance.sample(range(len(self.categories)),
                                                     len(self.categories))
            self.trends.append((self.next_trend_at, self.next_items.pop(),
                                self.chance.uniform(4, 9)))
            self.next_trend_at += TREND_SECONDS * self.chance.uniform(0.7, 1.3)
        self.trends = self.trends[-12:]

    def set_time(self, seconds):
        """Makes the popularity that of so many seconds after the stream's begin."""
        self.begin_trends(seconds)
        popularity = list(self.bases)
        for begin, item, peak in self.trends:
            age = seconds - begin
            fall = math.exp(-max(0, age - TREND_RISE_SECONDS) / TREND_FALL_SECONDS)
            popularity[item] += self.bases[item] * peak * min(1, age / TREND_RISE_SECONDS) * fall
        self.popularity = list(itertools.accumulate(popularity))

    def item_of_taste(self, tastes):
        while True:
            item = self.chance.randrange(len(self.categories))
            if self.categories[item] in tastes:
                return item

    def event(self, user, item, at_ms):
        action, = self.chance.choices(self.actions, cum_weights=self.action_steps[item])
        tail = self.tails[item]
        if action in ("play", "complete", "read_end"):
            watched = 30.0 if action == "complete" else self.chance.randrange(300) / 10
            tail += f',"watch_duration":{watched},"duration":30'
        return (f'{self.head}{user}","item_id":"{self.names[item]}","action_type":"{action}",'
                f'"timestamp":{at_ms}{tail}}}\n')

    def events(self, count, begin_ms):
        """`count` events of the tick that begins at begin_ms."""
        items = self.chance.choices(range(len(self.names)), cum_weights=self.popularity, k=count)
        chance = self.chance.random
        return [self.event(f"u{int(USERS * chance()**1.5):04}", item,
                           begin_ms + int(chance() * TICK_MS) - int(chance()**3 * JITTER_MS))
                for item in items]


class Stream:
    def __init__(self, events_per_second, seed):
        self.scenarios = [
            Scenario("acme", "shop", 0.5, SHOP, SHOP_ACTIONS, random.Random(seed)),
            Scenario("acme", "clips", 0.3, CLIPS, CLIPS_ACTIONS, random.Random(seed + 1)),
            Scenario("globex", "news", 0.2, NEWS, NEWS_ACTIONS, random.Random(seed + 2)),
        ]
        self.per_tick = events_per_second * TICK_MS / 1000
        self.chance = random.Random(seed + 3)
        self.ticks = 0

    def tick(self, begin_ms):
        """The lines of the next TICK_MS, shuffled: scenarios share the topic."""
        for scenario in self.scenarios:
            if self.ticks % 10 == 0:
                scenario.set_time(self.ticks * TICK_MS / 1000)
        lines = []
        for scenario in self.scenarios:
            count = scenario.share * self.per_tick
            # Whole numbers whose sum over the ticks is right.
            count = int(count * (self.ticks + 1)) - int(count * self.ticks)
            lines += scenario.events(count, begin_ms)
        if self.ticks % 8 == 0:
            shop = self.scenarios[0]
            lines.append(shop.event(REGULAR, shop.item_of_taste(REGULAR_TASTES), begin_ms))
        self.chance.shuffle(lines)
        self.ticks += 1
        return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path")
    parser.add_argument("--events-per-second", type=int, default=3000)
    parser.add_argument("--backlog-seconds", type=int, default=75)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    stream = Stream(options.events_per_second, options.seed)
    at_ms = int(time.time() * 1000) - options.backlog_seconds * 1000
    count, told = 0, False
    # Unbuffered and a tick a write: a reader sees whole lines.
    with open(options.path, "ab", buffering=0) as out:
        while True:
            now_ms = int(time.time() * 1000)
            while at_ms + TICK_MS <= now_ms:
                lines = stream.tick(at_ms)
                out.write("".join(lines).encode())
                count += len(lines)
                at_ms += TICK_MS
            if not told and at_ms + 2 * TICK_MS > int(time.time() * 1000):
                print(count, flush=True)
                told = True
            time.sleep(max(0, at_ms + TICK_MS - time.time() * 1000) / 1000)


if __name__ == "__main__":
    main()
