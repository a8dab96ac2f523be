# Good and bad rows.
cat >"$SCRATCH/data.jsonl" <<'X'
{"id": "a", "messages": [{"role": "user", "content": "Which side?"}, {"role": "assistant", "content": "The left."}]}
X
run data check "$SCRATCH/data.jsonl"
run data stats "$SCRATCH/data.jsonl"
run data stats "$SCRATCH/data.jsonl" --model "$MODEL" --max_length 64
run data check "$SCRATCH/data.jsonl" --model "$MODEL" --max_length 8
run data stats "$SCRATCH/data.jsonl" --max_length 8
echo '{"id": "b", "messages": [{"role": "user", "content": "<image>Which side?"}]}' >>"$SCRATCH/data.jsonl"
run data check "$SCRATCH/data.jsonl"
run data
run data check
run data mend "$SCRATCH/data.jsonl"
