"""The processes of one pipeline, each started by hand as an operator would without `hotpath run`, and
started again when it dies: for tests that start, stop, kill and freeze single processes.

    fleet = Fleet(folder, redis_url=..., scenarios_dir=..., source=["--file", path, "--follow"],
                  counts={"scorer": 4})
    fleet.start()
    fleet.wait_ready()
    fleet.of("scorer")[0].kill()            # the fleet starts it again
    extra = fleet.add("scorer"); extra.stop()

What this does not do: decide what is to die (faults/), or compare what comes out (redis_check).
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from support import servers

KINDS = ("configd", "sink", "scorer", "profiler", "metrics", "ingestor")
WORKERS = ("scorer", "profiler", "metrics")
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
AGAIN_SECONDS = 0.05        # until a dead one is started again …
AGAIN_FAILED_SECONDS = 0.5  # … and one that could not start
TURN_SECONDS = 0.03
SCRAPE_SECONDS = 0.5
_SAMPLE = re.compile(r"^(\w+)(\{.*\})? (\S+)$")


def bin_folder():
    """The executables under test."""
    root = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("HOTPATH_TEST_BIN") or root / "build" / "bin")


def environment(**more):
    """This one without HOTPATH_*, which would set the processes' settings."""
    return {**{name: value for name, value in os.environ.items()
               if not name.startswith("HOTPATH_")}, **more}


class Member:
    """One process of a fleet: what it is called, and its present life."""

    def __init__(self, fleet, kind, index):
        self.fleet = fleet
        self.kind = kind
        self.name = f"{kind}-{index}"
        self.index = index
        self.port = servers.free_port()
        self.process = None
        self.wanted = False     # started again when it dies
        self.frozen = False
        self.lives = 0
        self.again_at = 0.0
        self.began = 0.0

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        with self.fleet.lock:   # or the supervisor would take it for dead and start a second one
            self.wanted = True
            self.frozen = False
            self.lives += 1
            self.began = time.monotonic()
            self.process = subprocess.Popen(
                [str(part) for part in self.fleet.command(self)], stdin=subprocess.DEVNULL,
                stdout=self.fleet.log, stderr=self.fleet.log, env=self.fleet.environment,
                cwd=self.fleet.folder, preexec_fn=servers._die_with_parent)

    def send(self, number):
        """False: it had ended already."""
        if not self.running():
            return False
        self.process.send_signal(number)
        return True

    def kill(self):
        return self.send(signal.SIGKILL)

    def freeze(self):
        self.frozen = True
        return self.send(signal.SIGSTOP)

    def thaw(self):
        self.frozen = False
        return self.send(signal.SIGCONT)

    def stop(self, seconds=STOP_SECONDS_MAX):
        """SIGTERM, for good; its exit code."""
        self.wanted = False
        self.thaw()
        self.send(signal.SIGTERM)
        return self.process.wait(seconds) if self.process else 0

    def restart(self, seconds=STOP_SECONDS_MAX):
        """As an operator does it: SIGTERM, then a start; the exit code of the life that ended."""
        code = self.stop(seconds)
        self.start()
        return code

    def end(self, number):
        """Ends it for good, in order or not (signal.SIGTERM, SIGKILL)."""
        self.wanted = False
        self.thaw()
        self.send(number)
        if self.process:
            self.process.wait(STOP_SECONDS_MAX)

    # --- what it says ---

    def get(self, path, timeout=2.0):
        """(code, text) of its status; code 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}",
                                        timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self):
        return self.running() and self.get("/readyz")[0] == 200

    def complaints(self):
        """The lines of /readyz that hold it back, or None where it does not answer."""
        code, text = self.get("/readyz")
        return None if code == 0 else [line for line in text.splitlines()
                                       if line.startswith("[-] ")]

    def metrics(self):
        """{name and labels as in the text: number}; empty where it does not answer."""
        code, text = self.get("/metrics")
        return parse_metrics(text) if code == 200 else {}

    def peak_bytes(self):
        """The most memory that this life ever had resident, or 0."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found.group(1)) * 1024 if found else 0


def parse_metrics(text):
    samples = {}
    for line in text.splitlines():
        if found := _SAMPLE.match(line):
            samples[found.group(1) + (found.group(2) or "")] = float(found.group(3))
    return samples


class Fleet:
    """All processes of a pipeline over ipc sockets in `folder`.

    counts: {kind: how many} (default 1 each). settings: {kind or "workers": [argument]} more of each.
    proxy: what stands between them (faults/proxy.py), or None. `ingestors_max` ingestors may be
    added later: workers know all their endpoints from the start.
    """

    def __init__(self, folder, *, redis_url, scenarios_dir, source, counts=None, settings=None,
                 shards=16, proxy=None, ingestors_max=None, env=None, log=None, state=None,
                 binaries=None):
        self.folder = Path(folder)
        self.sockets = self.folder / "s"
        self.sockets.mkdir(parents=True, exist_ok=True)
        self.state = state or self.folder / "state"
        self.binaries = binaries or bin_folder()
        self.redis_url = redis_url
        self.scenarios_dir = scenarios_dir
        self.source = list(source)
        self.shards = shards
        self.settings = settings or {}
        self.proxy = proxy
        self.counts = {kind: 1 for kind in KINDS} | (counts or {})
        self.ingestors_max = ingestors_max or self.counts["ingestor"]
        self.environment = environment(**(env or {}))
        self.log = log or open(self.folder / "run.log", "ab")
        self.members = [Member(self, kind, index) for kind in KINDS
                        for index in range(self.counts[kind])]
        self.deaths = Counter()     # by kind: lives that ended though they were wanted
        self.exits = []             # (name, code) of lives that ended by themselves
        self.totals = Totals(self)
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.threads = [threading.Thread(target=self._supervise, daemon=True),
                        threading.Thread(target=self.totals.follow, daemon=True)]
        for thread in self.threads:
            thread.start()

    # --- command lines ---

    def endpoint(self, name):
        return f"ipc://{self.sockets}/{name}"

    def ingestor_endpoints(self):
        own = [self.endpoint(f"ingestor-{index}") for index in range(self.ingestors_max)]
        return [self.proxy.before(endpoint) for endpoint in own] if self.proxy else own

    def sink_endpoints(self):
        own = [self.endpoint(f"sink-{index}") for index in range(self.counts["sink"])]
        return [self.proxy.before(endpoint) for endpoint in own] if self.proxy else own

    def command(self, member):
        kind = member.kind
        command = [self.binaries / f"hotpath-{kind}", "--status-listen", f"127.0.0.1:{member.port}"]
        if kind != "configd":
            command += ["--name", member.name, "--listen", self.endpoint(member.name)]
        if kind in (*WORKERS, "ingestor"):
            command += ["--shards", self.shards]
        if kind != "sink":
            command += ["--state", self.state]
        if kind not in ("configd", "sink"):
            command += ["--configd", self.endpoint("configd")]
        if kind == "configd":
            command += ["--publish", self.endpoint("configd"), "--scenarios-dir", self.scenarios_dir]
        elif kind == "sink":
            command += ["--redis", self.redis_url, "--redis-wait", "10m"]
        elif kind == "ingestor":
            command += self.source
            if "--file" in self.source:
                command += ["--reader-index", member.index, "--reader-count",
                            self.counts["ingestor"]]
        else:
            command += ["--ingestors", ",".join(self.ingestor_endpoints()),
                        "--sinks", ",".join(self.sink_endpoints()),
                        *self.settings.get("workers", ())]
        return [*command, *self.settings.get(kind, ())]

    # --- all of them ---

    def start(self):
        """Starts all that are not running; those that were added and ended stay so."""
        with self.lock:
            for member in self.members:
                if not member.running():
                    member.start()

    def of(self, *kinds):
        """The members of these kinds (all without any) that are wanted, in order of their names."""
        with self.lock:
            return [member for member in self.members
                    if member.wanted and (not kinds or member.kind in kinds)]

    def member(self, name):
        return next(member for member in self.members if member.name == name)

    def children(self):
        """{process id: kind} of those that run."""
        return {member.pid: member.kind for member in self.of() if member.running()}

    def add(self, kind):
        """One more, with the same settings; started."""
        with self.lock:
            taken = {member.index for member in self.members if member.kind == kind}
            if kind == "ingestor" and len(taken) >= self.ingestors_max:
                raise ValueError("workers know no endpoint of one more ingestor")
            member = Member(self, kind, max(taken, default=-1) + 1)
            self.members.append(member)
            member.start()
            return member

    def remove(self, member, number=signal.SIGTERM):
        """Ends it, and forgets it."""
        member.end(number)
        with self.lock:
            self.members.remove(member)

    def not_ready(self):
        """{name: why} of those wanted that are not."""
        return {member.name: member.complaints() for member in self.of() if not member.ready()}

    def wait_ready(self, seconds=START_SECONDS_MAX):
        servers.wait_until(lambda: not self.not_ready(), seconds, "all are ready", 0.1)

    def kill_everything(self):
        """SIGKILL to all, as nearly at once as signals go; nothing is started again until start ()."""
        with self.lock:
            killed = [member for member in self.members if member.running()]
            for member in killed:
                member.wanted = False
                member.kill()
            for member in killed:
                member.process.wait()
        return len(killed)

    def stop(self):
        """In the order of the documents: ingestors, workers, sinks, configd; [(name, code)] of those
        that did not end well."""
        bad = []
        for kinds in (("ingestor",), WORKERS, ("sink",), ("configd",)):
            members = self.of(*kinds)
            for member in members:
                member.wanted = False
                member.thaw()
                member.send(signal.SIGTERM)
            for member in members:
                code = member.process.wait(STOP_SECONDS_MAX)
                if code != 0:
                    bad.append((member.name, code))
        return bad

    def destroy(self):
        self.closing.set()
        for thread in self.threads:
            thread.join(30)
        self.kill_everything()
        self.log.close()

    # --- the supervisor ---

    def _supervise(self):
        while not self.closing.wait(TURN_SECONDS):
            with self.lock:
                now = time.monotonic()
                for member in self.members:
                    if member.wanted and not member.running():
                        self._start_again(member, now)

    def _start_again(self, member, now):
        if not member.again_at:
            code = member.process.returncode
            self.deaths[member.kind] += 1
            if code not in (0, -signal.SIGKILL):    # SIGTERM is no fault of its own
                self.exits.append((member.name, code))
            failed = code > 0 and now - member.began < 1
            member.again_at = now + (AGAIN_FAILED_SECONDS if failed else AGAIN_SECONDS)
        elif now >= member.again_at:
            member.again_at = 0.0
            member.start()


class Totals:
    """Counters over all lives: what each said last before it died is kept."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.last = {}          # (name, process id) -> samples
        self.lock = threading.Lock()

    def follow(self):
        while not self.fleet.closing.wait(SCRAPE_SECONDS):
            self.look()

    def look(self):
        for member in self.fleet.of():
            pid = member.pid
            if member.frozen or not member.running():
                continue
            code, text = member.get("/metrics", timeout=1.0)
            if code == 200 and member.pid == pid:
                with self.lock:
                    self.last[member.name, pid] = parse_metrics(text)

    def sum(self, name, kinds=KINDS, **labels):
        """The sum over all lives of the counter's samples with these labels."""
        wanted = [f"{label}={json.dumps(value)}" for label, value in labels.items()]
        with self.lock:
            return sum(number for (member, _), samples in self.last.items()
                       if member.rpartition("-")[0] in kinds
                       for sample, number in samples.items()
                       if sample.partition("{")[0] == name
                       and all(text in sample for text in wanted))
