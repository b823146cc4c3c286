"""/livez, /readyz and /metrics of every process of a real pipeline: ready means progress, what holds a
process back is named, and Prometheus can read the numbers."""

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest
from conftest import HOTPATH, Pipeline
from prometheus_client.parser import text_string_to_metric_families
from support import maker, servers

PARTS = ["configd", "sink-0", "scorer-0", "profiler-0", "metrics-0", "ingestor-0"]
READY_SECONDS_MAX = 30
STALL_SECONDS_MAX = 60      # a process that applies nothing for 30 s says so (35 s of a sink)
LIVE = ["--commit-interval", "1s", "--shards", "4"]


def free_ports(count):
    """The first of `count` ports in a row that nothing listens on now."""
    for _ in range(100):
        first = servers.free_port()
        if first + count > 32768:
            first = 20000 + first % 10000
        probes = []
        try:
            for port in range(first, first + count):
                probe = socket.socket()
                probes.append(probe)
                probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise AssertionError("no free ports in a row")


class Status:
    """The status of the processes of one `hotpath run`."""

    def __init__(self, port):
        self.ports = {part: port + index for index, part in enumerate(PARTS)}

    def get(self, part, path, method="GET"):
        """(code, text); code 0 where nobody answers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[part]}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self, parts=PARTS, seconds=READY_SECONDS_MAX):
        for part in parts:
            servers.wait_until(lambda part=part: self.get(part, "/readyz")[0] == 200, seconds,
                               f"{part} ready: {self.get(part, '/readyz?verbose')}")

    def wait_not_ready(self, part, seconds, *words):
        """Until it answers 503 with a line that holds it back and has these words."""
        def named():
            code, text = self.get(part, "/readyz")
            return code == 503 and any(line.startswith("[-] ") and all(w in line for w in words)
                                       for line in text.splitlines())
        try:
            servers.wait_until(named, seconds, "", poll_seconds=0.2)
        except TimeoutError:
            raise AssertionError(f"{part} does not name {words}: "
                                 f"{self.get(part, '/readyz?verbose')}") from None

    def families(self, part):
        code, text = self.get(part, "/metrics")
        assert code == 200, text
        return list(text_string_to_metric_families(text))

    def samples(self, part):
        """{(name, labels as sorted pairs): value}."""
        return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in self.families(part) for sample in family.samples}

    def value(self, part, name, **labels):
        return self.samples(part).get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def port():
    return free_ports(len(PARTS))


@pytest.fixture
def status(port):
    return Status(port)


def start(pipeline, port, *more):
    return pipeline.start("--status-port", port, *LIVE, *more)


def child_named(pid, name):
    """Process id of the child of `pid` with --name=`name`."""
    for entry in os.listdir("/proc"):
        try:
            parent = int(open(f"/proc/{entry}/stat").read().rpartition(")")[2].split()[1])
            line = open(f"/proc/{entry}/cmdline").read().split("\0")
        except (OSError, ValueError):
            continue
        if parent == pid and f"--name={name}" in line:
            return int(entry)
    raise AssertionError(f"no child {name}")


def check_exposition(families):
    """What promtool check metrics looks for: help, types, units, names; and no label without bound."""
    seen = set()
    for family in families:
        assert family.documentation, family
        assert family.type in ("counter", "gauge"), family
        assert family.name.startswith(("hotpath_", "process_")), family
        for unit in ("_ms", "_milliseconds", "_kb", "_percent"):
            assert not family.name.endswith(unit), family
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in seen, key
            seen.add(key)
            assert sample.name.endswith("_total") == (family.type == "counter"), sample
            assert not set(sample.labels) - {"stage", "outcome", "reason", "kind", "partition",
                                             "version"}, sample


def test_every_process_says_how_it_is(pipeline, tmp_path, port, status):
    stream = maker.make(maker.Options(events=6_000, seed=301, late_share=0.01))
    path = stream.write_files(tmp_path)[0]
    with open(path, "ab") as file:
        file.write(b"poison\n" * 7)
    pipeline.write_scenarios(stream.documents)
    with start(pipeline, port, "--file", path, "--follow", "--idle-timeout", "1s") as running:
        status.wait_ready()
        for part in PARTS:
            assert status.get(part, "/livez") == (200, "alive\n")
            assert status.get(part, "/livez", "HEAD") == (200, "")
            assert status.get(part, "/livez", "POST")[0] == 405
            assert status.get(part, "/")[0] == 404
            assert status.get(part, "/readyz") == (200, "ready\n")
            code, text = status.get(part, "/readyz?verbose")
            assert code == 200 and text.startswith("[+] ") and text.endswith("\nready\n"), text
            check_exposition(status.families(part))
            assert status.value(part, "hotpath_ready") == 1
            assert status.value(part, "process_resident_memory_bytes") > 1e6

        def all_read():
            return sum(value for (name, _), value in status.samples("ingestor-0").items()
                       if name == "hotpath_events_total") == 6_007
        servers.wait_until(all_read, READY_SECONDS_MAX, "all events in the ingestor's metrics")
        dead = sum(value for (name, labels), value in status.samples("ingestor-0").items()
                   if name == "hotpath_events_total" and ("outcome", "dead") in labels)
        assert dead == len(pipeline.dead_letters.read_bytes().splitlines()) == 7
        assert status.value("ingestor-0", "hotpath_shards_unowned") == 0
        assert status.value("ingestor-0", "hotpath_frames_sent_total") > 0
        lags = [value for (name, _), value in status.samples("ingestor-0").items()
                if name == "hotpath_lag_bytes"]
        assert len(lags) == 1
        servers.wait_until(lambda: [value for (name, _), value in
                                    status.samples("ingestor-0").items()
                                    if name == "hotpath_lag_bytes"] == [0], READY_SECONDS_MAX,
                           "no lag")

        for stage in ("scorer", "profiler", "metrics"):
            part = f"{stage}-0"
            # The text is made once a second.
            servers.wait_until(
                lambda part=part, stage=stage: status.value(
                    part, "hotpath_shards_owned", stage=stage) == 4,
                READY_SECONDS_MAX, "all shards")
            servers.wait_until(
                lambda part=part, stage=stage: (status.value(
                    part, "hotpath_stage_events_total", stage=stage, outcome="applied") or 0) > 0
                and status.value(part, "hotpath_cells", stage=stage) > 0,
                READY_SECONDS_MAX, "events applied")
            servers.wait_until(
                lambda part=part, stage=stage: status.value(
                    part, "hotpath_commits_total", stage=stage, outcome="ok"),
                READY_SECONDS_MAX, "a commit")
            assert status.value(part, "hotpath_watermark_timestamp_seconds", stage=stage) > 1e9
            servers.wait_until(
                lambda part=part, stage=stage: status.value(
                    part, "hotpath_owed_results", stage=stage) == 0,
                READY_SECONDS_MAX, "nothing owed")
        for kind in ("ranking", "metrics", "profile"):
            servers.wait_until(
                lambda kind=kind: status.value("sink-0", "hotpath_results_written_total", kind=kind,
                                               outcome="ok"), READY_SECONDS_MAX, f"a {kind}")
        assert status.value("sink-0", "hotpath_redis_connected") == 1
        assert status.value("configd", "hotpath_config_documents") == len(stream.documents)
        assert status.value("configd", "hotpath_config_invalid_documents") == 0
        servers.wait_until(lambda: status.value("configd", "hotpath_config_processes") == 4,
                           READY_SECONDS_MAX, "all who follow the config")

        (pipeline.scenarios_dir / "broken.json").write_text("{")
        servers.wait_until(
            lambda: status.value("configd", "hotpath_config_invalid_documents") == 1,
            READY_SECONDS_MAX, "the invalid document")
        assert status.get("configd", "/readyz")[0] == 200
        finished = running.stop()
    assert finished.code == 0, finished.explain()


def test_redis_away_is_named_by_sink_and_workers(tmp_path, port, status):
    """The sink says so at once; the workers name the sink once results have waited for long; both are
    ready again by themselves."""
    with servers.Redis() as redis:
        pipeline = Pipeline(tmp_path, redis)
        stream = maker.make(maker.Options(events=4_000, seed=302))
        path = tmp_path / "events.jsonl"
        lines = [message.value + b"\n" for message in stream.partitions[0]]
        path.write_bytes(b"".join(lines[:1_000]))
        pipeline.write_scenarios(stream.documents)
        with start(pipeline, port, "--file", path, "--follow", "--idle-timeout", "1h") as running:
            status.wait_ready()
            redis.stop()
            status.wait_not_ready("sink-0", READY_SECONDS_MAX, "redis", "cannot be written")
            with open(path, "ab") as file:
                file.write(b"".join(lines[1_000:]))
            status.wait_not_ready("metrics-0", STALL_SECONDS_MAX, "sink", "sink-0",
                                  "acknowledged nothing")
            assert status.get("sink-0", "/livez")[0] == 200
            assert status.get("ingestor-0", "/readyz")[0] == 200    # intake goes on
            assert status.value("sink-0", "hotpath_redis_retries_total") > 0
            assert status.value("sink-0", "hotpath_redis_connected") == 0
            assert status.value("metrics-0", "hotpath_owed_results", stage="metrics") > 0
            redis.start()
            status.wait_ready()
            assert running.process.poll() is None


def test_a_frozen_worker_is_named_by_the_ingestor(pipeline, tmp_path, port, status):
    """Without a supervisor that ends it: a worker of its own, with SIGSTOP."""
    stream = maker.make(maker.Options(events=4_000, seed=303))
    path = tmp_path / "events.jsonl"
    lines = [message.value + b"\n" for message in stream.partitions[0]]
    path.write_bytes(b"".join(lines[:1_000]))
    pipeline.write_scenarios(stream.documents)
    with start(pipeline, port, "--file", path, "--follow", "--idle-timeout", "1h") as running:
        status.wait_ready()
        # The supervisor is frozen first, so that it does not end what is silent.
        frozen = child_named(running.process.pid, "scorer-0")
        os.kill(running.process.pid, signal.SIGSTOP)
        os.kill(frozen, signal.SIGSTOP)
        try:
            with open(path, "ab") as file:
                file.write(b"".join(lines[1_000:]))
            status.wait_not_ready("ingestor-0", STALL_SECONDS_MAX, "scorer shard", "scorer-0")
            assert status.get("scorer-0", "/livez")[0] == 0
            assert status.get("ingestor-0", "/livez")[0] == 200
        finally:
            os.kill(frozen, signal.SIGCONT)
        status.wait_ready()
        os.kill(running.process.pid, signal.SIGCONT)
        finished = running.stop()
    assert finished.code == 0, finished.explain()


def test_not_ready_before_others_are_there(tmp_path, port):
    """An ingestor alone: alive, and it names what it waits for."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"{}\n")
    status = Status(port)
    folder = tmp_path / "s"
    folder.mkdir()
    ingestor = subprocess.Popen(
        [HOTPATH.with_name("hotpath-ingestor"), "--file", path, "--state", folder,
         "--configd", f"ipc://{folder}/c", "--listen", f"ipc://{folder}/i",
         "--status-listen", f"127.0.0.1:{port + PARTS.index('ingestor-0')}"],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        servers.wait_until(lambda: status.get("ingestor-0", "/livez")[0] == 200, READY_SECONDS_MAX,
                           "an answer")
        status.wait_not_ready("ingestor-0", READY_SECONDS_MAX, "config", "none has come")
        status.wait_not_ready("ingestor-0", READY_SECONDS_MAX, "owners", "has none")
        assert status.value("ingestor-0", "hotpath_ready") == 0
    finally:
        ingestor.kill()
        ingestor.wait()


def test_a_port_in_use_is_said(pipeline, tmp_path, port):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"")
    pipeline.write_scenarios(maker.scenario_documents())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        finished = pipeline.run("--file", path, "--once", "--status-port", port)
    assert finished.code == 69
    assert f"--status-listen: cannot listen on 127.0.0.1:{port}" in finished.stderr
