#!/usr/bin/env bash
# The demo: a small model that sees medical pictures learns to reason about them. `make demo` calls this.
#
#   recipes/demo/run.sh [key=value of osler train ...]
#   OUT     where everything goes; default demo/clinic
#   CASES   to learn from, default 2000;  TEST   to be examined with, default 1200
#   SEED    of the cases and of the training; default 1
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${OUT:-demo/clinic} cases=${CASES:-2000} test=${TEST:-1200} seed=${SEED:-1}
osler=${OSLER:-build/osler}
base=recipes/demo/phantom-base
begin=$SECONDS
mkdir -p "$out"
(cd "$out" && rm -rf sft test base-direct base-think reason reason-direct reason-think report.html)

say() { echo; echo "== $(((SECONDS - begin) / 60)):$(printf %02d $(((SECONDS - begin) % 60)))  $*"; }

examine() { # PROMPT NAME OPTION...
    "$osler" eval --benchmark phantom --data "$out/test/data.jsonl" --prompt "$1" --max_new_tokens 480 --max_batch 64 \
        --out "$out/$2" "${@:3}" --quiet | sed -n '1,2p'
}

say "cases: $cases to learn from, with worked reasoning; $test others to be examined with (their own random numbers)"
"$osler" phantom --split sft --n "$cases" --seed "$seed" --out "$out/sft"
"$osler" phantom --split test --n "$test" --seed "$seed" --out "$out/test"
sed -n '/^Without looking/{N;s/\n/ /;s/ Both are.*//;p}' "$out/test/README.md"

say "before: $base answers at once, and after thinking"
examine direct base-direct --model $base
examine think base-think --model $base

say "training: LoRA on worked reasoning"
"$osler" train recipes/demo/reason.yaml model=$base data="$out/sft/data.jsonl" output_dir="$out/reason" seed="$seed" "$@"

say "after: the same questions"
examine direct reason-direct --model $base --adapter "$out/reason" --baseline "$out/base-direct"
examine think reason-think --model $base --adapter "$out/reason" --baseline "$out/base-direct"

say "done"
cat <<END
What came out: $out/report.html (every question with its picture, thinking and verdict); $out/reason is a PEFT adapter.
What the figures mean: right answers in per cent, 95 % Wilson intervals; phantom cases are test objects, not patients.

The same with a real model and your own data:
  osler train model=/models/Qwen2.5-VL-3B-Instruct data=mine.jsonl output_dir=runs/mine finetuning_type=lora --plan
  osler train model=/models/Qwen2.5-VL-3B-Instruct data=mine.jsonl output_dir=runs/mine finetuning_type=lora
  osler eval --model /models/Qwen2.5-VL-3B-Instruct --adapter runs/mine --benchmark vqa-rad --data VQA_RAD --out runs/mine/eval
END
cp "$out/reason-think/report.html" "$out/report.html"
