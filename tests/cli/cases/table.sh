# A parquet file: its columns, a picture in it, its rows as samples.
"$OSLER" inspect --image "tests/data/parquet/pictures.parquet#row=0&column=figure" 2>&1 | grep -q "built without" && exit 77
run inspect tests/data/parquet/pictures.parquet
run inspect --image 'tests/data/parquet/pictures.parquet#row=2&column=images&item=1' --out "$SCRATCH/x.png"
run inspect --image 'tests/data/parquet/pictures.parquet#row=2&column=image' --out "$SCRATCH/x.png"
run inspect --image 'tests/data/parquet/pictures.parquet#row=2' --out "$SCRATCH/x.png"
run inspect --image 'tests/data/parquet/brotli.parquet#row=1&column=text' --out "$SCRATCH/x.png"
run data check tests/data/parquet/pictures.parquet --deep true
run score --model "$MODEL" --data tests/data/parquet/pictures.parquet --out "$SCRATCH/scores.jsonl" --quiet
# The same picture named in a JSONL file of another folder.
echo "{\"problem\": \"Which?\", \"answer\": \"A\", \"images\": [\"$PWD/tests/data/parquet/pictures.parquet#row=0&column=figure\"]}" >"$SCRATCH/ref.jsonl"
run data check "$SCRATCH/ref.jsonl" --deep true
# CSV: a broken row is a bad sample, with its line.
printf 'instruction,output\nWhat?,"Two\nlines"\nWhy?,Because,really\n' >"$SCRATCH/rows.csv"
run inspect "$SCRATCH/rows.csv"
run data check "$SCRATCH/rows.csv"
