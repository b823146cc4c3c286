"""The processes of the demo: Redis, the stream's maker, `hotpath run`. All end with it, by pid."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from redis_client import RedisClient, RedisError

READY_SECONDS_MAX = 15
STOP_SECONDS_MAX = 15
HERE = Path(__file__).resolve().parent
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class DemoError(Exception):
    """The demo cannot go on: its message is for the person."""


def _end_with_parent():
    """In the child: even a demo that is killed leaves nothing behind."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Part:
    """One child process, with its output in a log."""

    def __init__(self, name, command, folder, stdout=None):
        self.name = name
        self.log = folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith("HOTPATH_")}
        with open(self.log, "ab") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which then ends them in order.
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=stdout or log,
                stderr=log, cwd=folder, env=environment, start_new_session=True,
                preexec_fn=_end_with_parent)

    def check(self):
        """DemoError if it has ended."""
        if self.process.poll() is not None:
            raise DemoError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")

    def tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) or "(no log)"

    def stop(self):
        """SIGTERM, and after a while SIGKILL to it and its children; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_SECONDS_MAX)
        # Also when it ended by itself: its session must be empty.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        return self.process.returncode


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_redis(folder, stack):
    """(port, a client of it); ended when `stack` unwinds."""
    program = shutil.which("redis-server")
    if program is None:
        raise DemoError("redis-server is absent: run deploy/setup.sh build")
    for _ in range(3):
        port = _free_port()
        redis = Part("redis", [program, "--port", port, "--bind", "127.0.0.1", "--save", "",
                               "--appendonly", "no", "--dir", folder], folder)
        stack.callback(redis.stop)
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline and redis.process.poll() is None:
            try:
                client = RedisClient(port)
                stack.callback(client.close)
                if client.ask("PING") == "PONG":
                    return port, client
            except RedisError:
                time.sleep(0.02)
        # Another program may have taken the port in between: then again.
        redis.stop()
    raise DemoError(f"redis-server did not start:\n{redis.tail()}")


def start_stream(folder, path, options, stack):
    """Starts the maker. Its first line of output is the size of the backlog: stream_is_ready."""
    part = Part("stream", [sys.executable, HERE / "stream.py", path, "--events-per-second",
                           options.events_per_second, "--seed", options.seed],
                folder, stdout=subprocess.PIPE)
    stack.callback(part.stop)
    return part


def stream_is_ready(part):
    """Waits for the backlog; the number of its events."""
    line = part.process.stdout.readline().strip()
    if not line:
        part.process.wait(READY_SECONDS_MAX)
        part.check()
    return int(line)
