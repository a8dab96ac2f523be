#!/usr/bin/env python3
"""Does transformers / PEFT compute what `osler score` wrote?  Developers only; needs torch, transformers, peft, pillow.

  compare_hf.py --model DIR [--adapter DIR] --data FILE --scores O.jsonl [--limit N]

--data is the file that was scored: `messages` JSONL or the public VQA-RAD JSON.  Prints the largest difference between
the log-probabilities (f32) and exits 1 where it is above 2e-4.
"""
import argparse
import json
import os

import torch
from PIL import Image
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


def images_of(path):
    """Image paths per sample, in file order."""
    base, text = os.path.dirname(path), open(path, encoding="utf-8").read()
    if text.lstrip().startswith("["):
        rows = json.loads(text)
        return [[os.path.join(base, "images", r["image_name"])] for r in rows]
    rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [[os.path.join(base, p) for p in r.get("images", [])] for r in rows]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--model", required=True)
    ap.add_argument("--adapter")
    ap.add_argument("--data", required=True)
    ap.add_argument("--scores", required=True)
    ap.add_argument("--limit", type=int, default=50)
    a = ap.parse_args()
    torch.set_num_threads(2)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(a.model, dtype=torch.float32, attn_implementation="eager")
    if a.adapter:
        from peft import PeftModel
        model = PeftModel.from_pretrained(model, a.adapter)
    model.eval()
    keys = ("min_pixels", "max_pixels", "patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std")
    settings = json.load(open(os.path.join(a.model, "preprocessor_config.json")))
    proc = Qwen2VLImageProcessorPil(**{k: settings[k] for k in keys if k in settings})
    image_token = model.config.image_token_id
    scores = [json.loads(line) for line in open(a.scores, encoding="utf-8")]
    worst, count = 0.0, 0
    for row, paths in list(zip(scores, images_of(a.data)))[: a.limit]:
        ids = torch.tensor([row["ids"]])
        kw = {}
        if paths:
            out = proc(images=[Image.open(p) for p in paths], return_tensors="pt")
            kw = dict(pixel_values=out["pixel_values"].float(), image_grid_thw=out["image_grid_thw"],
                      mm_token_type_ids=(ids == image_token).long())
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **kw).logits[0]
        lp = torch.log_softmax(logits[:-1].float(), -1).gather(-1, ids[0, 1:, None])[:, 0]
        lp = lp[torch.tensor(row["mask"][1:]).bool()]
        worst = max(worst, float((lp - torch.tensor(row["logp"])).abs().max()))
        count += len(lp)
    print(f"{count} targets, largest difference {worst:.2e}")
    raise SystemExit(worst > 2e-4)


main()
