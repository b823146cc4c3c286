"""The named scenarios of make bench: which events, how many, over what, how fast.

A scenario differs from the reference in one thing, so that a difference in cost has one cause. Each
is a row of SCENARIOS; its events are made by make_events with the row's flags.
"""

import json
from dataclasses import dataclass
from pathlib import Path

REFERENCE_FOLDER = Path(__file__).resolve().parent / "scenarios"
REFERENCE_EVENTS = 2_000_000
OTHER_EVENTS = 1_000_000


@dataclass(frozen=True)
class Scenario:
    name: str
    says: str                       # what is other than in the reference
    flags: tuple = ()               # of make_events
    tenants: int = 3
    scenarios: int = 2              # of each tenant
    events: int = OTHER_EVENTS
    sources: tuple = ("file",)
    paces: tuple = ("live",)
    compression: str = "none"       # of Kafka's batches
    msgpack: bool = False

    def maker_flags(self):
        return [*self.flags, "--tenants", str(self.tenants), "--scenarios", str(self.scenarios),
                *(["--msgpack", "1"] if self.msgpack else [])]


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("reference", "6 scenarios, Zipf keys, 100k users, 20k items, JSON of 360 bytes",
             events=REFERENCE_EVENTS, sources=("file", "kafka"), paces=("live", "squeezed")),
    Scenario("uniform", "uniform keys", ("--item-skew", "0", "--user-skew", "0")),
    Scenario("one-scenario", "1 scenario has all events", tenants=1, scenarios=1),
    Scenario("scenarios-100", "100 scenarios", tenants=10, scenarios=10),
    Scenario("scenarios-1000", "1,000 scenarios", tenants=40, scenarios=25),
    Scenario("scenarios-10000", "10,000 scenarios", tenants=100, scenarios=100),
    Scenario("items-10k", "10k items", ("--items", "10000")),
    Scenario("items-1m", "1M items", ("--items", "1000000")),
    Scenario("users-5m", "5M users", ("--users", "5000000")),
    Scenario("hot-item", "1 item has half of all events", ("--hot-percent", "50")),
    Scenario("bytes-200", "events of 200 bytes", ("--lean", "1")),
    Scenario("bytes-2k", "events of 2 KB", ("--extra-bytes", "1640")),
    Scenario("msgpack", "msgpack", sources=("kafka",), msgpack=True),
    Scenario("kafka-lz4", "batches compressed by lz4", sources=("kafka",), compression="lz4"),
)}


def folder_of(scenario, out):
    """The folder of the scenario documents: the reference's, or as many like those under `out`."""
    if (scenario.tenants, scenario.scenarios) == (3, 2):
        return REFERENCE_FOLDER
    folder = out / f"scenarios-{scenario.tenants}x{scenario.scenarios}"
    if folder.exists():
        return folder
    models = [json.loads(path.read_text()) for path in sorted(REFERENCE_FOLDER.glob("*.json"))]
    half = folder.with_suffix(".half")
    half.mkdir(parents=True, exist_ok=True)
    for number in range(scenario.tenants * scenario.scenarios):
        tenant, index = divmod(number, scenario.scenarios)
        names = {"tenant_id": f"tenant_{tenant:03}", "scenario_id": f"scenario_{index:03}"}
        (half / f"{number:05}.json").write_text(
            json.dumps({**models[number % len(models)], **names}))
    half.rename(folder)
    return folder
