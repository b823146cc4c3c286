"""make bench-check says "worse" where it is, and nowhere else."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
from bench_check import decide  # noqa: E402

RECORDED = {"events": 1000, "ratio": 8.0, "cpu_us_per_event": 2.0, "machine": "Machine: A"}


@pytest.mark.parametrize("ratio, good, says", [
    (8.0, True, "+0.0%"),
    (9.19, True, "+14.9%"),
    (9.21, False, "more than 15% worse"),
    (80.0, False, "+900.0%"),
    (6.0, True, "make bench-record"),
    (7.6, True, "-5.0%"),
])
def test_the_ratio_decides(ratio, good, says):
    found, text = decide(RECORDED, {**RECORDED, "ratio": ratio})
    assert found is good and says in text


def test_a_slower_machine_is_not_worse():
    assert decide(RECORDED, {**RECORDED, "cpu_us_per_event": 9.0})[0]


def test_worse_on_another_machine_says_so():
    found, text = decide(RECORDED, {**RECORDED, "ratio": 12.0, "machine": "Machine: B"})
    assert not found and "another machine (Machine: A)" in text
    assert "another machine" not in decide(RECORDED, {**RECORDED, "machine": "Machine: B"})[1]


def test_other_events_cannot_be_compared():
    found, text = decide(RECORDED, {**RECORDED, "events": 500})
    assert not found and "cannot be compared" in text
