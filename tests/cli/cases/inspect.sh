# Checkpoints, adapters, masks, images.
run inspect "$MODEL"
run inspect tests/data/goldens/small_lora/adapter
cat >"$SCRATCH/data.jsonl" <<'X'
{"id": "a", "messages": [{"role": "user", "content": "Which side?"}, {"role": "assistant", "content": "The left."}, {"role": "user", "content": "Sure?"}, {"role": "assistant", "content": "Yes.", "loss": false}]}
X
run inspect --masks "$SCRATCH/data.jsonl" --model "$MODEL"
run inspect --image tests/data/goldens/small_tied/images/0.png --out "$SCRATCH/y.ppm"
head -c 11 "$SCRATCH/y.ppm" | head -2
run inspect --image tests/data/goldens/small_tied/images/0.png --out "$SCRATCH/y.gif"
run inspect --masks "$SCRATCH/data.jsonl"
run inspect
run inspect "$SCRATCH/none"
run inspect "$SCRATCH"
