"""A sink driven as workers would (common/wire.h, common/results.h), against a real Redis.

    sink = Sink(folder, redis).start()
    worker = Worker(context, folder, sink, SCORER)      # owns all SHARDS shards
    worker.greet()
    worker.send(0, ranking(10, [("item", 5)]))          # window 10, in minutes
    worker.wait_executed()

What this does not do: compute anything; the bodies are what a test says.
"""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import msgpack
import zmq

from support.servers import ROOT, wait_until

SINK = str(Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin") / "hotpath-sink")
VERSION, RESULTS, ACKS = 2, 4, 5
SCORER, PROFILER, METRICS = 0, 1, 2
RANKING, METRICS_PART, PROFILE = 1, 2, 3
SHARDS = 2
FRAME_RESULTS = 100
MINUTE = 60000
CONFIG = json.dumps({"metrics": {"window_size_seconds": 60, "history_windows": 5,
                                 "metrics_to_calculate": ["ctr"]}})


class Sink:
    """One sink process over a Redis, on ipc endpoints in a folder. `url` None: the test's arguments
    say where Redis is; `socket`: name of its endpoint, for a second sink of one name."""

    def __init__(self, folder, redis, *arguments, url=True, socket="sink", environment=None):
        self.folder, self.redis = folder, redis
        self.arguments = [*(["--redis", redis.url] if url is True else
                            ["--redis", url] if url else []), *map(str, arguments)]
        self.endpoint = f"ipc://{folder}/{socket}"
        self.log_path = folder / f"{socket}.log"
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [SINK, "--listen", self.endpoint, "--name", "s0", *self.arguments], stderr=log,
                env=self.environment)
        return self

    def running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def signal(self, number):
        self.process.send_signal(number)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_said(self, text, seconds=20, after=0):
        """Until its log has this text `after` its first bytes; returns the line."""
        def said():
            return next((line for line in self.log()[after:].splitlines() if text in line), None)
        return wait_until(said, seconds, f"the sink says {text!r}:\n{self.log()[-2000:]}")

    def rss_bytes(self, field="VmRSS"):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(field))
        return int(line.split()[1]) * 1024


class Worker:
    """A worker of one stage that owns all shards; numbers its results as the sink's life asks."""

    def __init__(self, context, folder, sink, stage, lineage=0xabc, epoch=7):
        self.stage, self.lineage, self.epoch = stage, lineage, epoch
        self.answers_endpoint = f"ipc://{folder}/answers-{stage}-{lineage}-{epoch}"
        self.answers = context.socket(zmq.PULL)
        self.answers.bind(self.answers_endpoint)
        self.push = context.socket(zmq.PUSH)
        self.push.setsockopt(zmq.LINGER, 0)
        self.push.setsockopt(zmq.SNDHWM, 64)
        self.push.connect(sink.endpoint)
        self.incarnation = 0      # of the sink
        self.generations = []     # of Redis, as told
        self.sequence = {}
        self.acks = {}
        self.pipe = []            # results that are not acknowledged
        self.full = False         # a frame of send_many was not taken

    def frame(self, results):
        values = [VERSION, RESULTS, f"worker-{self.stage}", 1, self.answers_endpoint, self.lineage,
                  self.stage, 0, SHARDS, self.incarnation, len(results)]
        for shard, sequence, chunk, count, body in results:
            values += [shard, self.epoch, sequence, chunk, count, body]
        return b"".join(msgpack.packb(value) for value in values)

    def greet(self):
        """Greets until the sink answers; a new life of it begins all sequences at 1."""
        def answered():
            self.push.send(self.frame([]))
            return self.poll(200)
        wait_until(answered, 20, "the sink answers a greeting")

    def greet_anew(self):
        """The sink has been started again: until its new life has answered."""
        before = self.incarnation
        wait_until(lambda: self.greet() or self.incarnation > before, 20, "a new life of the sink")

    def wait_generation(self, count, seconds=20):
        """Until so many generations of Redis have been told."""
        def told():
            self.poll()
            return len(self.generations) >= count
        wait_until(told, seconds, f"{count} generations of Redis: {self.generations}")

    def poll(self, timeout_ms=50):
        """Reads the acks that are there; true if there was one."""
        heard = False
        while self.answers.poll(timeout_ms if not heard else 0):
            heard = True
            unpacker = msgpack.Unpacker()
            unpacker.feed(self.answers.recv())
            version, kind, _, incarnation, index, generation, count = (
                unpacker.unpack() for _ in range(7))
            assert (version, kind, index) == (VERSION, ACKS, 0)
            if incarnation > self.incarnation:
                self.incarnation, self.sequence, self.acks = incarnation, {}, {}
                self.pipe = []
            if not self.generations or self.generations[-1] != generation:
                self.generations.append(generation)
            for _ in range(count):
                shard, epoch, executed, expected, gap = (unpacker.unpack() for _ in range(5))
                if epoch == self.epoch:
                    self.acks[shard] = (executed, expected, gap)
                    self.settle(shard, executed, expected if gap else None)
        return heard

    def settle(self, shard, executed, again_from):
        """What is acknowledged is forgotten; what the sink asks for again is sent again."""
        self.pipe = [result for result in self.pipe
                     if result[0] != shard or result[1] > executed]
        again = [result for result in self.pipe
                 if again_from is not None and result[0] == shard and result[1] >= again_from]
        for start in range(0, len(again), FRAME_RESULTS):
            self.push.send(self.frame(again[start:start + FRAME_RESULTS]))

    def send(self, shard, body, chunk_bytes=1 << 20):
        chunks = [body[i:i + chunk_bytes] for i in range(0, len(body), chunk_bytes)]
        results = []
        for i, chunk in enumerate(chunks):
            self.sequence[shard] = self.sequence.get(shard, 0) + 1
            results.append((shard, self.sequence[shard], i, len(chunks), chunk))
        self.pipe += results
        self.push.send(self.frame(results))

    def send_many(self, shard, bodies):
        """Many results, in frames as a worker makes them; `full` where the sink takes no more: then
        those that are left are not sent."""
        for start in range(0, len(bodies), FRAME_RESULTS):
            first = self.sequence.get(shard, 0) + 1
            results = [(shard, first + i, 0, 1, body)
                       for i, body in enumerate(bodies[start:start + FRAME_RESULTS])]
            try:
                self.push.send(self.frame(results), zmq.DONTWAIT)
            except zmq.Again:
                self.full = True
                return
            self.sequence[shard] = first + len(results) - 1
            self.pipe += results

    def wait_executed(self, seconds=25):
        """Less than --gather-timeout (30 s): what waited for a missing shard does not pass for executed."""
        def executed():
            self.poll()
            return all(self.acks.get(shard, (0,))[0] == sent for shard, sent in self.sequence.items())
        wait_until(executed, seconds, f"all acknowledged: {self.sequence}, {self.acks}")


def header(kind, window, revision=1, tenant="t", scenario="s", exact=True):
    return msgpack.packb([kind, tenant, scenario, 1, revision, (window - 1) * MINUTE, window * MINUTE,
                          exact, 3600000])


def ranking(window, items, revision=1, **ids):
    body = header(RANKING, window, revision, **ids) + msgpack.packb([10000, False, len(items)])
    return body + b"".join(msgpack.packb([item, float(score)]) for item, score in items)


def metrics(window, impressions, clicks, revision=1):
    actions = [value for name, count in (("click", clicks), ("impression", impressions)) if count
               for value in (name, count)]
    return header(METRICS_PART, window, revision) + msgpack.packb(
        [CONFIG, impressions + clicks, actions, 0, 0, 0, 0, None, None])


def profile(user, text):
    return header(PROFILE, 0) + msgpack.packb([user, text])


class Bench:
    """What a test makes sinks and workers with; `close ()` ends them."""

    def __init__(self, folder, redis):
        self.folder, self.redis = folder, redis
        self.client = redis.client(decode_responses=True)
        self.context = zmq.Context()
        self.sinks = []

    def sink(self, *arguments, **options):
        self.sinks.append(Sink(self.folder, self.redis, *arguments, **options).start())
        return self.sinks[-1]

    def worker(self, sink, stage, **options):
        worker = Worker(self.context, self.folder, sink, stage, **options)
        worker.greet()
        return worker

    def close(self):
        codes = [sink.stop() for sink in self.sinks if sink.running()]
        self.context.destroy(linger=0)
        return codes
