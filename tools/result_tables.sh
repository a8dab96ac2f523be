#!/bin/bash
# result_tables.sh - fills the tables of a Markdown file from CSV files, in place.  Run from the repository root.
#
#   tools/result_tables.sh docs/speed.md           writes it
#   tools/result_tables.sh --check docs/speed.md   only says whether it would change; exit status 1 where it would
#
# A table stands between two comments; the first names the file, conditions on columns, and the columns to show:
#
#   <!-- table docs/results/peers.csv date=2026-11-22 against=transformers: work, ours_median, peer_median -->
#   <!-- end of table -->
set -u
check=
[ "${1:-}" != --check ] || { check=1; shift; }
if [ $# != 1 ] || [ ! -f "$1" ]; then
    echo "usage: tools/result_tables.sh [--check] FILE.md" >&2
    exit 2
fi
new=$(mktemp)
trap 'rm -f "$new"' EXIT

awk '
    function fail(text) { print FILENAME ":" FNR ": " text >"/dev/stderr"; failed = 1; exit 1 }

    # The fields of a line of CSV into f[1..]; quoted fields may hold commas and doubled quotes.
    function split_csv(line, f,    n, c, i, quoted, field) {
        n = 0; field = ""; quoted = 0
        for (i = 1; i <= length(line); i++) {
            c = substr(line, i, 1)
            if (c == "\"" && quoted && substr(line, i + 1, 1) == "\"") { field = field c; i++ }
            else if (c == "\"") quoted = !quoted
            else if (c == "," && !quoted) { f[++n] = field; field = "" }
            else field = field c
        }
        f[++n] = field
        return n
    }

    function print_row(cells, n,    i, line) {
        line = "|"
        for (i = 1; i <= n; i++) line = line " " cells[i] " |"
        print line
    }

    function print_table(path, conditions, n_conditions, columns, n_columns,    line, n, i, at, f, cells, pair, ok) {
        if ((getline line < path) <= 0) fail(path " cannot be read")
        n = split_csv(line, f)
        for (i = 1; i <= n; i++) at[f[i]] = i
        for (i = 1; i <= n_columns; i++) {
            if (!(columns[i] in at)) fail(path " has no column " columns[i])
            cells[i] = columns[i]
            gsub(/_/, " ", cells[i])
        }
        print_row(cells, n_columns)
        line = "|"
        for (i = 1; i <= n_columns; i++) line = line "---|"
        print line
        while ((getline line < path) > 0) {
            split_csv(line, f)
            ok = 1
            for (i = 1; i <= n_conditions; i++) {
                split(conditions[i], pair, "=")
                if (!(pair[1] in at)) fail(path " has no column " pair[1])
                if (f[at[pair[1]]] != pair[2]) ok = 0
            }
            for (i = 1; i <= n_columns; i++) cells[i] = f[at[columns[i]]]
            if (ok) print_row(cells, n_columns)
        }
        close(path)
    }

    /^<!-- end of table -->$/ { inside = 0 }
    inside { next }
    { print }
    /^<!-- table .*: .* -->$/ {
        inside = 1
        text = $0
        sub(/^<!-- table /, "", text)
        sub(/ -->$/, "", text)
        colon = index(text, ": ")
        n_words = split(substr(text, 1, colon - 1), words, " ")
        n_columns = split(substr(text, colon + 2), columns, ", *")
        path = words[1]
        for (i = 2; i <= n_words; i++) conditions[i - 1] = words[i]
        print_table(path, conditions, n_words - 1, columns, n_columns)
    }
    END { if (!failed && inside) { print FILENAME ": a table has no end" >"/dev/stderr"; exit 1 } }
' "$1" >"$new" || exit 1

cmp -s "$1" "$new" && exit 0
[ -z "$check" ] || { echo "$1 is not what its CSV files say; make tables does it"; exit 1; }
cp "$new" "$1"
