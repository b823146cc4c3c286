"""A client of configd's admin API for the tests, and a configd of a test's own that serves it."""

import http.client
import json
import os
import subprocess
import urllib.parse
from typing import Any, NamedTuple

from support import servers

SECONDS_MAX = 30
TOKENS = {
    "alice": ("admin", "*", "alice-token-of-twenty-bytes"),
    "ci": ("write", "acme", "ci-token-of-twenty-bytes-"),
    "two": ("write", "acme,beta", "two-token-of-twenty-bytes"),
    "reader": ("read", "acme", "reader-token-of-twenty-by"),
    "beta": ("write", "beta", "beta-token-of-twenty-byte"),
}


class Answer(NamedTuple):
    status: int
    body: Any               # parsed; None where there is none
    headers: dict           # by lower-case name

    @property
    def etag(self):
        return self.headers.get("etag")


def write_tokens(path):
    path.write_text("".join(f"{name} {role} {tenants} plain:{token}\n"
                            for name, (role, tenants, token) in TOKENS.items()))
    return path


class Admin:
    """Requests as the holder of one token; one connection, kept."""

    def __init__(self, port, who="ci", tenant=None, seconds=SECONDS_MAX):
        self.port = port
        self.seconds = seconds
        self.headers = {}
        if who:
            self.headers["Authorization"] = f"Bearer {TOKENS[who][2]}"
        if tenant:
            self.headers["X-Tenant-Id"] = tenant
        self.connection = None

    def send(self, method, path, body=None, **headers):
        """Headers by keyword, as If_Match="…"; body: JSON, or bytes as they are."""
        sent = {**self.headers, **{name.replace("_", "-"): value
                                   for name, value in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        for attempt in range(2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                             timeout=self.seconds)
            try:
                self.connection.request(method, path, body, sent)
                response = self.connection.getresponse()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.connection = None      # a kept connection that was closed meanwhile
                if attempt:
                    raise
            except OSError:
                self.connection = None
                raise
        text = response.read()
        return Answer(response.status, json.loads(text) if text else None,
                      {name.lower(): value for name, value in response.getheaders()})

    def get(self, path="", **headers):
        return self.send("GET", scenario_path(path), **headers)

    def post(self, path, body, **headers):
        return self.send("POST", scenario_path(path), body, **headers)

    def put(self, path, body, **headers):
        return self.send("PUT", scenario_path(path), body, **headers)

    def delete(self, path, **headers):
        return self.send("DELETE", scenario_path(path), **headers)

    def weights(self, scenario, query="", **weights):
        """Changes some weights of the ranking."""
        return self.post(f"{scenario}{query}", config({"hot_score": {"action_weights": weights}}))

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


def scenario_path(path):
    """"shop/revisions" -> its path; "" -> that of the list; a whole path as it is."""
    if path.startswith("/"):
        return path
    return "/api/v1/scenarios" + (path if path.startswith("?") or not path else f"/{path}")


def quote(identifier):
    return urllib.parse.quote(identifier, safe="")


def config(realtime_compute, **more):
    return {"config": {"realtime_compute": realtime_compute}, **more}


class Configd:
    """One configd with its admin API; started again it keeps its state and its ports."""

    def __init__(self, program, folder, *arguments, name="configd", publish="ipc://config",
                 environment=None):
        self.folder = folder
        self.name = name
        self.port = servers.free_port()
        self.log_path = folder / f"{name}.log"
        self.state = folder / f"state-{name}"
        self.tokens = write_tokens(folder / "tokens")
        self.environment = {**os.environ, **(environment or {})}
        self.command = [str(program), "--state", str(self.state), "--publish", publish,
                        "--admin-listen", f"127.0.0.1:{self.port}",
                        "--admin-tokens", str(self.tokens), *map(str, arguments)]
        self.process = None
        self.start()

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stderr=log,
                                            env=self.environment)
        if wait:
            servers.wait_until(lambda: self.process.poll() is not None or self.is_complete(),
                               SECONDS_MAX, f"configd serves; log:\n{self.log()[-3000:]}")
            assert self.process.poll() is None, self.log()[-3000:]
        return self

    def is_complete(self):
        try:
            return self.admin("alice").get().body.get("complete")
        except OSError:
            return False

    def admin(self, who="ci", tenant=None):
        return Admin(self.port, who, tenant)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def audit(self):
        """The records of the audit log."""
        text = (self.state / "configd" / "audit.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines() if line]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(SECONDS_MAX) == 0, self.log()[-3000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            try:
                self.stop()
            finally:
                self.kill()


def configd_of_shop(program, folder):
    """A Configd over one scenario file, acme's shop."""
    scenarios = folder / "scenarios"
    scenarios.mkdir()
    (scenarios / "shop.json").write_text(json.dumps(
        {"tenant_id": "acme", "scenario_id": "shop", "status": "active"}))
    return Configd(program, folder, "--scenarios-dir", scenarios)
