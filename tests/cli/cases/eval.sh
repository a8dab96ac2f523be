# Scoring without a model: results, votes, a baseline, errors with their line, leakage, the self-test.
cat >"$SCRATCH/a.jsonl" <<'END'
{"id": "1", "question": "Is the heart enlarged?", "kind": "yesno", "answer": "yes", "response": "Yes, it is.", "category": "chest"}
{"id": "1", "question": "Is the heart enlarged?", "kind": "yesno", "answer": "yes", "response": "Yes or no", "category": "chest"}
{"id": "2", "question": "Which?", "kind": "choice", "options": {"A": "Pneumonia", "B": "Effusion"}, "answer": "B", "response": "Not A but B.", "category": "chest"}
{"id": "2", "question": "Which?", "kind": "choice", "options": {"A": "Pneumonia", "B": "Effusion"}, "answer": "B", "response": "<think>The answer is B", "category": "chest"}
{"id": "3", "question": "How wide?", "kind": "number", "answer": "12 mm", "tolerance": 1, "response": "About 1.25 cm.", "category": "ct"}
{"id": "4", "question": "Which organ?", "kind": "open", "answer": "the left lung", "response": "left lung", "category": "ct"}
END
sed 's/"Not A but B."/"A"/' "$SCRATCH/a.jsonl" >"$SCRATCH/b.jsonl"
run eval --responses "$SCRATCH/b.jsonl" --out "$SCRATCH/base"
run eval --responses "$SCRATCH/a.jsonl" --out "$SCRATCH/out" --baseline "$SCRATCH/base" --benchmark demo
show "$SCRATCH/out/results.json"
show "$SCRATCH/out/samples.jsonl"
run eval --responses "$SCRATCH/a.jsonl" --out "$SCRATCH/again" --baseline "$SCRATCH/base" --benchmark demo --quiet >/dev/null
cmp "$SCRATCH/out/report.html" "$SCRATCH/again/report.html" && cmp "$SCRATCH/out/results.json" "$SCRATCH/again/results.json" && echo "the same bytes"
run eval --responses "$SCRATCH/a.jsonl" --out "$SCRATCH/kit" --scoring compat:medevalkit
echo '{"id": "1", "kind": "yesno", "answer": "left", "response": "x"}' >"$SCRATCH/bad.jsonl"
run eval --responses "$SCRATCH/bad.jsonl" --out "$SCRATCH/bad"
run eval --responses "$SCRATCH/a.jsonl" --out "$SCRATCH/none" --baseline "$SCRATCH/missing"
run eval --responses "$SCRATCH/a.jsonl"
run eval
run eval --leak "$SCRATCH/a.jsonl"  --out "$SCRATCH/leak"
run eval --leak "$SCRATCH/a.jsonl" --data "$SCRATCH/b.jsonl" --out "$SCRATCH/leak"
run eval --self-test
