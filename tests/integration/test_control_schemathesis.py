"""schemathesis against the OpenAPI document of a running pipeline: answers are as the document says,
and none is a 5xx. HOTPATH_SCHEMATHESIS names its program (make control-soak)."""

import json
import os
import subprocess

import pytest
from support import servers
from support.admin import TOKENS, Admin, write_tokens

PROGRAM = os.environ.get("HOTPATH_SCHEMATHESIS")
EXAMPLES = os.environ.get("HOTPATH_CONTROL_EXAMPLES", "60")
SECONDS_MAX = 60
RUN_SECONDS_MAX = 1500
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance," \
         "response_schema_conformance,response_headers_conformance,unsupported_method"

pytestmark = [pytest.mark.long, pytest.mark.timeout(RUN_SECONDS_MAX + SECONDS_MAX)]


def test_answers_are_as_the_document_says(pipeline):
    port = servers.free_port()
    pipeline.write_scenarios([{"tenant_id": "acme", "scenario_id": "shop", "status": "active"}])
    event = {"tenant_id": "acme", "scenario_id": "shop", "user_id": "u", "item_id": "i",
             "action_type": "view", "timestamp": 1_772_366_400_000}
    events = pipeline.folder / "events.jsonl"
    events.write_text("".join(json.dumps(event | {"timestamp": event["timestamp"] + later}) + "\n"
                              for later in (0, 10_000_000)))
    with pipeline.start("--file", events, "--follow", "--admin-listen", f"127.0.0.1:{port}",
                        "--admin-tokens", write_tokens(pipeline.folder / "tokens"),
                        "--log-level", "error") as running:
        servers.wait_until(lambda: pipeline.client.exists("hot:items:acme:shop:meta"), SECONDS_MAX,
                           "the first ranking")
        ended = subprocess.run(
            [PROGRAM, "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", CHECKS,
             "-H", f"Authorization: Bearer {TOKENS['alice'][2]}", "-H", "X-Tenant-Id: acme",
             "--max-examples", EXAMPLES, "--seed", os.environ.get("HOTPATH_CONTROL_SEED", "1")],
            cwd=pipeline.folder, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
        print(ended.stdout[-1500:])
        assert ended.returncode == 0, ended.stdout[-6000:]
        assert Admin(port, "alice", "acme").get("shop").status == 200
        finished = running.stop()
    assert finished.code == 0, finished.explain()
    assert "Sanitizer" not in finished.stderr, finished.explain()
