"""How fast Redis is filled again after it lost everything, and what a profile costs on its way there.

    PYTHONPATH=tests build/venv/bin/python tests/bench/redis_refill.py --users 300000

Makes one scenario whose users have a believable profile each, runs `hotpath run --follow` over it
until Redis has all of them, then FLUSHALL (or --kill: SIGKILL and a new, empty server), and prints
when rankings and metrics were back, when the profiles, their rate, CPU by process and peak RSS.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support import servers  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
HOTPATH = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin") / "hotpath"
TICKS = os.sysconf("SC_CLK_TCK")
START_MS = 1_772_366_400_000
EVENTS_A_USER = 6
SECONDS_MAX = 300


def write_events(path, users, seed=4):
    """EVENTS_A_USER events a user over 10 minutes, then one that ends the last of their windows."""
    rng = random.Random(seed)
    actions = ["impression", "view", "click", "like", "purchase"]
    total = users * EVENTS_A_USER
    with open(path, "w") as out:
        for index in range(total):
            item = rng.randrange(5000)
            out.write(json.dumps({
                "tenant_id": "acme", "scenario_id": "shop", "user_id": f"user-{index % users:07}",
                "item_id": f"item-{item}", "action_type": rng.choices(actions, [40, 30, 15, 10, 5])[0],
                "timestamp": START_MS + index * 600_000 // total,
                "context": {"category": f"category-{item % 12}",
                            "tags": [f"tag-{item % 31}", f"tag-{item % 17}"]}}) + "\n")
        out.write(json.dumps({
            "tenant_id": "acme", "scenario_id": "shop", "user_id": "user-0000000", "item_id": "last",
            "action_type": "view", "timestamp": START_MS + 630_000}) + "\n")


def write_scenario(folder):
    folder.mkdir()
    (folder / "shop.json").write_text(json.dumps({
        "tenant_id": "acme", "scenario_id": "shop", "status": "active",
        "config": {"realtime_compute": {
            "hot_score": {"window_size_minutes": 10, "window_slide_minutes": 1},
            "user_profile": {"update_frequency_seconds": 60},
            "metrics": {"window_size_minutes": 1, "history_windows": 48,
                        "metrics_to_calculate": ["ctr", "cvr", "active_users", "action_counts"]}}}}))


def children(pid):
    names = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):
            names[os.path.basename(os.readlink(f"/proc/{child}/exe"))] = int(child)
    return names


def usage(pids):
    """{name: (CPU seconds, peak RSS MiB)}."""
    found = {}
    for name, pid in pids.items():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        found[name] = ((int(fields[11]) + int(fields[12])) / TICKS, int(peak.split()[1]) / 1024)
    return found


def profiles(client):
    return client.dbsize()


def watch_refill(client, users, began):
    """Seconds until rankings and metrics, and until all profiles are there."""
    windows = None
    while time.monotonic() - began < SECONDS_MAX:
        with contextlib.suppress(Exception):
            if windows is None and client.exists("hot:items:acme:shop:meta", "rec:metrics:acme:shop",
                                                 "rec:metrics:acme:shop:history") == 3:
                windows = time.monotonic() - began
            if profiles(client) >= users and windows is not None:
                return windows, time.monotonic() - began
        time.sleep(0.02)
    raise SystemExit(f"not filled again in {SECONDS_MAX} s: {profiles(client)} keys")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--kill", action="store_true", help="a new, empty server, not FLUSHALL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("arguments", nargs="*", help="more for `hotpath run`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hotpath-refill-") as name, servers.Redis() as redis:
        folder = Path(name)
        write_events(folder / "events.jsonl", options.users)
        write_scenario(folder / "scenarios")
        log = open(folder / "log.txt", "wb")
        run = subprocess.Popen(
            [HOTPATH, "run", "--file", folder / "events.jsonl", "--follow", "--scenarios-dir",
             folder / "scenarios", "--redis", redis.url, "--state", folder / "state",
             "--idle-advance=off", *options.arguments],
            stdout=log, stderr=log)
        try:
            client = redis.client()
            servers.wait_until(lambda: profiles(client) >= options.users, SECONDS_MAX, "profiles")
            time.sleep(3)
            pids = {**children(run.pid)}
            for number in range(options.rounds):
                pids["redis-server"] = redis.process.pid
                before = usage(pids)
                if options.kill:
                    redis.kill()
                    redis.start()
                    pids["redis-server"] = redis.process.pid
                    before["redis-server"] = (0.0, 0.0)
                else:
                    client.flushall()
                windows, whole = watch_refill(client, options.users, time.monotonic())
                time.sleep(1)
                after = usage(pids)
                size = client.memory_usage("user:profile:acme:user-0000001:shop")
                print(f"round {number}: rankings and metrics after {windows:.2f} s, "
                      f"{options.users} profiles ({size} B each) after {whole:.2f} s: "
                      f"{options.users / whole:,.0f}/s")
                for part in ("hotpath-profiler", "hotpath-sink", "redis-server", "hotpath-metrics"):
                    cpu = after[part][0] - before[part][0]
                    print(f"    {part:18} {cpu / options.users * 1e6:6.2f} us CPU a profile, "
                          f"peak {after[part][1]:.0f} MiB")
        finally:
            run.terminate()
            run.wait(60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
