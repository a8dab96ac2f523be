# Log-probabilities of targets; a file that fails leaves nothing behind.
cat >"$SCRATCH/data.jsonl" <<'X'
{"id": "a", "messages": [{"role": "user", "content": "Which side?"}, {"role": "assistant", "content": "The left."}]}
{"id": "b", "messages": [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "So.", "loss": false}]}
X
run score --model "$MODEL" --data "$SCRATCH/data.jsonl" --dtype f32 --quiet --out "$SCRATCH/out.jsonl" --grads "$SCRATCH/grads.safetensors"
sed 's/-[0-9.]*/-X/g' "$SCRATCH/out.jsonl"
head -c 200 "$SCRATCH/grads.safetensors" | tr -dc 'a-z_.' | cut -c1-60
echo '{"id": "c", "messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "x"}], "images": ["none.png"]}' >>"$SCRATCH/data.jsonl"
run score --model "$MODEL" --data "$SCRATCH/data.jsonl" --dtype f32 --quiet --out "$SCRATCH/new.jsonl"
ls "$SCRATCH"
