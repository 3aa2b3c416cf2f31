"""The images of `apus bench loader`, and a PyTorch DataLoader that reads them. Pillow decodes and transforms the
images, in as many processes as Apus has threads. The transforms are like torchvision's, except that one call crops and
resizes."""

import io
import math
import random

import numpy
import torch
from PIL import Image, ImageEnhance

SIDE, EPOCH, BATCH = 256, 1024, 64


def unit(numbers):
    """Pseudo-random numbers in -1 ..< 1, like `unit` in LoaderRate.swift."""
    z = numbers.astype(numpy.uint64)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    z = z ^ (z >> numpy.uint64(31))
    return (z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1


def synthetic(number):
    """Image `number`, of 256x256 pixels, with the pixels of `SyntheticImages.image` in LoaderRate.swift."""
    values = numpy.full((SIDE, SIDE, 3), 127.0)
    for octave, strength in enumerate((60.0, 42, 30, 22, 17, 14, 11)):
        cells = 4 << octave
        positions = numpy.arange(SIDE) * cells
        cell, share = positions // SIDE, positions % SIDE / SIDE

        def plane(index):
            start = ((number * 8 + octave) * 4 + index) << 32
            grid = unit(start + numpy.arange((cells + 1) ** 2)).reshape(cells + 1, cells + 1)
            rows = grid[:, cell] * (1 - share) + grid[:, cell + 1] * share
            return rows[cell] * (1 - share)[:, None] + rows[cell + 1] * share[:, None]

        values += strength * (plane(0)[..., None] + 0.4 * numpy.stack([plane(c) for c in (1, 2, 3)], -1))
    return Image.fromarray(numpy.clip(values, 0, 255).astype(numpy.uint8))


def crop(image):
    top, left = (random.randint(0, SIDE - 224) for _ in range(2))
    return image.crop((left, top, left + 224, top + 224))


def resized_crop(image):
    for _ in range(10):
        area = SIDE * SIDE * random.uniform(0.08, 1)
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < width <= SIDE and 0 < height <= SIDE:
            top, left = random.randint(0, SIDE - height), random.randint(0, SIDE - width)
            return image.resize((224, 224), Image.BILINEAR, box=(left, top, left + width, top + height))
    return image.resize((224, 224), Image.BILINEAR)


def flip(image):
    return image.transpose(Image.FLIP_LEFT_RIGHT) if random.random() < 0.5 else image


def color(image):
    steps = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    random.shuffle(steps)
    for step in steps:
        image = step(image).enhance(random.uniform(0.6, 1.4))
    return image


LOADERS = {
    "jpeg256-crop224": [crop],
    "jpeg256-resized224-flip": [resized_crop, flip],
    "jpeg256-resized224-flip-color": [resized_crop, flip, color],
}


class SyntheticImages(torch.utils.data.Dataset):
    def __init__(self, transforms):
        self.transforms, self.files = transforms, []
        for number in range(64):
            file = io.BytesIO()
            synthetic(number).save(file, "JPEG", quality=90)
            self.files.append(file.getvalue())

    def __len__(self):
        return EPOCH

    def __getitem__(self, number):
        image = Image.open(io.BytesIO(self.files[number % len(self.files)])).convert("RGB")
        for transform in self.transforms:
            image = transform(image)
        return torch.from_numpy(numpy.array(image)).permute(2, 0, 1).contiguous(), 0


def loader(name, workers):
    """Returns a function that loads one epoch. The worker processes start once, for all epochs."""
    batches = torch.utils.data.DataLoader(
        SyntheticImages(LOADERS[name]), BATCH, shuffle=True, num_workers=workers, persistent_workers=True
    )

    def run():
        for _ in batches:
            pass

    return run
