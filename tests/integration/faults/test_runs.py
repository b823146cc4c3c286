"""Short forms of the runs that prove the promises (runs.py): kills, everything at once, freezes, Redis away.
`make faults-kills` and the like run the long ones."""

import chaos
import pytest
import runs
from support import servers

pytestmark = pytest.mark.timeout(240)


def run(one):
    wrong = one.run()
    assert not wrong, one.explain(wrong)
    assert one.counts["lost"] == one.counts["double"] == 0 < one.counts["events"]
    return one.counts


def test_kills_with_four_workers_a_stage():
    counts = run(runs.Kills(2, 20))
    assert counts["kills"] >= 20
    assert any(name.startswith("at ") for name in counts)
    assert counts["proxy_dropped"] and counts["proxy_repeated"] and counts["proxy_reordered"]


def test_everything_at_once(kafka):
    """Each time, no commit in Kafka is ahead of what is on disk."""
    counts = run(runs.Everything(7, 3, "kafka", kafka, events=10_000))
    assert counts["everything"] == 3
    assert counts["looks_at_the_dead"] == 4


def test_frozen_and_nobody_kills():
    """One of each kind stands still, all at the same time; each is named within 15 s."""
    one = runs.Freeze(5, chaos.KINDS, 20)
    run(one)
    assert len(one.named) == 2 * len(chaos.KINDS)


def test_frozen_until_run_kills_it():
    one = runs.FreezeSupervised(6, "scorer")
    run(one)
    # After 10 s without a beat, and the last one was up to a second old, or more on a busy machine.
    assert 8 < one.killed_after < runs.NAMED_SECONDS_MAX


def test_redis_away_under_load():
    one = runs.RedisAway(1, 10, 40_000)
    run(one)
    assert one.owed > 0
    assert one.rates[1] > 500


class Blocked(runs.Planned):
    """A worker takes nothing: through the proxy, too, that reaches the source, and nothing grows."""

    def __init__(self):
        super().__init__(chaos.Plan(12, events=40_000, by_hand=True, proxy=True, disk=False,
                                    processes={**runs.TWO, "scorers": 1, "ingestors": 1}))

    def steps(self, _):
        self.ready()
        scorer, ingestor = self.host.fleet.of("scorer")[0], self.host.fleet.of("ingestor")[0]
        feeder = runs.Feeder(self.rig.source, 1.0, 30, steps_a_second=50)
        try:
            # A partition begins only with owners that are heard: so first it is read.
            routed = 'hotpath_events_total{outcome="routed",reason=""}'
            servers.wait_until(lambda: ingestor.metrics().get(routed, 0) > 0, 30, "events are read")
            before = ingestor.peak_bytes()
            scorer.freeze()
            servers.wait_until(
                lambda: ingestor.metrics().get('hotpath_paused_partitions{reason="blocked"}', 0) > 0,
                45, "the ingestor reads no more")
        finally:
            feeder.stop()
            scorer.thaw()
        grown = ingestor.peak_bytes() - before
        self.counts["blocked"] = self.host.proxy.counts()["sections"]["blocked"]
        return [f"the ingestor grew by {grown >> 20} MiB"] if grown > 64 << 20 else None


def test_back_pressure_passes_the_proxy():
    assert run(Blocked())["blocked"] > 0
