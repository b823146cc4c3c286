"""Whatever is killed, frozen or lost on the way, Redis equals the oracle: random rounds of chaos.py by
fixed seeds, and what once went wrong.

Each round also promises that the live run comes to the newest complete windows and profiles without
any restart of the whole, and all that watcher.py watches.
"""

import chaos
import checker
import pytest
import rig as rigs
import runs
from proxy import HOPS

pytestmark = pytest.mark.timeout(200)

KILLS = {"kill": 3, "kill_some": 1}


def run_round(plan, kafka=None):
    one = chaos.Round(plan, kafka)
    wrong = one.run()
    assert not wrong, one.explain(wrong)
    return one.counts


# 11: several kinds at once; a shard got its new owner while another had none.
@pytest.mark.parametrize("seed", [11, 5])
def test_kills_on_files(seed):
    counts = run_round(chaos.Plan(seed, faults=12, weights=KILLS, events=10_000, by_hand=False))
    assert counts["kills"] >= 12
    assert counts["snapshots"] > 0


def test_run_alone_killed():
    """Its children end with it, and the next run waits for what they still hold."""
    counts = run_round(chaos.Plan(8, faults=3, weights={"kill_supervisor": 1}, events=6_000,
                                  by_hand=False))
    assert counts["kills"] >= 3


# A partition that was paused while the only scorer was away was never read again.
def test_the_only_owner_killed():
    counts = run_round(chaos.Plan(11, faults=5, weights={"kill_some": 1}, events=6_000))
    assert counts["kills"] >= 5


# What random rounds have found. 107: the answer that told of missing results was lost. 112: a hash of an
# older window after FLUSHALL. 114: profiles due before a crash were written a period later. 146: a profiler died
# between hearing that Redis was emptied and having said so to its state.
@pytest.mark.long
@pytest.mark.parametrize("seed, source", [(107, "files"), (112, "files"), (114, "kafka"), (146, "files"),
                                          (1795567914, "kafka")])
def test_seeds_that_once_failed(seed, source, request):
    kafka = request.getfixturevalue("kafka") if source == "kafka" else None
    run_round(chaos.Plan(seed, source), kafka)


# 1: metrics of four shards by a newer revision replaced those of all. 9: a sink died between writing a window of
# twelve shards and hearing of the other four.
@pytest.mark.long
@pytest.mark.parametrize("seed, source", [(1, "files"), (9, "kafka")])
def test_kills_that_once_failed(seed, source, request):
    kafka = request.getfixturevalue("kafka") if source == "kafka" else None
    one = runs.Kills(seed, 25, source, kafka)
    wrong = one.run()
    assert not wrong, one.explain(wrong)


@pytest.mark.parametrize("hop", HOPS)
def test_a_lost_tail(hop):
    """The last frames of a hop are lost, and nothing follows that would show it by itself."""
    one = chaos.Round(chaos.Plan(21, faults=2, weights={"weights": 1}, events=5_000, by_hand=True,
                                 proxy=True, disk=False))
    one.host.proxy.faults("all")

    def cut_the_end(watching):
        one.rig.source.feed(0.5)
        one.host.start()
        one.host.fleet.wait_ready()
        one.host.proxy.faults(hop, drop=1)
        one.rig.source.feed_rest()
        rigs.servers.wait_until(lambda: one.host.proxy.counts()[hop]["dropped"] > 5, 30,
                                "frames are lost")
        one.host.proxy.faults(hop)
        truth = checker.Truth(one.rig, one.complete_ms)
        return checker.wait_until_live_is_done(one.rig, truth) or one.end(watching, truth)

    one.go = cut_the_end
    wrong = one.run()
    assert not wrong, one.explain(wrong)
