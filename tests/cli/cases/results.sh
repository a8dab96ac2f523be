# The tools behind `make bench` and `make tables`, with commands whose speed is known.
export DOCTOR='processor  a processor, 2 threads
memory     1 GiB
products   20 GFLOP/s in bf16, 10 in f32
reading    9.0 GB/s'
csv=$SCRATCH/results.csv
next() { # next FILE LINE...: the command prints one line after the other
    printf '%s\n' "${@:2}" >"$SCRATCH/$1.lines"
    printf 'head -n 1 %s; sed -i 1d %s\n' "$SCRATCH/$1.lines" "$SCRATCH/$1.lines" >"$SCRATCH/$1"
}
side() {
    tools/bench_side_by_side.sh --csv "$csv" --ours "bash $SCRATCH/ours" "$@" 2>&1 | clean
}
next ours 'a c.json: 30.0 tok/s, 2.00 s/step, peak 1.00 GiB, spread 1.00' \
    'a c.json: 36.0 tok/s, 1.50 s/step, peak 1.25 GiB' 'a c.json: 33.0 tok/s, 1.70 s/step, peak 1.00 GiB'
next peer 'a c.json: 10.0 tok/s, 6.00 s/step, peak 2.00 GiB' 'a c.json: 11.0 tok/s' 'a c.json: 12.0 tok/s'
side --work 'a "c", d' --against other --peer "bash $SCRATCH/peer --config /some/where/c.json"
next ours 'b c.json: 50.0 tok/s, peak 1.00 GiB'
next peer 'b: prefill 100.0 tok/s, decode 25.0 tok/s'
side --work b --against other --peer "bash $SCRATCH/peer" --peer_word decode --rounds 1
next ours 'first: 0.500 s, peak 1.00 GiB'
next peer 'first: 2.000 s, peak 1.00 GiB'
side --work first --against other --peer "bash $SCRATCH/peer" --rounds 1
next ours 'alone: 1.5 GB/s, 2.00 s/step' 'alone: 1.5 GB/s, 2.00 s/step' 'alone: 2.5 GB/s'
side --work alone --rounds 2
side --work alone --rounds 1
side --work alone --rounds 1
next ours 'x: 1.0 tok/s' 'x: 1.0 tok/s'
next peer 'x: 1.0 s'
side --work x --against other --peer "bash $SCRATCH/peer" --rounds 1
side --work x --against other --peer false --rounds 1
sed -E 's/^[0-9-]{10},/DATE,/' "$csv" | clean

cat >"$SCRATCH/page.md" <<END
Before.
<!-- table $csv unit=tok/s: work, ours_median, ratio_best -->
old
<!-- end of table -->
After.
END
tools/result_tables.sh --check "$SCRATCH/page.md" 2>&1 | clean
tools/result_tables.sh "$SCRATCH/page.md" && tools/result_tables.sh --check "$SCRATCH/page.md"
show "$SCRATCH/page.md"
echo "<!-- table $csv: nothing -->" >"$SCRATCH/page.md"
tools/result_tables.sh "$SCRATCH/page.md" 2>&1 | clean
