#!/bin/bash
# check_headers.sh - every header compiles alone, and twice.  Run from the repository root as
#   KERNEL_FLAGS='-mavx2 -DT_IS_BF16=0 ...' tools/check_headers.sh gcc -std=c11 -Isrc ...
# The headers of kernels/cpu belong to its templates and are compiled as those are; without KERNEL_FLAGS they are left out.
set -u
bad=0
for h in $(find src include -name '*.h' | sort); do
    name=${h#src/}
    name=${name#include/}
    flags=
    if [[ $name == kernels/cpu/* ]]; then
        [ -n "${KERNEL_FLAGS:-}" ] || continue
        flags=$KERNEL_FLAGS
    fi
    # shellcheck disable=SC2086
    printf '#include "%s"\n#include "%s"\n' "$name" "$name" | "$@" $flags -Wno-unused-function -fsyntax-only -x c - ||
        { echo "$h does not compile alone"; bad=1; }
done
exit $bad
