#!/usr/bin/env python3
"""Goldens of the tokenizer tests: what the `tokenizers` library makes of strings chosen to be difficult.

  make_tokenizer_golden.py golden TOKENIZER.json OUT.jsonl [--strings N]   ids and decoded text
  make_tokenizer_golden.py train qwen2|llama3|gpt2 OUT.json                a small tokenizer of that layout

A line is {"text", "ids", "decoded", "plain"}: decoded is left out where it equals text, plain (without special tokens)
where it equals decoded.  Lines without "text" are for decoding alone: their ids end inside characters.
Everything is drawn from fixed seeds.  Needs `tokenizers`; for developers, never needed to build or test.
"""
import argparse
import json
import random
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
           "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>"]
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CORPUS = """The heart is of normal size; the cardiothoracic ratio is 0.48. There is no pleural effusion and no pneumothorax.
A nodule of 7 mm lies in the right upper lobe, unchanged since the last examination on 2023-04-17.
The patient doesn't report chest pain. She's been treated with 0.3 mg/kg every 8 h (max 24 mg/day) and I'll re-check it.
CT of the abdomen: the liver measures 15.2 cm, the spleen 11 cm; both kidneys are unremarkable. WE'VE SEEN IT, THEY'RE FINE.
Die Lunge ist beidseits belüftet; kein Erguss, keine Stauung. Le cœur est de taille normale, sans épanchement.
患者的心脏大小正常。双肺清晰,无胸腔积液。 심장의 크기는 정상이다. 心臓の大きさは正常です。
Сердце нормальных размеров. القلب طبيعي الحجم. หัวใจมีขนาดปกติ हृदय का आकार सामान्य है।
def dose(weight_kg, mg_per_kg=0.3):\n    return min(weight_kg * mg_per_kg, 24.0)  # mg\n
""".split("\n") + ["Findings:\n\nNone.\n\nImpression:\n\nNormal.\n\n"] * 2

WORDS = """pneumothorax cardiomegaly effusion atelectasis consolidation the of and is Is IS NODULE nodule's mm cm µg/mL mg/kg °C ±
10^9/L mmol·L⁻¹ Na⁺ Ca²⁺ H₂O CO₂ β-blocker α₁-antitrypsin naïve café Ångström Ω Å ﬁne ﬂow ½ ² ① Ⅳ 12345 3.14159 1,000,000 0x1F""".split()

HAND = [
    "", " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r\n\r\n", "\n \n", " \n", "\n ", "\t\n", " \t \n \r ", "a\n", "a \n", "a  \n  b",
    "   a", "a   ", "a   b", "a \t b", "\u00a0", "a\u00a0b", "a\u00a0\u00a0b", "\u0085", "a\u0085b", "a\u0085\u0085 b", "\u180ea", "a \u180e b",
    "\u200b", "a\u200bb", "\u2028", "\u2029", "a\u2028\u2029b", "\u3000\u3000a", "\u1680x", "\u2000\u2001\u2002a", "\u202f5\u202fmg", "\u205f=",
    "\ufeffbom", "a\x0bb\x0cc", "\x1c\x1d\x1e\x1f", "\x00", "a\x00b", "\x00\x00", "\x01\x02\x7f\x80\x9f", "\x85\x85",
    "I'm you're he's she'd we've they'll don't", "I'M YOU'RE HE'S SHE'D WE'VE THEY'LL DON'T", "'s 's 'S 'ſ 'll 'LL 'lL 'Ll 'x '' '",
    "’s ’S I’m we’ll", "x'sy'tz'rea'veb'mc'lld'd", "'ſ'ſ", "'\u017fa", "'S'T'RE'VE'M'LL'D", "\n's", " 's", "''s", "'s's's", "o'clock rock'n'roll",
    "3", "33", "333", "3333333333", "3.14", "1,234,567.89", "½¾", "²³¹", "①②③", "ⅣⅤ", "٠١٢٣", "०१२", "𝟘𝟙𝟚", "一二三", "1a2b3c", "a1", "1 2  3",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "ａｂｃ１２３", "ǅ ǆ Ǆ", "ß ẞ ss SS", "İıIi", "ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ", "ŉ", "K Å Ω",
    "é e\u0301", "A\u030a", "\u212b", "o\u0302\u0301", "o\u0301\u0302", "a\u0323\u0307", "a\u0307\u0323", "s\u0323\u0307", "s\u0307\u0323", "\u1e9b\u0323",
    "\u0344", "\u0958", "\u09c7\u09be", "\u0b47\u0b56", "\u0bc6\u0bbe", "\u1100\u1161", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "\u1161\u11a8", "\u1100 \u1161", "\uac00\u11a7\u11a8", "\ufb1d", "\u05d9\u05b4", "\u0301", "\u0301\u0301", " \u0301", "\n\u0301", "a\u0301\u0301\u0301", "\u0f71\u0f72\u0f74", "\u0f73",
    "a\u0334\u0301\u0327\u0345", "a\u05b0\u094d\u3099", "か\u3099き\u3099は\u309a", "が", "\u2126\u212a\u212b", "\u2adc", "\U0001d15e", "\U0001d157\U0001d165",
    "\uf900\uf901", "\U0002f800", "\u037e\u0387", "\u1fef", "\u2000\u2001", "\u2329\u232a", "\u0340\u0341\u0343", "\U00011131\U00011127", "\U00011935\U00011930",
    "a\u1ab0\u1abf\u0301", "a\u0327\u08d3\u0301", "q\u0307\u0323\u1df6\u0316", "\u1b05\u1b35",
    "👍", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷🇯🇵", "❤️", "1️⃣", "🩻🫀🫁🦴", "👩🏿‍⚕️ says", "☺☺️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\ufe0f", "\u200d", "a\u200db", "a\u200cb",
    "مرحبا بالعالم", "السَّلَامُ عَلَيْكُمْ", "שָׁלוֹם עוֹלָם", "\u202eabc\u202c", "नमस्ते दुनिया", "क्षत्रिय", "வணக்கம்", "తెలుగు", "ಕನ್ನಡ", "മലയാളം", "বাংলা", "සිංහල",
    "สวัสดีชาวโลก", "ស្វាគមន៍", "မြန်မာ", "བོད་ཡིག", "ລາວ", "ᠮᠣᠩᠭᠣᠯ", "አማርኛ", "Ελληνικά ά", "Ελληνικά", "Привет, мир!", "ქართული", "հայերեն",
    "你好世界", "我想在apple工作1314151天～", "日本語テキスト", "안녕하세요", "한국어", "𠀀𠮷𪛖", "⼀⼁", "「引用」、。!?", "漢字kanji混合123",
    "https://example.org/a_b?c=d&e=%20f#g", "user.name+tag@mail.example.com", "/usr/local/lib/x86_64-linux-gnu/libfoo.so.1", "C:\\Users\\x\\y.txt",
    "for (int i = 0; i < n; i++) { a[i] += b[i]; }\n", "\tif x:\n\t\treturn -1\n", "#include <stdio.h>\r\n\r\nint main(void)\r\n{\r\n}\r\n",
    "<think>\nThe nodule...\n</think>\n<answer>B</answer>", "{\"a\": [1, 2.5e-3, null]}", "```python\nprint('x')\n```", "$\\frac{1}{2}\\int_0^\\infty e^{-x^2}dx$",
    "∑ᵢ xᵢ² ≤ ∞", "∀x∈ℝ: ⌈x⌉ ≥ x", "x²+y²=z²", "5 µg/mL", "5 μg/mL", "37.5 °C", "37.5 ℃", "±0.5 mm", "10⁻⁶ m", "pO₂ 95 mmHg", "[¹⁸F]FDG", "²²³Ra", "IL‑6 ↑, CRP ↓", "1½ tablets", "Na⁺/K⁺-ATPase",
    "2‑chloro‑N,N‑dimethyl", "(2R,3S)-2,3-dihydroxy", "T₁-weighted, T2*", "5′-ATG-3′", "≥ 5 ≤ 3 ≠ 2 ≈ 1", "BI-RADS® 4a", "a—b–c‑d−e", "…", "...", "?!?!", "!!!!!!", " !", " !!\n\n", "()[]{}<>", " ()", "\"'`´", "§¶†‡",
    "\ufffd", "a\ufffdb", "\ufffd\ufffd", "\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\ue000", "\U000f0000", "\U0010ffff", "\u0378", "\U000e0001", "\U00050000",
    "a" * 300, "ab" * 200, "0" * 100, " " * 200, "\n" * 100, " \n" * 50, "-" * 150, "=" * 81, "é" * 100, "e\u0301" * 50, "漢" * 80, "👍" * 40, " a" * 60, "\t" * 40,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "pneumonoultramicroscopicsilicovolcanoconiosis",
    "supercalifragilisticexpialidocious" * 4, "AAAAAAAAAAAAAAAAAAAAAAAAAaaaaaaaaaaaaaaaaaaaaaaaaa", "xXxXxXx", "camelCaseAndPascalCaseAndSNAKE_CASE",
    "<|im_start|>", "<|im_end|>", "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n", "<|im_end", "<|im_end|", "|im_end|>", "<|im_end|>>", "<<|im_end|>",
    "<|image_pad|><|image_pad|>", "<|vision_start|><|image_pad|><|vision_end|>What?", "a<|im_end|>b", "a <|im_end|> b", " <|im_end|>", "<|im_end|> ", "<|im_end|>\n",
    "<|IM_END|>", "<| im_end |>", "<|im_\u0065nd|>", "<|im_end|>\u0301", "e<|im_end|>\u0301", "<|endoftext|><|endoftext|>", "<|im_end|><|im_start|>user\n",
    "<|im_start|><|im_start", "<tool_call>{}</tool_call>", "<tool_call", "<|fim_prefix|>x<|fim_suffix|>", "<|video_pad|><|vision_pad|>", "'<|im_end|>s", "don'<|im_end|>t",
    "1<|im_end|>2", "\n<|im_end|>\n\n<|im_start|>\n", "  <|im_end|>  ", "<|box_start|>(1,2),(3,4)<|box_end|>",
]
OPTIONS = [  # for tokenizers whose added tokens take white space along, need word borders or are matched after NFC
    "a <L> b", "a  \n<L>b", "<L> <L>", "a <R> b", "a<R>  \n b", "<R> <R>", "a  <LR>  b", "<R> <L>", "<LR>\u00a0\u3000<LR>", "word", "a word b", "aword", "worda", "word_", "(word)",
    "word1", "\u0301word", "word\u0301", "éword", "漢word", "ⓐword", "word\u200d", "-word-", "wordword", "word word", "cafe\u0301", "café", "un cafe\u0301 noir", "cafés", "Cafe\u0301",
    "zzz", " zqx", "a zzz zqx", "éé", "<x>", "<x>y", "<x>yz", "<x><x>y", "é<L>e\u0301<R>\u0301", "<|im_end|> <L> <|im_end|>", "<R><|im_end|>", "<R> \n<|im_start|>", "<L", "L>",
]


def planes(rng, n):
    """Random code points of a random plane, mixed with ASCII."""
    def one():
        while True:
            k = rng.random()
            c = rng.randrange(0x20, 0x7f) if k < .3 else rng.randrange(0x80, 0x3000) if k < .6 else rng.randrange(0x110000)
            if not 0xd800 <= c < 0xe000:
                return chr(c)
    return "".join(one() for _ in range(n))


def strings(n):
    """The hand-made strings, then mixtures: words, spaces, marks in any order, pieces of every string above."""
    rng = random.Random(7)
    marks = [chr(c) for c in range(0x300, 0x110000) if unicodedata.combining(chr(c))]
    spaces = [" ", "  ", "\n", "\t", " \n", "\u00a0", "\r\n", "\u3000", ""]
    out = HAND + OPTIONS
    while len(out) < n:
        k = len(out) % 5
        if k == 0:
            s = planes(rng, rng.randrange(1, 30))
        elif k == 1:
            s = "".join(rng.choice(WORDS) + rng.choice(spaces) for _ in range(rng.randrange(2, 12)))
        elif k == 2:
            s = "".join(rng.choice("aeo가ᄀ\u1161क") + "".join(rng.choice(marks) for _ in range(rng.randrange(4))) for _ in range(8))
        elif k == 3:
            s = "".join((lambda t: t[rng.randrange(len(t) + 1):][:9])(rng.choice(HAND)) for _ in range(6))
        else:
            t = "".join(rng.choice(CORPUS)[:40] + rng.choice(SPECIAL) for _ in range(2))
            i = rng.randrange(len(t))
            s = t[:i] + rng.choice(["", " ", "\n", "\u0301", "|>"]) + t[i + rng.randrange(3):]
        out.append(s)
    return out[:n]


def golden(path, out, n):
    tok = Tokenizer.from_file(path)
    rng = random.Random(11)
    rows = []
    for s in strings(n):
        ids = tok.encode(s, add_special_tokens=False).ids
        rows.append(dict(text=s, ids=ids))
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]  # bytes that stand for themselves
    letters = dict(zip(plain + [b for b in range(256) if b not in plain], sorted(pre_tokenizers.ByteLevel.alphabet())))
    for _ in range(n // 8):
        torn = [rng.choice([rng.randrange(256), rng.randrange(0xc0, 0xf8), rng.randrange(0x80, 0xc0)]) for _ in range(12)]
        ids = [tok.token_to_id(letters[b]) for b in torn] + [rng.randrange(tok.get_vocab_size()) for _ in range(4)]
        rows.append(dict(ids=ids + tok.encode("é漢👍").ids[:rng.randrange(5)]))
    with open(out, "w") as f:
        for r in rows:
            decoded = tok.decode(r["ids"], skip_special_tokens=False)
            plain = tok.decode(r["ids"], skip_special_tokens=True)
            r.update({} if decoded == r.get("text") else dict(decoded=decoded), **({} if plain == decoded else dict(plain=plain)))
            f.write(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n")


def train(layout, out):
    tok = Tokenizer(models.BPE(ignore_merges=layout == "llama3"))
    if layout != "gpt2":
        tok.normalizer = normalizers.NFC()
        pattern = PATTERN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1) if layout == "llama3" else PATTERN
        tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                     pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    extra = [AddedToken("<tool_call>", special=False, normalized=False), AddedToken("</tool_call>", special=False, normalized=False)]
    if layout != "qwen2":
        extra = [AddedToken("<L>", lstrip=True, normalized=False), AddedToken("<R>", rstrip=True, normalized=False),
                 AddedToken("<LR>", lstrip=True, rstrip=True, normalized=True), AddedToken("word", single_word=True, normalized=True),
                 AddedToken("cafe\u0301", normalized=True), AddedToken("<x>", normalized=False), AddedToken("<x>y", normalized=False)]
    tok.train_from_iterator(CORPUS * 3, trainers.BpeTrainer(
        vocab_size=640 - len(SPECIAL) - len(extra), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    tok.add_tokens(extra)
    j = json.loads(tok.to_str())
    if layout == "gpt2":  # the older way to write merges
        j["model"]["merges"] = [" ".join(m) for m in j["model"]["merges"]]
    if layout == "llama3":  # tokens that no merge leads to: found only where merges are ignored
        n = len(j["model"]["vocab"])
        for k, w in enumerate(("Ġzqx", "zzz", "Ã©Ã©")):
            j["model"]["vocab"][w] = n + k
        for a in j["added_tokens"]:
            a["id"] += 3
    with open(out, "w") as f:
        json.dump(j, f, ensure_ascii=False, separators=(",", ":"))
    Tokenizer.from_file(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = ap.add_subparsers(dest="verb", required=True)
    g = sub.add_parser("golden")
    g.add_argument("tokenizer")
    g.add_argument("out")
    g.add_argument("--strings", type=int, default=700)
    t = sub.add_parser("train")
    t.add_argument("layout", choices=["qwen2", "llama3", "gpt2"])
    t.add_argument("out")
    a = ap.parse_args()
    if a.verb == "golden":
        golden(a.tokenizer, a.out, a.strings)
    else:
        train(a.layout, a.out)


main()
