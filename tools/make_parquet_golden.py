#!/usr/bin/env python3
"""Writes tests/data/parquet: one table, stored by pyarrow in every way that Osler reads, and its cells as text.

    pip install pyarrow pillow numpy;  tools/make_parquet_golden.py [FOLDER [ROWS [SEED]]]

all.jsonl         a line per row: an object of all columns, bytes as {"b": hexadecimal}, reals with 17 digits
few.jsonl         the same of the columns FEW
all_<codec>_v<page version>_<plain|dict>.parquet   the table: several row groups, several pages in each
few_<codec>_...   the columns FEW with each of the codecs
all_delta_v1.parquet, all_delta_v2.parquet         with DELTA_* and BYTE_STREAM_SPLIT where they fit
all_checked.parquet   with checksums, a page index and the older names of list elements
empty.parquet     no rows;  brotli.parquet: a codec that Osler does not read
pictures.parquet  samples: columns figure {bytes, path} and images (a list of those) with PNGs;  pictures.jsonl: their pixels' sums

With a folder and a number of rows it makes bigger ones there, to be compared with by hand.
"""
import decimal
import io
import json
import os
import sys

import numpy
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "tests", "data", "parquet")
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 24
RNG = numpy.random.default_rng(int(sys.argv[3]) if len(sys.argv) > 3 else 20)
os.makedirs(OUT, exist_ok=True)
WORDS = ["", "heart", "Leber", "π", "心脏", 'a "quote"', "two\nlines", "x" * 90, "no", "yes", "tab\there", "\x01"]


def some(make, null=0.25):
    return None if RNG.random() < null else make()


def column(make, null=0.0):
    return [some(make, null) for _ in range(ROWS)]


def listed(make, null=0.0, longest=4):
    return lambda: [some(make, null) for _ in range(RNG.integers(0, longest + 1))]


def integer(bits, low=None):
    low = -(1 << (bits - 1)) if low is None else low
    return lambda: int(RNG.integers(low, (1 << (bits - 1)) - 1, endpoint=True)) >> int(RNG.integers(0, bits))


def word():
    return WORDS[RNG.integers(len(WORDS))]


def blob():
    return RNG.bytes(int(RNG.integers(0, 12)))


def real():
    return float(RNG.choice([0.0, -0.0, 1.5, 1e-300, -3.25e20, float("inf"), RNG.normal()]))


def image():
    return {"bytes": some(blob), "path": some(word)}


def turn():
    return {"role": word(), "content": some(word)}


TABLE = pa.table({
    "flag": pa.array(column(lambda: bool(RNG.random() < 0.5)), pa.bool_()),
    "flag_n": pa.array(column(lambda: bool(RNG.random() < 0.5), 0.3), pa.bool_()),
    "i8": pa.array(column(integer(8)), pa.int8()),
    "i32": pa.array(column(integer(32)), pa.int32()),
    "i32_n": pa.array(column(integer(32), 0.3), pa.int32()),
    "i64": pa.array(column(integer(64)), pa.int64()),
    "u32": pa.array(column(lambda: int(RNG.integers(0, 1 << 32))), pa.uint32()),
    "u64": pa.array(column(lambda: int(RNG.integers(0, 1 << 62))), pa.uint64()),
    "day": pa.array(column(lambda: int(RNG.integers(0, 20000)), 0.2), pa.date32()),
    "f16": pa.array([numpy.float16(RNG.normal()) for _ in range(ROWS)], pa.float16()),
    "f32": pa.array([numpy.float32(real()) for _ in range(ROWS)], pa.float32()),
    "f64_n": pa.array(column(real, 0.3), pa.float64()),
    "price": pa.array(column(lambda: decimal.Decimal(int(RNG.integers(-10**6, 10**6))).scaleb(-2), 0.2), pa.decimal128(9, 2)),
    "text": pa.array(column(word), pa.string()),
    "text_n": pa.array(column(word, 0.3), pa.string()),
    "blob": pa.array(column(blob, 0.3), pa.binary()),
    "code": pa.array(column(lambda: RNG.bytes(5), 0.2), pa.binary(5)),
    "none": pa.array([None] * ROWS, pa.string()),
    "image": pa.array(column(image, 0.2), pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    "words": pa.array(column(listed(word, 0.2), 0.2), pa.list_(pa.string())),
    "numbers": pa.array(column(listed(integer(32))), pa.list_(pa.int32())),
    "images": pa.array(column(listed(image, 0.1, 3), 0.1), pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
    "turns": pa.array(column(listed(turn)), pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    "columns": pa.array(column(lambda: {"role": listed(word)(), "loss": some(listed(lambda: True))}),
                        pa.struct([("role", pa.list_(pa.string())), ("loss", pa.list_(pa.bool_()))])),
    "deep": pa.array(column(listed(listed(lambda: {"x": some(integer(16)), "y": some(listed(word, 0.2))}, 0.2), 0.2), 0.2),
                     pa.list_(pa.list_(pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))])))),
    "options": pa.array([[(k, word()) for k in "ABCD"[:RNG.integers(0, 5)]] for _ in range(ROWS)],
                        pa.map_(pa.string(), pa.string())),
    "label": pa.array(column(lambda: int(RNG.integers(0, 3))), pa.int64()),
}, schema=None)
REQUIRED = {"flag", "i32", "i64", "u32", "f32", "text"}
SCHEMA = pa.schema([f.with_nullable(f.name not in REQUIRED) for f in TABLE.schema])
TABLE = TABLE.cast(SCHEMA)


FEW = ["flag_n", "i32_n", "text", "image", "words", "images"]


def shown(v, kind):
    if v is None:
        return "null"
    if pa.types.is_list(kind):
        return "[" + ",".join(shown(x, kind.value_type) for x in v) + "]"
    if pa.types.is_map(kind):
        return "[" + ",".join('{"key":%s,"value":%s}' % (shown(a, kind.key_type), shown(b, kind.item_type)) for a, b in v) + "]"
    if pa.types.is_struct(kind):
        return "{" + ",".join(json.dumps(f.name) + ":" + shown(v[f.name], f.type) for f in kind) + "}"
    if pa.types.is_date(kind):
        return str((v - __import__("datetime").date(1970, 1, 1)).days)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "%.17g" % float(v)
    if isinstance(v, bytes):
        return '{"b":"%s"}' % v.hex()
    return json.dumps(v, ensure_ascii=False).replace("\\t", "\\u0009")


def expectation(table):
    for row in table.to_pylist():
        yield "{" + ",".join(json.dumps(f.name) + ":" + shown(row[f.name], f.type) for f in table.schema) + "}"


def path(name):
    return os.path.join(OUT, name)


def write(name, **options):
    table = TABLE.select(FEW) if name.startswith("few") else TABLE
    pq.write_table(table, path(name + ".parquet"), row_group_size=max(ROWS // 2, 1), write_statistics=False, store_schema=False,
                   write_batch_size=8, data_page_size=max(ROWS * 3, 64), **options)


def png(n):
    pixels = numpy.uint8(numpy.add.outer(numpy.arange(5 + n) * 7, numpy.arange(6) * 11 + n))
    out = io.BytesIO()
    Image.fromarray(pixels).convert("RGB").save(out, "PNG")
    return out.getvalue(), int(pixels.sum()) * 3, 6, 5 + n


def write_pictures():
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    made = [png(n) for n in range(12)]
    cell = [{"bytes": m[0], "path": None} for m in made]
    table = pa.table({
        "id": pa.array(["a", "b", "c", "d"]),
        "figure": pa.array([cell[0], cell[1], None, {"bytes": None, "path": "beside.png"}], kind),
        "images": pa.array([[cell[2]], [], [cell[3], cell[4], cell[5]], None], pa.list_(kind)),
        "problem": pa.array(["<image>Which?", "What is it?", "<image><image><image>All?", "None?"]),
        "answer": pa.array(["A", "B", "C", "D"]),
    })
    pq.write_table(table, path("pictures.parquet"), compression="snappy", row_group_size=3, store_schema=False)
    with open(path("beside.png"), "wb") as f:
        f.write(made[6][0])
    with open(path("pictures.jsonl"), "w") as f:
        for ref, k in [("row=0&column=figure", 0), ("row=1&column=figure", 1), ("row=3&column=figure", 6),
                       ("row=0&column=images", 2), ("row=2&column=images", 3), ("row=2&column=images&item=1", 4),
                       ("item=2&column=images&row=2", 5)]:
            f.write(json.dumps({"ref": "pictures.parquet#" + ref, "sum": made[k][1], "w": made[k][2], "h": made[k][3]}) + "\n")


for name, table in ("all", TABLE), ("few", TABLE.select(FEW)):
    with open(path(name + ".jsonl"), "w") as f:
        f.writelines(line + "\n" for line in expectation(table))
for codec in ["none", "snappy", "gzip", "zstd"]:
    for version in [1, 2]:
        for kind in ["plain", "dict"]:
            write(f"{'all' if codec == 'none' else 'few'}_{codec}_v{version}_{kind}", compression=codec,
                  data_page_version=f"{version}.0", use_dictionary=kind == "dict")
ENCODING = {"i32": "DELTA_BINARY_PACKED", "i32_n": "DELTA_BINARY_PACKED", "i64": "DELTA_BINARY_PACKED", "i8": "BYTE_STREAM_SPLIT",
            "f32": "BYTE_STREAM_SPLIT", "f64_n": "BYTE_STREAM_SPLIT", "text": "DELTA_BYTE_ARRAY", "code": "DELTA_BYTE_ARRAY",
            "text_n": "DELTA_LENGTH_BYTE_ARRAY", "blob": "DELTA_BYTE_ARRAY", "f16": "BYTE_STREAM_SPLIT", "flag": "RLE",
            "words.list.element": "DELTA_BYTE_ARRAY", "numbers.list.element": "DELTA_BINARY_PACKED",
            "deep.list.element.list.element.x": "DELTA_BINARY_PACKED", "none": "DELTA_BYTE_ARRAY"}
for version in [1, 2]:
    write(f"all_delta_v{version}", compression="zstd", data_page_version=f"{version}.0", use_dictionary=False,
          column_encoding=ENCODING)
write("all_checked", compression="snappy", write_page_checksum=True, write_page_index=True,
      use_compliant_nested_type=False)
if len(sys.argv) <= 1:
    pq.write_table(TABLE.slice(0, 0), path("empty.parquet"), store_schema=False)
    pq.write_table(TABLE.slice(0, 2).select(["text"]), path("brotli.parquet"), compression="brotli", store_schema=False)
    write_pictures()
