#!/bin/bash
# check_symbols.sh - no global name of ours may be one of a library's own.  A program's functions come before those of
# the shared libraries it loads, so a second yaml_free would be called by libyaml itself.
#
#   tools/check_symbols.sh build/libosler.a build/libosler.so
set -u
libraries=$(ldd "$2" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }')
clash=$(comm -12 \
    <(nm -g --defined-only "$1" 2>/dev/null | awk 'NF == 3 && $2 ~ /[TDBR]/ { print $3 }' | sort -u) \
    <(nm -D --defined-only $libraries 2>/dev/null | awk 'NF == 3 { sub(/@.*/, "", $3); print $3 }' | sort -u))
[ -z "$clash" ] && exit 0
echo "also defined by a library we link:"
echo "$clash"
exit 1
