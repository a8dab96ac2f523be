#!/bin/bash
# run_tests.sh - runs test programs and checks, and counts.
#
#   tools/run_tests.sh LOGDIR PROGRAM... [-- NAME COMMAND [-- NAME COMMAND ...]]
#
# PROGRAM is a cmocka program; each of its tests counts.  A program that crashes, hangs, or stops before its last test
# counts one more failure.  COMMAND is one shell command and counts as one test: exit status 0 passed, 77 skipped.
# What passes is summed in one line; the output of what fails is shown.  The last line is
#   N passed, N failed, N skipped
set -u
TIMEOUT=${TEST_TIMEOUT:-300}
logs=$1
shift
mkdir -p "$logs"
passed=0 failed=0 skipped=0

report() { # report NAME PASSED FAILED SKIPPED SECONDS LOG
    passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
    local verdict=ok
    [ "$3" = 0 ] || verdict=FAIL
    [ "$verdict$2" != ok0 ] || verdict=skip
    printf '%-5s %-34s %4d passed' "$verdict" "$1" "$2"
    [ "$3" = 0 ] || printf ', %d failed' "$3"
    [ "$4" = 0 ] || printf ', %d skipped' "$4"
    printf '  (%s s)\n' "$5"
    [ "$3" = 0 ] || sed 's/^/    | /' "$6"
}

elapsed() { # elapsed FROM: seconds since FROM (of EPOCHREALTIME, in microseconds), one decimal
    local tenths=$(((${EPOCHREALTIME/[.,]/} - $1) / 100000))
    echo "$((tenths / 10)).$((tenths % 10))"
}

# Prints "passed failed skipped planned" from cmocka's standard output: the first verdict after each RUN line.
count() {
    awk '/^\[==========\].*Running [0-9]+ test/ { sub(/.*Running /, ""); planned += $1 }
         /^\[ RUN      \]/             { running = 1; next }
         running && /^\[       OK \]/  { ok++; running = 0 }
         running && /^\[  FAILED  \]/  { bad++; running = 0 }
         running && /^\[  SKIPPED \]/  { skip++; running = 0 }
         running && /^\[  ERROR   \]/  { next }
         END { print ok + 0, bad + 0, skip + 0, planned + 0 }' "$1"
}

run_program() {
    local name=${1#*/tests/} from=${EPOCHREALTIME/[.,]/}
    local log=$logs/${name//\//_}.log
    { timeout -k 10 "$TIMEOUT" "$1" >"$log" 2>&1 </dev/null; } 2>/dev/null # not the shell's own "Aborted"
    local rc=$? p f s planned
    read -r p f s planned < <(count "$log")
    if [ "$rc" = 124 ] || [ "$rc" = 137 ]; then
        f=$((f + 1))
        echo "$name was stopped after $TIMEOUT s" >>"$log"
    elif [ "$f" = 0 ] && { [ "$rc" != 0 ] || [ $((p + s)) != "$planned" ] || [ "$planned" = 0 ]; }; then
        f=1
        echo "$name ended with status $rc after $((p + s)) of $planned tests" >>"$log"
    fi
    report "$name" "$p" "$f" "$s" "$(elapsed "$from")" "$log"
}

run_check() {
    local name=$1 from=${EPOCHREALTIME/[.,]/} log=$logs/check_${1//[\/ ]/_}.log
    { timeout -k 10 "$TIMEOUT" bash -c "$2" >"$log" 2>&1 </dev/null; } 2>/dev/null
    case $? in
    0) report "$name" 1 0 0 "$(elapsed "$from")" "$log" ;;
    77) report "$name" 0 0 1 "$(elapsed "$from")" "$log" ;;
    *) report "$name" 0 1 0 "$(elapsed "$from")" "$log" ;;
    esac
}

while [ $# -gt 0 ]; do
    if [ "$1" = -- ]; then
        run_check "$2" "$3"
        shift 3
    else
        run_program "$1"
        shift
    fi
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
