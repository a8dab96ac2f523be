#!/bin/bash
# bench_peers.sh - Osler and its peers on the same work, side by side; `make bench` calls it.  All from the environment:
#
#   CONFIG   config.json of a Qwen2.5-VL; weights are random
#   CASES    of `osler bench peers`; default: lora full dpo grpo score decode
#   FLAGS    for both sides, as --ckpt or --batch 8
#   OURS     for Osler alone, as --shared or '--vision_cache build/images'
#   THEIRS   for the peer alone, as --ckpt where it needs that to fit in memory
#   REPS     timed steps of a run, on both sides; default 3
#   PEERS    a command that takes --config, --task, --reps and FLAGS and prints the line of `osler bench peers`;
#            empty: ours alone
#   LLAMA    a command that takes --config and prints "...: prefill N tok/s, decode N tok/s" of the language model alone
#   MODEL, PYTHON    a checkpoint directory, and a Python with transformers: process start to first token
#   IMAGES, PYTHON   a folder of image files, and a Python with transformers: files to patches
#   ROUNDS, CSV, OSLER
set -u
cd "$(dirname "$0")/.." || exit 1
export OSLER=${OSLER:-build/osler}
csv=${CSV:-docs/results/peers.csv}
if [ -z "${CONFIG:-}${MODEL:-}${IMAGES:-}" ]; then
    echo "which model?  make bench CONFIG=config.json [PEERS='python bench_peers.py']"
    exit 2
fi

DOCTOR=$("$OSLER" doctor) || exit 1
export DOCTOR

failed=0
compare() { # compare WORK OURS AGAINST PEER [OPTION...]
    tools/bench_side_by_side.sh --work "$1" --ours "$2" --against "$3" --peer "$4" --csv "$csv" \
        --rounds "${ROUNDS:-3}" "${@:5}" || failed=1
}

both=${FLAGS:+ $FLAGS} ours=${OURS:+ $OURS} theirs=${THEIRS:+ $THEIRS} reps=${REPS:-3}
if [ -n "${CONFIG:-}" ]; then
    name=$(basename "$CONFIG")
    for case in ${CASES-lora full dpo grpo score decode}; do
        compare "$case $name$both$ours" "$OSLER bench peers --config $CONFIG --case $case$both$ours --reps $reps" \
            "${PEERS:+transformers}" "${PEERS:+$PEERS --config $CONFIG --task $case$both$theirs --reps $reps}"
    done
    if [ -n "${LLAMA:-}" ]; then
        for case in prefill decode; do
            compare "$case $name" "$OSLER bench peers --config $CONFIG --case $case --reps $reps" \
                llama.cpp "$LLAMA --config $CONFIG" --peer_word "$case"
        done
    fi
fi
if [ -n "${MODEL:-}" ]; then
    compare "first token $(basename "$MODEL")" "$OSLER bench first-token --model $MODEL" "${PYTHON:+transformers}" \
        "${PYTHON:+$PYTHON tools/bench_first_token.py --model $MODEL}"
fi
if [ -n "${IMAGES:-}" ]; then
    for backend in torchvision torchvision-io; do
        compare "image files to patches" "$OSLER bench images --images $IMAGES --reps $reps" \
            "${PYTHON:+transformers, $backend}" \
            "${PYTHON:+$PYTHON tools/bench_images.py --images $IMAGES --reps $reps --backend $backend}"
    done
fi
exit $failed
