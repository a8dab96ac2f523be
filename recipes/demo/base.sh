#!/usr/bin/env bash
# Trains phantom-base again: cases, random weights, training, examination; `make phantom-base` calls this.
# Five minutes of drawing and 45 of training on two cores.
#
#   recipes/demo/base.sh [key=value of osler train ...]
#   OUT    where everything goes; default demo/base: the model is OUT/model
#   PERCENT of the cases to learn from, default 100; TEST cases of the examination: fewer try the script out
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:-demo/base} percent=${PERCENT:-100} test=${TEST:-2400}
osler=${OSLER:-build/osler}
here=recipes/demo
mkdir -p "$out"

data=
make_cases() { # NAME NUMBER OPTION-OF-PHANTOM...
    "$osler" phantom --split base --n $(($2 * percent / 100)) --out "$out/$1" --quiet "${@:3}"
    data=$data${data:+,}$out/$1/data.jsonl
}
echo "== cases: to see, questions of level 1, descriptions, lists of findings; more of the charts, which are hard to see"
make_cases see 50000 --level 1 --style direct --seed 1
make_cases describe 50000 --style caption --seed 2
make_cases measure 80000 --style measure --seed 3
make_cases charts 10000 --family growth --style measure --seed 6
make_cases charts-see 8000 --family growth --level 1 --style direct --seed 7
echo "== and to read, without pictures: sentences in no order, exercises in reading"
make_cases notes 16000 --twin --style notes --seed 4
make_cases reading 60000 --twin --style reading --seed 5

echo "== random weights"
"$osler" init --config $here/phantom-base/config.json --out "$out/random" --seed 1 --dtype bf16

echo "== training"
"$osler" train $here/base.yaml model="$out/random" data="$data" output_dir="$out/sees" "$@"

echo "== and to write about what it sees: sentences in no order, beside more of what it learned first"
data=
make_cases notes-see 8000 --style notes --seed 8
make_cases see-again 12000 --level 1 --style direct --seed 11
make_cases measure-again 14000 --style measure --seed 12
make_cases charts-again 4000 --family growth --style measure --seed 13
make_cases charts-see-again 3000 --family growth --level 1 --style direct --seed 14
make_cases reading-again 10000 --twin --style reading --seed 15
"$osler" train $here/base.yaml learning_rate=3e-4 model="$out/sees" data="$data" output_dir="$out/model" "$@"

examine() { # NAME OPTION-OF-PHANTOM...
    "$osler" phantom --split test --n "$test" --seed 1 --out "$out/test-$1" --quiet "${@:2}"
    grep -A 15 '^## Families' "$out/test-$1/README.md"
    "$osler" eval --model "$out/model" --benchmark phantom --data "$out/test-$1/data.jsonl" --prompt direct \
        --max_new_tokens 16 --out "$out/eval-$1" --quiet
}
echo "== examination: level 1, then all levels"
examine see --level 1
examine all
