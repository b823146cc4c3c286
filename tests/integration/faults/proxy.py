"""The proxy between the processes (tests/proxy), from Python's side.

    with Proxy(folder, seed, ingestors=[...], sinks=[...]) as proxy:
        proxy.faults("all", drop=0.01)
        proxy.counts()["sections"]["dropped"]

`before (endpoint)` is the proxy's endpoint in front of an ingestor's or a sink's: what workers are
given. Where workers tell their own endpoints, the proxy replaces them by itself.
"""

import json
import subprocess

from rig import CRASH_BIN
from support import servers

HOPS = ("announces", "sections", "results", "acks")
ANSWER_SECONDS_MAX = 10
# What a network that is only just usable does.
USUAL = {"drop": 0.004, "repeat": 0.01, "delay": 0.01, "reorder": 0.01, "hold": 150}


class Proxy:
    def __init__(self, folder, seed, ingestors, sinks):
        self.folder = folder / "p"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.seed = seed
        self.ways = {endpoint: f"ipc://{self.folder}/{kind}-{index}"
                     for kind, endpoints in (("ingestor", ingestors), ("sink", sinks))
                     for index, endpoint in enumerate(endpoints)}
        self.process = None
        self.start()

    def start(self):
        command = [CRASH_BIN.parent / "tests" / "frame-proxy", "--folder", self.folder,
                   "--seed", self.seed]
        for endpoint, way in self.ways.items():
            kind = way.rpartition("/")[2].partition("-")[0]
            command += [f"--{kind}", f"{way}={endpoint}"]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, preexec_fn=servers._die_with_parent)

    def before(self, endpoint):
        return self.ways[endpoint]

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the proxy has ended with {self.process.wait()}")
        return json.loads(answer)

    def faults(self, hop="all", **chances):
        """From now on; what is not named is 0. Without any: a queue."""
        self.ask(" ".join(["faults", hop, *(f"{name}={value}" for name, value in chances.items())]))

    def counts(self):
        """{hop: {what: how many frames}}"""
        return self.ask("counts")

    def destroy(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(ANSWER_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.destroy()
