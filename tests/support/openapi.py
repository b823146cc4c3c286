"""Makes docs/openapi.json, which configd serves, of docs/openapi.yaml and the JSON Schema of
realtime_compute. Run it after a change to either.

    build/venv/bin/python tests/support/openapi.py
"""

import json
from pathlib import Path

import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs"


def document():
    made = yaml.safe_load((DOCS / "openapi.yaml").read_text())
    schema = json.loads((DOCS / "realtime_compute.schema.json").read_text())
    for key in ("$schema", "$id"):      # it is a part of this document here
        schema.pop(key)
    made["components"]["schemas"]["RealtimeCompute"] = schema
    return made


def text():
    return json.dumps(document(), separators=(",", ":"), sort_keys=False) + "\n"


if __name__ == "__main__":
    (DOCS / "openapi.json").write_text(text())
