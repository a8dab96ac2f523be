# run.bash CASE.sh - runs a case of tests/cli with $OSLER (default build/osler) and prints what a user would see.
#
#   run ARGS...    osler ARGS, then stdout, stderr (lines begin with "! ") and the exit status where it is not 0
#   show FILE      the file's text
#
# $SCRATCH is a folder of the case's own; its path is printed as SCRATCH.  A case that cannot run here exits with 77.
set -u
OSLER=${OSLER:-build/osler}
MODEL=tests/data/goldens/small_tied/model
export LC_ALL=C TERM=dumb

clean() {
    sed "s|$SCRATCH|SCRATCH|g; s|osler [0-9][0-9.]*$|osler VERSION|"
}

run() {
    echo "\$ osler${*:+ $*}" | clean
    "$OSLER" "$@" >"$SCRATCH/.out" 2>"$SCRATCH/.err"
    local rc=$?
    clean <"$SCRATCH/.out"
    clean <"$SCRATCH/.err" | sed 's/^/! /'
    [ $rc = 0 ] || echo "= $rc"
}

show() {
    echo "\$ cat $1" | clean
    clean <"$1"
}

. "$1"
