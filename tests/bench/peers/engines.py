"""The engines that run beside each other: how each is started over a topic, and what it needs.

A peer is one command that reads a topic from its begin to its end, computes, writes to Redis and
ends by itself, so that wait4 says exactly what it cost. What they compute is in common/ (Java).
"""

import os
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / "build" / "bench" / "peers"
SCENARIOS = ROOT / "tests" / "bench" / "scenarios"
# What Flink's own configuration gives Java 17, as far as this job needs it.
JAVA_OPENS = ["--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.util=ALL-UNNAMED",
              "--add-opens=java.base/java.time=ALL-UNNAMED", "--add-opens=java.base/java.nio=ALL-UNNAMED"]


class Java:
    """A module of pom.xml: its main class with the flags that all peers take."""

    def __init__(self, name, module, main, options):
        self.name = name
        self.module = module
        self.main = main
        self.options = shlex.split(os.environ.get("BENCH_PEERS_JAVA_OPTIONS", options))

    def command(self, brokers, topic, redis, state):
        folder = BUILT / self.module
        return ["java", *self.options, *JAVA_OPENS,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp", f"{folder}/{self.module}-1.jar:{folder}/libs/*", self.main,
                *flags(brokers, topic, redis, state),
                *shlex.split(os.environ.get("BENCH_PEERS_ARGUMENTS", ""))]


def flags(brokers, topic, redis, state):
    return ["--brokers", brokers, "--topic", topic, "--scenarios-dir", str(SCENARIOS),
            "--redis", redis, "--state", str(state)]


FLINK = Java("flink", "flink", "peers.flink.FlinkPeer", "-Xms1g -Xmx1g")
PEERS = {engine.name: engine for engine in (FLINK,)}
