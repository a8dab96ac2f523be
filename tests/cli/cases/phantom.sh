# Cases with a known truth.
run phantom --out "$SCRATCH/d" --split test --n 8 --seed 7 --tsv --quiet
(cd "$SCRATCH" && find d -type f | sort | head -4)
grep -o '"id": "[^"]*"' "$SCRATCH/d/data.jsonl"
head -1 "$SCRATCH/d/data.tsv"
run data check "$SCRATCH/d/data.jsonl"
run phantom --out "$SCRATCH/t" --split text --family ecg-infant --level 2 --n 2 --seed 7 --quiet
grep -o '"images": [^a-z]*, "family"' "$SCRATCH/t/data.jsonl"
run phantom --out "$SCRATCH/d" --family ecg-infnt
run phantom --out "$SCRATCH/d" --size 113
run phantom
run phantom --sheet "$SCRATCH/s.ppm" --columns 2 --family chest-heart
head -c 15 "$SCRATCH/s.ppm" | head -2
