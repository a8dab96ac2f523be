# The second time the features of the pictures are there; a tower that is trained has no cache.
sed -n "1s|images/|$PWD/tests/data/goldens/small_tied/images/|p" tests/data/goldens/small_tied/data.jsonl >"$SCRATCH/data.jsonl"
for i in 1 2; do
    "$OSLER" score --model "$MODEL" --data "$SCRATCH/data.jsonl" --vision_cache "$SCRATCH/cache" --out "$SCRATCH/$i.jsonl" 2>&1 | grep note | clean
done
cmp "$SCRATCH/1.jsonl" "$SCRATCH/2.jsonl"
run score --model "$MODEL" --data "$SCRATCH/data.jsonl" --quiet --grads "$SCRATCH/g.safetensors" --vision_cache "$SCRATCH/cache"
run score --model "$MODEL" --data "$SCRATCH/data.jsonl" --quiet --out "$SCRATCH/3.jsonl" --vision_cache "$SCRATCH/1.jsonl"
cmp "$SCRATCH/1.jsonl" "$SCRATCH/3.jsonl"
run generate --model "$MODEL" --prompt "<image>" --vision_cache "$SCRATCH/cache" --vision_cache_gib 0
