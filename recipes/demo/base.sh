#!/usr/bin/env bash
# Trains phantom-base again: cases, random weights, training, examination; `make phantom-base` calls this.
# Five minutes of drawing and 35 of training on two cores.
#
#   recipes/demo/base.sh [key=value of osler train ...]
#   OUT    where everything goes; default demo/base: the model is OUT/model
#   SEE, DESCRIBE, TEST    numbers of cases; smaller ones try the script out
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:-demo/base} see=${SEE:-60000} describe=${DESCRIBE:-190000} test=${TEST:-2400}
osler=${OSLER:-build/osler}
here=recipes/demo
mkdir -p "$out"

echo "== cases: questions that need sight alone, and descriptions of pictures of all levels"
"$osler" phantom --split base --level 1 --style direct --n "$see" --seed 1 --out "$out/see" --quiet
"$osler" phantom --split base --style caption --n "$describe" --seed 2 --out "$out/describe" --quiet

echo "== random weights"
"$osler" init --config $here/phantom-base/config.json --out "$out/random" --seed 1 --dtype bf16

echo "== training"
"$osler" train $here/base.yaml model="$out/random" data="$out/see/data.jsonl,$out/describe/data.jsonl" \
    output_dir="$out/model" "$@"

examine() { # NAME OPTION-OF-PHANTOM...
    "$osler" phantom --split test --n "$test" --seed 1 --out "$out/test-$1" --quiet "${@:2}"
    grep -A 15 '^## Families' "$out/test-$1/README.md"
    "$osler" eval --model "$out/model" --benchmark phantom --data "$out/test-$1/data.jsonl" --prompt direct \
        --max_new_tokens 16 --out "$out/eval-$1" --quiet
}
echo "== examination: level 1, then all levels"
examine see --level 1
examine all
