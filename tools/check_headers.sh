#!/bin/bash
# check_headers.sh - every header compiles alone, and twice.  Run from the repository root as
#   tools/check_headers.sh gcc -std=c11 -Isrc ...
set -u
bad=0
for h in $(find src include -name '*.h' | sort); do
    case $h in
    *_tmpl.h) continue ;; # a template needs its parameters
    include/*) name=${h#include/} ;;
    *) name=${h#src/} ;;
    esac
    printf '#include "%s"\n#include "%s"\n' "$name" "$name" | "$@" -fsyntax-only -x c - || { echo "$h does not compile alone"; bad=1; }
done
exit $bad
