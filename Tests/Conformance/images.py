#!/usr/bin/env python3
"""Writes images.safetensors: image files and the pixels that Pillow reads from them. Each case has three tensors:
`file`, the bytes of the file; `size`, the numbers [height, width, channels]; and `pixels`, uint8 of this size.

Gray images are converted by `convert("L")` and other images by `convert("RGB")`, both of which drop transparency. Of
16-bit samples, `pixels` has the upper bytes.

usage: python3 images.py    (torch, numpy, safetensors, pillow)
"""

import io
import struct
import zlib

import numpy
import torch
from fixture import Fixture
from PIL import Image
from scene import scene


def picture(height, width, mode, seed=0):
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = scene(height, width, channels, seed)
    return Image.fromarray(values[..., 0] if channels == 1 else values, mode)


def stored(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


fixture = Fixture()


def add(case, file, pixels=None):
    image = Image.open(io.BytesIO(file))
    if pixels is None:
        pixels = numpy.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    fixture.add(
        case,
        file=torch.frombuffer(bytearray(file), dtype=torch.uint8),
        pixels=torch.from_numpy(pixels.copy()),
        size=list(pixels.shape),
    )


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunk(file, name, data):
    """A PNG file with an additional chunk after its header."""
    return file[:33] + chunk(name, data) + file[33:]


def wide(values):
    """A PNG file with 16 bits per sample, which Pillow does not write for colors."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def interlaced(levels):
    """A PNG file with 4 bits per sample in the seven passes of Adam7, which Pillow does not write."""
    height, width = levels.shape
    rows = b""
    for y, x, dy, dx in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        for row in levels[y::dy, x::dx]:
            padded = numpy.append(row, 0)[: len(row) + len(row) % 2]
            rows += b"\0" + (padded[::2] << 4 | padded[1::2]).astype(numpy.uint8).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 4, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


add("png-grey", stored(picture(13, 17, "L"), "PNG"))
add("png-rgb", stored(picture(13, 17, "RGB"), "PNG"))
add("png-rgba", stored(picture(13, 17, "RGBA"), "PNG"))
add("png-grey-alpha", stored(picture(13, 17, "LA"), "PNG"))
add("png-1-bit", stored(picture(13, 17, "L").convert("1"), "PNG"))
palette = picture(13, 17, "RGB").quantize(11)
add("png-palette", stored(palette, "PNG"))
add("png-palette-2-bits", stored(picture(13, 17, "RGB").quantize(4), "PNG", bits=2))
add("png-palette-transparent", stored(palette, "PNG", transparency=3))
add("png-rgb-transparent", stored(picture(13, 17, "RGB"), "PNG", transparency=(1, 2, 3)))
add("png-gamma", with_chunk(stored(picture(13, 17, "RGB"), "PNG"), b"gAMA", (100000).to_bytes(4, "big")))
for channels in (1, 2, 3, 4):
    values = (scene(13, 17, channels, 1).astype(numpy.uint16) << 8) + (255 - scene(13, 17, channels, 2))
    colors = channels if channels % 2 else channels - 1
    add(f"png-16-bits-{channels}", wide(values), (values[..., :colors] >> 8).astype(numpy.uint8))

levels = scene(13, 17, 1)[..., 0] >> 4
add("png-interlaced-4-bits", interlaced(levels), levels * 17)

add("jpeg-grey", stored(picture(29, 37, "L"), "JPEG", quality=90))
for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
    add(f"jpeg-{name}", stored(picture(29, 37, "RGB"), "JPEG", quality=90, subsampling=sampling))
add("jpeg-progressive", stored(picture(29, 37, "RGB"), "JPEG", quality=85, progressive=True))
add("jpeg-restarts", stored(picture(29, 37, "RGB"), "JPEG", quality=85, restart_marker_rows=1))
add("jpeg-rgb", stored(picture(29, 37, "RGB"), "JPEG", quality=90, keep_rgb=True))
add("jpeg-cmyk", stored(picture(29, 37, "CMYK"), "JPEG", quality=90))
exif = Image.Exif()
exif[0x0112] = 6
add("jpeg-orientation", stored(picture(29, 37, "RGB"), "JPEG", quality=75, exif=exif))
fixture.save()
