#!/usr/bin/env bash
# make demo: sets up, builds, then shows hotpath on a live stream for about half a minute: hot
# items, a profile and metrics as they change in Redis, and the ranking following a changed weight.
# Starts a Redis of its own on a free port; leaves no process and no temporary file behind.
#
#   deploy/demo.sh [--no-build] [--seconds 25] [--events-per-second 3000] [--seed 7]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

if [ "${1:-}" = --no-build ]; then
    shift
else
    deploy/setup.sh build
    make -s all
fi
python=/usr/bin/python3
[ -x "$python" ] || python=python3
# -B: no __pycache__ beside the sources.
exec "$python" -B deploy/demo/demo.py "$@"
