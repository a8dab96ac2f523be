# osler train --plan: what a run would take, with N for every figure; nothing is written.
figures() {
    sed -E '/^\$/!{s/\b[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?\b/N/g; s/ +/ /g}'
}
DATA=tests/data/goldens/small_tied/data.jsonl
run train --plan "model=$MODEL" "data=$DATA" "output_dir=$SCRATCH/out" dtype=f32 batch_size=2 | figures
run train --plan "model=$MODEL" "data=$DATA" "output_dir=$SCRATCH/out" finetuning_type=lora packing=true max_length=512 \
    gradient_checkpointing=true | figures
run train --plan "model=$MODEL" "data=$DATA" "output_dir=$SCRATCH/out" max_memory=0.001 | figures
run train "model=$MODEL" "data=$DATA" "output_dir=$SCRATCH/none" max_memory=0.001 | figures
[ -e "$SCRATCH/out" ] || echo "no output_dir"
mkdir "$SCRATCH/bare" && cp "$MODEL"/*.json "$SCRATCH/bare" # a checkpoint whose weights are still to come
run train --plan "model=$SCRATCH/bare" "data=$DATA" "output_dir=$SCRATCH/out" finetuning_type=lora | figures
echo '{"id": "q", "question": "Which side?", "kind": "short", "answer": "left"}' >"$SCRATCH/questions.jsonl"
run eval --plan --model "$SCRATCH/bare" --data "$SCRATCH/questions.jsonl" --n 4 --plan_tokens 20 --out "$SCRATCH/out" | figures
[ -e "$SCRATCH/out" ] || echo "nothing written"
