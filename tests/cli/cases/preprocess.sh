# Images to patches.
run preprocess --model "$MODEL" --out "$SCRATCH/x.safetensors" tests/data/goldens/small_tied/images/0.png tests/data/goldens/small_tied/images/1.png
head -c 300 "$SCRATCH/x.safetensors" | tr -dc '[:print:]' | grep -o '"[a-z_]*":{[^}]*}'
run preprocess --model "$MODEL" --out "$SCRATCH/y.safetensors"
run preprocess --model "$MODEL" --out "$SCRATCH/y.safetensors" "$SCRATCH/none.png"
ls "$SCRATCH"
