"""The events of a scenario: as a file (made once, kept in build/bench) or in a topic of Kafka."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

from bench_process import BenchError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import kafka_tools  # noqa: E402

OUT = Path(__file__).resolve().parents[2] / "build" / "bench"
MAKER = OUT / "make_events"
LIVE_EVENTS_PER_SECOND = 100_000
SQUEEZED_MS = 3 * 3600 * 1000
PARTITIONS = 4


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def span_ms_of(pace, events):
    return events * 1000 // LIVE_EVENTS_PER_SECOND if pace == "live" else SQUEEZED_MS


def flags(scenario, events, span_ms):
    return ["--events", str(events), "--span-ms", str(span_ms), *scenario.maker_flags()]


def file_of(scenario, pace, events):
    """The file of the events, made once: its name holds a hash of the maker and its flags."""
    arguments = flags(scenario, events, span_ms_of(pace, events))
    version = hashlib.sha256(MAKER.read_bytes() + repr(arguments).encode()).hexdigest()[:12]
    path = OUT / f"events-{scenario.name}-{pace}-{events}-{version}.jsonl"
    if path.exists():
        return path
    for older in OUT.glob(f"events-{scenario.name}-{pace}-{events}-*.jsonl"):
        older.unlink()
    say(f"making {path.name}")
    half = path.with_suffix(".half")
    try:
        with open(half, "wb") as out:
            subprocess.run([MAKER, *arguments], stdout=out, check=True)
        half.rename(path)
    finally:
        half.unlink(missing_ok=True)
    return path


def fill_topic(brokers, topic, scenario, events, span_ms):
    """Makes the topic and writes so many events of that span of event time into it, over its
    partitions in turn; a record's time is its event's."""
    say(f"filling {topic} with {events:,} events")
    kafka_tools.create_topic(brokers, topic, PARTITIONS)
    done = subprocess.run([MAKER, *flags(scenario, events, span_ms), "--brokers", brokers,
                           "--topic", topic, "--compression", scenario.compression],
                          capture_output=True, text=True)
    ends = sum(kafka_tools.end_offsets(brokers, topic).values())
    if done.returncode != 0 or json.loads(done.stdout)["events"] != events or ends != events:
        raise BenchError(f"{topic}: {ends} of {events} events arrived\n{done.stderr}")


def turns(count, seconds_max):
    """Up to `count` turns, none begun after seconds_max, but one at least."""
    began = time.monotonic()
    for number in range(count):
        if number and time.monotonic() - began > seconds_max:
            return
        yield number
