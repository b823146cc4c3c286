#!/usr/bin/env bash
# Runs each fuzzer over its corpus and on from there; fails where one found something.
#
#   tests/fuzz/run.sh SECONDS PROGRAM...
#
# tests/fuzz/corpus/NAME is only read; new inputs go to build/fuzz/corpus/NAME.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
seconds=$1
shift
failed=0
for program in "$@"; do
    name=${program##*/}
    finds=$root/build/fuzz/corpus/$name
    log=$root/build/fuzz/$name.log
    mkdir -p "$finds"
    corpus=$root/tests/fuzz/corpus/$name
    [ -d "$corpus" ] || corpus=
    if "$program" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$root/build/fuzz/$name-" "$finds" ${corpus:+"$corpus"} > "$log" 2>&1; then
        printf '%-28s %s\n' "$name" "$(sed -n \
            's/^stat::number_of_executed_units: */inputs tried: /p' "$log")"
    else
        failed=$((failed + 1))
        printf -- '--- %s found something (build/fuzz/%s.log)\n' "$name" "$name"
        tail -n 40 "$log"
    fi
done
printf 'fuzz: %d fuzzers, %d failed\n' "$#" "$failed"
[ "$failed" -eq 0 ]
