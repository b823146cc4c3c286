#!/usr/bin/env bash
# Runs unit test programs (cmocka) and adds up what they say: each failed or skipped test by name, then
# one line 'unit: N passed, N failed'. A program that crashes, hangs or says nothing is a failure of its own.
#
#   tests/unit/run.sh PROGRAM...
#
# UNIT_SECONDS (120): the most that one program may take. COUNTS_FILE: gets "passed failed skipped".
set -uo pipefail

seconds=${UNIT_SECONDS:-120}
passed=0 failed=0 skipped=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

count () {  # pattern
    grep -cE "$1" "$output"
}

for program in "$@"; do
    CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 "$seconds" "$program" > "$output" 2>&1
    code=$?
    name=${program##*/}
    skips=$(count '^(not )?ok [0-9]* *(- )?# SKIP')
    good=$(($(count '^ok ') - $(count '^ok [0-9]* *(- )?# SKIP')))
    bad=$(($(count '^not ok ') - $(count '^not ok [0-9]* *(- )?# SKIP')))
    planned=$(awk -F '\\.\\.' '/^1\.\.[0-9]+$/ { sum += $2 } END { print sum ? sum : 1 }' "$output")
    missing=$((planned - good - bad - skips))
    # Neither a crash after the last test nor a test that never ran may pass for a success.
    if [ "$missing" -gt 0 ]; then
        bad=$((bad + missing))
    elif [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skips))
    if [ "$bad" -gt 0 ]; then
        printf -- '--- %s: exit %d, %d failed\n' "$name" "$code" "$bad"
        cat "$output"
    else
        grep -E '# SKIP' "$output" | sed "s|^|$name: |"
        printf '%-32s %3d passed\n' "$name" "$good"
    fi
done

if [ -n "${COUNTS_FILE:-}" ]; then
    echo "$passed $failed $skipped" >> "$COUNTS_FILE"
fi
printf 'unit: %d passed, %d failed' "$passed" "$failed"
if [ "$skipped" -gt 0 ]; then
    printf ', %d skipped' "$skipped"
fi
printf '\n'
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
