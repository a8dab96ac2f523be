#!/usr/bin/env python3
"""The demos' tokenizers: Qwen2.5's file layout, normaliser, pre-tokeniser and special tokens, few ordinary tokens.

  make_demo_tokenizer.py QWEN_TOKENIZER_JSON OUT_JSON                       recipes/slices/tiny: 497 ordinary tokens
  make_demo_tokenizer.py QWEN_TOKENIZER_JSON OUT_JSON 4082 TEXT ...         recipes/demo/phantom-base: of files of JSON

Needs the Python package `tokenizers` and Qwen2.5's tokenizer.json (for its regular expression). Developers only.
"""
import json
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
           "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
TEXT = """system
You are a helpful assistant.
user
assistant
Which region is marked? On which side of the patient is the mark? Which plane is shown? What is shown in the picture?
axial coronal sagittal left right frontal parietal temporal occipital cerebellum deep nuclei yes no
Is the heart enlarged? Is there a fracture? Which modality was used? Describe the lungs. Where is the lesion?
The image shows a chest radiograph. The heart is normal in size. Both lungs are clear; no effusion, no pneumothorax.
The diameter of the nodule measures millimetres. The ratio is larger than normal. There is no evidence of bleeding.
""".split("\n")



def strings(value):
    if isinstance(value, str):
        yield value
    for v in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(v)


def texts(paths):
    """Every string in files of JSON or of JSON lines."""
    for path in paths:
        text = open(path).read()
        rows = [json.loads(text)] if path.endswith(".json") else map(json.loads, text.splitlines())
        for row in rows:
            yield from strings(row)


def main():
    source, out = sys.argv[1:3]
    size, text = (int(sys.argv[3]), texts(sys.argv[4:])) if len(sys.argv) > 3 else (497, TEXT * 5)
    pattern = json.load(open(source))["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    tok = Tokenizer(models.BPE())
    tok.normalizer = normalizers.NFC()
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel(add_prefix_space=False, use_regex=False)
    tok.post_processor = processors.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)
    tok.train_from_iterator(text, trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    assert tok.get_vocab_size() == size, tok.get_vocab_size()
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tok.save(out)


main()
