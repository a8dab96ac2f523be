#!/bin/bash
# longest.sh - the longest functions and files; exits 1 where a hard limit is passed.  Run from the repository root.
#
#            soft   hard
#   function   60    120 lines, from the line after the comment to the closing brace
#   file      600   1000
#   header           250         in src and include
#   line      120        columns
#
# Relies on the layout of .clang-format: a function's braces stand alone in column 0.
set -u
show=${SHOW:-10}

files=$(find src include tests -name '*.c' -o -name '*.cc' -o -name '*.h' -o -name '*.cu' 2>/dev/null | sort)
[ -n "$files" ] || exit 0

functions=$(awk '
    FNR == 1                        { start = 0; open = 0 }
    open && /^}/                    { printf "%5d  %s:%d  %s\n", FNR - start + 1, FILENAME, start, name; open = 0; start = 0; next }
    open                            { next }
    /^{$/ && start                  { open = 1; next }
    /^$|^#|^ *\/\*|^ \*|^\/\/|[;}]$/ { start = 0; next }
    !start && /^[A-Za-z_]/          { start = FNR; name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
' $files | sort -rn)
sizes=$(wc -l $files | awk '$2 != "total" { printf "%5d  %s\n", $1, $2 }' | sort -rn)

echo "longest functions (soft limit 60, hard 120)"
head -n "$show" <<<"$functions"
echo "longest files (soft limit 600, hard 1000; headers 250)"
head -n "$show" <<<"$sizes"
echo "lines over 120 columns"
LC_ALL=C.UTF-8 grep -cHE '^.{121,}' $files | awk -F: '$2 > 0 { printf "%5d  %s\n", $2, $1 }' | sort -rn | head -n "$show"
awk '{ n += $1 } $2 ~ /^(src|include)/ { p += $1 } END { printf "lines: %d product, %d tests\n", p, n - p }' <<<"$sizes"

over=$(
    awk '$1 > 120 { print "function too long: " $0 }' <<<"$functions"
    awk '$1 > 1000 || ($2 ~ /^(src|include).*\.h$/ && $1 > 250) { print "file too long: " $0 }' <<<"$sizes"
)
[ -z "$over" ] && exit 0
echo "$over"
exit 1
