#!/usr/bin/env bash
# PyFlink in an environment of its own, build/bench/peers/pyflink/venv (830 MB): its pinned
# dependencies fit no other. Looks for a Python that it has wheels for. Once made, it costs nothing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$(cd "$here/../../../.." && pwd)/build/bench/peers/pyflink/venv
if [ -e "$venv/made" ] && [ ! "$here/requirements.txt" -nt "$venv/made" ]; then
    exit 0
fi
for python in python3.11 python3.10 python3.12 python3.9; do
    if "$python" -c 'import ensurepip' 2> /dev/null; then
        printf 'pyflink: making %s with %s\n' "$venv" "$python" >&2
        rm -rf "$venv"
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"
        touch "$venv/made"
        exit 0
    fi
done
printf 'pyflink: it needs Python 3.9 to 3.12 with venv; leave it out with BENCH_PEERS=flink\n' >&2
exit 1
