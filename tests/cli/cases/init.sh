# A random checkpoint: complete, the same for the same seed, and usable.
run init --config "$MODEL/config.json" --out "$SCRATCH/a" --seed 3 --dtype bf16 --quiet
run init --config "$MODEL/config.json" --out "$SCRATCH/b" --seed 3 --dtype bf16 --quiet --threads 1
run init --config "$MODEL/config.json" --out "$SCRATCH/c" --seed 4 --quiet
ls "$SCRATCH/a"
cmp "$SCRATCH/a/model.safetensors" "$SCRATCH/b/model.safetensors" && echo same
cmp -s "$SCRATCH/a/model.safetensors" "$SCRATCH/c/model.safetensors" || echo different
grep torch_dtype "$SCRATCH/a/config.json" "$SCRATCH/c/config.json" | clean
run generate --model "$SCRATCH/a" --prompt hello --max_new_tokens 1 --quiet --out "$SCRATCH/out.jsonl"
grep -c finish_reason "$SCRATCH/out.jsonl"
mkdir "$SCRATCH/bare"
cp "$MODEL/config.json" "$SCRATCH/bare"
run init --config "$SCRATCH/bare/config.json" --out "$SCRATCH/d" --quiet
run init --config "$SCRATCH/bare/config.json" --out "$SCRATCH/e" --tokenizer "$MODEL" --quiet
ls "$SCRATCH/e"
run init --config "$SCRATCH/none.json" --out "$SCRATCH/f"
run init --config "$MODEL/config.json" --out "$SCRATCH/f" --dtype int8
