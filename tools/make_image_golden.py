#!/usr/bin/env python3
"""Writes tests/data/image: small pictures of every kind Osler reads and what independent readers make of them.

    pip install pillow numpy pydicom nibabel torch transformers;  tools/make_image_golden.py

cases.txt     a line per case: the reference, and the largest difference allowed (2 where a lossy decoder has a choice)
expect.ppm    the expected pictures of these cases in order, one PPM after the other
resize.txt    a line per case: width and height that noise.png is resized to;  resize.ppm: by PIL's BICUBIC, in order
patches.txt   a line per case: picture, patch, merge, min_pixels, max_pixels, grid height and width
patches.f32   their patches in order, by transformers' Qwen2VLImageProcessorPil (alpha-free pictures)

8-bit pictures are what PIL's convert('RGB') says, with exif_transpose.  Where PIL has other rules than Osler (16 bits)
or cannot write a kind, the picture is made here from samples, and the expectation from the same samples.
"""
import io
import os
import struct
import zlib

import nibabel
import numpy
import pydicom
from PIL import Image, ImageOps
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian,
                         ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless)

OUT = os.path.join(os.path.dirname(__file__), "..", "tests", "data", "image")
RNG = numpy.random.default_rng(20)
W, H = 23, 17

cases = []   # (reference, tolerance, picture)


def path(name):
    return os.path.join(OUT, name)


def case(ref, rgb, tolerance=0):
    rgb = numpy.asarray(rgb)
    if rgb.ndim == 2:
        rgb = numpy.repeat(rgb[..., None], 3, axis=2)
    assert rgb.dtype == numpy.uint8 and rgb.shape[2] == 3, (ref, rgb.dtype, rgb.shape)
    cases.append((ref, tolerance, rgb))


def samples(channels, bits=8, w=W, h=H):
    """A gradient with noise over the whole range."""
    y, x, c = numpy.mgrid[0:h, 0:w, 0:channels]
    top = 2 ** bits - 1
    v = (x / (w - 1) * 0.6 + y / (h - 1) * 0.4 + 0.2 * c) % 1.0 * top + RNG.normal(0, top / 12, x.shape)
    return numpy.clip(numpy.rint(v), 0, top).astype(numpy.uint16 if bits > 8 else numpy.uint8)


def smooth(channels, w=W, h=H):
    y, x, c = numpy.mgrid[0:h, 0:w, 0:channels]
    return numpy.uint8(127 + 100 * numpy.sin(x / 5 + c) * numpy.cos(y / 4 - c))


def to_8(v, bits):
    return numpy.uint8(numpy.rint(v.astype(float) * 255 / (2 ** bits - 1)))


def by_pil(name):
    return numpy.array(ImageOps.exif_transpose(Image.open(path(name))).convert("RGB"))


def save(name, bytes_):
    with open(path(name), "wb") as f:
        f.write(bytes_)


# ---- PNG -------------------------------------------------------------------------------------------------------------

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_rows(v, bits):
    """Filter byte 0 and packed samples of every row. v: [h, w, channels]"""
    out = b""
    for row in v.reshape(v.shape[0], -1):
        if bits == 16:
            packed = row.astype(">u2").tobytes()
        else:
            unpacked = (row[:, None] >> numpy.arange(bits - 1, -1, -1)) & 1
            packed = numpy.packbits(unpacked.astype(numpy.uint8).ravel()).tobytes()
        out += b"\0" + packed
    return out


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def png(name, v, bits, kind, interlaced=False, before=b"", after=b""):
    h, w = v.shape[:2]
    if interlaced:
        raw = b"".join(png_rows(v[y::dy, x::dx], bits) for x, y, dx, dy in ADAM7 if v[y::dy, x::dx].size)
    else:
        raw = png_rows(v, bits)
    head = struct.pack(">IIBBBBB", w, h, bits, kind, 0, 0, int(interlaced))
    save(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(raw, 9)) + after
         + chunk(b"IEND", b""))


def exif_block(orientation, big):
    order = ">" if big else "<"
    return (b"MM\0*" if big else b"II*\0") + struct.pack(order + "IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)


def make_png():
    for bits in (1, 2, 4, 8, 16):
        v = samples(1, bits)
        png(f"gray{bits}.png", v, bits, 0)
        case(f"gray{bits}.png", to_8(v[..., 0], bits))
    for bits in (8, 16):
        for kind, channels, what in ((4, 2, "gray_alpha"), (2, 3, "rgb"), (6, 4, "rgba")):
            v = samples(channels, bits)
            png(f"{what}{bits}.png", v, bits, kind)
            colour = to_8(v if channels == 3 else v[..., :-1], bits)
            case(f"{what}{bits}.png", colour if colour.shape[2] == 3 else colour[..., 0])
    for bits in (1, 2, 4, 8):
        v = samples(1, bits)
        palette = RNG.integers(0, 256, (2 ** bits, 3), dtype=numpy.uint8)
        png(f"palette{bits}.png", v, bits, 3, before=chunk(b"PLTE", palette.tobytes()))
        case(f"palette{bits}.png", palette[v[..., 0]])
    clear = chunk(b"PLTE", palette.tobytes()) + chunk(b"tRNS", bytes(range(0, 256, 2)))
    png("palette_trns.png", v, 8, 3, before=clear)
    case("palette_trns.png", palette[v[..., 0]])
    for channels, kind, mark in ((1, 0, b"\0\x7f"), (3, 2, b"\0\1\0\2\0\3")):
        v = samples(channels)
        png(f"trns{channels}.png", v, 8, kind, before=chunk(b"tRNS", mark))
        case(f"trns{channels}.png", v if channels == 3 else v[..., 0])
    for bits, channels, kind in ((1, 1, 0), (16, 1, 0), (8, 3, 2), (16, 4, 6)):
        v = samples(channels, bits)
        png(f"interlaced{kind}_{bits}.png", v, bits, kind, interlaced=True)
        colour = to_8(v, bits)
        case(f"interlaced{kind}_{bits}.png", colour[..., :3] if channels > 1 else colour[..., 0])
    v = samples(3)
    png("exif_before.png", v, 8, 2, before=chunk(b"eXIf", exif_block(6, True)))
    png("exif_after.png", v, 8, 2, after=chunk(b"eXIf", exif_block(8, False)))
    case("exif_before.png", numpy.rot90(v, -1))
    case("exif_after.png", numpy.rot90(v, 1))
    png("one.png", samples(3, w=2, h=2)[:1, :1], 8, 2)
    case("one.png", by_pil("one.png"))
    for name, _, rgb in cases:
        if "16" not in name and "exif" not in name:
            assert (by_pil(name) == rgb).all(), name


# ---- JPEG, WebP ------------------------------------------------------------------------------------------------------

def pil(name, mode="RGB", tolerance=2, picture=None, **options):
    v = smooth(len(mode)) if picture is None else picture
    Image.fromarray(v[..., 0] if mode == "L" else v, mode).save(path(name), **options)
    case(name, by_pil(name), tolerance)


def make_jpeg_and_webp():
    pil("gray.jpg", "L")
    pil("cmyk.jpg", "CMYK", quality=90)
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        pil(f"rgb{name}.jpg", subsampling=sampling, quality=85)
    pil("progressive.jpg", progressive=True, quality=85)
    pil("rgb_stored.jpg", keep_rgb=True, quality=90)
    for orientation in range(1, 9):
        exif = b"Exif\0\0" + exif_block(orientation, orientation % 2 == 0)
        pil(f"exif{orientation}.jpg", exif=exif, quality=80)
    pil("lossy.webp", quality=80)
    pil("lossy_alpha.webp", "RGBA", quality=80)
    pil("lossless.webp", tolerance=0, lossless=True)
    pil("lossless_alpha.webp", "RGBA", tolerance=0, lossless=True, exact=True)
    pil("exif.webp", tolerance=0, lossless=True, exif=b"Exif\0\0" + exif_block(6, False))
    frames = [Image.fromarray(smooth(3)), Image.fromarray(255 - smooth(3))]
    frames[0].save(path("animated.webp"), save_all=True, append_images=frames[1:], lossless=True)
    case("animated.webp", smooth(3))


# ---- TIFF ------------------------------------------------------------------------------------------------------------

class Tiff:
    """A writer for the kinds PIL does not write: tiles, planes, odd depths, both byte orders."""

    def __init__(self, v, bits, photometric, big=False, tile=None, planar=False, tags=()):
        self.order = ">" if big else "<"
        self.v, self.bits, self.tile, self.planar = v, bits, tile, planar
        h, w, n = v.shape
        self.tags = {256: (4, [w]), 257: (4, [h]), 258: (3, [bits] * n), 259: (3, [1]), 262: (3, [photometric]),
                     277: (3, [n]), 284: (3, [2 if planar else 1])}
        self.tags.update(tags)

    def pack(self, part):
        rows = part.reshape(part.shape[0], -1)
        if self.bits == 16:
            return rows.astype(self.order + "u2").tobytes()
        bits = (rows[:, :, None] >> numpy.arange(self.bits - 1, -1, -1)) & 1
        return numpy.packbits(bits.reshape(rows.shape[0], -1).astype(numpy.uint8), axis=1).tobytes()

    def pieces(self, plane):
        h, w = plane.shape[:2]
        if not self.tile:
            return [self.pack(plane[y:y + 5]) for y in range(0, h, 5)]
        t, parts = self.tile, []
        for y in range(0, h, t):
            for x in range(0, w, t):
                part = numpy.zeros((t, t, plane.shape[2]), plane.dtype)
                piece = plane[y:y + t, x:x + t]
                part[:piece.shape[0], :piece.shape[1]] = piece
                parts.append(self.pack(part))
        return parts

    def save(self, name):
        planes = [self.v[..., c:c + 1] for c in range(self.v.shape[2])] if self.planar else [self.v]
        parts = [p for plane in planes for p in self.pieces(plane)]
        at, offsets = 8, []
        for p in parts:
            offsets.append(at)
            at += len(p) + len(p) % 2
        sizes = [len(p) for p in parts]
        if self.tile:
            self.tags.update({322: (4, [self.tile]), 323: (4, [self.tile]), 324: (4, offsets), 325: (4, sizes)})
        else:
            self.tags.update({273: (4, offsets), 278: (4, [5]), 279: (4, sizes)})
        entries, extra, extra_at = b"", b"", at + 2 + 12 * len(self.tags) + 4
        for tag in sorted(self.tags):
            kind, values = self.tags[tag]
            data = struct.pack(self.order + str(len(values)) + {3: "H", 4: "I"}[kind], *values)
            if len(data) > 4:
                place = struct.pack(self.order + "I", extra_at + len(extra))
                extra += data + b"\0" * (len(data) % 2)
            else:
                place = data.ljust(4, b"\0")
            entries += struct.pack(self.order + "HHI", tag, kind, len(values)) + place
        head = (b"MM\0*" if self.order == ">" else b"II*\0") + struct.pack(self.order + "I", at)
        body = b"".join(p + b"\0" * (len(p) % 2) for p in parts)
        save(name, head + body + struct.pack(self.order + "H", len(self.tags)) + entries + b"\0" * 4 + extra)


def cmyk_to_rgb(v):
    return numpy.array(Image.fromarray(v, "CMYK").convert("RGB"))


def make_tiff():
    for name, mode, code in (("lzw", "RGB", "tiff_lzw"), ("packbits", "RGB", "packbits"),
                             ("deflate", "L", "tiff_adobe_deflate")):
        pil(f"{name}.tif", mode, 0, compression=code)
    pil("jpeg.tif", compression="jpeg", quality=90)
    Image.fromarray(samples(1, 1)[..., 0] * 255).convert("1").save(path("fax.tif"), compression="group4")
    case("fax.tif", by_pil("fax.tif"))
    for bits in (1, 2, 4, 8, 16):
        for photometric, what in ((0, "white"), (1, "black")):
            v = samples(1, bits)
            Tiff(v, bits, photometric, big=bits == 16).save(f"{what}{bits}.tif")
            gray = to_8(v[..., 0], bits)
            case(f"{what}{bits}.tif", 255 - gray if photometric == 0 else gray)
    for name, bits, options in (("strips", 8, {}), ("tiles", 8, dict(tile=16)), ("planes", 8, dict(planar=True)),
                                ("tiled_planes", 16, dict(tile=16, planar=True)), ("strips16", 16, {})):
        v = samples(3, bits)
        Tiff(v, bits, 2, **options).save(f"{name}.tif")
        case(f"{name}.tif", to_8(v, bits))
    for bits in (4, 8):
        v = samples(1, bits)
        table = RNG.integers(0, 256, (3, 2 ** bits), dtype=numpy.uint8)
        Tiff(v, bits, 3, tags={320: (3, [int(x) * 257 for x in table.ravel()])}).save(f"palette{bits}.tif")
        case(f"palette{bits}.tif", table.T[v[..., 0]])
    v = samples(4)
    Tiff(v, 8, 5).save("cmyk.tif")
    case("cmyk.tif", cmyk_to_rgb(v))
    Tiff(v, 8, 2, tags={338: (3, [2])}).save("alpha.tif")
    case("alpha.tif", v[..., :3])
    Tiff(v, 8, 2, tags={338: (3, [1])}).save("premultiplied.tif")
    case("premultiplied.tif", by_pil("premultiplied.tif"))
    v = samples(3)
    Tiff(v, 8, 2, tags={274: (3, [5])}).save("turned.tif")
    case("turned.tif", v.transpose(1, 0, 2))
    two = [Image.fromarray(smooth(3)), Image.fromarray(255 - smooth(3))]
    two[0].save(path("pages.tif"), save_all=True, append_images=two[1:], compression="tiff_lzw")
    case("pages.tif", smooth(3))


# ---- DICOM -----------------------------------------------------------------------------------------------------------

def window(v, centre, width):
    """PS3.3 C.11.2.1.2.1"""
    y = ((v - (centre - 0.5)) / (width - 1) + 0.5) * 255 if width > 1 else numpy.zeros(v.shape)
    y = numpy.where(v <= centre - 0.5 - (width - 1) / 2, 0, y)
    return numpy.uint8(numpy.rint(numpy.where(v > centre - 0.5 + (width - 1) / 2, 255, y)))


def spread(v, lo, hi):
    """lo -> 0, hi -> 255"""
    return numpy.uint8(numpy.rint(numpy.clip((v - lo) / (hi - lo), 0, 1) * 255))


def dicom(name, v, photometric, allocated, stored=None, syntax=ExplicitVRLittleEndian, pixels=None, mark=True, **more):
    """v: [h, w], [frames, h, w] or [h, w, 3] as stored"""
    colour = v.ndim == 3 and v.shape[-1] == 3
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3.4"
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = v.shape[:2] if colour else v.shape[-2:]
    ds.BitsAllocated, ds.BitsStored = allocated, stored or allocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(v.dtype.kind == "i")
    if v.ndim == 3 and not colour:
        ds.NumberOfFrames = v.shape[0]
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    if pixels is None:
        pixels = v.astype(v.dtype.newbyteorder(order)).tobytes()
    encapsulated = syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian
    ds.PixelData = pixels if encapsulated else pixels + b"\0" * (len(pixels) % 2)
    ds["PixelData"].VR = "OB" if allocated <= 8 or encapsulated else "OW"
    for key, value in more.items():
        setattr(ds, key, value)
    if mark:
        ds.save_as(path(name), enforce_file_format=True)
    else:
        ds.save_as(path(name), implicit_vr=True, little_endian=True)
    return ds


def make_dicom_gray():
    v = samples(1)[..., 0]
    dicom("inverted.dcm", v, "MONOCHROME1", 8, WindowCenter=["100", "50"], WindowWidth=["120.5", "20"])
    case("inverted.dcm", 255 - window(v, 100, 120.5))
    case("inverted.dcm#window=50,1", 255 - window(v, 50, 1))
    ct = (samples(1, 12)[..., 0].astype(numpy.int16) - 1500)
    for name, syntax in (("ct", ExplicitVRLittleEndian), ("ct_big", ExplicitVRBigEndian),
                         ("ct_implicit", ImplicitVRLittleEndian), ("ct_deflated", DeflatedExplicitVRLittleEndian)):
        dicom(f"{name}.dcm", ct, "MONOCHROME2", 16, 12, syntax, RescaleSlope="2", RescaleIntercept="-24")
    hu = ct.astype(numpy.int64) % 4096
    hu = numpy.where(hu >= 2048, hu - 4096, hu) * 2.0 - 24      # 12 bits with their sign
    for name in ("ct", "ct_big", "ct_implicit", "ct_deflated"):
        case(f"{name}.dcm", spread(hu, hu.min(), hu.max()))
    case("ct.dcm#window=40,400", window(hu, 40, 400))
    case("ct.dcm#window=-0.5,1.5e3", window(hu, -0.5, 1500))
    dicom("unmarked.dcm", ct, "MONOCHROME2", 16, 12, ImplicitVRLittleEndian, mark=False, RescaleSlope="2",
          RescaleIntercept="-24")
    case("unmarked.dcm#frame=0&window=40,400", window(hu, 40, 400))
    many = numpy.stack([samples(1, 16)[..., 0] // (k + 1) for k in range(3)])
    dicom("frames.dcm", many, "MONOCHROME2", 16)
    for k in range(3):
        case(f"frames.dcm#frame={k}", spread(many[k].astype(float), many[k].min(), many[k].max()))
    wide = samples(1, 16)[..., 0].astype(numpy.uint32) * 70000
    dicom("wide.dcm", wide, "MONOCHROME2", 32, syntax=ExplicitVRBigEndian,
          pixels=wide.astype(">u4").tobytes())
    case("wide.dcm", spread(wide.astype(float), wide.min(), wide.max()))
    mask = RNG.integers(0, 2, (2, H, W), dtype=numpy.uint8)
    dicom("bits.dcm", mask, "MONOCHROME2", 1, pixels=numpy.packbits(mask.ravel(), bitorder="little").tobytes())
    for k in range(2):
        case(f"bits.dcm#frame={k}", mask[k] * 255)


def functional(slope, intercept, centre, width):
    item, scale, voi = Dataset(), Dataset(), Dataset()
    scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = slope, intercept, "US"
    voi.WindowCenter, voi.WindowWidth = centre, width
    item.PixelValueTransformationSequence = Sequence([scale])
    item.FrameVOILUTSequence = Sequence([voi])
    return item


def make_dicom_enhanced():
    v = numpy.stack([samples(1, 10)[..., 0] for _ in range(2)])
    one, two = functional("0.5", "-10", "100", "300"), functional("3", "7", "900", "2000")
    dicom("enhanced.dcm", v, "MONOCHROME2", 16, 10, PerFrameFunctionalGroupsSequence=Sequence([one, two]))
    case("enhanced.dcm#frame=0", window(v[0] * 0.5 - 10, 100, 300))
    case("enhanced.dcm#frame=1", window(v[1] * 3.0 + 7, 900, 2000))
    dicom("shared.dcm", v, "MONOCHROME2", 16, 10, SharedFunctionalGroupsSequence=Sequence([two]))
    case("shared.dcm#frame=0", window(v[0] * 3.0 + 7, 900, 2000))


def rgb_from_ybr(v):
    y, cb, cr = (v[..., k].astype(float) for k in range(3))
    rgb = numpy.stack([y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
                       y + 1.772 * (cb - 128)], -1)
    return numpy.uint8(numpy.clip(numpy.rint(rgb), 0, 255))


def make_dicom_colour():
    v = samples(3)
    dicom("colour.dcm", v, "RGB", 8, PlanarConfiguration=0)
    dicom("planar.dcm", v, "RGB", 8, PlanarConfiguration=1, pixels=v.transpose(2, 0, 1).tobytes())
    case("colour.dcm", v)
    case("planar.dcm", v)
    dicom("ybr.dcm", v, "YBR_FULL", 8, PlanarConfiguration=0)
    case("ybr.dcm", rgb_from_ybr(v))
    even = samples(3, w=W + 1)
    pairs = numpy.stack([even[:, 0::2, 0], even[:, 1::2, 0], even[:, 0::2, 1], even[:, 0::2, 2]], -1)
    dicom("ybr422.dcm", even, "YBR_FULL_422", 8, PlanarConfiguration=0, pixels=pairs.tobytes())
    doubled = even.copy()
    doubled[:, 1::2, 1:] = even[:, 0::2, 1:]
    case("ybr422.dcm", rgb_from_ybr(doubled))
    wide = samples(3, 16)
    dicom("colour16.dcm", wide, "RGB", 16, PlanarConfiguration=0)
    case("colour16.dcm", to_8(wide, 16))
    for bits in (8, 16):
        table = RNG.integers(0, 2 ** bits, (3, 200)).astype("<u2" if bits == 16 else "u1")
        index = samples(1)[..., 0]
        more = {}
        for c, colour in enumerate(("Red", "Green", "Blue")):
            more[f"{colour}PaletteColorLookupTableDescriptor"] = [200, 20, bits]
            more[f"{colour}PaletteColorLookupTableData"] = table[c].tobytes()
        dicom(f"palette{bits}.dcm", index, "PALETTE COLOR", 8, **more)
        level = to_8(table, bits)
        case(f"palette{bits}.dcm", level[:, numpy.clip(index.astype(int) - 20, 0, 199)].transpose(1, 2, 0))


def make_dicom_compressed():
    v = numpy.stack([samples(1, 16)[..., 0], samples(1, 16)[..., 0]]).astype(numpy.int16)
    ds = dicom("rle.dcm", v, "MONOCHROME2", 16, RescaleIntercept="5", RescaleSlope="1")
    ds.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    ds.save_as(path("rle.dcm"))
    case("rle.dcm#frame=1&window=0,9000", window(v[1] + 5.0, 0, 9000))
    colour = samples(3)
    ds = dicom("rle_colour.dcm", colour, "RGB", 8, PlanarConfiguration=0)
    ds.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    ds.save_as(path("rle_colour.dcm"))
    case("rle_colour.dcm", colour)

    def coded(picture, **options):
        b = io.BytesIO()
        Image.fromarray(picture).save(b, **options)
        return b.getvalue(), numpy.array(Image.open(io.BytesIO(b.getvalue())).convert("RGB"))
    gray = [coded(smooth(1)[..., 0] // (k + 1), format="JPEG", quality=90) for k in range(2)]
    dicom("jpeg.dcm", numpy.zeros((2, H, W), numpy.uint8), "MONOCHROME2", 8, syntax=JPEGBaseline8Bit,
          pixels=encapsulate([g[0] for g in gray], fragments_per_frame=2), WindowCenter="128", WindowWidth="256")
    for k in range(2):
        case(f"jpeg.dcm#frame={k}", gray[k][1], 2)
    data, picture = coded(smooth(3), format="JPEG", quality=90, subsampling=0)
    dicom("jpeg_colour.dcm", smooth(3), "YBR_FULL", 8, syntax=JPEGBaseline8Bit, pixels=encapsulate([data]),
          PlanarConfiguration=0)
    case("jpeg_colour.dcm", picture, 2)
    data, picture = coded(smooth(3), format="JPEG2000", no_jp2=True, irreversible=False, mct=1)
    dicom("j2k.dcm", smooth(3), "YBR_RCT", 8, syntax=JPEG2000Lossless, pixels=encapsulate([data]),
          PlanarConfiguration=0)
    case("j2k.dcm", smooth(3))
    data, picture = coded(samples(1, 16)[..., 0], format="JPEG2000", no_jp2=True, irreversible=False)
    deep = numpy.array(Image.open(io.BytesIO(data))).astype(numpy.uint16)
    dicom("j2k16.dcm", deep, "MONOCHROME2", 16, syntax=JPEG2000Lossless, pixels=encapsulate([data]))
    case("j2k16.dcm#window=30000,40000", window(deep.astype(float), 30000, 40000))


# ---- NIfTI -----------------------------------------------------------------------------------------------------------

def turn(axes, signs):
    """An affine whose stored axis i runs along patient axis axes[i] with sign signs[i]."""
    a = numpy.zeros((4, 4))
    for i, (axis, sign) in enumerate(zip(axes, signs)):
        a[axis, i] = sign * (1 + 0.25 * i)
    a[3, 3] = 1
    return a


def slices(ref, image, volume=None, win=None):
    """The three planes through the middle, from nibabel's closest canonical image."""
    canonical = nibabel.as_closest_canonical(image)
    v = numpy.asarray(canonical.get_fdata())
    v = v.reshape(v.shape[:3] + (-1,))[..., volume or 0]
    flat = v[numpy.isfinite(v)]
    lo, hi = numpy.percentile(flat, [0.5, 99.5])
    extra = "" if volume is None else f"&volume={volume}"
    extra += "" if win is None else f"&window={win[0]},{win[1]}"
    r, a, s = (n // 3 for n in v.shape)
    for plane, cut in (("sagittal", v[r, ::-1, ::-1].T), ("coronal", v[::-1, a, ::-1].T),
                       ("axial", v[::-1, ::-1, s].T)):
        cut = numpy.where(numpy.isnan(cut), -numpy.inf, cut)
        gray = spread(cut, lo, hi) if win is None else window(cut, *win)
        case(f"{ref}#{plane}={dict(sagittal=r, coronal=a, axial=s)[plane]}{extra}", gray)


def volume(dtype, shape=(7, 9, 5)):
    v = numpy.indices(shape[:3]).sum(0) * 9.0 + RNG.normal(0, 12, shape[:3])
    v = numpy.stack([v * (k + 1) for k in range(shape[3])], -1) if len(shape) > 3 else v
    dtype = numpy.dtype(dtype)
    return numpy.clip(v, 0 if dtype.kind == "u" else -100, 120).astype(dtype)


def nifti(name, data, affine, slope=None, inter=0, kind=nibabel.Nifti1Image, endian="<", form="sform"):
    header = kind.header_class(endianness=endian)
    header.set_data_dtype(data.dtype)
    image = kind(data, affine, header)
    if form == "qform":
        image.set_qform(affine, 1)
        image.set_sform(None, 0)
    if slope is not None:
        image.header.set_slope_inter(slope, inter)
    nibabel.save(image, path(name))
    return nibabel.load(path(name))


def make_nifti():
    kinds = {"u8": ("u1", (0, 1, 2), (1, 1, 1)), "i16": ("i2", (0, 1, 2), (-1, 1, 1)),
             "f32": ("f4", (0, 1, 2), (1, -1, -1)), "f64": ("f8", (1, 2, 0), (1, -1, 1)),
             "i8": ("i1", (2, 0, 1), (-1, -1, 1)), "u16": ("u2", (0, 2, 1), (1, 1, -1)),
             "i32": ("i4", (2, 1, 0), (-1, 1, -1)), "u32": ("u4", (1, 0, 2), (1, 1, 1)),
             "i64": ("i8", (0, 1, 2), (-1, -1, -1)), "u64": ("u8", (0, 1, 2), (-1, -1, 1))}
    for name, (dtype, axes, signs) in kinds.items():
        slices(f"{name}.nii", nifti(f"{name}.nii", volume(dtype), turn(axes, signs)))
    slices("i16.nii", nibabel.load(path("i16.nii")), win=(40, 80))
    ras = turn((0, 1, 2), (-1, -1, 1))
    slices("scaled.nii.gz", nifti("scaled.nii.gz", volume("i2"), ras, 0.5, -10))
    slices("negative.nii.gz", nifti("negative.nii.gz", volume("i2"), ras, -2.5, 3))
    slices("big.nii.gz", nifti("big.nii.gz", volume("f4"), ras, endian=">"))
    slices("four.nii.gz", nifti("four.nii.gz", volume("i2", (7, 9, 5, 3)), ras))
    slices("four.nii.gz", nibabel.load(path("four.nii.gz")), volume=2)
    slices("two.nii.gz", nifti("two.nii.gz", volume("f8"), ras, kind=nibabel.Nifti2Image))
    slices("pair.img", nifti("pair.img", volume("i2"), ras, kind=nibabel.Nifti1Pair))
    slices("packed.hdr.gz", nifti("packed.hdr.gz", volume("i2"), ras, kind=nibabel.Nifti1Pair))
    holes = volume("f4") / 120
    holes[1, 2, 3], holes[2, 3, 1], holes[6, 8, 4] = numpy.nan, numpy.inf, -numpy.inf
    slices("holes.nii.gz", nifti("holes.nii.gz", holes, ras))
    t, p = 0.5, 0.4      # turned by 0.5 and 0.4: still nearest to P, S, L
    tilt = numpy.array([[numpy.cos(t), -numpy.sin(t), 0], [numpy.sin(t), numpy.cos(t), 0], [0, 0, 1]]) @ \
        numpy.array([[1, 0, 0], [0, numpy.cos(p), -numpy.sin(p)], [0, numpy.sin(p), numpy.cos(p)]])
    oblique = numpy.eye(4)
    oblique[:3, :3] = tilt @ turn((1, 2, 0), (-1, 1, -1))[:3, :3]
    slices("oblique.nii.gz", nifti("oblique.nii.gz", volume("u1"), oblique, form="qform"))
    slices("oblique_s.nii.gz", nifti("oblique_s.nii.gz", volume("u1"), oblique))


# ---- resize, patches -------------------------------------------------------------------------------------------------

def ppm(rgb):
    return b"P6\n%d %d\n255\n" % (rgb.shape[1], rgb.shape[0]) + numpy.ascontiguousarray(rgb).tobytes()


def make_resize():
    noise = RNG.integers(0, 256, (45, 60, 3), dtype=numpy.uint8)
    Image.fromarray(noise).save(path("noise.png"))
    sizes = [(28, 28), (56, 56), (60, 20), (60, 90), (20, 45), (90, 45), (7, 5), (59, 21), (52, 40), (1, 1), (61, 3),
             (3, 50)]
    with open(path("resize.txt"), "w") as text, open(path("resize.ppm"), "wb") as out:
        for w, h in sizes:
            text.write(f"{w} {h}\n")
            out.write(ppm(numpy.array(Image.fromarray(noise).resize((w, h), Image.BICUBIC))))


def make_patches():
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    with open(path("patches.txt"), "w") as text, open(path("patches.f32"), "wb") as out:
        for name, patch, merge, least, most in (("rgb420.jpg", 14, 2, 784, 3136), ("noise.png", 4, 2, 64, 1024),
                                                ("gray8.png", 3, 3, 900, 2000)):
            processor = Qwen2VLImageProcessorPil(patch_size=patch, merge_size=merge, min_pixels=least, max_pixels=most)
            got = processor(images=[Image.open(path(name))], return_tensors="np")
            grid = got["image_grid_thw"][0]
            text.write(f"{name} {patch} {merge} {least} {most} {grid[1]} {grid[2]}\n")
            out.write(got["pixel_values"].astype("<f4").tobytes())


def main():
    os.makedirs(OUT, exist_ok=True)
    for make in (make_png, make_jpeg_and_webp, make_tiff, make_dicom_gray, make_dicom_enhanced, make_dicom_colour,
                 make_dicom_compressed, make_nifti, make_resize, make_patches):
        make()
    with open(path("cases.txt"), "w") as text, open(path("expect.ppm"), "wb") as out:
        for ref, tolerance, rgb in cases:
            text.write(f"{ref} {tolerance}\n")
            out.write(ppm(rgb))


if __name__ == "__main__":
    main()
