# Judged answers, preference pairs from them, and what can be wrong.
heart='"kind": "yesno", "question": "Is the heart enlarged?", "images": ["images/a.png"], "findings": [{"name": "cardiothoracic ratio", "value": 0.57, "unit": "", "text": "cardiothoracic ratio 0.57", "image": 0}]'
cat >"$SCRATCH/cases.jsonl" <<END
{"id": "mixed", $heart, "answer": "yes"}
{"id": "easy", $heart, "answer": "yes"}
{"id": "blind", $heart, "answer": "yes"}
{"id": "alike", $heart, "answer": "yes"}
END
good='Key findings: cardiothoracic ratio 0.57.\n0.57 is above 0.50.\nRe-check: 0.57 is 0.07 away from the limit.\nThe answer is yes.'
lucky='The heart looks large.\nThe answer is yes.'
wrong='Key findings: cardiothoracic ratio 0.44.\n0.44 is below 0.50.\nThe answer is no.'
say() { # ID DRAW ANSWER TOKENS REASONING
    echo "{\"id\": \"$1\", \"draw\": $2, \"tokens\": $4, \"prompt\": \"<image>\\nIs the heart enlarged?\", \"response\": \"<think>\\n$5\\n</think>\\n<answer>$3</answer>\"}"
}
{
    say mixed 0 yes 40 "$good"; say mixed 1 yes 30 "$lucky"; say mixed 2 no 38 "$wrong"
    say easy 0 yes 40 "$good"; say easy 1 yes 30 "$good"
    say blind 0 yes 40 "$good"; say blind 1 no 30 "$wrong"
    say alike 0 yes 40 "$good"; say alike 1 no 10 "$wrong"
} >"$SCRATCH/samples.jsonl"
{ say blind 0 yes 40 "$good"; say blind 1 yes 40 "$good"; say mixed 0 no 40 "$wrong"; } >"$SCRATCH/blind.jsonl"
run synth judge --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/samples.jsonl"
run synth judge --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/samples.jsonl" --without reflection,image_use
run synth judge --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/blind.jsonl" --out "$SCRATCH/j" --without reflection
show "$SCRATCH/j/scores.jsonl"
run synth prefer --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/samples.jsonl" --blind "$SCRATCH/blind.jsonl" --length_balance 1 --out "$SCRATCH/p"
show "$SCRATCH/p/data.jsonl"
show "$SCRATCH/p/report.json"
say other 0 yes 40 "$good" >"$SCRATCH/other.jsonl"
run synth judge --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/other.jsonl"
echo '{"id": "x", "kind": "yesno", "answer": "yes"}' >"$SCRATCH/bare.jsonl"
say x 0 yes 40 "$good" >"$SCRATCH/x.jsonl"
run synth judge --data "$SCRATCH/bare.jsonl" --samples "$SCRATCH/x.jsonl"
run synth prefer --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/samples.jsonl"
run synth judge --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/samples.jsonl" --without refection
run synth
run synth judge --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/samples.jsonl" --out "$SCRATCH/j2" --without reflection --baseline "$SCRATCH/j"
show "$SCRATCH/j2/summary.json"
run synth judge --data "$SCRATCH/cases.jsonl" --samples "$SCRATCH/samples.jsonl" --baseline "$SCRATCH/none"
