#!/usr/bin/env bash
# Trains phantom-base: data, random weights, training, evaluation; `make phantom-base` calls this.
#
#   recipes/demo/base.sh [key=value of osler train ...]
#   OUT    where everything goes; default demo/base. The model is OUT/model, what it can do OUT/see/results.json.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:-demo/base}
osler=${OSLER:-build/osler}
here=recipes/demo
mkdir -p "$out"

echo "== cases: questions that only need sight, and descriptions of all pictures"
"$osler" phantom --split base --level 1 --style direct --n 90000 --seed 1 --out "$out/see"
"$osler" phantom --split base --style caption --n 90000 --seed 2 --out "$out/describe"

echo "== random weights"
"$osler" init --config $here/phantom-base/config.json --out "$out/random" --seed 1 --dtype f32

echo "== training"
"$osler" train $here/base.yaml model="$out/random" data="$out/see/data.jsonl,$out/describe/data.jsonl" \
    output_dir="$out/model" "$@"
