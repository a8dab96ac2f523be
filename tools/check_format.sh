#!/bin/bash
# check_format.sh - is every source file as clang-format writes it?  Run from the repository root.
# Versions differ in what they write, so any other than the project's is skipped (exit status 77).
set -u
VERSION=14
clang-format --version 2>/dev/null | grep -q "version $VERSION\." || { echo "clang-format $VERSION is not here"; exit 77; }
bad=0
for file in $(find src include tests -name '*.c' -o -name '*.h' -o -name '*.cc' | sort); do
    clang-format "$file" | cmp -s - "$file" || { echo "$file is not formatted"; bad=1; }
done
[ $bad = 0 ] || echo "make format does it"
exit $bad
