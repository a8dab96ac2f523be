#!/usr/bin/env python3
"""What `osler bench first-token` times, with transformers: from the start of Python to the end of a one-token answer.

  tools/bench_first_token.py --model DIR [--image FILE] [--reps 3]          developers only: PyTorch, transformers
"""
import argparse
import os
import resource
import subprocess
import sys
import time

SYSTEM, PROMPT = "You are a helpful assistant.", "Describe what you see."
IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"


def answer(args):
    import torch
    from transformers import AutoProcessor, AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(args.model, dtype=torch.bfloat16)
    user = (IMAGE if args.image else "") + PROMPT
    text = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
    if args.image:
        from PIL import Image

        image = Image.open(args.image).convert("RGB")
        inputs = AutoProcessor.from_pretrained(args.model)(text=[text], images=[image], return_tensors="pt")
    else:
        inputs = AutoTokenizer.from_pretrained(args.model)(text, return_tensors="pt")
    with torch.no_grad():
        model.generate(**inputs, max_new_tokens=1, do_sample=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--image")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--once", action="store_true", help="one run, in this process")
    args = parser.parse_args()
    if args.once:
        return answer(args)
    seconds = []
    for _ in range(args.reps + 1):
        start = time.time()
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--once"], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.time() - start)
    seconds = seconds[1:]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"first-token {os.path.basename(os.path.normpath(args.model))} bf16: {min(seconds):.3f} s, "
          f"peak {peak:.2f} GiB, spread {max(seconds) / min(seconds):.2f}")


if __name__ == "__main__":
    main()
