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
# Sets of right answers for which MedEvalKit prints 140 % (judged answers counted on top of exact ones) and 50 % (closed hits
# set to zero): 100 % here, by either scoring.
for set in all_right_140 all_right_50; do
    run eval --responses tests/data/eval/$set.jsonl --out "$SCRATCH/$set" | sed -n '2,5p'
    run eval --responses tests/data/eval/$set.jsonl --out "$SCRATCH/$set" --scoring compat:medevalkit | sed -n '2,5p'
done
# A hand-made set of which every verdict is known, by both scorings: the response that each counts is in its id.
run eval --responses tests/data/eval/known.jsonl --out "$SCRATCH/strict" --quiet >/dev/null
run eval --responses tests/data/eval/known.jsonl --out "$SCRATCH/kit" --scoring compat:medevalkit --quiet >/dev/null
for scoring in strict kit; do
    sed 's/.*"id": "\([^"]*\)".*"correct": \([a-z]*\).*/\1 \2/' "$SCRATCH/$scoring/samples.jsonl" |
        awk -v s=$scoring '{ want = index($1, s) ? "true" : "false"; if (want != $2) print "WRONG by " s ": " $0 }
            END { print NR " verdicts by " s }'
done
