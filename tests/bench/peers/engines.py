"""The peers: how each is started over a topic.

A peer is one command that reads a topic from its begin to its end, computes, writes to Redis and
ends by itself, so that wait4 says exactly what it cost. What they compute is in common/ (Java) and
pyflink/ (Python).
"""

import os
import shlex
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILT = ROOT / "build" / "bench" / "peers"
SCENARIOS = ROOT / "tests" / "bench" / "scenarios"
# Of what Flink's own configuration gives Java 17, what this job needs.
JAVA_OPENS = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED"
              for package in ("lang", "util", "time", "nio")]
# Two cores: of the collectors tried, the parallel one cost little CPU (docs/peers.md).
JAVA_OPTIONS = "-Xms1g -Xmx1g -XX:+UseParallelGC"
DAY_MS = 86_400_000


class Java:
    """A main class of a module of pom.xml."""

    is_slow = False

    def __init__(self, name, module, main, *arguments):
        self.name = name
        self.module = module
        self.main = main
        self.options = shlex.split(os.environ.get("BENCH_PEERS_JAVA_OPTIONS", JAVA_OPTIONS))
        self.arguments = [*arguments, *shlex.split(os.environ.get("BENCH_PEERS_ARGUMENTS", ""))]

    def command(self, brokers, topic, redis, state):
        folder = BUILT / self.module
        return ["java", *self.options, *JAVA_OPENS,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
                "-cp", f"{folder}/{self.module}-1.jar:{folder}/libs/*", self.main,
                *flags(brokers, topic, redis, state), *self.arguments]

    def words(self):
        return " ".join(["java", *self.options, self.main, *self.arguments])


class PyFlink:
    """pyflink/: Python starts a JVM, which starts Python workers; reaper.py waits for them all."""

    name = "pyflink"
    is_slow = True

    def command(self, brokers, topic, redis, state):
        return [str(BUILT / "pyflink" / "venv" / "bin" / "python"), str(HERE / "reaper.py"),
                str(HERE / "pyflink" / "pyflink_peer.py"), *flags(brokers, topic, redis, state),
                "--jars", str(BUILT / "flink" / "libs")]

    def words(self):
        return "python pyflink_peer.py"


def flags(brokers, topic, redis, state):
    return ["--brokers", brokers, "--topic", topic, "--scenarios-dir", str(SCENARIOS),
            "--redis", redis, "--state", str(state)]


PEERS = {engine.name: engine for engine in (
    Java("flink", "flink", "peers.flink.FlinkPeer"),
    # Nearly each profile is written once, at the end of input: how little Flink could cost.
    Java("flink-once", "flink", "peers.flink.FlinkPeer", "--profile-period-ms", str(DAY_MS)),
    Java("kafka-streams", "kafka-streams", "peers.streams.StreamsPeer"),
    PyFlink())}
