#!/usr/bin/env bash
# Runs the tests and closes with exactly one line 'N passed, N failed' (', N skipped' where some were;
# which and why is printed above it). A failure does not keep the rest from running.
#
#   tests/run.sh [--units PROGRAM...] [--model PROGRAM] [--pytest FOLDER...]
#
# HOTPATH_TEST_BIN: the folder of the executables under test; HOTPATH_TEST_CRASH_BIN: the same with crash points.
# PYTEST_ADDOPTS is pytest's own. Needs build/venv (deploy/setup.sh test).
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export COUNTS_FILE=$scratch/counts
: > "$COUNTS_FILE"

# What pytest has counted: from its report, for a run that broke off has none, and is a failure.
count_report () {   # report, exit code
    python3 - "$1" "$2" <<'END'
import sys
import xml.etree.ElementTree as tree
report, code = sys.argv[1], int(sys.argv[2])
total = failed = skipped = 0
try:
    for suite in tree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests"))
        failed += int(suite.get("failures")) + int(suite.get("errors"))
        skipped += int(suite.get("skipped"))
except (OSError, tree.ParseError):
    pass
print(total - failed - skipped, failed or int(code != 0), skipped)
END
}

# The model check says TAP; what it says beside that (its seed, its speed, a trace) is shown.
run_model () {      # program
    printf '=== tests/model\n'
    "$1" --test | tee "$scratch/model"
    code=${PIPESTATUS[0]}
    good=$(grep -c '^ok ' "$scratch/model")
    bad=$(grep -c '^not ok ' "$scratch/model")
    if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    echo "$good $bad 0" >> "$COUNTS_FILE"
}

run_pytest () {     # folder
    printf '=== tests/%s\n' "$1"
    (cd "$root/tests" && "$root/build/venv/bin/python" -m pytest -q -ra \
        --junitxml="$scratch/$1.xml" "$1")
    count_report "$scratch/$1.xml" $? >> "$COUNTS_FILE"
}

kind=
units=()
models=()
folders=()
for argument in "$@"; do
    case $kind:$argument in
    *:--units | *:--model | *:--pytest) kind=$argument ;;
    --units:*) units+=("$argument") ;;
    --model:*) models+=("$argument") ;;
    *) folders+=("$argument") ;;
    esac
done

if [ "${#units[@]}" -gt 0 ]; then
    printf '=== tests/unit\n'
    "$root/tests/unit/run.sh" "${units[@]}"
fi
for model in "${models[@]}"; do
    run_model "$model"
done
for folder in "${folders[@]}"; do
    run_pytest "$folder"
done

read -r passed failed skipped < <(awk '{ p += $1; f += $2; s += $3 } END { print p+0, f+0, s+0 }' \
    "$COUNTS_FILE")
printf '%d passed, %d failed' "$passed" "$failed"
if [ "$skipped" -gt 0 ]; then
    printf ', %d skipped' "$skipped"
fi
printf '\n'
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
