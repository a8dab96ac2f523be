# A model evaluated: benchmarks and files, draws, going on after a stop, budget, and what is wrong usage.
cat >"$SCRATCH/q.jsonl" <<'END'
{"id": "a", "question": "Is the heart enlarged?", "kind": "yesno", "answer": "yes"}
{"id": "b", "question": "Which?", "kind": "choice", "options": ["Pneumonia", "Effusion"], "answer": "B"}
{"id": "c", "question": "Which organ?", "kind": "open", "answer": "the left lung"}
END
ask() { run eval --model "$MODEL" --data "$SCRATCH/q.jsonl" --dtype f32 --max_new_tokens 6 --quiet "$@"; }
ask --out "$SCRATCH/one"
show "$SCRATCH/one/samples.jsonl"
grep -o '"generation": .*' "$SCRATCH/one/results.json" | sed 's/"[0-9a-f]\{64\}"/HASH/g'
ask --prompt think --n 3 --out "$SCRATCH/three"
ask --prompt think --n 3 --out "$SCRATCH/again" --max_batch 1 --threads 1 >/dev/null
for f in results.json samples.jsonl report.html; do cmp "$SCRATCH/three/$f" "$SCRATCH/again/$f" && echo "same $f"; done
ask --prompt think --n 3 --out "$SCRATCH/part" --limit 2 --limit_by seed >/dev/null
grep -c . "$SCRATCH/part/samples.jsonl"
sed 1q "$SCRATCH/part/samples.jsonl" >"$SCRATCH/line"
grep -cFf "$SCRATCH/line" "$SCRATCH/three/samples.jsonl"

# An interrupted run: the header, and answers of which the last was cut off.
mkdir "$SCRATCH/killed"
partial=$SCRATCH/killed/answers.partial.jsonl
{
    sed -n 's/^  "generation": \(.*\), "tokens".*/\1}/p' "$SCRATCH/three/results.json"
    echo '{"id": "b", "draw": 1, "response": "The answer is B.", "tokens": 5, "finish_reason": "stop", "forced": false}'
    printf '{"id": "c", "draw": 0, "resp'
} >"$partial"
cp "$partial" "$SCRATCH/copy"
ask --prompt think --n 3 --out "$SCRATCH/killed" --temperature 0.5
cmp "$partial" "$SCRATCH/copy" && echo "left as it was"
ask --prompt think --n 3 --out "$SCRATCH/killed"
diff "$SCRATCH/three/samples.jsonl" "$SCRATCH/killed/samples.jsonl" | grep -o '"id": "[abc]", "draw": [0-9]\|"response": "The answer is B."'
ls "$SCRATCH/killed"
mkdir "$SCRATCH/anew"
cp "$SCRATCH/copy" "$SCRATCH/anew/answers.partial.jsonl"
ask --prompt think --n 3 --out "$SCRATCH/anew" --overwrite >/dev/null
cmp "$SCRATCH/three/samples.jsonl" "$SCRATCH/anew/samples.jsonl" && echo "begun anew"

ask --out "$SCRATCH/bad" --think_budget 6
ask
run eval --model "$MODEL" --out "$SCRATCH/bad"
run eval --model "$MODEL" --responses "$SCRATCH/q.jsonl" --out "$SCRATCH/bad"
# A local judge; what it said is asked once.
ask --out "$SCRATCH/judged" --judge "$MODEL" --judge_tokens 4 >/dev/null
grep -o '"judge": {.*' "$SCRATCH/judged/results.json" | sed 's/"[0-9a-f]\{64\}"/HASH/'
grep -o '"judge_text": "[^"]*"' "$SCRATCH/judged/samples.jsonl"
cp "$SCRATCH/judged/judge.jsonl" "$SCRATCH/judge.copy"
cp "$SCRATCH/judged/samples.jsonl" "$SCRATCH/samples.copy"
ask --out "$SCRATCH/judged" --judge "$MODEL" --judge_tokens 4 >/dev/null
cmp "$SCRATCH/judged/judge.jsonl" "$SCRATCH/judge.copy" && cmp "$SCRATCH/judged/samples.jsonl" "$SCRATCH/samples.copy" && echo "nothing asked twice"
ask --out "$SCRATCH/bad" --judge "$SCRATCH/nobody"
ask --out "$SCRATCH/bad" --judge "http://me:secret@host/v1"
echo nothing >"$SCRATCH/d.png"
echo '{"id": "d", "question": "What?", "kind": "short", "answer": "x", "images": ["d.png"]}' >>"$SCRATCH/q.jsonl"
ask --out "$SCRATCH/bad" --overwrite
