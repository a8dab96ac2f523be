#!/bin/bash
# profile.sh - where the time of a case of `osler bench peers` goes; `make profile` calls it.  From the environment:
# OSLER, CONFIG, CASE, REPS, FLAGS, OUT (folder for the samples; perf report -i $OUT/perf.data shows who calls whom).
set -u
OSLER=${OSLER:-build/osler} CASE=${CASE:-lora} OUT=${OUT:-build}
CONFIG=${CONFIG:-tests/data/goldens/small_tied/model/config.json}
command -v perf >/dev/null || { echo "profiling needs perf (Debian: linux-perf; Ubuntu: linux-tools)"; exit 1; }
# shellcheck disable=SC2086
perf record -q -g -F 499 -o "$OUT/perf.data" -- \
    "$OSLER" bench peers --config "$CONFIG" --case "$CASE" --quiet --reps "${REPS:-5}" ${FLAGS:-} || exit 1
perf report -i "$OUT/perf.data" --stdio --no-children -g none --percent-limit 0.5 -F overhead,symbol 2>/dev/null |
    sed -E '/^#|^$/d' | head -n "${SHOW:-30}"
