#!/bin/bash
# bench_side_by_side.sh - runs two commands by turns, a few times each, and adds a row to a CSV.  Nothing else compares
# two programs on a machine whose speed changes from hour to hour.
#
#   tools/bench_side_by_side.sh --work 'lora config.json' --ours 'build/osler bench peers --config config.json' \
#       --against transformers --peer 'python bench_peers.py --config config.json' --csv docs/results/peers.csv
#
#   --rounds N      how often each runs; default 3
#   --peer_word W   take the number after W in the peer's line ("prefill 441.0 tok/s, decode 43.5 tok/s")
#   --peer ''       ours alone
#
# A command prints one line as `osler bench` does: "WHAT: 359.0 tok/s, ... peak 6.80 GiB".  The unit may be tok/s,
# images/s or GB/s (more is better) or s (less is better).  A ratio above 1 says that ours is faster.  Commands go into the CSV
# without their folders.  A row of the same day, machine, work and peer is replaced.
# From the environment: OSLER, the program, and DOCTOR, what `osler doctor` printed; without it, it is asked.
set -u -o pipefail
OSLER=${OSLER:-build/osler}
work='' ours='' peer='' against='' csv='' rounds=3 peer_word=''
while [ $# -gt 0 ]; do
    case $1 in
    --work | --ours | --peer | --against | --csv | --rounds | --peer_word)
        [ $# -gt 1 ] || { echo "$1 needs a value" >&2; exit 2; }
        printf -v "${1#--}" %s "$2"
        shift 2 ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
    esac
done
if [ -z "$work" ] || [ -z "$ours" ] || [ -z "$csv" ]; then
    echo "needed: --work, --ours, --csv" >&2
    exit 2
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

measure() { # measure COMMAND WORD: prints "value unit peak"; peak is - where the command does not tell it
    bash -c "$1" >"$logs/out" 2>"$logs/err" || { echo "'$1' failed:" >&2; tail -n 20 "$logs/err" >&2; return 1; }
    awk -v word="$2" '
        { peak = match($0, /peak [0-9.]+ GiB/) ? substr($0, RSTART + 5, RLENGTH - 9) : "-" }
        sub(/^[^:]*: /, "") {
            if (word != "" && !(at = index($0, word " "))) next
            if (word != "") $0 = substr($0, at + length(word) + 1)
            if (match($0, /^[0-9.]+ (tok\/s|images\/s|GB\/s|s)/)) found = substr($0, 1, RLENGTH) " " peak
        }
        END { if (found == "") exit 1; print found }' "$logs/out" && return
    echo "no speed in what '$1' printed:" >&2
    cat "$logs/out" >&2
    return 1
}

for ((i = 1; i <= rounds; i++)); do
    measure "$ours" '' >>"$logs/ours" || exit 1
    echo "$work, round $i: ours $(tail -n 1 "$logs/ours" | cut -d ' ' -f 1,2)" >&2
    [ -n "$peer" ] || continue
    measure "$peer" "$peer_word" >>"$logs/peer" || exit 1
    echo "$work, round $i: $against $(tail -n 1 "$logs/peer" | cut -d ' ' -f 1,2)" >&2
done

summary() { # summary FILE: "min median max peak unit"
    sort -n "$1" | awk '{ v[NR] = $1; unit = $2; if (NR == 1 || $3 > peak) peak = $3 }
        END {
            median = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
            printf "%s %.6g %s %s %s\n", v[1], median, v[NR], peak, unit
        }'
}

doctor=${DOCTOR:-$("$OSLER" doctor)} || exit 1
machine=$(sed -n 's/^processor *//p' <<<"$doctor")
ceilings=$(sed -nE 's/^(products|reading) +(.*)/\1 \2/p' <<<"$doctor" | paste -sd ';' | sed 's/;/; /')
quoted() {
    printf '"%s"' "${1//\"/\"\"}"
}
bare() { # the command without the folders of its words
    sed -E 's#(^|[ =])[^ =]*/([^ /]+)#\1\2#g' <<<"$1"
}

read -r o_min o_med o_max o_peak unit < <(summary "$logs/ours")
p_min='' p_med='' p_max='' p_peak='' best='' median=''
if [ -n "$peer" ]; then
    read -r p_min p_med p_max p_peak p_unit < <(summary "$logs/peer")
    [ "$unit" = "$p_unit" ] || { echo "ours is in $unit, the peer in $p_unit" >&2; exit 1; }
    read -r best median < <(awk -v u="$unit" -v a="$o_min $o_med $o_max" -v b="$p_min $p_med $p_max" 'BEGIN {
        split(a, o, " "); split(b, p, " ")
        if (u == "s") printf "%.2f %.2f\n", p[1] / o[1], p[2] / o[2]
        else printf "%.2f %.2f\n", o[3] / p[3], o[2] / p[2] }')
fi

header=date,machine,work,against,unit,ours_min,ours_median,ours_max,peer_min,peer_median,peer_max
header+=,ratio_best,ratio_median,ours_peak_gib,peer_peak_gib,rounds,ceilings,ours,peer
key="$(date -u +%F),$(quoted "$machine"),$(quoted "$work"),$(quoted "$against"),"
row="$key$unit,$o_min,$o_med,$o_max,$p_min,$p_med,$p_max,$best,$median,${o_peak#-},${p_peak#-},$rounds"
row+=",$(quoted "$ceilings"),$(quoted "$(bare "$ours")"),$(quoted "$(bare "$peer")")"
mkdir -p "$(dirname "$csv")"
[ -s "$csv" ] || echo "$header" >"$csv"
[ "$(head -n 1 "$csv")" = "$header" ] || { echo "$csv has other columns" >&2; exit 1; }
KEY=$key awk 'index($0, ENVIRON["KEY"]) != 1' "$csv" >"$logs/csv" || exit 1
echo "$row" >>"$logs/csv"
cp "$logs/csv" "$csv" || exit 1
echo "$work: ours $o_med $unit${peer:+, $against $p_med $unit, ratio $median (best runs $best)}"
