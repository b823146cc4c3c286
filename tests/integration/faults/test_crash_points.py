"""Every named crash point kills at least once in a run, and Redis equals the oracle after all of it. And
the points themselves: they act as told, and are not in an ordinary build."""

import os
import signal
import subprocess
import time

import chaos
import crash_points
import pytest
import rig as rigs
import runs
from proxy import USUAL
from support import fleet, servers

pytestmark = pytest.mark.timeout(240)

WALK_SECONDS_MAX = 150
AGAIN_SECONDS = 4       # nobody passed: what makes somebody pass is done again


class Walk(runs.Planned):
    """Each (kind, point) once, the kinds side by side, in processes by hand behind the proxy."""

    def __init__(self):
        super().__init__(chaos.Plan(31, events=40_000, by_hand=True, proxy=True, disk=False,
                                    processes=runs.TWO, wide=True))
        self.left = {kind: [point.name for point in crash_points.table() if kind in point.kinds]
                     for kind in rigs.KINDS}
        self.armed = {}     # kind -> (name, since when)
        self.added = []

    def steps(self, _):
        self.rig.source.feed(0.9)       # rankings are as wide as they get
        self.ready()
        self.host.proxy.faults("all", **USUAL)
        deadline = time.monotonic() + WALK_SECONDS_MAX
        while self.armed or any(self.left.values()):
            if time.monotonic() > deadline:
                return [f"nobody passed {self.armed}, left are {self.left}"]
            if problem := self.host.problem():
                return [problem]
            self.rig.source.feed(0.0004)
            self.take_acted()
            for kind in rigs.KINDS:
                self.next_of(kind)
            time.sleep(0.05)
        self.see_a_gap()
        self.counts["points"] = len(self.rig.crash_folder.acted())
        return None

    def lose_sections(self):
        self.host.proxy.faults("sections", drop=0.5)
        self.rig.source.feed(0.0004)
        time.sleep(0.3)
        self.host.proxy.faults("sections", **USUAL)

    def see_a_gap(self):
        """A worker that is killed as it wants a rewind takes the count of that gap with it: the test
        asks for one that a living worker tells of."""
        totals = self.host.fleet.totals
        for _ in range(20):
            totals.look()
            if totals.sum("hotpath_gaps_total"):
                return
            self.lose_sections()

    def take_acted(self):
        for acted in self.rig.crash_folder.acted():
            if self.armed.get(acted.kind, ("",))[0] == acted.name:
                assert acted.action == "killed"
                self.note(f"killed {acted.kind} {acted.pid} at {acted.name}")
                del self.armed[acted.kind]

    def next_of(self, kind):
        now = time.monotonic()
        if kind not in self.armed and self.left[kind]:
            name = self.left[kind].pop(0)
            self.rig.crash_folder.arm(kind, name)
        elif kind in self.armed and now - self.armed[kind][1] > AGAIN_SECONDS:
            name = self.armed[kind][0]
        else:
            return
        self.armed[kind] = (name, now)
        self.trigger(kind, name)

    def trigger(self, kind, name):
        """What makes somebody pass a point that nobody passes by itself."""
        if name in ("rewind-before", "rewind-after", "rewind-wanted"):
            self.lose_sections()
        elif name == "shard-given":
            for member in self.added:
                self.host.fleet.remove(member)
            self.added = [self.host.fleet.add(kind)]
        elif name in chaos.TRIGGERS:
            method = chaos.TRIGGERS[name]
            getattr(self, method)(*([kind] if method.endswith("kind") else []))


def test_every_point_of_the_six():
    walk = Walk()
    wrong = walk.run()
    assert not wrong, walk.explain(wrong)
    expected = sum(len(point.kinds) for point in crash_points.table() if point.kinds != ("run",))
    assert walk.counts["points"] >= expected
    for what in ("gaps", "repeats", "rewinds", "results_gap", "results_repeat", "proxy_dropped",
                 "proxy_repeated", "proxy_delayed", "proxy_reordered"):
        assert walk.counts[what] > 0, (what, walk.counts)


class WalkOfRun(runs.Planned):
    """The points of `hotpath run` itself."""

    def __init__(self):
        super().__init__(chaos.Plan(32, events=5_000, by_hand=False, disk=False))

    def steps(self, _):
        self.rig.source.feed(0.2)
        self.host.start()
        for point in crash_points.table():
            if point.kinds != ("run",):
                continue
            servers.wait_until(lambda: len(self.host.children()) >= 6, 30, "all children run")
            before = len(self.rig.crash_folder.acted())
            self.rig.crash_folder.arm("run", point.name)
            if point.name == "run-locked":
                self.host.kill_supervisor()
            elif point.name == "stop-between":
                self.host.run.terminate()
            else:
                self.kill()
            servers.wait_until(lambda before=before: len(self.rig.crash_folder.acted()) > before, 30,
                               f"somebody passes {point.name}", 0.05)
            self.counts["points"] += 1
            self.rig.source.feed(0.1)
            time.sleep(0.3)
            if problem := self.host.problem():
                return [problem]
        return None


def test_every_point_of_run():
    walk = WalkOfRun()
    wrong = walk.run()
    assert not wrong, walk.explain(wrong)
    assert walk.counts["points"] == sum(point.kinds == ("run",) for point in crash_points.table())


# --- The points themselves ----------------------------------------------------------------------

@pytest.fixture
def configd(tmp_path):
    """configd (crash) starts it in a folder of its own, with HOTPATH_CRASH set."""
    rigs.maker.write_scenarios(tmp_path / "scenarios", rigs.maker.scenario_documents())
    started = []

    def start(crash, binaries=rigs.CRASH_BIN):
        started.append(subprocess.Popen(
            [binaries / "hotpath-configd", "--scenarios-dir", tmp_path / "scenarios", "--state",
             tmp_path / f"state-{len(started)}", "--publish", f"ipc://{tmp_path}/c"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=fleet.environment(HOTPATH_CRASH=crash)))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("crash", ["revision-stored", "configd.revision-stored:1",
                                   "ingestor.frame-sent; revision-published:nth=3",
                                   "revision-published:p=0.5,seed=3"])
def test_dies_where_told(configd, crash):
    assert configd(crash).wait(20) == -signal.SIGKILL


@pytest.mark.parametrize("crash", ["no-such-point", "revision-stored:often", "revision-stored:p=2",
                                   "revision-stored:action=sleep", "revision-stored:nth=0"])
def test_refuses_what_it_does_not_know(configd, crash):
    process = configd(crash)
    assert process.wait(20) == 64
    assert "crash points: " in process.stdout.read().decode()


def test_stands_still_where_told(configd):
    process = configd("revision-stored:action=stop")
    servers.wait_until(lambda: os.path.exists(f"/proc/{process.pid}/stat") and open(
        f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[0] == "T", 20, "it is stopped")
    process.send_signal(signal.SIGCONT)
    process.terminate()
    assert process.wait(20) == 0


@pytest.mark.parametrize("crash", ["scorer.commit-before", "revision-stored:nth=1000",
                                   "revision-stored:action=delay,ms=10"])
def test_lives_where_nothing_is_told(configd, crash):
    process = configd(crash)
    for line in process.stdout:
        if b"config is complete" in line:
            break
    process.terminate()
    assert process.wait(20) == 0


def test_an_ordinary_build_has_none(configd):
    for name in ("hotpath", "hotpath-scorer", "hotpath-ingestor", "hotpath-sink"):
        assert b"HOTPATH_CRASH" not in (fleet.bin_folder() / name).read_bytes()
        assert b"HOTPATH_CRASH" in (rigs.CRASH_BIN / name).read_bytes()
    process = configd("revision-stored", fleet.bin_folder())
    for line in process.stdout:
        if b"config is complete" in line:
            break
    process.terminate()
    assert process.wait(20) == 0
