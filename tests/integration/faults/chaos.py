"""Random faults by seed, then Redis against the oracle.

    PYTHONPATH=tests build/venv/bin/python tests/integration/faults/chaos.py \\
        --seconds 600 --seed 7                  (make chaos SECONDS=600 SEED=7)

A round has a stream, a source (files or Kafka), `hotpath run` or processes by hand with a proxy
between them, numbers of processes and faults, all by the seed of the round; --rounds 1 --seed S
repeats round S alone. Faults: FAULTS below, each a method of Round. After the faults the live run
must come to what the oracle says by itself; then --once over the same state, and the comparison.
Stops at the first difference and keeps the folder (docs/faults.md says what is in it).

The order of processes is not in the seed's hand: a seed repeats the faults, not the interleaving.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Optional

import checker
import crash_points
import watcher
from proxy import USUAL
from rig import KINDS, FileSource, KafkaSource, Rig, add_markers, send_signal, wide_documents
from support import maker, redis_check, servers

# How often each comes; those at 0 only where a round can do them, or asks for them.
FAULTS = {"kill": 10, "kill_at_point": 12, "kill_some": 2, "kill_everything": 1,
          "kill_supervisor": 1, "freeze": 2, "freeze_at_point": 2, "delay_at_point": 2, "redis": 1,
          "redis_empty": 1, "flush": 1, "weights": 2, "spoil": 1, "add_worker": 2, "end_worker": 2,
          "restart_one": 2, "broker": 0, "proxy_faults": 0, "cut": 0, "disk_full": 0}
WITH_PROXY = {"proxy_faults": 2, "cut": 2}
WITH_KAFKA = {"broker": 1}
WITH_DISK = {"disk_full": 3}
DISK_BYTES = 64 << 20
WIDE = {"items": 5000, "documents": wide_documents()}
# Points that nobody passes by itself, and what makes somebody pass them.
TRIGGERS = {"revision-before": "weights", "revision-stored": "weights",
            "revision-published": "weights", "redis-judged": "flush", "shard-given": "add_worker",
            "snapshot-sent": "kill_any", "partition-assigned": "kill_its_kind",
            "partition-started": "kill_its_kind", "order-read": "kill_its_kind",
            "lock-taken": "kill_its_kind", "epoch-taken": "kill_its_kind",
            "load-during": "kill_its_kind", "load-after": "kill_its_kind",
            "drain-left": "end_its_kind", "fork-before": "kill_any", "fork-child": "kill_any",
            "fork-after": "kill_any"}


class Plan(NamedTuple):
    """One round."""
    seed: int
    source: str = "files"
    faults: int = 20
    weights: Optional[dict] = None      # of the faults; None: all that the round can do
    events: int = 20_000
    keep: bool = False
    by_hand: Optional[bool] = None      # None: by the seed
    proxy: Optional[bool] = None
    disk: Optional[bool] = None         # a small disk of its own for the state; needs root
    processes: Optional[dict] = None
    without: tuple = ()                 # faults that do not happen
    wide: Optional[bool] = None         # rankings of more items than one command takes


class Round:
    """Runs one Plan; run () returns what was wrong, as lines."""

    def __init__(self, plan, kafka=None):
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.folder = Path(tempfile.mkdtemp(prefix=f"hotpath-chaos-{plan.seed}-"))
        self.counts = Counter()
        self.began = time.monotonic()
        choose = self.random
        self.kafka = kafka
        wide = random.Random(f"wide {plan.seed}").random() < 0.25 if plan.wide is None else plan.wide
        stream = maker.make(maker.Options(
            events=plan.events, seed=plan.seed, partitions=choose.choice((2, 3, 4)),
            jitter_ms=choose.choice((0, 20_000)), late_share=choose.choice((0, 0.01)),
            uneven=choose.random() < 0.3, poison=choose.random() < 0.5,
            for_kafka=plan.source == "kafka", **(WIDE if wide else {})))
        self.complete_ms = add_markers(stream)
        source = KafkaSource(stream, kafka) if plan.source == "kafka" else \
            FileSource(self.folder, stream)
        processes = plan.processes or {
            kind: choose.choice((1, 2, 3)) for kind in
            ("scorers", "profilers", "metrics", "ingestors", "sinks")}
        # Drawn whether the plan says it or not: the rest of the round is the same either way.
        by_hand, proxy, disk = choose.random() < 0.6, choose.random() < 0.8, choose.random() < 0.25
        self.disk = self.make_disk() if (disk if plan.disk is None else plan.disk) else None
        self.rig = Rig(self.folder, choose, stream, source, processes, state=self.disk)
        if by_hand if plan.by_hand is None else plan.by_hand:
            with_proxy = proxy if plan.proxy is None else plan.proxy
            self.rig.start_by_hand(plan.seed if with_proxy else None)
        else:
            self.rig.supervise()
        self.host = self.rig.host
        self.points = [(kind, point.name) for point in crash_points.table()
                       for kind in point.kinds if kind != "run" or not self.is_by_hand()]
        self.note(f"seed {plan.seed}, {plan.source}, {'by hand' if self.is_by_hand() else 'run'}, "
                  f"proxy {self.host.proxy is not None}, disk {self.disk}, {processes}, "
                  f"{stream.options}")

    def is_by_hand(self):
        return hasattr(self.host, "fleet")

    def note(self, text):
        with open(self.folder / "faults.log", "a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} +{time.monotonic() - self.began:.2f} {text}\n")

    def weights_of_faults(self):
        if self.plan.weights is not None:
            return self.plan.weights
        return {**FAULTS, **(WITH_PROXY if self.host.proxy else {}),
                **(WITH_KAFKA if self.plan.source == "kafka" else {}),
                **(WITH_DISK if self.disk else {}), **dict.fromkeys(self.plan.without, 0)}

    # --- kills and freezes ---

    def pick(self, count=1):
        children = sorted(self.host.children().items(), key=lambda child: (child[1], child[0]))
        # Kinds alike, however many of each there are.
        kinds = self.random.sample(KINDS, min(count, len(KINDS)))
        return [self.random.choice(of_kind) for kind in kinds
                if (of_kind := [child for child in children if child[1] == kind])]

    def kill(self, count=1):
        for pid, kind in self.pick(count):
            if send_signal(pid, signal.SIGKILL):
                self.note(f"killed {kind} {pid}")
                self.counts["kills"] += 1

    def kill_any(self):
        self.kill()

    def kill_its_kind(self, kind):
        self.end_its_kind(kind, signal.SIGKILL)

    def end_its_kind(self, kind, number=signal.SIGTERM):
        pids = sorted(pid for pid, of_kind in self.host.children().items() if of_kind == kind)
        if pids and send_signal(pids[0], number):
            self.note(f"sent {number} to {kind} {pids[0]}")
            self.counts["kills"] += number == signal.SIGKILL

    def kill_some(self):
        self.kill(self.random.randint(2, 6))

    def kill_everything(self):
        killed = self.host.kill_everything()
        self.note(f"killed everything, {killed} processes")
        self.counts["kills"] += killed
        self.counts["everything"] += 1
        self.look_at_the_dead()
        self.host.start()

    def look_at_the_dead(self):
        if ahead := checker.commits_ahead(self.rig):
            raise AssertionError("; ".join(ahead))
        self.counts["looks_at_the_dead"] += 1

    def kill_supervisor(self):
        if self.host.kill_supervisor():
            self.note("killed run")
            self.counts["kills"] += 1

    def freeze(self):
        for pid, kind in self.pick():
            seconds = self.random.uniform(1, 5)
            if send_signal(pid, signal.SIGSTOP):
                self.note(f"froze {kind} {pid} for {seconds:.1f} s")
                self.counts["freezes"] += 1
                self.rig.source.feed(0.5 / self.plan.faults)
                time.sleep(seconds)
                send_signal(pid, signal.SIGCONT)

    def at_point(self, options):
        """Arms a point and feeds a little; who acted there, or None if nobody passed it in time."""
        kind, name = self.random.choice(self.points)
        nth = 1 if name in TRIGGERS else self.random.choice((1, 1, 2, 5, 20))
        before = len(self.rig.crash_folder.acted())
        self.rig.crash_folder.arm(kind, name, f"nth={nth} {options}")
        if trigger := TRIGGERS.get(name):
            getattr(self, trigger)(*([kind] if trigger.endswith("kind") else []))
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            for acted in self.rig.crash_folder.acted()[before:]:
                if (acted.kind, acted.name) == (kind, name):
                    self.note(f"{acted.action} {kind} {acted.pid} at {name}, pass {nth}")
                    return acted
            time.sleep(0.02)
        taken = not self.rig.crash_folder.disarm(kind, name)
        self.note(f"nobody came to {kind}.{name}, pass {nth}{' yet' if taken else ''}")
        return None

    def kill_at_point(self):
        self.rig.source.feed(0.3 / self.plan.faults)
        if acted := self.at_point(""):
            self.counts["kills"] += 1
            self.counts[f"at {acted.name}"] += 1

    def freeze_at_point(self):
        acted = self.at_point("action=stop")
        if acted:
            self.counts["freezes"] += 1
            time.sleep(self.random.uniform(0.5, 3))
        # Also whoever came to one later than was waited for.
        for late in self.rig.crash_folder.acted():
            if late.action == "stopped":
                send_signal(late.pid, signal.SIGCONT)

    def delay_at_point(self):
        if self.at_point(f"action=delay ms={self.random.randrange(50, 1500)}"):
            self.counts["delays"] += 1

    # --- servers ---

    def redis(self):
        if self.random.random() < 0.5:
            self.rig.redis.kill()
        else:
            self.rig.redis.stop()
        self.note("Redis is away")
        self.counts["redis"] += 1
        time.sleep(self.random.uniform(0, 3))
        self.rig.redis.start()
        self.note("Redis is back")

    def redis_empty(self):
        self.rig.restart_redis_empty(self.random.uniform(0, 3))
        self.note("Redis is back, empty")
        self.counts["redis"] += 1

    def flush(self):
        self.rig.flush_redis()
        self.note("FLUSHALL")
        self.counts["flushes"] += 1

    def broker(self):
        self.kafka.kill()
        self.note("the broker is away")
        self.counts["broker"] += 1
        self.kafka.start()
        self.note("the broker is back")

    # --- config, and how many there are ---

    def weights(self):
        self.note(f"weights by {self.rig.change_weights()}")
        self.counts["weights"] += 1

    def spoil(self):
        self.rig.spoil_document()
        self.note("an invalid document for a moment")
        self.counts["spoilt"] += 1

    def add_worker(self):
        if name := self.host.add_worker():
            self.note(f"added {name}")
            self.counts["added"] += 1

    def end_worker(self):
        if ended := self.host.end_worker():
            self.note(f"ended {ended}")
            self.counts["ended"] += 1

    def restart_one(self):
        if kind := self.host.restart_one():
            self.note(f"restarted a {kind} in order")
            self.counts["restarts"] += 1

    # --- the network and the disk ---

    def proxy_faults(self):
        faults = self.random.choice((USUAL, {}, {**USUAL, "drop": 0.03, "reorder": 0.05}))
        self.host.proxy.faults("all", **faults)
        self.note(f"the proxy's faults are {faults}")

    def cut(self):
        """Nothing passes on one hop for a moment."""
        hop = self.random.choice(("announces", "sections", "results", "acks"))
        seconds = self.random.uniform(0.2, 3)
        self.host.proxy.faults(hop, drop=1)
        time.sleep(seconds)
        self.host.proxy.faults(hop, **USUAL)
        self.note(f"{hop} were cut for {seconds:.1f} s")
        self.counts["cuts"] += 1

    def make_disk(self):
        """A small disk for the state, or None where this user may not mount one."""
        place = self.folder / "disk"
        place.mkdir()
        mounted = os.getuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "hotpath-chaos", place],
            capture_output=True).returncode == 0
        return place if mounted else None

    def disk_full(self):
        ballast = self.disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(bytes(64 << 10)) == 64 << 10:
                    pass
            except OSError:
                pass    # that is what was wanted
        self.counts["disk_full"] += 1
        self.rig.source.feed(0.5 / self.plan.faults)
        time.sleep(self.random.uniform(0.5, 2))
        self.kill(self.random.choice((0, 1, 2)))
        time.sleep(self.random.uniform(0, 2))
        ballast.unlink()
        if self.is_by_hand():   # to begin on a full disk is refused, and tried again by whoever supervises
            exits = self.host.fleet.exits
            exits[:] = [(name, code) for name, code in exits if code not in (69, 73, 75)]
        self.note("the disk was full")

    # --- the round ---

    def run(self):
        wrong = []
        try:
            with watcher.Watcher(self.rig) as watching:
                wrong = self.go(watching)
            return wrong
        except Exception as error:      # a hang shows as a timeout: keep what is there
            wrong = [f"{type(error).__name__}: {error}"]
            return wrong
        finally:
            self.finish(wrong)

    def go(self, watching):
        rig = self.rig
        rig.source.feed(0.02)
        self.host.start()
        if self.host.proxy:
            self.host.proxy.faults("all", **USUAL)
        time.sleep(self.random.uniform(0, 2))
        names, weights = zip(*self.weights_of_faults().items(), strict=True)
        for _ in range(self.plan.faults):
            rig.source.feed(0.9 / self.plan.faults)
            time.sleep(self.random.uniform(0, 0.3))
            getattr(self, self.random.choices(names, weights)[0])()
            time.sleep(self.random.expovariate(3))
            if problem := self.host.problem():
                return [problem]
        self.freeze_at_point_end()
        rig.source.feed_rest()
        self.note("all input is there")
        truth = checker.Truth(rig, self.complete_ms)
        wrong = [f"live: {text}" for text in checker.wait_until_live_is_done(rig, truth)]
        self.note("live is done" if not wrong else "live is NOT done")
        return wrong or self.end(watching, truth)

    def freeze_at_point_end(self):
        """No point acts any more, and nobody stands still."""
        self.rig.crash_folder.disarm_all()
        for acted in self.rig.crash_folder.acted():
            if acted.action == "stopped":
                send_signal(acted.pid, signal.SIGCONT)

    def end(self, watching, truth):
        rig = self.rig
        self.take_counts()
        if self.random.random() < 0.5:
            wrong = self.host.stop()
            self.note(f"stopped: {wrong or 'well'}")
            if wrong:
                return wrong
        else:
            self.counts["killed_at_end"] += self.host.kill_everything()
            self.note("killed everything")
        self.look_at_the_dead()
        code, summary = rig.once()
        self.note(f"--once ended with {code}: {summary.strip()}")
        if code != 0:
            return [f"--once ended with {code}"]
        watching.stop()
        watching.judge(truth)
        expected = truth.at_end()
        counted = checker.count_lost_and_double(rig, expected)
        self.counts.update(events=counted.events, lost=counted.lost, double=counted.double,
                           snapshots=len(watching.rankings) + len(watching.metrics),
                           reads=watching.reads, profiles_seen=watching.profiles_seen,
                           profiles_back=watching.profiles_back)
        wrong = [f"lost {counted.lost}, double {counted.double}"] \
            if counted.lost or counted.double else []
        return [*watching.problems, *wrong,
                *checker.compare(rig, rig.redis.client(socket_timeout=10), expected)]

    def take_counts(self):
        """What the proxy did, and what the processes made of it."""
        if not self.is_by_hand():
            return
        totals = self.host.fleet.totals
        totals.look()
        self.counts.update({f"died {kind}": count
                            for kind, count in self.host.fleet.deaths.items()})
        self.counts.update(
            gaps=int(totals.sum("hotpath_gaps_total")),
            repeats=int(totals.sum("hotpath_repeats_total")),
            rewinds=int(totals.sum("hotpath_rewinds_total")),
            results_gap=int(totals.sum("hotpath_results_received_total", outcome="gap")),
            results_repeat=int(totals.sum("hotpath_results_received_total", outcome="repeat")),
            results_resumed=int(totals.sum("hotpath_results_received_total", outcome="resumed")),
            results_former_owner=int(totals.sum("hotpath_results_received_total",
                                                outcome="former_owner")))
        if self.host.proxy:
            proxied = self.host.proxy.counts()
            self.note(f"proxy: {proxied}")
            self.counts.update({f"proxy_{what}": sum(hop[what] for hop in proxied.values()
                                                     if isinstance(hop, dict))
                                for what in ("came", "dropped", "repeated", "delayed", "reordered")})

    # --- what is left of it ---

    def finish(self, wrong):
        if wrong:
            (self.folder / "differences.txt").write_text("\n".join(wrong) + "\n")
            self.keep_evidence()
        try:
            self.rig.destroy()
        except Exception as error:
            self.note(f"not ended in order: {error}")
        if self.disk:
            if wrong or self.plan.keep:
                shutil.copytree(self.disk, self.folder / "state", dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("run"))
            subprocess.run(["umount", "--lazy", self.disk], capture_output=True, check=False)
        if not wrong and not self.plan.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep_evidence(self):
        try:
            dump = redis_check.dump(self.rig.redis.client(socket_timeout=10), without=())
            (self.folder / "redis.json").write_text(json.dumps(
                {key.decode(errors="backslashreplace"): value for key, value in dump.items()},
                default=lambda value: value.decode(errors="backslashreplace"), indent=1))
            shutil.copy(self.rig.redis.log_path, self.folder / "redis.log")
            if self.is_by_hand():
                (self.folder / "metrics.json").write_text(json.dumps(
                    {f"{name} {pid}": samples for (name, pid), samples
                     in self.host.fleet.totals.last.items()}, indent=1))
                if self.host.proxy:
                    self.note(f"proxy: {self.host.proxy.counts()}")
        except Exception as error:
            self.note(f"not all evidence could be kept: {error}")

    def explain(self, wrong):
        log = (self.folder / "run.log").read_text(errors="replace").splitlines()[-40:]
        faults = (self.folder / "faults.log").read_text().splitlines()[-40:]
        return "\n".join([f"seed {self.plan.seed} ({self.plan.source}): {len(wrong)} differences, "
                          f"all in {self.folder}", *wrong[:30], "--- faults", *faults,
                          "--- run.log", *log])


def main():
    parser = argparse.ArgumentParser(description="Random faults, then Redis against the oracle.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=1 << 30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--source", choices=("files", "kafka", "both"), default="both")
    parser.add_argument("--without", action="append", default=[], choices=sorted(FAULTS),
                        help="a fault that does not happen; may be given again")
    parser.add_argument("--keep", action="store_true", help="keep the folders of good rounds too")
    options = parser.parse_args()
    deadline = time.monotonic() + options.seconds
    print(f"seed {options.seed}", flush=True)
    kafka, total, rounds = None, Counter(), 0
    try:
        while rounds < options.rounds and (rounds == 0 or time.monotonic() < deadline):
            seed = options.seed + rounds
            source = options.source
            if source == "both":
                source = "kafka" if seed % 3 == 0 else "files"
            if source == "kafka" and kafka is None:
                kafka = servers.Kafka().start()
            one = Round(Plan(seed, source, options.faults, keep=options.keep,
                             without=tuple(options.without)), kafka)
            wrong = one.run()
            rounds += 1
            total.update(one.counts)
            print(f"round of seed {seed} ({source}): "
                  f"{f'{len(wrong)} DIFFERENCES' if wrong else 'equal'}, {dict(one.counts)}, "
                  f"{time.monotonic() - one.began:.0f} s", flush=True)
            if wrong:
                print(one.explain(wrong))
                return 1
    finally:
        if kafka is not None:
            kafka.destroy()
    print(f"{rounds} rounds from seed {options.seed}: no difference; {dict(total)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
