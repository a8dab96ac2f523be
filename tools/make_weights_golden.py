#!/usr/bin/env python3
"""Writes tests/data/weights: what the safetensors and PEFT packages make of a file and of a configuration.

    pip install torch safetensors peft;  tools/make_weights_golden.py

python.safetensors   one tensor of every format, tensor i of format t holding (7 * k + i) % 100 for element k
peft_targets.json    for configurations as users write them: which modules are targets, with which r and scale
"""
import json
import math
import os

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import _ExcludedModule, check_target_module_exists
from peft.utils.other import get_pattern_key
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(__file__), "..", "tests", "data", "weights")

FORMATS = {
    "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "F64": torch.float64, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}


def write_tensors():
    tensors = {}
    for i, (name, dtype) in enumerate(FORMATS.items()):
        values = (7 * torch.arange(3 * (i + 1)) + i) % 100
        tensors[f"x.{name}"] = values.reshape(3, i + 1).to(dtype)
    save_file(tensors, os.path.join(OUT, "python.safetensors"), metadata={"format": "pt"})


def modules():
    """Linears (and the one convolution) of a Qwen2.5-VL with two blocks each, in both layouts, and the head."""
    decoder = [f"self_attn.{x}_proj" for x in "qkvo"] + [f"mlp.{x}_proj" for x in ("gate", "up", "down")]
    vision = ["attn.qkv", "attn.proj"] + [f"mlp.{x}_proj" for x in ("gate", "up", "down")]
    names = []
    for language, visual in (("model.language_model", "model.visual"), ("model", "visual")):
        names += [f"{language}.layers.{i}.{m}" for i in (0, 11) for m in decoder]
        names += [f"{visual}.blocks.{i}.{m}" for i in (0, 7) for m in vision]
        names += [f"{visual}.merger.mlp.0", f"{visual}.merger.mlp.2", f"{visual}.patch_embed.proj"]
    return names + ["lm_head"]


LLAMA_FACTORY = r"^(?!.*(?:visual|lm_head)).*(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj).*"

CONFIGS = [
    dict(target_modules=["q_proj", "v_proj"]),
    dict(target_modules=["proj"]),
    dict(target_modules=["_proj"]),
    dict(target_modules=["mlp.0", "qkv"]),
    dict(target_modules=["model.language_model.layers.0.mlp.up_proj", "lm_head"]),
    dict(target_modules=r".*"),
    dict(target_modules=r"q_proj"),
    dict(target_modules=r".*q_proj"),
    dict(target_modules=r".*\.(q|k)_proj$"),
    dict(target_modules=LLAMA_FACTORY),
    dict(target_modules=r"model\.language_model\.layers\.(?:[0-9]|1[01])\.self_attn\.(?P<which>[qkvo])_proj"),
    dict(target_modules=r".*(language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
                        r"|visual\.blocks.*\.(qkv|proj))$"),
    dict(target_modules=r"(?i).*\.MLP\.\w+(?<!down_proj)"),
    dict(target_modules=r".*layers\.(\d)\1\..*"),
    dict(target_modules=["q_proj", "up_proj"], exclude_modules=["self_attn.q_proj"]),
    dict(target_modules=["q_proj", "qkv", "up_proj"], exclude_modules=r".*visual.*"),
    dict(target_modules=r".*_proj", exclude_modules=["patch_embed.proj", "down_proj"]),
    dict(target_modules=["q_proj", "qkv"], layers_to_transform=0),
    dict(target_modules=["q_proj", "qkv", "mlp.0"], layers_to_transform=[7, 11]),
    dict(target_modules=["q_proj", "qkv"], layers_to_transform=[0, 7, 11], layers_pattern="layers"),
    dict(target_modules=["q_proj", "qkv"], layers_to_transform=[0, 7, 11], layers_pattern=["blocks", "h"]),
    dict(target_modules=["q_proj", "model.visual.blocks.7.attn.qkv"], layers_to_transform=[0]),
    dict(target_modules=["q_proj", "qkv", "up_proj"], r=16, lora_alpha=32,
         rank_pattern={"q_proj": 4, "model.language_model.layers.0.mlp.up_proj": 2, r"blocks\.\d+\.attn\.qkv": 64},
         alpha_pattern={r"layers\.1+\.mlp\.up_proj": 100, "k_proj|q_proj": 5}),
    dict(target_modules=["q_proj", "qkv"], r=7, lora_alpha=3, use_rslora=True, rank_pattern={"qkv": 9, "proj": 1}),
    dict(target_modules=["q_proj"], r=1, lora_alpha=0.5, lora_dropout=0.05),
]


def answer(config, module):
    hit = check_target_module_exists(config, module)
    if not hit or isinstance(hit, _ExcludedModule):
        return None
    r = config.rank_pattern.get(get_pattern_key(config.rank_pattern.keys(), module), config.r)
    alpha = config.alpha_pattern.get(get_pattern_key(config.alpha_pattern.keys(), module), config.lora_alpha)
    return [r, alpha / (math.sqrt(r) if config.use_rslora else r)]


def write_targets():
    cases = []
    for keys in CONFIGS:
        config = LoraConfig(**keys)
        hits = {m: answer(config, m) for m in modules()}
        cases.append({"config": {"peft_type": "LORA", **keys}, "targets": {m: a for m, a in hits.items() if a}})
    with open(os.path.join(OUT, "peft_targets.json"), "w") as f:
        json.dump({"modules": modules(), "cases": cases}, f, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    write_tensors()
    write_targets()
