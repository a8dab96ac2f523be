# Good and bad rows.
cat >"$SCRATCH/data.jsonl" <<'X'
{"id": "a", "messages": [{"role": "user", "content": "Which side?"}, {"role": "assistant", "content": "The left."}]}
X
run data check "$SCRATCH/data.jsonl"
run data stats "$SCRATCH/data.jsonl"
echo '{"id": "b", "messages": [{"role": "user", "content": "<image>Which side?"}]}' >>"$SCRATCH/data.jsonl"
run data check "$SCRATCH/data.jsonl"
run data
run data check
run data mend "$SCRATCH/data.jsonl"
