"""Who may do what through the admin API: no token, a wrong one, another tenant's, a reader's; all
refusals are audited; tokens are read again on SIGHUP; limits of connections, size and time hold."""

import http.client
import socket
import signal
import subprocess
import time

import pytest
from conftest import HOTPATH
from support import servers
from support.admin import TOKENS, Admin, config, configd_of_shop

CONFIGD = HOTPATH.with_name("hotpath-configd")
SECONDS_MAX = 30
CHANGES = [("POST", "/api/v1/scenarios", {"scenario_id": "new"}),
           ("POST", "/api/v1/scenarios/shop", config({"hot_score": {"top_k": 3}})),
           ("PUT", "/api/v1/scenarios/shop", config({})),
           ("DELETE", "/api/v1/scenarios/shop", None),
           ("POST", "/api/v1/scenarios/shop/rollback", {"revision": 1}),
           ("POST", "/api/v1/scenarios/shop/status", {"status": "paused"})]
READS = [("GET", "/api/v1/scenarios", None),
         ("GET", "/api/v1/scenarios/shop", None),
         ("POST", "/api/v1/scenarios/shop/validate", config({})),
         ("POST", "/api/v1/scenarios/shop/preview", config({})),
         ("GET", "/api/v1/scenarios/shop/revisions", None),
         ("GET", "/api/v1/scenarios/shop/revisions/1", None),
         ("GET", "/api/v1/scenarios/shop/diff", None),
         ("GET", "/api/v1/scenarios/shop/applied", None)]
ADMINS = [("GET", "/api/v1/processes", None)]


@pytest.fixture
def configd(tmp_path):
    with configd_of_shop(CONFIGD, tmp_path) as started:
        yield started


def send(configd, who, method, path, body, **headers):
    tenant = {"alice": "acme", "two": "acme"}.get(who)
    return Admin(configd.port, who, headers.pop("tenant", tenant)).send(method, path, body, **headers)


def test_matrix(configd):
    shop = configd.folder / "scenarios" / "shop.json"
    before = shop.read_text()
    for method, path, body in CHANGES + READS + ADMINS:
        for answer in (send(configd, None, method, path, body),
                       send(configd, None, method, path, body, Authorization="Bearer nobody's"),
                       send(configd, None, method, path, body, Authorization="Basic YTpi")):
            assert answer.status == 401, (method, path, answer)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    refused = [("reader", one) for one in CHANGES + ADMINS] + [("ci", one) for one in ADMINS]
    for who, (method, path, body) in refused:
        assert send(configd, who, method, path, body).status == 403, (who, method, path)
    for method, path, body in CHANGES + READS:
        if path != "/api/v1/scenarios" or method == "POST":
            answer = send(configd, "beta", method, path, body, tenant="acme")
            assert answer.status == 403, (method, path, answer)
    # Another tenant's token sees only that tenant: there is no such scenario.
    assert send(configd, "beta", "GET", "/api/v1/scenarios/shop", None).status == 404
    assert send(configd, "two", "GET", "/api/v1/scenarios/shop", None, tenant=None).status == 400
    assert shop.read_text() == before
    audit = configd.audit()
    statuses = {record["status"] for record in audit}
    assert statuses == {401, 403}
    denied = [record for record in audit if record["status"] == 403]
    assert len(denied) == len(refused) + len(CHANGES) + len(READS) - 1
    assert {"reader", "ci", "beta"} == {record["caller"] for record in denied}
    assert all(record["from"] == "127.0.0.1" and record["request"] and record["operation"]
               for record in audit)
    for method, path, body in READS:
        if not path.endswith("preview"):
            assert send(configd, "reader", method, path, body).status in (200, 202), path
    assert send(configd, "alice", *ADMINS[0]).status == 200
    assert send(configd, None, "GET", "/openapi.json", None).status == 200
    for method, path, body in CHANGES:
        assert send(configd, "ci", method, path, body).status in (200, 201), (method, path)


def test_a_flood_of_refusals_is_limited(configd):
    nobody = configd.admin(None)
    began = time.monotonic()
    for _ in range(150):
        assert nobody.get().status == 401
    # 100 in 10 s: where the disk is slow (each is synced), more such spans have begun.
    spans = int((time.monotonic() - began) // 10) + 1
    assert 100 <= len(configd.audit()) <= min(150, 100 * spans)


def test_tokens_are_read_again(configd):
    old, new = TOKENS["ci"][2], "another-token-of-twenty-bytes"
    text = configd.tokens.read_text()
    admin = configd.admin("ci")
    assert admin.get().status == 200
    configd.tokens.write_text("broken")
    configd.process.send_signal(signal.SIGHUP)
    servers.wait_until(lambda: "those that hold stay" in configd.log(), SECONDS_MAX, "it is told")
    assert "line 1: a line has four fields" in configd.log()
    assert admin.get().status == 200
    configd.tokens.write_text(text.replace(old, new))
    configd.process.send_signal(signal.SIGHUP)
    servers.wait_until(lambda: admin.get().status == 401, SECONDS_MAX, "the old token ends")
    admin.headers["Authorization"] = f"bearer {new}"
    assert admin.get().status == 200
    assert old not in configd.log() and new not in configd.log()


@pytest.mark.parametrize("arguments, code, words", [
    (["--admin-listen", "127.0.0.1:0"], 64, "needs --admin-tokens"),
    (["--admin-listen", "0.0.0.0:0", "--admin-tokens", "tokens"], 69, "beyond loopback"),
    (["--admin-listen", "127.0.0.1:0", "--admin-tokens", "absent"], 78, "cannot read the tokens"),
    (["--admin-listen", "127.0.0.1:0", "--admin-tokens", "short"], 78,
     "line 2: a plain token has 20 to 512 bytes"),
    (["--admin-listen", "nowhere", "--admin-tokens", "tokens"], 69, "is not HOST:PORT"),
])
def test_refused_at_start(tmp_path, arguments, code, words):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "tokens").write_text("a read * plain:twenty-bytes-of-a-token\n")
    (tmp_path / "short").write_text("# a comment\na read * plain:short\n")
    ended = subprocess.run([str(CONFIGD), "--state", "state", "--publish", "ipc://config",
                            "--scenarios-dir", "scenarios", *arguments], cwd=tmp_path,
                           capture_output=True, text=True, timeout=SECONDS_MAX)
    assert ended.returncode == code, ended.stderr
    assert words in ended.stderr


def test_limits(configd):
    """Slow, silent and many connections hold nobody up."""
    address = ("127.0.0.1", configd.port)
    silent = [socket.create_connection(address) for _ in range(60)]
    half = socket.create_connection(address)
    half.sendall(b"GET /api/v1/scenarios HTTP/1.1\r\nHost: x\r\n")
    began = time.monotonic()
    assert configd.admin().get().status == 200
    assert time.monotonic() - began < 8     # those that are silent are closed after 10 s
    # Headers beyond the limit, and a length that lies, end in an answer or in an end.
    for sent in (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
                 b"POST /api/v1/scenarios HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n{}",
                 b"\x16\x03\x01\x00\x00 not HTTP \r\n\r\n"):
        with socket.create_connection(address, timeout=40) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(4096)
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
            assert answer == b"" or b" 4" in answer.splitlines()[0], answer[:200]
    # One that is silent is closed after a while.
    silent[0].settimeout(40)
    assert silent[0].recv(1) == b""
    for connection in [half, *silent]:
        connection.close()
    assert configd.admin().get().status == 200


def test_the_audit_log_cannot_be_written(configd):
    """Then no change is made."""
    audit = configd.state / "configd" / "audit.jsonl"
    admin = configd.admin()
    assert admin.weights("shop", view=2).status == 200
    audit.rename(audit.with_name("moved"))      # the open file is still written to
    assert admin.weights("shop", view=3).status == 200
    configd.stop()
    audit.mkdir()
    configd.command[0] = str(CONFIGD)
    configd.start(wait=False)
    assert configd.process.wait(SECONDS_MAX) == 73
    audit.rmdir()
    configd.start()
    assert configd.admin().weights("shop", view=4).status == 200
    assert configd.audit()[-1]["revision"] == {"from": 3, "to": 4}
