# Text to ids and back; special tokens are recognised; errors carry the line.
cat >"$SCRATCH/in.jsonl" <<'X'
{"text": "The heart."}
{"text": "<|im_start|>user\nna\u00efve<|im_end|>"}

{"ids": [82, 499, 498]}
{"ids": []}
{"text": ""}
X
run tokenize --model "$MODEL" --in "$SCRATCH/in.jsonl"
run tokenize --model "$MODEL" --in "$SCRATCH/in.jsonl" --out "$SCRATCH/ids.jsonl"
sed -n 1,2p "$SCRATCH/ids.jsonl" >"$SCRATCH/back.jsonl"
run tokenize model="$MODEL" in="$SCRATCH/back.jsonl"
echo '{"ids": [5, 100000]}' >"$SCRATCH/bad.jsonl"
run tokenize --model "$MODEL" --in "$SCRATCH/bad.jsonl" --out "$SCRATCH/bad.out"
ls "$SCRATCH"
printf '{"text": "a"}\n{"txt": "b"}\n' >"$SCRATCH/bad.jsonl"
run tokenize --model "$MODEL" --in "$SCRATCH/bad.jsonl"
printf '{"text": "a"}\n{"text: "b"}\n' >"$SCRATCH/bad.jsonl"
run tokenize --model "$MODEL" --in "$SCRATCH/bad.jsonl"
run tokenize --model "$SCRATCH" --in "$SCRATCH/bad.jsonl"
run tokenize --model "$MODEL" --in "$SCRATCH/missing.jsonl"
