"""The promises against faults, each as one run with numbers: what docs/recovery.md names.

    PYTHONPATH=tests build/venv/bin/python tests/integration/faults/runs.py NAME [--seed N] ...

kills       many kills at crash points and at random moments, 4 workers a stage, a proxy between all
everything  kill -9 of everything at once, again and again
freeze      SIGSTOP of each kind of process, and until a supervisor kills it
redis       Redis away under load: intake goes on, memory stays bounded, all is right soon after

Each is a Round of chaos.py with a plan instead of chance; each ends with the comparison of all of
them. Short forms are in test_runs.py.
"""

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections import Counter

import checker
import chaos
from proxy import USUAL
from rig import send_signal
from support import servers

NAMED_SECONDS_MAX = 15
FOUR = {"scorers": 4, "profilers": 4, "metrics": 4, "ingestors": 2, "sinks": 2}
TWO = {"scorers": 2, "profilers": 2, "metrics": 2, "ingestors": 2, "sinks": 2}


class Feeder:
    """Feeds a share of the input evenly over some seconds, in a thread of its own; late, it catches up."""

    def __init__(self, source, share, seconds, steps_a_second=5):
        self.source = source
        self.steps = max(1, int(seconds * steps_a_second))
        self.share = share / self.steps
        self.pause = 1 / steps_a_second
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self.feed, daemon=True)
        self.thread.start()

    def feed(self):
        began = time.monotonic()
        for step in range(1, self.steps + 1):
            self.source.feed(self.share)
            if self.closing.wait(max(0.0, began + step * self.pause - time.monotonic())):
                return

    def stop(self):
        self.closing.set()
        self.thread.join()


class Planned(chaos.Round):
    """A round whose faults are planned: `steps (watching)` says what goes wrong, or None."""

    def go(self, watching):
        if wrong := self.steps(watching):
            return wrong
        self.freeze_at_point_end()
        self.rig.source.feed_rest()
        truth = checker.Truth(self.rig, self.complete_ms)
        self.note("all input is there")
        wrong = [f"live: {text}" for text in checker.wait_until_live_is_done(self.rig, truth)]
        self.note("live is done" if not wrong else "live is NOT done")
        return wrong or self.end(watching, truth)

    def ready(self):
        self.host.start()
        self.host.fleet.wait_ready()


# --- Kills --------------------------------------------------------------------------------------

class Kills(Planned):
    """`kills` of them, at points and at random moments."""

    def __init__(self, seed, kills, source="files", kafka=None, events=20_000):
        super().__init__(chaos.Plan(seed, source, events=events, by_hand=True, proxy=True,
                                    disk=False, processes=FOUR), kafka)
        self.kills = kills

    def steps(self, _):
        self.rig.source.feed(0.05)
        self.ready()
        self.host.proxy.faults("all", **USUAL)
        turns = 0
        while self.counts["kills"] < self.kills:
            turns += 1
            if turns > 4 * self.kills:
                return ["processes are not killed"]
            self.rig.source.feed(0.8 / self.kills)
            chance = self.random.random()
            if chance < 0.5:
                self.kill_at_point()
            elif chance < 0.9:
                self.kill()
            elif chance < 0.95:
                self.kill_some()
            else:
                self.change()
            time.sleep(self.random.expovariate(8))
            if problem := self.host.problem():
                return [problem]
        return None

    def change(self):
        getattr(self, self.random.choice(("weights", "add_worker", "end_worker")))()


def run_kills(options):
    """Rounds until there were so many kills; each ends equal to the oracle."""
    total, rounds, kafka = Counter(), 0, None
    try:
        while total["kills"] < options.kills:
            source = "kafka" if rounds % 3 == 2 else "files"
            if source == "kafka" and kafka is None:
                kafka = servers.Kafka().start()
            one = Kills(options.seed + rounds, options.kills_a_round, source, kafka)
            if not finish(one, f"round of seed {options.seed + rounds} ({source})", total):
                return 1
            rounds += 1
    finally:
        if kafka is not None:
            kafka.destroy()
    by_kind = {name: count for name, count in total.items() if name.startswith("died ")}
    points = {name for name in total if name.startswith("at ")}
    seen = {name: total[name] for name in (
        "proxy_came", "proxy_dropped", "proxy_repeated", "proxy_delayed", "proxy_reordered", "gaps",
        "repeats", "rewinds", "results_gap", "results_repeat")}
    missing = [name for name, count in seen.items() if not count]
    print(f"{total['kills']} kills in {rounds} rounds, at {len(points)} points and at random "
          f"moments: equal after every round; {by_kind}; lost {total['lost']}, "
          f"double {total['double']} of {total['events']} counts")
    print(f"on the way: {seen}")
    if missing:
        print(f"these were never seen, so the run proves nothing: {missing}")
    return 1 if missing else 0


# --- Everything at once -------------------------------------------------------------------------

class Everything(Planned):
    def __init__(self, seed, times, source="files", kafka=None, by_hand=False, events=20_000):
        super().__init__(chaos.Plan(seed, source, events=events, by_hand=by_hand, proxy=False,
                                    disk=False, processes=TWO), kafka)
        self.times = times

    def steps(self, _):
        self.host.start()
        for _ in range(self.times):
            self.rig.source.feed(0.9 / self.times)
            time.sleep(self.random.uniform(0.5, 3))
            self.kill_everything()
            if problem := self.host.problem():
                return [problem]
        return None


def run_everything(options):
    total = Counter()
    kafka = servers.Kafka().start()
    try:
        for index, (source, by_hand) in enumerate((("files", False), ("kafka", False),
                                                   ("kafka", True))):
            one = Everything(options.seed + index, options.times, source, kafka, by_hand)
            if not finish(one, f"{options.times} times, {source}, "
                               f"{'by hand' if by_hand else 'hotpath run'}", total):
                return 1
    finally:
        kafka.destroy()
    print(f"everything was killed at once {total['everything']} times, {total['kills']} processes; "
          f"equal; {total['looks_at_the_dead']} times no commit in Kafka was ahead of the state; "
          f"lost {total['lost']}, double {total['double']} of {total['events']} counts")
    return 0


# --- Freezes ------------------------------------------------------------------------------------

class Freeze(Planned):
    """Some members stand still for some seconds, and nobody kills them. `named` says after how many
    seconds each was named in the log and in another's readiness."""

    def __init__(self, seed, kinds, seconds, source="files", kafka=None, events=10_000):
        super().__init__(chaos.Plan(seed, source, events=events, by_hand=True, proxy=False,
                                    disk=False, processes=TWO), kafka)
        self.kinds = kinds
        self.seconds = seconds
        self.named = {}

    def steps(self, _):
        fleet = self.host.fleet
        self.rig.source.feed(0.3)
        self.ready()
        time.sleep(1)
        feeder = Feeder(self.rig.source, 0.4, self.seconds)
        frozen = [fleet.of(kind)[0] for kind in self.kinds]
        log_from = (self.folder / "run.log").stat().st_size
        began = time.monotonic()
        for member in frozen:
            member.freeze()
            self.note(f"froze {member.name}")
            self.counts["freezes"] += 1
        try:
            while time.monotonic() - began < self.seconds:
                self.look(frozen, log_from, began)
                time.sleep(0.2)
        finally:
            feeder.stop()
            for member in frozen:
                member.thaw()
            self.note(f"thawed; named after {self.named}")
        late = [f"{member.name} was not named in the {where} within {NAMED_SECONDS_MAX} s"
                for member in frozen for where in ("log", "readiness")
                if self.named.get((member.name, where), 1e9) > NAMED_SECONDS_MAX]
        if late:
            return late
        servers.wait_until(lambda: not fleet.not_ready(), 30,
                           f"all are ready again: {fleet.not_ready()}")
        return self.look_for_ends(frozen, log_from)

    def look(self, frozen, log_from, began):
        """Others' logs and readiness, in which the frozen ones may be named by now."""
        waiting = [(member, where) for member in frozen for where in ("log", "readiness")
                   if (member.name, where) not in self.named]
        if not waiting:
            return
        log = self.log_since(log_from)
        complaints = [line for member in self.host.fleet.of() if not member.frozen
                      for line in member.complaints() or ()]
        for member, where in waiting:
            lines = log if where == "log" else complaints
            wanted = name_in_words(member)
            if any(re.search(wanted, line) and ("silent" in line or "has " in line)
                   for line in lines):
                self.named[member.name, where] = round(time.monotonic() - began, 1)

    def log_since(self, start):
        with open(self.folder / "run.log", "rb") as file:
            file.seek(start)
            return [line for line in file.read().decode(errors="replace").splitlines()
                    if "silent" in line or "heard again" in line]

    def look_for_ends(self, frozen, log_from):
        log = self.log_since(log_from)
        return [f"that {member.name} is heard again is not in the log" for member in frozen
                if not any(re.search(name_in_words(member), line) and "heard again" in line
                           for line in log)] or None


def name_in_words(member):
    """How others name it: by its name, which its endpoint ends with too."""
    return r"\bconfigd\b" if member.kind == "configd" else rf"\b{member.name}\b"


class FreezeSupervised(Planned):
    """One child of `hotpath run` stands still until run kills it."""

    def __init__(self, seed, kind, source="files", kafka=None, events=10_000):
        super().__init__(chaos.Plan(seed, source, events=events, by_hand=False, disk=False,
                                    processes=TWO), kafka)
        self.kind = kind
        self.killed_after = None

    def steps(self, _):
        self.rig.source.feed(0.3)
        self.host.start()
        log = self.folder / "run.log"
        servers.wait_until(lambda: b"all processes run" in log.read_bytes(), 60, "all run")
        pid = min(pid for pid, kind in self.host.children().items() if kind == self.kind)
        feeder = Feeder(self.rig.source, 0.4, 15)
        began = time.monotonic()
        send_signal(pid, signal.SIGSTOP)
        self.counts["freezes"] += 1
        try:
            servers.wait_until(lambda: re.search(rb"is silent and is killed.* pid=%d\b" % pid,
                                                 log.read_bytes()), NAMED_SECONDS_MAX,
                               f"run names {self.kind} {pid} and kills it")
        finally:
            send_signal(pid, signal.SIGCONT)    # nothing to a dead one
            feeder.stop()
        self.killed_after = round(time.monotonic() - began, 1)
        self.note(f"run killed {self.kind} {pid} after {self.killed_after} s")
        return None


def run_freeze(options):
    total = Counter()
    kafka = servers.Kafka().start()
    try:
        for index, kind in enumerate(chaos.KINDS):
            source = "kafka" if kind in ("ingestor", "metrics") else "files"
            one = Freeze(options.seed + index, [kind], options.freeze_seconds, source, kafka)
            if not finish(one, f"{kind} frozen for {options.freeze_seconds:g} s ({source})", total,
                          lambda one=one: f"named after {dict(one.named)}"):
                return 1
        for index, kind in enumerate(chaos.KINDS):
            one = FreezeSupervised(options.seed + 100 + index, kind)
            if not finish(one, f"{kind} frozen until run kills it", total,
                          lambda one=one: f"after {one.killed_after} s"):
                return 1
    finally:
        kafka.destroy()
    print(f"{total['freezes']} freezes: equal after each; lost {total['lost']}, "
          f"double {total['double']} of {total['events']} counts")
    return 0


# --- Redis away ---------------------------------------------------------------------------------

class RedisAway(Planned):
    """Redis is away for some seconds under load. Afterwards `rates` (events applied a second before and
    while it was away), `peaks` (most memory of each process before and at the end) and `right_after`."""

    RIGHT_SECONDS_MAX = 10
    GROWTH_BYTES_MAX = 128 << 20    # of any one process, since before the outage

    def __init__(self, seed, seconds, events):
        super().__init__(chaos.Plan(seed, "files", events=events, by_hand=True, proxy=False,
                                    disk=False, processes=TWO))
        self.seconds = seconds
        self.rates = self.peaks = self.right_after = None
        self.owed = 0

    def applied(self):
        """Events that all metrics workers have applied; each goes to one of them."""
        self.host.fleet.totals.look()
        return self.host.fleet.totals.sum("hotpath_stage_events_total", ("metrics",),
                                          outcome="applied")

    def measure(self, seconds):
        began, before = time.monotonic(), self.applied()
        time.sleep(seconds)
        return (self.applied() - before) / (time.monotonic() - began)

    def peaks_now(self):
        return {member.name: member.peak_bytes() for member in self.host.fleet.of()}

    def go(self, watching):
        rig, lead = self.rig, max(6.0, self.seconds / 6)    # the metrics are up to a second old
        self.ready()
        feeder = Feeder(rig.source, 1.0, self.seconds + lead + 2, steps_a_second=20)
        with_redis = self.measure(lead)
        before = self.peaks_now()
        rig.redis.kill()
        self.note("Redis is away")
        away = time.monotonic()
        without = self.measure(self.seconds - 2)
        feeder.stop()
        rig.source.feed_rest()
        truth = checker.Truth(rig, self.complete_ms)
        expected = truth.live()
        time.sleep(max(0.0, self.seconds - (time.monotonic() - away)))
        self.owed = sum(sum(number for sample, number in member.metrics().items()
                            if sample.startswith("hotpath_owed_results"))
                        for member in self.host.fleet.of("scorer", "profiler", "metrics"))
        peaks = self.peaks_now()
        rig.redis.start()
        back = time.monotonic()
        self.note(f"Redis is back after {back - away:.1f} s")
        self.rates = (with_redis, without)
        self.peaks = {name: (before.get(name, 0), peak) for name, peak in peaks.items()}
        client = rig.redis.client(socket_timeout=10)
        wrong = ["not looked"]
        while wrong and time.monotonic() - back < self.RIGHT_SECONDS_MAX:
            wrong = checker.what_is_late(rig, client, expected)
        self.right_after = time.monotonic() - back
        if wrong:
            return [f"{self.RIGHT_SECONDS_MAX} s after its return: {text}" for text in wrong]
        if without < 0.8 * with_redis:
            return [f"intake fell from {with_redis:.0f} to {without:.0f} events a second"]
        grown = [f"{name} grew from {one >> 20} to {other >> 20} MiB"
                 for name, (one, other) in self.peaks.items()
                 if other - one > self.GROWTH_BYTES_MAX]
        return grown or self.end(watching, truth)

    def tell(self):
        peaks = ", ".join(f"{name} {one >> 20} -> {other >> 20}"
                          for name, (one, other) in sorted(self.peaks.items()))
        return (f"intake {self.rates[0]:.0f} events/s with Redis, {self.rates[1]:.0f} without; "
                f"{self.owed:.0f} results were owed; right {self.right_after:.1f} s after its return; "
                f"peak MiB before -> at its return: {peaks}")


def run_redis(options):
    one = RedisAway(options.seed, options.redis_seconds, options.events)
    return 0 if finish(one, f"Redis away for {options.redis_seconds:g} s", Counter(), one.tell) else 1


# --- The call -----------------------------------------------------------------------------------

def finish(one, what, total, more=None):
    """Runs it and says what came of it; False: it differs."""
    wrong = one.run()
    total.update(one.counts)
    print(f"{what}: {f'{len(wrong)} DIFFERENCES' if wrong else 'equal'}, "
          f"{f'{more()}, ' if more and not wrong else ''}{dict(one.counts)}, "
          f"{time.monotonic() - one.began:.0f} s", flush=True)
    if wrong:
        print(one.explain(wrong))
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=("kills", "everything", "freeze", "redis"))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 1))
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--kills-a-round", type=int, default=25)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--freeze-seconds", type=float, default=30)
    parser.add_argument("--redis-seconds", type=float, default=60)
    parser.add_argument("--events", type=int, default=250_000)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    return {"kills": run_kills, "everything": run_everything, "freeze": run_freeze,
            "redis": run_redis}[options.name](options)


if __name__ == "__main__":
    sys.exit(main())
