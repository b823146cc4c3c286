"""What a fault run is made of: a stream that comes in pieces, a Redis that keeps its data, and hotpath,
either as `hotpath run` (Supervised) or as processes started one by one, with the proxy between them
if wanted (ByHand). Both of these take the same faults.

All that is random comes from the Random that is given. What this does not do: decide which fault
comes when (chaos.py), or judge what came out (checker.py).
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

from crash_points import CrashFolder
from support import fleet, kafka_tools, maker, redis_check, servers

ROOT = Path(__file__).resolve().parents[3]
CRASH_BIN = Path(os.environ.get("HOTPATH_TEST_CRASH_BIN") or ROOT / "build" / "crash" / "bin")
KINDS = fleet.KINDS
WORKERS = fleet.WORKERS
SHARDS = 16
STOP_SECONDS_MAX = 60
ONCE_SECONDS_MAX = 150
START_SECONDS_MAX = 15
# The scenario whose weights change: all of them by one factor, so that a ranking tells which it is.
CHANGED = ("acme", "shop")
# Partitions are fed unevenly and nothing is idle: what counts depends on the input alone.
PACE = ("--max-hold", "7d", "--idle-timeout", "1h", "--idle-advance=off", "--max-skew", "7d")
# A part whose acknowledgement was lost is sent alone to the next sink, which waits this long for others.
GATHER = ("--gather-timeout", "4s")
COMMIT = ("--commit-interval", "300ms")
# The last event of each partition lies so far ahead that all profiles before it are due.
MARKER_MINUTES = 6
MARKER = {"tenant_id": "nobody", "scenario_id": "marker", "user_id": "marker", "item_id": "marker",
          "action_type": "view"}


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


def add_markers(stream):
    """Ends each partition with an event that counts nowhere (its scenario is unknown) and moves event
    time on; returns the watermark that a live run reaches with it."""
    newest = max(message.record_time_ms for messages in stream.partitions for message in messages)
    at = newest + MARKER_MINUTES * 60_000
    value = json.dumps({**MARKER, "timestamp": at}).encode()
    for messages in stream.partitions:
        messages.append(maker.Message(value, at))
    return at - 5000    # --max-out-of-orderness


def wide_documents():
    """The usual scenarios, one with rankings of so many items that they go through a temporary key."""
    documents = maker.scenario_documents()
    documents[0]["config"]["realtime_compute"]["hot_score"].update(
        {"window_size_minutes": 180, "top_k": 5000, "default_weight": 0.5})
    return documents


# --- Sources ------------------------------------------------------------------------------------

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

    def is_fed(self):
        return all(len(data) == written
                   for data, written in zip(self.data, self.written, strict=True))

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

    def is_fed(self):
        return self.written == len(self.records)

    def partitions(self):
        return self.stream.kafka_partitions(self.topic)

    def committed(self):
        """{partition number: offset}"""
        return kafka_tools.committed_offsets(self.kafka.brokers, self.group, self.topic)

    def close(self):
        kafka_tools.delete_topic(self.kafka.brokers, self.topic)


# --- Hotpath, in two ways -----------------------------------------------------------------------

class Supervised:
    """`hotpath run`, and workers started beside it."""

    proxy = None

    def __init__(self, rig, processes):
        self.rig = rig
        self.processes = processes      # {kind: how many}
        self.run = None
        self.extra = []                 # workers beside those of run: [(Popen, kind)]

    def arguments(self):
        return self.rig.run_arguments(self.processes)

    def start(self):
        """A run that the one before it has left its children and sockets to, if it was killed."""
        command = [str(part) for part in self.arguments() + self.rig.source.live_arguments()]
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            self.run = self.rig.popen(command)
            # Its predecessor's lock goes with its last process.
            time.sleep(0.3)
            if self.run.poll() is None or time.monotonic() > deadline:
                return

    def problem(self):
        """What must not be while nobody has stopped it, or None."""
        if self.run.poll() is None:
            return None
        if any(acted.pid == self.run.pid for acted in self.rig.crash_folder.acted()):
            self.start()
            return None
        return f"hotpath run has ended with {self.run.returncode}"

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
        servers.wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids),
                           STOP_SECONDS_MAX, "all that was killed is gone")
        return len(pids)

    def kill_supervisor(self):
        """Run alone: its children end with it."""
        send_signal(self.run.pid, signal.SIGKILL)
        self.run.wait()
        self.start()
        return True

    def add_worker(self):
        """One more worker: as one of run's own, under another name and endpoint; its name."""
        running = [(pid, kind) for pid, kind in sorted(children_of(self.run.pid).items())
                   if kind in WORKERS]
        if not running or len(self.extra) >= 4:
            return None
        pid, kind = self.rig.random.choice(running)
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        except OSError:
            return None
        name = f"{kind}-extra-{len(self.extra)}-{self.rig.random.randrange(1000)}"
        socket = self.rig.folder / f"{name}.ipc"
        command = [part for part in command
                   if not part.startswith(("--beat-fd", "--name", "--listen", "--status"))]
        if len(command) < 2:
            return None     # it had just been forked, or just died
        self.extra.append((self.rig.popen(
            [*command, f"--name={name}", f"--listen=ipc://{socket}"]), kind))
        return name

    def end_worker(self):
        """Ends one of those beside run, in order or not; (kind, signal name) or None."""
        alive = [entry for entry in self.extra if entry[0].poll() is None]
        if not alive:
            return None
        entry = self.rig.random.choice(alive)
        number = self.rig.random.choice((signal.SIGTERM, signal.SIGKILL))
        send_signal(entry[0].pid, number)
        entry[0].wait(STOP_SECONDS_MAX)
        self.extra.remove(entry)
        return entry[1], number.name

    def restart_one(self):
        """SIGTERM to one child, as an operator would; run starts it again. Its kind, or None."""
        children = sorted(children_of(self.run.pid).items())
        if not children:
            return None
        pid, kind = self.rig.random.choice(children)
        return kind if send_signal(pid, signal.SIGTERM) else None

    def stop(self):
        """SIGTERM, as an operator ends it; what went wrong, as lines."""
        alive = [process for process, _ in self.extra if process.poll() is None]
        self.extra.clear()      # the others died at a crash point
        for process in alive:
            process.terminate()
        bad = [f"a worker beside run ended with {code}" for process in alive
               if (code := process.wait(STOP_SECONDS_MAX)) != 0]
        self.run.terminate()
        code = self.run.wait(STOP_SECONDS_MAX)
        return bad + ([f"hotpath run ended with {code}"] if code != 0 else [])

    def destroy(self):
        if self.run is not None:
            with contextlib.suppress(Exception):
                self.kill_everything()


class ByHand:
    """Processes started one by one, and started again when they die, with a proxy between them."""

    def __init__(self, rig, processes, proxy_seed=None, ingestors_max=None):
        self.rig = rig
        names = {"ingestors": "ingestor", "scorers": "scorer", "profilers": "profiler",
                 "metrics": "metrics", "sinks": "sink"}
        counts = {names[kind]: count for kind, count in processes.items()}
        self.proxy = None
        if proxy_seed is not None:
            from proxy import Proxy
            sockets = rig.folder / "s"
            self.proxy = Proxy(
                rig.folder, proxy_seed,
                [f"ipc://{sockets}/ingestor-{i}" for i in range(ingestors_max or counts["ingestor"])],
                [f"ipc://{sockets}/sink-{i}" for i in range(counts["sink"])])
        self.fleet = fleet.Fleet(
            rig.folder, redis_url=rig.redis.url, scenarios_dir=rig.folder / "scenarios",
            source=rig.source.live_arguments(), counts=counts, shards=SHARDS, proxy=self.proxy,
            ingestors_max=ingestors_max, env=rig.crash_folder.environment(), state=rig.state,
            binaries=CRASH_BIN, log=open(rig.folder / "run.log", "ab"),
            settings={"workers": COMMIT, "ingestor": PACE, "sink": GATHER})
        self.added = []

    def start(self):
        self.fleet.start()

    def problem(self):
        """Lives that ended by themselves: not killed, and not told to."""
        return f"ended by themselves: {self.fleet.exits}" if self.fleet.exits else None

    def children(self):
        return self.fleet.children()

    def kill_everything(self):
        self.added.clear()
        killed = self.fleet.kill_everything()
        for member in list(self.fleet.members):
            if member.index >= self.fleet.counts[member.kind]:
                self.fleet.members.remove(member)
        return killed

    def kill_supervisor(self):
        return False

    def add_worker(self):
        if len(self.added) >= 4:
            return None
        self.added.append(self.fleet.add(self.rig.random.choice(WORKERS)))
        return self.added[-1].name

    def end_worker(self):
        if not self.added:
            return None
        member = self.rig.random.choice(self.added)
        number = self.rig.random.choice((signal.SIGTERM, signal.SIGKILL))
        self.fleet.remove(member, number)
        self.added.remove(member)
        return member.kind, number.name

    def restart_one(self):
        member = self.rig.random.choice(self.fleet.of())
        member.restart()
        return member.kind

    def stop(self):
        return [f"{name} ended with {code} at SIGTERM" for name, code in self.fleet.stop()]

    def destroy(self):
        self.fleet.destroy()
        if self.proxy:
            self.proxy.destroy()


# --- The whole ----------------------------------------------------------------------------------

class Rig:
    """One stream, its Redis, its state, and the processes: from the first start to the last --once."""

    def __init__(self, folder, random, stream, source, processes, *, state=None):
        """processes: {"scorers": n, ...}; make `host` with supervise () or start_by_hand ()."""
        self.folder = folder
        self.random = random
        self.stream = stream
        self.source = source
        self.processes = processes
        self.state = state or folder / "state"
        self.shards = SHARDS
        self.factors = [1.0]            # of the weights, in the order of their changes
        self.documents = json.loads(json.dumps(stream.documents))
        self.crash_folder = CrashFolder(folder / "crash")
        # What Redis has acknowledged survives its kill: each write is synced.
        self.redis = servers.Redis("--appendonly", "yes", "--appendfsync", "always")
        self.emptyings = 0              # begun and ended: odd while Redis is being emptied
        self.emptied_at = 0.0           # monotonic; of the last time
        self.emptied = {}               # scenario -> end of its newest metrics window when Redis was emptied
        self.log = open(folder / "run.log", "ab")
        self.host = None
        maker.write_scenarios(folder / "scenarios", self.documents)
        self.redis.start()

    def supervise(self):
        self.host = Supervised(self, self.processes)

    def start_by_hand(self, proxy_seed=None, ingestors_max=None):
        self.host = ByHand(self, self.processes, proxy_seed, ingestors_max)

    def popen(self, command, **options):
        return subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, cwd=self.folder,
            env=fleet.environment(**self.crash_folder.environment()),
            preexec_fn=servers._die_with_parent,
            **{"stdout": self.log, "stderr": self.log, **options})

    def run_arguments(self, processes):
        counts = [text for kind, count in processes.items() for text in (f"--{kind}", count)]
        return [CRASH_BIN / "hotpath", "run", "--redis", self.redis.url, "--state", self.state,
                "--scenarios-dir", self.folder / "scenarios", *COMMIT, *GATHER, *PACE, *counts]

    def once(self):
        """--once over the same state, to the end of all input; (exit code, its summary)."""
        self.crash_folder.disarm_all()
        run = self.popen([*self.run_arguments(self.processes), *self.source.arguments(), "--once"],
                         stdout=subprocess.PIPE, text=True)
        try:
            out, _ = run.communicate(timeout=ONCE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            run.kill()
            out, _ = run.communicate()
            return "no end", out
        return run.returncode, out

    # --- Redis ---

    def history_keys(self):
        return {(document["tenant_id"], document["scenario_id"]): redis_check.key_of(
            "rec:metrics:{}:{}:history", document["tenant_id"], document["scenario_id"])
            for document in self.documents}

    def flush_redis(self):
        self.emptyings += 1
        keys = self.history_keys()
        pipe = self.redis.client(socket_timeout=10).pipeline(transaction=True)
        for key in keys.values():
            pipe.zrange(key, -1, -1, withscores=True)
        pipe.flushall()
        self.note_emptied(keys, pipe.execute()[:-1])
        self.emptyings += 1

    def restart_redis_empty(self, seconds):
        """Killed, and `seconds` later there is another with nothing in it."""
        self.emptyings += 1
        client, keys = self.redis.client(socket_timeout=10), self.history_keys()
        client.client_pause(60_000, all=False)      # so that nothing is acknowledged after the look
        self.note_emptied(keys, [client.zrange(key, -1, -1, withscores=True)
                                 for key in keys.values()])
        self.redis.kill()
        shutil.rmtree(self.redis.folder / "appendonlydir", ignore_errors=True)
        time.sleep(seconds)
        self.redis.start()
        self.emptyings += 1

    def note_emptied(self, keys, newest):
        self.emptied_at = time.monotonic()
        # Of metrics only the newest window is live: those before it do not come back.
        for name, members in zip(keys, newest, strict=True):
            if members:
                self.emptied[name] = max(self.emptied.get(name, 0), int(members[0][1]))

    # --- the scenario that changes ---

    def changed_path(self):
        index = next(i for i, document in enumerate(self.documents)
                     if (document["tenant_id"], document["scenario_id"]) == CHANGED)
        return index, self.folder / "scenarios" / f"scenario-{index}.json"

    def change_weights(self):
        """Moves a file in, as editors do; the new factor."""
        factor = 1 + len(self.factors) / 8
        index, path = self.changed_path()
        weights = self.stream.documents[index]["config"]["realtime_compute"]["hot_score"]
        changed = self.documents[index]["config"]["realtime_compute"]["hot_score"]
        changed["action_weights"] = {action: weight * factor for action, weight
                                     in weights["action_weights"].items()}
        changed["default_weight"] = weights["default_weight"] * factor
        # Before it can be seen in Redis.
        self.factors.append(factor)
        self.move_in(path, json.dumps(self.documents[index]))
        return factor

    def spoil_document(self):
        """An invalid document for a moment: it must change nothing."""
        index, path = self.changed_path()
        self.move_in(path, json.dumps({**self.documents[index], "config": {
            "realtime_compute": {"hot_score": {"top_kk": 3}}}}))
        time.sleep(self.random.uniform(0.05, 0.5))
        self.move_in(path, json.dumps(self.documents[index]))

    @staticmethod
    def move_in(path, text):
        path.with_suffix(".tmp").write_text(text)
        os.replace(path.with_suffix(".tmp"), path)

    # --- the end ---

    def destroy(self):
        if self.host is not None:
            self.host.destroy()
        self.redis.destroy()
        with contextlib.suppress(Exception):
            self.source.close()
        self.log.close()
