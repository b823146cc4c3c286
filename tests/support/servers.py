"""Real servers for the tests: Kafka, Redis and one that speaks MongoDB's protocol.

Each has free ports and a temporary folder of its own, is waited for with a bound, and is ended by
its process id. Its log stays in its folder while it runs; `log_tail ()` shows the end of it.

    with Redis() as redis:
        client = redis.client()

What this does not do: install anything (deploy/setup.sh does), or make topics and read them
(kafka_tools.py does).
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KAFKA_LIBS = ROOT / "build" / "deps" / "kafka" / "libs"

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
_START_TRIES = 3
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_given = set()      # by free_port ()


class ServerError(RuntimeError):
    """A server did not start or stop; the message has the end of its log."""


def free_port():
    """A port of the loopback that nothing listens on now, and that was not given before: whoever has it may
    not have bound it yet."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def wait_until(condition, seconds, what, poll_seconds=0.05):
    """Returns the first true value of condition (); raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(poll_seconds)


def port_answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def _die_with_parent():
    """Runs in the child: a test run that is killed leaves no server behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    """One server process. A subclass says how to prepare, what to run and when it is ready."""

    name = "server"

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"hotpath-{self.name}-"))
        self.process = None
        self._log = None
        self.choose_ports()

    # What a subclass gives.
    def choose_ports(self):
        self.port = free_port()

    def prepare(self):
        """Before the first start: files, formatting."""

    def command(self):
        raise NotImplementedError

    def environment(self):
        return None

    def is_ready(self):
        return port_answers(self.port)

    # The life of it.
    @property
    def log_path(self):
        return self.folder / "log.txt"

    def start(self):
        """Starts it and waits until it is ready. The port is kept over stop () and start ()."""
        if self.running():
            return self
        first = not self.log_path.exists()
        for attempt in range(_START_TRIES):
            try:
                if first:
                    self.prepare()
                self._start_once()
                return self
            except ServerError:
                # Another program may have taken the free port in between: only then again.
                if not first or attempt == _START_TRIES - 1 or "in use" not in self.log_tail():
                    raise
                self.choose_ports()
        raise AssertionError("unreachable")

    def _start_once(self):
        self._log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            cwd=self.folder, env=self.environment(), preexec_fn=_die_with_parent)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready():
            if self.process.poll() is not None:
                code = self.process.returncode
                self._close()
                raise ServerError(f"{self.name} ended with {code}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"{self.name} was not ready in {START_SECONDS_MAX:g} s:\n"
                                  f"{self.log_tail()}")
            time.sleep(0.05)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ends it in order (SIGTERM), by force if that takes too long."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._close()

    def freeze(self):
        """SIGSTOP: it keeps its connections, takes what comes, and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL: as if the machine had gone."""
        if self.running():
            self.process.kill()
            self.process.wait()
        self._close()

    def _close(self):
        self.process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def destroy(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self, lines=40):
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.destroy()
            raise

    def __exit__(self, *_):
        self.destroy()


class Redis(Server):
    """redis-server without persistence; `arguments` are more of its options."""

    name = "redis"

    def __init__(self, *arguments):
        super().__init__()
        self.arguments = list(arguments)

    def command(self):
        program = shutil.which("redis-server")
        if program is None:
            raise ServerError("redis-server is absent: run deploy/setup.sh build")
        return [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", str(self.folder), *self.arguments]

    def is_ready(self):
        # A LOADING answer is not ready yet.
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64)[:5] in (b"+PONG", b"-NOAU")
        except OSError:
            return False

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def client(self, **options):
        import redis
        return redis.Redis(host="127.0.0.1", port=self.port, **options)


class Kafka(Server):
    """One node of Apache Kafka in combined mode (KRaft); `settings` override its properties."""

    name = "kafka"

    def __init__(self, **settings):
        super().__init__()
        self.settings = {key.replace("_", "."): value for key, value in settings.items()}

    def choose_ports(self):
        self.port = free_port()
        self.controller_port = free_port()

    def java(self, *arguments):
        program = shutil.which("java")
        if program is None or not list(KAFKA_LIBS.glob("kafka_*.jar")):
            raise ServerError("Kafka or Java is absent: run deploy/setup.sh test")
        return [program, "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-cp", f"{KAFKA_LIBS}/*", *arguments]

    def prepare(self):
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.folder / "data",
            # Made streams have times of the past: nothing may go by its age.
            "log.retention.ms": -1,
            "message.max.bytes": 4 << 20,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "num.partitions": 1,
            **self.settings,
        }
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        config = self.folder / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        formatted = subprocess.run(
            self.java("kafka.tools.StorageTool", "format", "-t", _kafka_uuid(), "-c", config),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS_MAX)
        if formatted.returncode != 0:
            raise ServerError(f"kafka could not format its folder:\n{formatted.stdout}"
                              f"{formatted.stderr}")

    def command(self):
        return self.java("-XX:TieredStopAtLevel=1", "kafka.Kafka",
                         str(self.folder / "server.properties"))

    def is_ready(self):
        # The port opens before the broker serves: a metadata answer with a broker in it counts.
        if not port_answers(self.port):
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient
        try:
            admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    @property
    def brokers(self):
        return f"127.0.0.1:{self.port}"


def _kafka_uuid():
    import base64
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):    # it would read as an option
            return text


class Mongodb(Server):
    """A server of MongoDB's protocol: HOTPATH_TEST_MONGODB_URI if set, else a mongod in PATH, else
    SecantusDB in memory.

    `standalone` is one without replica set, so without change streams; `test_commands` turns on
    fail points; `durable` keeps what it has over kill () and start (). None of these can be asked of
    HOTPATH_TEST_MONGODB_URI's server, which is used as it is; `is_external` tells.
    """

    name = "mongodb"

    def __init__(self, standalone=False, test_commands=False, durable=False):
        super().__init__()
        self.durable = durable
        self.standalone = standalone
        self.test_commands = test_commands
        self.external_uri = os.environ.get("HOTPATH_TEST_MONGODB_URI") or None
        self.mongod = shutil.which("mongod")

    @property
    def is_external(self):
        return self.external_uri is not None

    @property
    def url(self):
        if self.is_external:
            return self.external_uri
        # A lone node that says it is a replica set is found by its one address.
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def client(self, **options):
        import pymongo
        return pymongo.MongoClient(self.url, serverSelectionTimeoutMS=5000, **options)

    def start(self):
        if self.is_external:
            return self
        super().start()
        if self.mongod and not self.standalone:
            self._initiate_replica_set()
        return self

    def command(self):
        if self.mongod:
            data = self.folder / "data"
            data.mkdir(exist_ok=True)
            command = [self.mongod, "--port", str(self.port), "--bind_ip", "127.0.0.1",
                       "--dbpath", str(data)]
            if not self.standalone:
                command += ["--replSet", "hotpath"]
            if self.test_commands:
                command += ["--setParameter", "enableTestCommands=1"]
            return command
        program = Path(sys.executable).parent / "secantusd-py"
        if not program.exists():
            program = ROOT / "build" / "venv" / "bin" / "secantusd-py"
        if not program.exists():
            raise ServerError("no MongoDB server is here: run deploy/setup.sh test")
        command = [str(program), "--host", "127.0.0.1", "--port", str(self.port),
                   "--storage-path", str(self.folder / "data") if self.durable else ":memory:",
                   "--log-level", "WARNING"]
        if self.durable:
            command.append("--sync-on-commit")
        if self.standalone:
            command.append("--standalone")
        if self.test_commands:
            command.append("--enable-test-commands")
        return command

    def environment(self):
        # Its in-memory storage is a temporary folder of its own making: keep it inside ours.
        return {**os.environ, "TMPDIR": str(self.folder)}

    def is_ready(self):
        if not port_answers(self.port):
            return False
        import pymongo
        try:
            with pymongo.MongoClient("127.0.0.1", self.port, directConnection=True,
                                     serverSelectionTimeoutMS=2000) as client:
                client.admin.command("ping")
            return True
        except pymongo.errors.PyMongoError:
            return False

    def _initiate_replica_set(self):
        import pymongo
        with pymongo.MongoClient("127.0.0.1", self.port, directConnection=True) as client:
            try:
                client.admin.command("replSetInitiate", {
                    "_id": "hotpath",
                    "members": [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]})
            except pymongo.errors.OperationFailure as error:
                if error.codeName != "AlreadyInitialized":
                    raise
            wait_until(lambda: client.admin.command("hello").get("isWritablePrimary"),
                       START_SECONDS_MAX, "mongod is primary of its replica set")
