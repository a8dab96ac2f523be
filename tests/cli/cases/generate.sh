# Answers to a dataset and to one prompt.
cat >"$SCRATCH/data.jsonl" <<'X'
{"id": "a", "messages": [{"role": "user", "content": "Which side?"}, {"role": "assistant", "content": "The left."}]}
{"id": "b", "messages": [{"role": "user", "content": "How?"}]}
X
run generate --model "$MODEL" --data "$SCRATCH/data.jsonl" --dtype f32 --max_new_tokens 4 --quiet
run generate --model "$MODEL" --data "$SCRATCH/data.jsonl" --dtype f32 --max_new_tokens 3 --n 2 --temperature 1 --seed 7 --quiet --out "$SCRATCH/out.jsonl"
show "$SCRATCH/out.jsonl"
cp "$SCRATCH/out.jsonl" "$SCRATCH/first.jsonl"
run generate --model "$MODEL" --data "$SCRATCH/data.jsonl" --dtype f32 --max_new_tokens 3 --n 2 --temperature 1 --seed 7 --quiet --out "$SCRATCH/out.jsonl" --max_batch 1 --threads 1
cmp "$SCRATCH/out.jsonl" "$SCRATCH/first.jsonl" && echo same
run generate --model "$MODEL" --prompt "Which side?" --dtype f32 --max_new_tokens 4
run generate --model "$MODEL" --prompt "Which side?" --image "$SCRATCH/none.png"
run generate --model "$MODEL" --prompt "Which side?" --data "$SCRATCH/data.jsonl"
run generate --model "$SCRATCH/none" --prompt "Which side?"
echo '{"id": "c", "messages": [{"role": "user", "content": "<image>How?"}]}' >>"$SCRATCH/data.jsonl"
run generate --model "$MODEL" --data "$SCRATCH/data.jsonl"
