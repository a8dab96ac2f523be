#!/usr/bin/env python3
"""Times transformers' image processors on the work of `osler bench images --images DIR`.

    python tools/bench_images.py --images DIR [--max_pixels N] [--threads 2] [--reps 3] [--backend BACKEND] [--json]

Files to pixel_values in memory: decoding with EXIF orientation, smart-resize, normalisation, patches.  The work is
spread over the threads in both ways there are, one picture to a thread and all threads to a picture, and the faster
one counts.  Backends: torchvision (the fast processor on PIL's decoder), torchvision-io (the same on torchvision's own
decoder, JPEG and PNG only) and pil.  Prints a line per backend in the format of `osler bench images`.
"""
import argparse
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import torch
from PIL import Image, ImageOps


def decode_pil(path):
    with Image.open(path) as im:
        return ImageOps.exif_transpose(im).convert("RGB")


def decode_torchvision(path):
    from torchvision.io import ImageReadMode, decode_image, read_file
    return decode_image(read_file(path), mode=ImageReadMode.RGB, apply_exif_orientation=True)


def processor(backend, limits):
    import transformers
    if backend == "pil":
        return getattr(transformers, "Qwen2VLImageProcessorPil", transformers.Qwen2VLImageProcessor)(**limits)
    return getattr(transformers, "Qwen2VLImageProcessorFast", transformers.Qwen2VLImageProcessor)(**limits)


def timed(work, files, threads, reps):
    """Seconds of each of `reps` runs over all files, after one that does not count, in the faster of the two ways."""
    best = None
    for workers, inner in ((threads, 1), (1, threads)):
        torch.set_num_threads(inner)
        with ThreadPoolExecutor(workers) as pool:
            seconds = []
            for _ in range(reps + 1):
                start = time.perf_counter()
                list(pool.map(work, files))
                seconds.append(time.perf_counter() - start)
        if best is None or min(seconds[1:]) < min(best):
            best = seconds[1:]
        if threads == 1:
            break
    return sorted(best)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--images", required=True)
    ap.add_argument("--max_pixels", type=int, default=28 * 28 * 1280)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--reps", type=int, default=3)
    ap.add_argument("--backend", default="torchvision,torchvision-io,pil")
    ap.add_argument("--json", action="store_true")
    a = ap.parse_args()
    files = sorted(os.path.join(a.images, f) for f in os.listdir(a.images))
    for backend in a.backend.split(","):
        decode = decode_torchvision if backend == "torchvision-io" else decode_pil
        make = processor(backend, {"min_pixels": 56 * 56, "max_pixels": a.max_pixels})
        decoded = timed(decode, files, a.threads, a.reps)
        whole = timed(lambda f: make(images=[decode(f)], return_tensors="pt")["pixel_values"], files, a.threads, a.reps)
        rate, alone = len(files) / whole[0], len(files) / decoded[0]
        if a.json:
            print(json.dumps({"bench": "images", "program": backend, "files": len(files), "threads": a.threads,
                              "max_pixels": a.max_pixels, "reps": a.reps, "images_per_second": rate,
                              "decoded_per_second": alone, "best_s": whole[0], "worst_s": whole[-1]}))
        else:
            print(f"images {backend} files={len(files)} threads={a.threads} max_pixels={a.max_pixels}: {rate:.1f} "
                  f"images/s, decoding alone {alone:.1f}, spread {whole[-1] / whole[0]:.2f}", flush=True)


if __name__ == "__main__":
    main()
