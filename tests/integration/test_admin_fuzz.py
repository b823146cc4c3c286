"""The OpenAPI document is of this server, and requests of any kind find no 5xx, no hang, no end of it.

HOTPATH_CONTROL_FUZZ is how many requests (1,500); HOTPATH_CONTROL_SEED the seed. The server's own
sanitizers (make SANITIZE=address,undefined) make more of it: an error or a leak is an exit code."""

import http.client
import json
import os
import random
import socket
import string
import time

import pytest
from conftest import HOTPATH, ROOT
from support import openapi, servers
from support.admin import TOKENS, Admin, config, configd_of_shop

CONFIGD = HOTPATH.with_name("hotpath-configd")
REQUESTS = int(os.environ.get("HOTPATH_CONTROL_FUZZ", 1500))
ANSWER_SECONDS_MAX = 20
SECONDS_MAX = 30


@pytest.fixture
def configd(tmp_path):
    with configd_of_shop(CONFIGD, tmp_path) as started:
        yield started


def test_the_document_is_of_this_server(configd):
    assert (ROOT / "docs" / "openapi.json").read_text() == openapi.text(), \
        "make it anew: build/venv/bin/python tests/support/openapi.py"
    admin = configd.admin(None)
    document = admin.send("GET", "/openapi.json").body
    assert document == openapi.document()
    reader = configd.admin("alice", "acme")
    for path, operations in document["paths"].items():
        methods = {name.upper() for name in operations} & {"GET", "POST", "PUT", "DELETE"}
        asked = path.replace("{scenario_id}", "shop").replace("{revision}", "1")
        allowed = reader.send("OPTIONS", asked).headers["allow"]
        assert {name.strip() for name in allowed.split(",")} - {"HEAD"} == methods, path
        shared = operations.get("parameters", [])
        for method, operation in operations.items():
            if method not in ("get", "post", "put", "delete"):
                continue
            for parameter in shared + operation.get("parameters", []):
                if "$ref" in parameter:
                    name = parameter["$ref"].rsplit("/", 1)[1]
                    parameter = document["components"]["parameters"][name]
                if parameter["in"] == "query":      # known: its value is what is wrong
                    answer = reader.send(method.upper(), f"{asked}?{parameter['name']}=%00", {})
                    assert answer.status == 422, (path, parameter)
                    assert "is no parameter" not in json.dumps(answer.body), (path, parameter)


class Maker:
    """Requests: mostly well formed, with something wrong somewhere."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def word(self):
        rng = self.rng
        return rng.choice([
            "shop", "validate", "", "..", "%2e%2e", "%00", "%ff", "a%2Fb", "🎈", "x" * 300, "0", "-1",
            "1", "2", "99999999999999999999", "null", "' OR 1=1", "$where", "{}", "acme/shop",
            "".join(rng.choices(string.printable, k=rng.randrange(1, 20)))])

    def path(self):
        rng = self.rng
        base = rng.choice(["/api/v1/scenarios", "/api/v1/scenarios/shop", "/api/v1/scenarios/shop/" +
                           rng.choice(["validate", "preview", "revisions", "revisions/1", "diff",
                                       "rollback", "status", "applied"]),
                           "/api/v1/processes", "/openapi.json", "/" + self.word(),
                           "/api/v1/scenarios/" + self.word()])
        if rng.random() < 0.3:
            names = ["dry_run", "wait", "timeout", "limit", "after", "tenant", "status", "from", "to",
                     "below", "revision", "reason", self.word()]
            base += "?" + "&".join(rng.choice(names) + "=" + self.word()
                                   for _ in range(rng.randrange(1, 4)))
        return base

    def value(self, depth=0):
        rng = self.rng
        if depth < 4 and rng.random() < 0.5:
            if rng.random() < 0.3:
                return [self.value(depth + 1) for _ in range(rng.randrange(4))]
            keys = ["config", "realtime_compute", "hot_score", "user_profile", "metrics", "top_k",
                    "action_weights", "view", "window_size_minutes", "window_slide_seconds",
                    "decay_lambda", "definitions", "numerator", "denominator", "revision", "reason",
                    "status", "scenario_id", "items", "enabled", "ttl_seconds", self.word()]
            return {rng.choice(keys): self.value(depth + 1) for _ in range(rng.randrange(1, 5))}
        return rng.choice([None, True, False, 0, -1, 1, 15.5, 1e308, 2 ** 63, -2 ** 63, 1e-300, "",
                           "shop", "active", "paused", "x" * 2000, "\u0000", "🎈", self.word()])

    def body(self):
        rng = self.rng
        chance = rng.random()
        if chance < 0.5:
            block = rng.choice(["hot_score", "user_profile", "metrics"])
            body = json.dumps(config({block: self.value(2)}))
        elif chance < 0.85:
            body = json.dumps(self.value())
        else:
            body = rng.choice(["", "{", "[" * 5000, '{"a":' * 500, "nul", '"\\ud800"', "\x00", "1e999"])
        body = body.encode("utf-8", "surrogatepass")
        if rng.random() < 0.15 and body:
            at = rng.randrange(len(body))
            body = body[:at] + rng.randbytes(rng.randrange(1, 5)) + body[at + rng.randrange(3):]
        return body

    def headers(self):
        rng = self.rng
        who = rng.choice(list(TOKENS) * 3 + [None])
        headers = {"Content-Type": rng.choice(["application/json"] * 8 + ["text/plain", ""])}
        if who:
            headers["Authorization"] = f"Bearer {TOKENS[who][2]}"
        for name in ("X-Tenant-Id", "If-Match", "Idempotency-Key", "Authorization"):
            if rng.random() < 0.15:
                value = self.word().encode("utf-8", "replace")
                headers[name] = bytes(byte for byte in value if byte not in b"\r\n\x00")
        if who in ("alice", "two") and "X-Tenant-Id" not in headers:
            headers["X-Tenant-Id"] = "acme"
        return headers


def send(connection, maker):
    method = maker.rng.choice(["GET", "POST", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "X"])
    path = "".join(character if "!" <= character <= "~" else f"%{ord(character) % 256:02X}"
                   for character in maker.path())
    body = maker.body() if method in ("POST", "PUT", "PATCH") or maker.rng.random() < 0.1 else None
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in maker.headers().items():
        connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    response = connection.getresponse()
    return method, path, body, response, response.read()


def test_requests_of_any_kind(configd):
    seed = int(os.environ.get("HOTPATH_CONTROL_SEED", time.time_ns()))
    print(f"seed {seed}")
    maker = Maker(seed)
    connection = None
    statuses = {}
    for number in range(REQUESTS):
        connection = connection or http.client.HTTPConnection("127.0.0.1", configd.port,
                                                              timeout=ANSWER_SECONDS_MAX)
        try:
            method, path, body, response, text = send(connection, maker)
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
            connection = None       # malformed for HTTP itself: it was hung up on
            assert configd.process.poll() is None, configd.log()[-3000:]
            continue
        told = (seed, number, method, path, body and body[:500], response.status, text[:500])
        statuses[response.status] = statuses.get(response.status, 0) + 1
        # Of a preview nobody can answer: no scorer is here.
        assert response.status < 500 or (path.split("?")[0].endswith("/preview")
                                         and response.status == 503), told
        if method != "HEAD" and response.getheader("Content-Type", "").startswith("application/"):
            parsed = json.loads(text)
            assert response.status < 400 or parsed["status"] == response.status, told
    assert statuses.get(200, 0) > REQUESTS / 30 and statuses.get(422, 0) > REQUESTS / 30, statuses
    assert configd.admin().get("shop").status == 200
    assert "Sanitizer" not in configd.log()


def test_bytes_of_any_kind(configd):
    rng = random.Random(5)
    good = (b"POST /api/v1/scenarios/shop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer " + TOKENS["ci"][2].encode() +
            b"\r\nContent-Length: 2\r\n\r\n{}")
    for _ in range(REQUESTS // 10):
        sent = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(sent))
            sent[at:at + rng.randrange(3)] = rng.randbytes(rng.randrange(4))
        with socket.create_connection(("127.0.0.1", configd.port), timeout=ANSWER_SECONDS_MAX) as one:
            try:
                one.sendall(bytes(sent))
                one.shutdown(socket.SHUT_WR)
                answer = one.recv(65536)
            except ConnectionError:
                answer = b""
            assert not answer or answer.split(b" ", 2)[1][:1] in b"1234", (bytes(sent), answer[:200])
    assert Admin(configd.port).get("shop").status == 200


def test_many_at_once(configd):
    """More connections than there is room for: nobody gets an error that is not one of HTTP's."""
    waiting = [socket.create_connection(("127.0.0.1", configd.port)) for _ in range(200)]
    began = time.monotonic()
    servers.wait_until(lambda: _answers(configd), SECONDS_MAX, "it answers once others are hung up on")
    assert time.monotonic() - began < SECONDS_MAX
    for one in waiting:
        one.close()


def _answers(configd):
    try:
        return configd.admin().get("shop").status == 200
    except (OSError, http.client.HTTPException):
        return False
