#!/usr/bin/env python3
"""Writes transforms.safetensors: image transforms by Pillow, PyTorch, torchvision and numpy. The input images are the
cases `picture 1` and `picture 3`: `pixels` is uint8 [23, 31, C], with C channels. Each other case is one transform of
the image with `channels` channels. It has the `output`, the output's `size`, and `numbers`, the arguments of the
transform:

  antialias, box               Pillow's resize: top, left, height, width of the crop
  bilinear, bicubic            F.interpolate with align_corners=False; the numbers are as for antialias. bicubic has
                               antialias=True. Pillow's bicubic resize is not used, because it clips to 0 ... 255 after
                               the first axis
  affine, rotate               torchvision.transforms.functional, bilinear: angle, right, down, scale, shear x, shear y,
                               fill
  brightness … hue             torchvision.transforms.functional: the factor
  gray                         Pillow's convert("L")
  pad                          numpy.pad: top, bottom, left, right
  center                       torchvision's center_crop
  gaussian, mean               one level of an image pyramid, at half the size: a binomial filter, or the mean of 2 x 2

usage: python3 transforms.py    (torch, torchvision, numpy, safetensors, pillow; torchvision may be built for another
PyTorch version)
"""

import importlib.util
import pathlib
import re

import numpy
import torch
from fixture import Fixture
from PIL import Image
from scene import scene

# The compiled operators of torchvision may belong to another PyTorch version. They are not needed here, but their names
# must be defined.
place = pathlib.Path(importlib.util.find_spec("torchvision").origin).parent
names = set(re.findall(r'(?:torchvision::|register_meta\(")(\w+)', (place / "_meta_registrations.py").read_text()))
for name in sorted(names | {"nms", "qnms"}):
    try:
        torch.library.define(f"torchvision::{name}", "(Tensor a) -> Tensor")
    except RuntimeError:
        pass
import torchvision.transforms.functional as F  # noqa: E402
from torchvision.transforms import InterpolationMode  # noqa: E402

fixture = Fixture()
picture = {channels: scene(23, 31, channels, 5) for channels in (1, 3)}


def add(case, image, output, *numbers):
    output = numpy.asarray(output)
    output = output.reshape(*output.shape[:2], -1)
    fixture.add(
        case,
        output=torch.from_numpy(output.copy()),
        size=list(output.shape),
        channels=[image.shape[2]],
        numbers=list(numbers),
    )


def pillow(image):
    return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)


def tensor(image):
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def array(tensor):
    return tensor.permute(1, 2, 0).contiguous().numpy()


for channels, image in picture.items():
    fixture.add(f"picture {channels}", pixels=torch.from_numpy(image))
filters = {"antialias": Image.BILINEAR, "box": Image.BOX}
for channels, image in picture.items():
    for height, width in ((10, 14), (40, 50), (23, 12), (30, 31), (3, 4), (1, 1), (22, 30)):
        for name, kind in filters.items():
            add(f"{name} {height}x{width} {channels}", image, pillow(image).resize((width, height), kind), 0, 0, 23, 31)
        for mode in ("bilinear", "bicubic"):
            planes = torch.nn.functional.interpolate(
                tensor(image)[None].double(),
                (height, width),
                mode=mode,
                align_corners=False,
                antialias=mode == "bicubic",
            )
            planes = planes[0].round().clamp(0, 255).to(torch.uint8)
            add(f"{mode} {height}x{width} {channels}", image, array(planes), 0, 0, 23, 31)
    part = pillow(image).crop((4, 3, 4 + 19, 3 + 17))
    add(f"antialias part {channels}", image, part.resize((12, 12), Image.BILINEAR), 3, 4, 17, 19)

    bilinear = {"interpolation": InterpolationMode.BILINEAR}
    for angle, right, down, scale, x, y, fill in (
        (0, 5, -3, 1, 0, 0, 0),
        (30, 0, 0, 1, 0, 0, 0),
        (-77, 2, 3, 0.7, 10, 0, 0),
        (12, 0, 0, 1.6, -15, 8, 0),
        (45, 1, 1, 1, 0, 0, 90),
    ):
        # The fill value is subtracted before the transform and added after it, so pixels outside of the input get this
        # value. With the argument `fill`, torchvision would interpolate edge pixels with zeros and then blend them with
        # the fill value.
        found = F.affine(tensor(image).double() - fill, angle, [right, down], scale, [x, y], **bilinear) + fill
        add(
            f"affine {angle} {scale} {channels}",
            image,
            array(found.round().to(torch.uint8)),
            angle,
            right,
            down,
            scale,
            x,
            y,
            fill,
        )
    # For positive angles, torchvision's rotate turns counterclockwise; torchvision's affine and Apus turn clockwise.
    found = F.rotate(tensor(image), -20, **bilinear)
    add(f"rotate {channels}", image, array(found), 20, 0, 0, 1, 0, 0, 0)

    for factor in (0.0, 0.6, 1.0, 1.35):
        add(f"brightness {factor} {channels}", image, F.adjust_brightness(pillow(image), factor), factor)
        add(f"contrast {factor} {channels}", image, F.adjust_contrast(pillow(image), factor), factor)
        if channels == 3:
            add(f"saturation {factor}", image, F.adjust_saturation(pillow(image), factor), factor)
    add(f"brightness tensor {channels}", image, array(F.adjust_brightness(tensor(image), 1.2)), 1.2)
    add(f"contrast tensor {channels}", image, array(F.adjust_contrast(tensor(image), 0.8)), 0.8)

    for top, bottom, left, right in ((2, 3, 4, 5), (12, 12, 17, 17), (50, 0, 0, 70)):
        around = ((top, bottom), (left, right), (0, 0))
        for name, mode in (("reflect", "reflect"), ("replicate", "edge"), ("constant", "constant")):
            values = {"constant_values": 77} if name == "constant" else {}
            add(
                f"pad {name} {top} {channels}",
                image,
                numpy.pad(image, around, mode, **values),
                top,
                bottom,
                left,
                right,
            )
    for height, width in ((10, 14), (23, 12), (36, 18), (37, 40), (22, 30)):
        add(f"center {height}x{width} {channels}", image, array(F.center_crop(tensor(image), [height, width])))

    kernel = numpy.outer(*[numpy.array([1, 4, 6, 4, 1]) / 16] * 2)
    padded = numpy.pad(image.astype(float), ((2, 2), (2, 2), (0, 0)), "reflect")
    blurred = sum(kernel[y, x] * padded[y : y + 23, x : x + 31] for y in range(5) for x in range(5))
    add(f"gaussian {channels}", image, numpy.floor(blurred[::2, ::2] + 0.5).astype(numpy.uint8))
    # If a size is odd, a result at the edge is the mean of two pixels, and the result in the corner is a copy.
    odd = numpy.pad(image.astype(float), ((0, 1), (0, 1), (0, 0)), "edge")
    mean = sum(odd[y::2, x::2] for y in range(2) for x in range(2)) / 4
    add(f"mean {channels}", image, numpy.floor(mean + 0.5).astype(numpy.uint8))

for turn in (0.0, 0.1, -0.23, 0.5):
    add(f"hue {turn}", picture[3], array(F.adjust_hue(tensor(picture[3]), turn)), turn)
add("gray", picture[3], pillow(picture[3]).convert("L"))
fixture.save()
