"""Random faults by seed, then Redis against the oracle.

    PYTHONPATH=tests build/venv/bin/python tests/integration/faults/chaos.py \\
        --seconds 600 --seed 7                  (make chaos SECONDS=600 SEED=7)

A round has a stream, a source (files or Kafka), numbers of processes and faults, all by the seed of
the round; --rounds 1 --seed S repeats round S alone. Faults: kill -9 of one process, of some at
once, of everything with run itself, of run alone; SIGSTOP for 1 to 5 s; Redis killed or stopped and
started with its data; the broker killed; weights changed; workers added and ended. After the
faults the live run must come to the newest complete window by itself; then --once over the same
state, and the comparison. Stops at the first difference and keeps the folder: faults.log,
differences.txt, run.log, the files, the state, and a dump of Redis.

The order of processes is not in the seed's hand: a seed repeats the faults, not the interleaving.
"""

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import checker
from rig import KINDS, FileSource, KafkaSource, Rig, send_signal
from support import maker, servers

# How often each comes; those at 0 only where a round asks for them.
FAULTS = {"kill": 10, "kill_some": 2, "kill_everything": 1, "kill_run": 1, "freeze": 2,
          "redis": 1, "weights": 2, "add_worker": 2, "end_worker": 2, "broker": 0}


class Plan(NamedTuple):
    """One round."""
    seed: int
    source: str = "files"
    faults: int = 20
    weights: dict = FAULTS
    events: int = 30_000
    keep: bool = False


class Round:
    """Runs one Plan; run () returns what was wrong, as lines."""

    def __init__(self, plan, kafka=None, say=print):
        self.plan = plan
        self.say = say
        self.random = random.Random(plan.seed)
        self.folder = Path(tempfile.mkdtemp(prefix=f"hotpath-chaos-{plan.seed}-"))
        self.counts = Counter()
        self.began = time.monotonic()
        choose = self.random
        self.kafka = kafka
        stream = maker.make(maker.Options(
            events=plan.events, seed=plan.seed, partitions=choose.choice((2, 3, 4)),
            jitter_ms=choose.choice((0, 20_000)), late_share=choose.choice((0, 0.01)),
            uneven=choose.random() < 0.3, poison=choose.random() < 0.3,
            for_kafka=plan.source == "kafka"))
        source = KafkaSource(stream, kafka) if plan.source == "kafka" else \
            FileSource(self.folder, stream)
        processes = {kind: choose.choice((1, 2, 3)) for kind in
                     ("scorers", "profilers", "metrics", "ingestors", "sinks")}
        self.rig = Rig(self.folder, choose, stream, source, processes)
        self.note(f"seed {plan.seed}, {plan.source}, {processes}, {stream.options}")

    def note(self, text):
        with open(self.folder / "faults.log", "a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} +{time.monotonic() - self.began:.2f} {text}\n")

    # --- faults ---

    def pick(self, count=1):
        children = sorted(self.rig.children().items(), key=lambda child: (child[1], child[0]))
        # Kinds alike, however many of each there are.
        kinds = self.random.sample(KINDS, min(count, len(KINDS)))
        return [self.random.choice(of_kind) for kind in kinds
                if (of_kind := [child for child in children if child[1] == kind])]

    def kill(self, count=1):
        for pid, kind in self.pick(count):
            if send_signal(pid, signal.SIGKILL):
                self.note(f"killed {kind} {pid}")
                self.counts["kills"] += 1

    def kill_some(self):
        self.kill(self.random.randint(2, 6))

    def kill_everything(self):
        killed = self.rig.kill_everything()
        self.note(f"killed everything, {killed} processes")
        self.counts["kills"] += killed
        self.rig.start()

    def kill_run(self):
        send_signal(self.rig.run.pid, signal.SIGKILL)
        self.rig.run.wait()
        self.note("killed run")
        self.counts["kills"] += 1
        self.rig.start()

    def freeze(self):
        for pid, kind in self.pick():
            seconds = self.random.uniform(1, 5)
            if send_signal(pid, signal.SIGSTOP):
                self.note(f"froze {kind} {pid} for {seconds:.1f} s")
                self.counts["freezes"] += 1
                self.rig.source.feed(0.5 / self.plan.faults)
                time.sleep(seconds)
                send_signal(pid, signal.SIGCONT)

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

    def broker(self):
        if self.plan.source != "kafka":
            return
        self.kafka.kill()
        self.note("the broker is away")
        self.counts["broker"] += 1
        self.kafka.start()
        self.note("the broker is back")

    def weights(self):
        self.note(f"weights by {self.rig.change_weights()}")
        self.counts["weights"] += 1

    def add_worker(self):
        if len(self.rig.extra) < 4 and (name := self.rig.add_worker()):
            self.note(f"added {name}")
            self.counts["added"] += 1

    def end_worker(self):
        if ended := self.rig.end_worker():
            self.note(f"ended {ended}")
            self.counts["ended"] += 1

    # --- the round ---

    def run(self):
        wrong = []
        try:
            with checker.Watcher(self.rig) as watcher:
                wrong = self.go(watcher)
            return wrong
        except Exception as error:      # a hang shows as a timeout: keep what is there
            wrong = [f"{type(error).__name__}: {error}"]
            return wrong
        finally:
            self.finish(wrong)

    def go(self, watcher):
        rig = self.rig
        rig.source.feed(0.02)
        rig.start()
        time.sleep(self.random.uniform(0, 2))
        names, weights = zip(*self.plan.weights.items())
        for _ in range(self.plan.faults):
            rig.source.feed(0.9 / self.plan.faults)
            time.sleep(self.random.uniform(0, 0.5))
            getattr(self, self.random.choices(names, weights)[0])()
            time.sleep(self.random.expovariate(1.5))
            if rig.run.poll() is not None:
                return [f"hotpath run has ended with {rig.run.returncode}"]
        rig.source.feed_rest()
        self.note("all input is there")
        wrong = [f"live: {text}" for text in checker.wait_until_live_is_done(rig)]
        self.note("live is done" if not wrong else "live is NOT done")
        if wrong:
            return wrong
        if self.random.random() < 0.5:
            code = rig.stop()
            self.note(f"stopped with {code}")
            if code != 0:
                return [f"hotpath run ended with {code} at SIGTERM"]
        else:
            self.counts["kills"] += rig.kill_everything()
            self.note("killed everything")
        code, summary = rig.once()
        self.note(f"--once ended with {code}: {summary.strip()}")
        if code != 0:
            return [f"--once ended with {code}"]
        watcher.stop()
        watcher.judge_snapshots()
        self.counts["snapshots"] += len(watcher.snapshots)
        self.counts["reads"] += watcher.reads
        return [*watcher.problems, *checker.compare(rig)]

    def finish(self, wrong):
        if wrong:
            (self.folder / "differences.txt").write_text("\n".join(wrong) + "\n")
            try:
                dump = self.rig.redis.folder / "appendonlydir"
                shutil.copytree(dump, self.folder / "redis-appendonlydir")
            except OSError as error:
                self.note(f"no copy of Redis: {error}")
        try:
            self.rig.destroy()
        except Exception as error:
            self.note(f"not ended in order: {error}")
        if not wrong and not self.plan.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

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
            weights = {**FAULTS, "broker": 1} if source == "kafka" else FAULTS
            one = Round(Plan(seed, source, options.faults, weights, keep=options.keep), kafka)
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
