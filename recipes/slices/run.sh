#!/usr/bin/env bash
# An example: real brain slices, full fine-tuning from random weights, then LoRA, each scored on slices it never saw.
# Needs build/osler, build/atlas and Debian's mricron-data; about four minutes. `make slices` calls this.
#
#   recipes/slices/run.sh [key=value of osler train ...]
#   OUT    where everything goes; default demo/slices
#   PART   share of the test slices, as 0.1; default all of them
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:-demo/slices} part=${PART:+@$PART}
osler=${OSLER:-build/osler}
atlas=${ATLAS:-build/atlas}
volume=/usr/share/mricron/templates/ch2.nii.gz
if [ ! -e "$volume" ]; then
    echo "error: $volume is missing" >&2
    echo "hint: apt-get install mricron-data (make deps does it where it may)" >&2
    exit 1
fi
rm -rf "$out"
mkdir -p "$out"

answer() { # MODEL ADAPTER-OR-- TASK OUT
    local adapter=()
    [ "$2" = - ] || adapter=(--adapter "$2")
    "$osler" generate --model "$1" "${adapter[@]}" --data "$out/data/$3_test.jsonl$part" --out "$4" --max_new_tokens 8 --dtype f32
}

echo "== data: slices of a T1 volume, answers from the AAL atlas"
"$atlas" make "$out/data"
wc -l "$out/data/"*.jsonl | sed 's/^/  /'
"$osler" data check "$out/data/t1_train.jsonl" "$out/data/inverted_train.jsonl"

echo "== a random checkpoint of the Qwen2.5-VL architecture"
"$osler" init --config recipes/slices/tiny/config.json --out "$out/base" --seed 1 --dtype f32

echo "== stage 1: full fine-tuning on T1 slices"
answer "$out/base" - t1 "$out/t1_before.jsonl"
"$osler" train recipes/slices/t1_full.yaml model="$out/base" data="$out/data/t1_train.jsonl" \
    eval_data="$out/data/t1_test.jsonl@${PART:-0.3}" output_dir="$out/t1" "$@"
answer "$out/t1" - t1 "$out/t1_after.jsonl"

echo "== stage 2: LoRA adapts that model to another look of the same anatomy"
answer "$out/t1" - inverted "$out/inverted_before.jsonl"
"$osler" train recipes/slices/inverted_lora.yaml model="$out/t1" data="$out/data/inverted_train.jsonl" \
    eval_data="$out/data/inverted_test.jsonl@${PART:-0.3}" output_dir="$out/inverted" "$@"
answer "$out/t1" "$out/inverted" inverted "$out/inverted_after.jsonl"

echo
echo "held-out accuracy, 95 % Wilson intervals"
for task in t1 inverted; do
    for when in before after; do
        echo "$task, $when:"
        "$atlas" score "$out/data/${task}_test.jsonl" "$out/${task}_$when.jsonl"
    done
done
"$atlas" report "$out/t1/trainer_log.jsonl" "$out/inverted/trainer_log.jsonl" >"$out/report.html"
echo "loss curves: $out/report.html"
