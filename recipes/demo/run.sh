#!/usr/bin/env bash
# The demo: real brain slices, full fine-tuning from random weights, then LoRA, each scored on slices it never saw.
# Needs build/osler, build/atlas and Debian's mricron-data. Everything goes to demo/. `make demo` calls this.
set -euo pipefail
cd "$(dirname "$0")/../.."
osler=${OSLER:-build/osler}
atlas=${ATLAS:-build/atlas}
volume=/usr/share/mricron/templates/ch2.nii.gz
if [ ! -e "$volume" ]; then
    echo "error: $volume is missing" >&2
    echo "hint: apt-get install mricron-data (make deps does it where it may)" >&2
    exit 1
fi
rm -rf demo
mkdir -p demo

answer() { # MODEL ADAPTER-OR-- TASK OUT
    local adapter=()
    [ "$2" = - ] || adapter=(--adapter "$2")
    "$osler" generate --model "$1" "${adapter[@]}" --data "demo/data/$3_test.jsonl" --out "$4" --max_new_tokens 8 --dtype f32
}

echo "== data: slices of a T1 volume, answers from the AAL atlas"
"$atlas" make demo/data
wc -l demo/data/*.jsonl | sed 's/^/  /'
"$osler" data check demo/data/t1_train.jsonl demo/data/inverted_train.jsonl

echo "== a random checkpoint of the Qwen2.5-VL architecture"
"$osler" init --config recipes/demo/tiny/config.json --out demo/base --seed 1 --dtype f32

echo "== stage 1: full fine-tuning on T1 slices"
answer demo/base - t1 demo/t1_before.jsonl
"$osler" train recipes/demo/t1_full.yaml
answer demo/t1 - t1 demo/t1_after.jsonl

echo "== stage 2: LoRA adapts that model to another look of the same anatomy"
answer demo/t1 - inverted demo/inverted_before.jsonl
"$osler" train recipes/demo/inverted_lora.yaml
answer demo/t1 demo/inverted inverted demo/inverted_after.jsonl

echo
echo "held-out accuracy, 95 % Wilson intervals"
for task in t1 inverted; do
    for when in before after; do
        echo "$task, $when:"
        "$atlas" score "demo/data/${task}_test.jsonl" "demo/${task}_$when.jsonl"
    done
done
"$atlas" report demo/t1/trainer_log.jsonl demo/inverted/trainer_log.jsonl >demo/report.html
echo "loss curves: demo/report.html"
