"""Workers that come and go under load: each holds its fair share within seconds, every shard has one owner, and
the events of all wait less than 2 s for a move. In the end Redis equals the oracle."""

import os
import signal
import subprocess
import time
from pathlib import Path

from conftest import HOTPATH
from support import servers
from support.background import Background
from test_live import children
from test_status import PARTS, Status, free_ports
from test_storage_faults import Feed, started

SHARE_SECONDS_MAX = 20      # "within seconds", on a busy machine
PAUSE_SECONDS_MAX = 2


class Extra:
    """One more worker beside those of `run`, started as an operator does: the same settings, another name."""

    def __init__(self, pid, folder, port, number):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
        command = [part for part in command
                   if not part.startswith(("--beat-fd", "--name", "--listen", "--status-listen"))]
        self.name = f"extra-{number}"
        self.log = open(folder / f"{self.name}.log", "wb")
        self.process = subprocess.Popen(
            [*command, f"--listen=ipc://{folder}/{self.name}", f"--name={self.name}",
             f"--status-listen=127.0.0.1:{port}"], stdout=self.log, stderr=self.log)

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self.log.close()
        return code


class Load(Background):
    """Appends to the files all the time, a little each time; `longest` is for how long it did not."""

    def __init__(self, feed, begin, end, seconds):
        super().__init__()
        self.feed, self.begin, self.end, self.seconds = feed, begin, end, seconds
        self.longest = 0.0

    def run(self):
        start = before = time.monotonic()
        share = self.begin
        while not self.ended.is_set() and share < self.end:
            share = min(self.end, self.begin + (self.end - self.begin)
                        * (time.monotonic() - start) / self.seconds)
            self.feed.feed(share)
            now = time.monotonic()
            self.longest, before = max(self.longest, now - before), now
            time.sleep(0.02)


def test_workers_come_and_go(pipeline, tmp_path):
    feed = Feed(tmp_path, events=30_000)
    port = free_ports(len(PARTS) + 3)
    with started(pipeline, feed, "--shards", 16, status_port=port, share=0.2) as live:
        status = Status(port)
        for number in range(3):
            status.ports[f"extra-{number}"] = port + len(PARTS) + number
        first = children(live.running.process.pid, "hotpath-scorer")[0]
        extras = []

        def owned():
            return [int(status.value(part, "hotpath_shards_owned", stage="scorer") or 0)
                    for part in ["scorer-0", *(extra.name for extra in extras
                                               if extra.process.poll() is None)]]

        def wait_shares(*shares):
            begun = time.monotonic()
            servers.wait_until(lambda: sorted(owned()) == sorted(shares), SHARE_SECONDS_MAX,
                               f"shares {shares}, not {owned()}")
            return time.monotonic() - begun

        def pause():
            return status.value("scorer-0", "hotpath_applied_pause_seconds", stage="scorer")

        took = {}
        with Load(feed, 0.2, 0.9, 40) as load:
            time.sleep(2.5)
            quiet = pause()     # remembered for a while: nothing came before the load
            try:
                for number in range(3):
                    extras.append(Extra(first, tmp_path, port + len(PARTS) + number, number))
                    servers.wait_until(lambda: status.get(f"extra-{number}", "/metrics")[0] == 200, 20,
                                       "its status")
                    shares = {0: (8, 8), 1: (6, 5, 5), 2: (4, 4, 4, 4)}[number]
                    took[f"join {number}"] = wait_shares(*shares)
                pauses = [pause()]
                assert extras[1].end() == 0
                took["leave"] = wait_shares(6, 5, 5)
                time.sleep(1)
                pauses.append(pause())
                # Where the load itself paused, nothing waited.
                assert max(pauses) < max(PAUSE_SECONDS_MAX + load.longest, quiet + 0.01), \
                    (pauses, quiet, load.longest)
                extras[0].end(signal.SIGKILL)
                took["killed"] = wait_shares(8, 8)
                # Frozen with its shards: nobody takes them; it goes on where it was.
                os.kill(extras[2].process.pid, signal.SIGSTOP)
                time.sleep(1)
                os.kill(extras[2].process.pid, signal.SIGCONT)
                time.sleep(1)
                assert sorted(owned()) == [8, 8]
                assert extras[2].end() == 0
                took["last leave"] = wait_shares(16)
            finally:
                for extra in extras:
                    if extra.process.poll() is None:
                        extra.end(signal.SIGKILL)
        print("seconds:", took, "longest pauses:", pauses, "of the load:", quiet, load.longest)
        feed.feed(1)
        live.wait_window(1)
        live.finish(shards=16)
