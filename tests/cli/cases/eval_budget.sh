# Thinking that does not end within its budget is ended, and the answer asked for.  The model has learned by heart to
# think about one question, three times out of four for long.
q="To which side does the apex point?"
ask="$q\\nAnswer with a word or a short phrase. Think first, between <think> and </think>; put the answer between <answer> and </answer>."
edge="the apex is at the edge,"
for thought in "$edge" "$edge so $edge so $edge so $edge so $edge."{,,}; do
    echo "{\"messages\": [{\"role\": \"user\", \"content\": \"$ask\"}, {\"role\": \"assistant\", \"content\": \"<think>${thought}</think>\\n<answer>left</answer>\"}]}"
done >"$SCRATCH/train.jsonl"
echo "{\"id\": \"q\", \"question\": \"$q\", \"kind\": \"short\", \"answer\": \"left\"}" >"$SCRATCH/q.jsonl"
"$OSLER" train model="$MODEL" data="$SCRATCH/train.jsonl" output_dir="$SCRATCH/model" finetuning_type=full max_steps=120 \
    learning_rate=3e-3 lr_scheduler_type=constant per_device_train_batch_size=4 dtype=f32 save_steps=0 2>/dev/null
for budget in 0 20; do
    run eval --model "$SCRATCH/model" --data "$SCRATCH/q.jsonl" --prompt think --think_budget $budget --out "$SCRATCH/out" \
        --dtype f32 --quiet
    grep -o '"extracted": .*"correct": [a-z]*' "$SCRATCH/out/samples.jsonl"
    grep -o '"forced": [0-9]*' "$SCRATCH/out/results.json"
done
grep -o '"response": "[^"]*"' "$SCRATCH/out/samples.jsonl"
