"""deploy/compose.yaml, run as it stands but for the engine: every command line, health check and name, with
each container's network, pid and host name of its own (support/containers.py says what is not)."""

import os
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest
from support import containers, kafka_tools, maker, oracle, redis_check, servers

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
BIN = Path(os.environ.get("HOTPATH_TEST_BIN") or ROOT / "build" / "bin")
OURS = {"configd", "sink", "ingestor", "scorer", "profiler", "metrics"}
SCALING = {"ingestor", "scorer", "profiler", "metrics"}
TOPIC = "user-behaviors-compose"
SECONDS_MAX = 120
# Of the test alone: event time by the events only, so that the numbers do not depend on this machine's pace.
SETTINGS = {"HOTPATH_IDLE_TIMEOUT": "1h", "HOTPATH_MAX_HOLD": "10h", "HOTPATH_IDLE_ADVANCE": "off",
            "HOTPATH_COMMIT_INTERVAL": "500ms",
            "HOTPATH_LOG_LEVEL": os.environ.get("HOTPATH_TEST_LOG_LEVEL", "info")}


@pytest.fixture
def services():
    return containers.read_compose(COMPOSE)["services"]


def test_what_scales_has_nothing_of_its_own(services):
    assert set(services) == OURS | {"kafka", "mongodb", "redis"}
    for name in SCALING:
        service = services[name]
        assert not {"container_name", "hostname", "ports", "mac_address"} & set(service), name
        assert not [part for part in service["command"] if part.startswith("--name")], name
        assert service["volumes"] == ["state:/var/lib/hotpath"], name


def test_everything_has_a_check_and_limits(services):
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        limits = service["deploy"]["resources"]["limits"]
        assert limits["cpus"] and limits["memory"], name
        for other in service.get("depends_on", {}).values():
            assert other == {"condition": "service_healthy"}, name
        assert "ports" not in service and "container_name" not in service, name
    for name in OURS:
        # One that is told to stop may take 30 s to commit.
        assert services[name]["stop_grace_period"] == "40s" and services[name]["read_only"], name
    order = containers.start_order(services)
    assert order[-1] == "ingestor", "it stops first: compose stops in the opposite order"


def test_the_services_run_scale_and_survive(tmp_path):
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        unshare.append("--map-root-user")
    finished = subprocess.run([*unshare, sys.executable, "-B", __file__, str(tmp_path)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=280,
                              check=False)
    assert finished.returncode == 0, finished.stdout[-12000:] + finished.stderr[-4000:]


# ---- what follows runs in namespaces of its own ----


class ComposeKafka(servers.Kafka):
    """Kafka by the environment of the compose file, as its image makes properties of it."""

    def __init__(self, environment):
        properties = {name[len("KAFKA_"):].lower(): value for name, value in environment.items()
                      if name not in ("KAFKA_HEAP_OPTS", "KAFKA_LOG_DIRS")}
        super().__init__(**properties, log_retention_ms=-1)

    def choose_ports(self):
        self.port, self.controller_port = 9092, 9093

    @property
    def brokers(self):
        return "kafka:9092"

    def is_ready(self):
        try:
            return super().is_ready()
        except OSError:
            return False


class ComposeMongodb(servers.Mongodb):
    def choose_ports(self):
        self.port = 27017

    def command(self):
        return ["0.0.0.0" if part == "127.0.0.1" else part for part in super().command()]

    @property
    def url(self):
        return "mongodb://mongodb:27017/?directConnection=true"


class ComposeRedis(servers.Redis):
    """By the command of the compose file; its image's default turns the protected mode off."""

    def __init__(self, command):
        super().__init__()
        assert command[0] == "redis-server", command
        self.compose_command = command

    def choose_ports(self):
        self.port = 6379

    def command(self):
        return [*self.compose_command, "--dir", str(self.folder), "--protected-mode", "no"]


def members(world, stage):
    folder = world.state / stage / "members"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def say(what):
    """Printed where the test fails: when it came how far."""
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def all_durable(group, ends):
    return kafka_tools.committed_offsets("kafka:9092", group, TOPIC) == \
        {partition: end for partition, end in ends.items() if end}


def up(world, services, replicas):
    """Every service of ours, each once those that it depends on are healthy."""
    for name in containers.start_order(services):
        if name not in OURS:
            continue
        started = [world.up(name, services[name], SETTINGS) for _ in range(replicas.get(name, 1))]
        for container in started:
            container.wait_healthy()


def go(world, services, kafka, redis):
    stream = maker.make(maker.Options(events=6_000, seed=501, partitions=4, jitter_ms=20_000,
                                      late_share=0.01, for_kafka=True))
    records = stream.kafka_records()
    client = servers.Mongodb.client(kafka.mongodb)
    client.hotpath.scenarios.insert_many([dict(document) for document in stream.documents])
    client.close()
    kafka_tools.create_topic("kafka:9092", TOPIC, 4)
    kafka_tools.produce("kafka:9092", TOPIC, records[:3_000])

    say("events are in Kafka")
    up(world, services, {"scorer": 2, "ingestor": 2})
    say("all are healthy")
    look = redis.client()
    servers.wait_until(lambda: look.keys("hot:items:*:meta") and look.keys("rec:metrics:*")
                       and look.keys("user:profile:*"), SECONDS_MAX, "all three kinds of results")
    say("results are in Redis")
    names = {f"scorer-{container.host}-1" for container in world.of("scorer")}
    assert set(members(world, "scorer")) == names, members(world, "scorer")

    # --scale scorer=4; one of the former is killed and comes back in its container, as does an ingestor,
    # and the sink is made anew: other host, other address, same name.
    for _ in range(2):
        world.up("scorer", services["scorer"], SETTINGS).wait_healthy()
    for container in (world.of("scorer")[0], world.of("ingestor")[0]):
        container.kill()
        container.start()
    world.remove(world.of("sink")[0])
    world.up("sink", services["sink"], SETTINGS).wait_healthy()
    kafka_tools.produce("kafka:9092", TOPIC, records[3_000:])
    say("scaled, killed, made anew")
    ends = kafka_tools.end_offsets("kafka:9092", TOPIC)
    try:
        servers.wait_until(lambda: all_durable("hotpath", ends), SECONDS_MAX,
                           "all events applied and durable", 0.2)
    except TimeoutError:
        say(f"ends {ends}, committed "
            f"{kafka_tools.committed_offsets('kafka:9092', 'hotpath', TOPIC)}")
        raise
    say("all is durable")
    assert len(members(world, "scorer")) == 4, members(world, "scorer")

    for name in reversed(containers.start_order(services)):
        for container in world.of(name):
            code = container.stop()
            assert code == 0, f"{name} ended with {code}\n{container.log()}"
    say("all have stopped")
    finished = subprocess.run(
        [str(BIN / "hotpath"), "run", "--once", "--brokers", "kafka:9092", "--group", "hotpath",
         "--mongodb-url", kafka.mongodb.url, "--redis", "redis://redis:6379", "--state",
         "/var/lib/hotpath"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS_MAX, check=False)
    assert finished.returncode == 0, finished.stderr[-4000:]
    say("the rest is computed")
    differences = redis_check.compare(look, oracle.compute(stream.kafka_partitions(),
                                                           stream.documents))
    assert not differences, redis_check.report(differences)


def main(folder):
    began = time.monotonic()
    services = containers.read_compose(COMPOSE)["services"]
    # HOTPATH_TEST_IMAGE: the root of an image made by deploy/Dockerfile's steps (docs/deploy.md).
    world = containers.World(folder, "/var/lib/hotpath", f"{BIN}:{os.environ['PATH']}",
                             os.environ.get("HOTPATH_TEST_IMAGE"))
    for name in ("kafka", "mongodb", "redis"):
        world.name(name, f"{containers.NETWORK}.1")
    kafka = ComposeKafka(services["kafka"]["environment"])
    kafka.mongodb = ComposeMongodb()
    redis = ComposeRedis(services["redis"]["command"])
    try:
        for server in (kafka, kafka.mongodb, redis):
            server.start()
        go(world, services, kafka, redis)
    except BaseException:
        print(world.logs())
        raise
    finally:
        for container in world.containers:
            container.kill()
        for server in (kafka, kafka.mongodb, redis):
            server.destroy()
    print(f"{time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
