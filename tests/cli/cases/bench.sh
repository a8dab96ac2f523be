# osler bench: what it refuses, and what it prints, with N for every figure.
CONFIG=tests/data/goldens/small_tied/model/config.json
figures() {
    sed -E '/^\$/!{s/\b[0-9]+(\.[0-9]+)?(e-?[0-9]+)?\b/N/g; s/ +/ /g}'
}
run bench
run bench peers
run bench peers --config "$CONFIG" --shared
run bench peers --config "$CONFIG" --threads_max 2
run bench scaling --config "$CONFIG" --threads 2
run bench scaling --config "$CONFIG" --case load
run bench kernels --slot matmul_tt
run bench first-token --config "$CONFIG"
run bench peers --config "$CONFIG" --case dpo --reps 1 | figures
run bench peers --config "$CONFIG" --case decode --batch 2 --shared --new 3 --reps 1 | figures
run bench peers --config "$CONFIG" --case prefill --reps 1 --json | figures
run bench peers --config "$CONFIG" --case load --reps 1 --quiet | figures
run bench scaling --config "$CONFIG" --case score --threads_max 2 --reps 1 | figures
run bench scaling --config "$CONFIG" --case decode --new 2 --threads_max 1 --reps 1 --json | figures
run bench first-token --model "$MODEL" --reps 1 | figures
run bench first-token --model "$SCRATCH" --reps 1
run bench images --threads 2
run bench images --images tests/data/data --reps 1
run bench images --images tests/data/data/img --dtype f32
mkdir "$SCRATCH/img" "$SCRATCH/none"
cp tests/data/data/img/[a-d].png "$SCRATCH/img"
run bench images --images "$SCRATCH/none" --reps 1
run bench images --images "$SCRATCH/img" --max_pixels 3136 --reps 1 | figures
run bench images --images "$SCRATCH/img" --reps 1 --json | figures
export CPU=ref
run bench kernels --slot put_rows | figures
run bench kernels --slot put_rows --json | figures
run bench quant
run bench quant --config "$CONFIG" | figures
run bench peers --config "$CONFIG" --case decode --vision_cache "$SCRATCH/v"
run bench peers --config "$CONFIG" --case score --vision_cache "$SCRATCH/v" --reps 1 --quiet | figures
