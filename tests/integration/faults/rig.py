"""What a fault run is made of: a stream that comes in pieces, a Redis that keeps its data, and
`hotpath run` with the processes it started.

All that is random comes from the Random that is given. What this does not do: decide which fault
comes when (chaos.py), or judge what came out (checker.py).
"""

import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

from support import kafka_tools, maker, servers

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin")
KINDS = ("ingestor", "scorer", "profiler", "metrics", "configd", "sink")
WORKERS = ("scorer", "profiler", "metrics")
STOP_SECONDS_MAX = 60
ONCE_SECONDS_MAX = 150
# The scenario whose weights change: all of them by one factor, so that a ranking tells which it is.
CHANGED = ("acme", "shop")
# Partitions are fed unevenly and nothing is idle: what counts depends on the input alone.
# A part whose acknowledgement was lost is sent alone to the next sink, which waits this long for others.
LIVE = ("--gather-timeout", "4s", "--max-hold", "7d", "--idle-timeout", "1h", "--idle-advance=off", "--max-skew", "7d")


def children_of(pid):
    """{process id: kind} of the living executables of hotpath that `pid` started."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            program = os.path.basename(os.readlink(entry / "exe"))
        except OSError:
            continue    # it ended while we looked
        if int(fields[1]) == pid and fields[0] != "Z" and program.startswith("hotpath-"):
            found[int(entry.name)] = program.removeprefix("hotpath-")
    return found


def send_signal(pid, number):
    """False: it had ended already."""
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class FileSource:
    """Files that grow, the second at half the speed of the others; now and then half a line."""

    def __init__(self, folder, stream):
        self.paths = [folder / f"events-{index}.jsonl" for index in range(len(stream.partitions))]
        self.data = [b"".join(message.value + b"\n" for message in messages)
                     for messages in stream.partitions]
        self.written = [0] * len(self.data)
        for path in self.paths:
            path.write_bytes(b"")

    def arguments(self):
        return [argument for path in self.paths for argument in ("--file", path)]

    def live_arguments(self):
        return [*self.arguments(), "--follow"]

    def feed(self, share):
        """Appends this share of the whole, wherever in a line that ends."""
        for index, data in enumerate(self.data):
            count = int(len(data) * share * (0.5 if index == 1 else 1)) + 1
            piece = data[self.written[index]:self.written[index] + count]
            with open(self.paths[index], "ab") as file:
                file.write(piece)
            self.written[index] += len(piece)

    def feed_rest(self):
        self.feed(2.0)
        self.feed(2.0)

    def partitions(self):
        return maker.Stream.file_partitions([str(path) for path in self.paths])

    def committed(self):
        return None

    def close(self):
        pass


class KafkaSource:
    """A topic of its own on a broker that others may use too."""

    def __init__(self, stream, kafka):
        self.kafka = kafka
        self.stream = stream
        self.topic = f"user-behaviors-{uuid.uuid4().hex[:12]}"
        self.group = f"chaos-{uuid.uuid4().hex[:12]}"
        self.records = stream.kafka_records()
        self.written = 0
        kafka_tools.create_topic(kafka.brokers, self.topic, len(stream.partitions))

    def arguments(self):
        return ["--brokers", self.kafka.brokers, "--topics", f"^{self.topic}$",
                "--group", self.group, "-X", "session.timeout.ms=6000"]

    live_arguments = arguments

    def feed(self, share):
        end = self.written + int(len(self.records) * share) + 1
        piece = self.records[self.written:end]
        if piece:
            kafka_tools.produce(self.kafka.brokers, self.topic, piece)
        self.written += len(piece)

    def feed_rest(self):
        self.feed(1.0)

    def partitions(self):
        return self.stream.kafka_partitions(self.topic)

    def committed(self):
        return kafka_tools.committed_offsets(self.kafka.brokers, self.group, self.topic)

    def close(self):
        kafka_tools.delete_topic(self.kafka.brokers, self.topic)


class Rig:
    """`hotpath run` of one stream, from the first start to the last --once over the same state."""

    def __init__(self, folder, random, stream, source, processes, arguments=()):
        self.folder = folder
        self.random = random
        self.stream = stream
        self.source = source
        self.processes = processes      # {kind: how many}, for run
        self.more = list(arguments)
        self.factors = [1.0]            # of the weights, in the order of their changes
        self.documents = json.loads(json.dumps(stream.documents))
        self.redis = servers.Redis("--appendonly", "yes", "--repl-diskless-load", "disabled")
        self.run = None
        self.extra = []                 # workers beside those of run: [(Popen, kind)]
        self.log = open(folder / "run.log", "ab")
        maker.write_scenarios(folder / "scenarios", self.documents)
        self.redis.start()

    # --- hotpath ---

    def arguments(self):
        counts = [text for kind, count in self.processes.items()
                  for text in (f"--{kind}", count)]
        return [BIN / "hotpath", "run", "--redis", self.redis.url, "--state",
                self.folder / "state", "--scenarios-dir", self.folder / "scenarios",
                "--commit-interval", "300ms", *LIVE, *counts, *self.more]

    def environment(self):
        return {name: value for name, value in os.environ.items()
                if not name.startswith("HOTPATH_")}

    def start(self):
        """A run that the one before it has left its children and sockets to, if it was killed."""
        command = [str(part) for part in self.arguments() + self.source.live_arguments()]
        deadline = time.monotonic() + 10
        while True:
            self.run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env=self.environment(), cwd=self.folder)
            # Its predecessor's lock goes with its last process.
            time.sleep(0.3)
            if self.run.poll() is None or time.monotonic() > deadline:
                return

    def children(self):
        """Those that run started and those beside it, {process id: kind}."""
        found = children_of(self.run.pid) if self.run.poll() is None else {}
        found.update((process.pid, kind) for process, kind in self.extra
                     if process.poll() is None)
        return found

    def kill_everything(self):
        """SIGKILL to run and to all that it started, as nearly at once as signals go."""
        pids = [self.run.pid, *self.children()]
        for pid in pids:
            send_signal(pid, signal.SIGKILL)
        self.run.wait()
        for process, _ in self.extra:
            process.wait()
        self.extra.clear()
        return len(pids)

    def add_worker(self):
        """One more worker: as one of run's own, under another name and endpoint."""
        running = [(pid, kind) for pid, kind in sorted(children_of(self.run.pid).items())
                   if kind in WORKERS]
        if not running:
            return None
        pid, kind = self.random.choice(running)
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        except OSError:
            return None
        name = f"{kind}-extra-{len(self.extra)}-{self.random.randrange(1000)}"
        socket = self.folder / f"{name}.ipc"
        command = [part for part in command if not part.startswith(("--beat-fd", "--name", "--listen"))]
        if len(command) < 2:
            return None     # it had just been forked, or just died
        self.extra.append((subprocess.Popen(
            [*command, f"--name={name}", f"--listen=ipc://{socket}"], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, env=self.environment(), cwd=self.folder), kind))
        return name

    def end_worker(self):
        """Ends one of those beside run, in order or not; (kind, signal name) or None."""
        alive = [entry for entry in self.extra if entry[0].poll() is None]
        if not alive:
            return None
        entry = self.random.choice(alive)
        number = self.random.choice((signal.SIGTERM, signal.SIGKILL))
        send_signal(entry[0].pid, number)
        entry[0].wait(STOP_SECONDS_MAX)
        self.extra.remove(entry)
        return entry[1], number.name

    def stop(self):
        """SIGTERM, as an operator ends it; its exit code."""
        for process, _ in self.extra:
            process.terminate()
        for process, _ in self.extra:
            process.wait(STOP_SECONDS_MAX)
        self.extra.clear()
        self.run.terminate()
        return self.run.wait(STOP_SECONDS_MAX)

    def once(self):
        """--once over the same state, to the end of all input; (exit code, its summary)."""
        command = [str(part) for part in
                   [*self.arguments(), *self.source.arguments(), "--once"]]
        self.run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=self.log, env=self.environment(), cwd=self.folder,
                                    text=True)
        out, _ = self.run.communicate(timeout=ONCE_SECONDS_MAX)
        return self.run.returncode, out

    # --- the scenario that changes ---

    def change_weights(self):
        """Moves a file in, as editors do; the new factor."""
        factor = 1 + len(self.factors) / 8
        index = next(i for i, document in enumerate(self.documents)
                     if (document["tenant_id"], document["scenario_id"]) == CHANGED)
        weights = self.stream.documents[index]["config"]["realtime_compute"]["hot_score"]
        changed = self.documents[index]["config"]["realtime_compute"]["hot_score"]
        changed["action_weights"] = {action: weight * factor for action, weight
                                     in weights["action_weights"].items()}
        changed["default_weight"] = weights["default_weight"] * factor
        path = self.folder / "scenarios" / f"scenario-{index}.json"
        path.with_suffix(".tmp").write_text(json.dumps(self.documents[index]))
        os.replace(path.with_suffix(".tmp"), path)
        self.factors.append(factor)
        return factor

    # --- the end ---

    def destroy(self):
        if self.run is not None:
            with contextlib.suppress(Exception):
                self.kill_everything()
        self.redis.destroy()
        self.source.close()
        self.log.close()
