"""What the integration tests share: real servers, a folder of one's own, `hotpath run` in it."""

import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest
from support import kafka_tools, maker, oracle, redis_check, servers, sink_bench

ROOT = Path(__file__).resolve().parents[2]
HOTPATH = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin") / "hotpath"
RUN_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60       # a stage may take 20 s, and there are four
# A configd that is started by itself would meet, in the log that a test reads, the driver's warning of
# counters that another of its pid left in /dev/shm; `hotpath run` sees to that by itself.
os.environ.setdefault("MONGOC_DISABLE_SHM", "1")


class Finished(NamedTuple):
    """A `hotpath` that has ended."""
    code: int
    stdout: str
    stderr: str

    def explain(self):
        return f"exit {self.code}\n--- stdout\n{self.stdout[-4000:]}\n" \
               f"--- stderr\n{self.stderr[-8000:]}"


class Running:
    """A `hotpath` that runs: ended with its whole process group whatever happens."""

    def __init__(self, arguments, folder, stdin=None):
        self.stdout_path = folder / f"stdout-{uuid.uuid4().hex[:8]}.txt"
        self.stderr_path = folder / f"stderr-{uuid.uuid4().hex[:8]}.txt"
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("HOTPATH_", "MONGOC_"))}
        with open(self.stdout_path, "wb") as out, open(self.stderr_path, "wb") as errors:
            self.process = subprocess.Popen(
                [str(HOTPATH), *map(str, arguments)], stdout=out, stderr=errors, cwd=folder,
                env=environment, start_new_session=True,
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        if stdin is not None:
            try:
                self.process.stdin.write(stdin)
                self.process.stdin.close()
            except BrokenPipeError:
                pass    # it ended early: its exit code says why

    def wait(self, seconds):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"hotpath did not end in {seconds:g} s\n"
                                 + self.finished(None).explain()) from None
        return self.finished(code)

    def finished(self, code):
        return Finished(code, self.stdout_path.read_text(errors="replace"),
                        self.stderr_path.read_text(errors="replace"))

    def stop(self):
        """SIGTERM, as an operator ends it; returns what Finished."""
        self.process.terminate()
        return self.wait(STOP_SECONDS_MAX)

    def kill(self):
        """Ends all of its processes at once; harmless if they have gone."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Pipeline:
    """`hotpath run` with a Redis, a state folder and a scenarios folder of the test's own."""

    def __init__(self, folder, redis):
        self.folder = folder
        self.redis = redis
        self.client = redis.client()
        self.with_url = True        # False: a test says otherwise where Redis is
        self.state = folder / "state"
        self.scenarios_dir = folder / "scenarios"
        self.dead_letters = folder / "dead-letters.jsonl"
        self.group = f"hotpath-test-{uuid.uuid4().hex[:12]}"

    def write_scenarios(self, documents):
        maker.write_scenarios(self.scenarios_dir, documents)

    def arguments(self, *more):
        own = ["run", "--state", self.state]
        if self.with_url:
            own += ["--redis", self.redis.url]
        if "--mongodb-url" not in more and "--scenarios-dir" not in more:
            own += ["--scenarios-dir", self.scenarios_dir]
        if "--file" in more and "--dead-letters" not in more:
            own += ["--dead-letters", self.dead_letters]
        return [*own, *more]

    def run(self, *more, stdin=None, seconds=RUN_SECONDS_MAX):
        """Runs it with these arguments more, to its end; returns what Finished."""
        with Running(self.arguments(*more), self.folder, stdin) as running:
            return running.wait(seconds)

    def once(self, *more, stdin=None, seconds=RUN_SECONDS_MAX):
        """As run, with --once, and it must succeed."""
        finished = self.run(*more, "--once", stdin=stdin, seconds=seconds)
        assert finished.code == 0, finished.explain()
        return finished

    def start(self, *more):
        return Running(self.arguments(*more), self.folder)

    def fresh(self):
        """Another state folder and an empty Redis: as if nothing had run."""
        self.state = self.folder / f"state-{uuid.uuid4().hex[:8]}"
        self.group = f"hotpath-test-{uuid.uuid4().hex[:12]}"
        self.client.flushall()

    def assert_equals(self, expected, **options):
        differences = redis_check.compare(self.client, expected, **options)
        assert not differences, redis_check.report(differences)

    def dump(self, without=redis_check.ORIGIN_OF_A_RUN):
        """What is in Redis, but for item:stats: those of items that left depend on which windows
        in between were written."""
        return {key: value for key, value in redis_check.dump(self.client, without=without).items()
                if not key.startswith(b"item:stats:")}


@pytest.fixture(scope="session", autouse=True)
def executable():
    if not HOTPATH.exists():
        pytest.fail(f"{HOTPATH} is absent: run make first", pytrace=False)


@pytest.fixture
def redis():
    with servers.Redis() as server:
        yield server


@pytest.fixture
def make(tmp_path, redis):
    """Makes sinks on this Redis and workers for them: support/sink_bench.py."""
    bench = sink_bench.Bench(tmp_path, redis)
    yield bench
    assert not any(bench.close())


@pytest.fixture(scope="session")
def kafka():
    with servers.Kafka() as server:
        yield server


@pytest.fixture(scope="session")
def mongodb():
    with servers.Mongodb() as server:
        yield server


@pytest.fixture
def pipeline(tmp_path, redis):
    return Pipeline(tmp_path, redis)


class Topic:
    """A topic of the test's own, with its name's pattern for --topics."""

    def __init__(self, kafka, partitions):
        self.brokers = kafka.brokers
        self.name = f"user-behaviors-{uuid.uuid4().hex[:12]}"
        self.partitions = partitions
        kafka_tools.create_topic(self.brokers, self.name, partitions)

    def produce(self, records):
        return kafka_tools.produce(self.brokers, self.name, records)

    def arguments(self, pipeline):
        return ["--brokers", self.brokers, "--topics", f"^{self.name}$", "--group", pipeline.group]

    def dead_letters(self):
        """The dead letters of this topic: [(headers, value)]. Other tests' are left out."""
        letters = []
        for headers, record in kafka_tools.read_topic_with_headers(self.brokers, "hotpath.dlq"):
            if self.name.encode() in headers.values():
                letters.append((headers, record.value))
        return letters


@pytest.fixture
def topic(kafka):
    """topic (4) makes one of 4 partitions."""
    return lambda partitions=1: Topic(kafka, partitions)


def file_arguments(paths):
    return [argument for path in paths for argument in ("--file", path)]


def expected_of_files(stream, paths):
    return oracle.compute(stream.file_partitions(paths), stream.documents)


def expected_of_topic(stream):
    return oracle.compute(stream.kafka_partitions(), stream.documents)


def assert_made(stream, *counters):
    """A stream without what the test is about proves nothing."""
    for counter in counters:
        assert stream.counters[counter] > 0, f"the stream has no {counter}"
