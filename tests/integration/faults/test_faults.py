"""Whatever is killed or frozen, Redis equals the oracle: a short form of chaos.py.

Each round also promises that the live run comes to its newest complete window without any restart
of the whole, that no reader sees a ranking of two windows or a revision that goes back, and (Kafka)
that no commit goes back or passes what was written.
"""

import chaos
import pytest

pytestmark = pytest.mark.timeout(150)

KILLS = {"kill": 3, "kill_some": 1}


def run_round(plan, kafka=None):
    one = chaos.Round(plan, kafka)
    wrong = one.run()
    assert not wrong, one.explain(wrong)
    return one.counts


# 11: several kinds at once; a shard got its new owner while another had none.
@pytest.mark.parametrize("seed", [11, 5])
def test_kills_on_files(seed):
    counts = run_round(chaos.Plan(seed, faults=12, weights=KILLS, events=10_000))
    assert counts["kills"] >= 12
    assert counts["snapshots"] > 0


def test_kills_on_kafka(kafka):
    counts = run_round(chaos.Plan(3, "kafka", faults=8, weights=KILLS, events=8_000), kafka)
    assert counts["kills"] >= 8


def test_everything_at_once():
    counts = run_round(chaos.Plan(7, faults=4, weights={"kill_everything": 1}, events=10_000))
    assert counts["kills"] >= 4 * 7


def test_run_alone_killed():
    """Its children end with it, and the next run waits for what they still hold."""
    counts = run_round(chaos.Plan(8, faults=3, weights={"kill_run": 1}, events=6_000))
    assert counts["kills"] >= 3


def test_frozen():
    counts = run_round(chaos.Plan(9, faults=3, weights={"freeze": 1}, events=6_000))
    assert counts["freezes"] >= 2


# A partition that was paused while the only scorer was away was never read again.
def test_the_only_owner_killed():
    counts = run_round(chaos.Plan(11, faults=5, weights={"kill_some": 1}, events=6_000))
    assert counts["kills"] >= 5
