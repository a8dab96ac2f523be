# A pipeline: planned, run, run again, with something changed, stopped by an error; and what can be wrong with one.
cat >"$SCRATCH/small.yaml" <<'END'
about: scores of answers that were given elsewhere
set:
  n: 6
  answers: tests/data/eval/all_right_50.jsonl
stages:
  - name: cases
    verb: phantom
    with: {split: sft, n: $n, seed: 1, quiet: true}
  - name: clean
    verb: phantom
    with: {split: test, n: 2, quiet: true}
  - name: exam
    verb: eval
    with: {responses: "${answers}", quiet: true}
  - name: leak
    verb: eval
    with: {leak: [$cases/data.jsonl], data: $clean/data.jsonl, quiet: true}
END
sed 's/    with: {responses.*/    with: {responses: none.jsonl, quiet: true}/' "$SCRATCH/small.yaml" >"$SCRATCH/broken.yaml"
head -7 "$SCRATCH/small.yaml" >"$SCRATCH/bad.yaml"
run run "$SCRATCH/small.yaml" "out=$SCRATCH/o" --dry-run
run run "$SCRATCH/small.yaml" "out=$SCRATCH/o" | grep -v ':'
run run "$SCRATCH/small.yaml" "out=$SCRATCH/o" | grep stage
run run "$SCRATCH/small.yaml" "out=$SCRATCH/o" n=7 | grep stage
grep -c '"id"' "$SCRATCH/o/cases/data.jsonl"
grep -o '<th scope="row">.*</th>' "$SCRATCH/o/report.html"
run run "$SCRATCH/broken.yaml" "out=$SCRATCH/b"
run run "$SCRATCH/broken.yaml" "out=$SCRATCH/b"
mkdir "$SCRATCH/mine" "$SCRATCH/mine/cases"
run run "$SCRATCH/small.yaml" "out=$SCRATCH/mine"
for bad in '    with: {n: $m}' '    wiht: {n: 2}' '    with: [n]' '  - {name: n, verb: train}' '  - {name: a b, verb: train}' '  - {name: a, verb: trian}'; do
    (cat "$SCRATCH/bad.yaml"; echo "$bad") >"$SCRATCH/worse.yaml"
    run run "$SCRATCH/worse.yaml"
done
(flock 9; run run "$SCRATCH/small.yaml" "out=$SCRATCH/o") 9<"$SCRATCH/o"
run run "$SCRATCH/small.yaml" m=3
run run
heart='"kind": "yesno", "question": "Is the heart enlarged?", "answer": "yes", "findings": [{"name": "cardiothoracic ratio", "value": 0.57, "text": "", "image": 0}]'
echo "{\"id\": \"a\", $heart}" >"$SCRATCH/cases.jsonl"
for draw in 0 1; do
    echo "{\"id\": \"a\", \"draw\": $draw, \"prompt\": \"\", \"response\": \"<think>The cardiothoracic ratio is 0.5$draw.</think><answer>yes</answer>\"}"
    echo "{\"id\": \"a\", \"kind\": \"yesno\", \"question\": \"Is the heart enlarged?\", \"answer\": \"yes\", \"response\": \"yes\"}" >>"$SCRATCH/twice.jsonl"
done >"$SCRATCH/samples.jsonl"
cat >"$SCRATCH/report.yaml" <<END
stages:
  - {name: first, verb: synth, do: judge, with: {data: $SCRATCH/cases.jsonl, samples: $SCRATCH/samples.jsonl}}
  - {name: second, verb: synth, do: judge, with: {data: $SCRATCH/cases.jsonl, samples: $SCRATCH/samples.jsonl, baseline: \$first}}
  - {name: votes, verb: eval, with: {responses: $SCRATCH/twice.jsonl, quiet: true}}
  - {name: again, verb: eval, with: {responses: $SCRATCH/twice.jsonl, quiet: true, baseline: \$votes}}
END
run run "$SCRATCH/report.yaml" "out=$SCRATCH/r" | grep -E '^(first|second|votes|again)'
grep -o '</th><td>synth.*' "$SCRATCH/r/report.html"
