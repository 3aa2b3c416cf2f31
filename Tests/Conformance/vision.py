#!/usr/bin/env python3
"""Networks for images, whose weights are too large to keep: they follow from their places, in the tests too.

Parameter number j (in the order of the state dict, from 1 on) is s * u at row-major place i, where u is SplitMix64's
finalizer of i + 2^32 * j, its upper 53 bits as a number in -1 ... 1, rounded to float32, with s = sqrt(6 / inputs of an
output) for matrices and 0.1 for vectors; factors of normalization have 1 added. The input is u of parameter 0.
Of each gradient its norm and its first four numbers are kept.

usage: python3 vision.py    (torch, numpy, safetensors)
"""
import math
import os
import sys

import numpy
import torch

from fixture import Fixture, exact, pattern

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Benchmarks/Peers"))
from torch_models import VGG, AlexNet, Bottleneck, DenseNet, ResNet  # noqa: E402


def scattered(count, number):
    z = numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(number << 32)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    z = z ^ (z >> numpy.uint64(31))
    return torch.from_numpy((z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1)


def fill(model):
    with torch.no_grad():
        for j, (key, p) in enumerate(model.named_parameters(), 1):
            scale = math.sqrt(6 / p[0].numel()) if p.dim() > 1 else 0.1
            is_factor = p.dim() == 1 and key.endswith("weight")
            p.copy_(exact(scale * scattered(p.numel(), j).reshape(p.shape) + (1 if is_factor else 0)))


def network(fixture, case, model, *shape):
    model = model.double().train()
    fill(model)
    x = exact(scattered(math.prod(shape), 0)).reshape(shape).requires_grad_()
    y = model(x)
    (y * pattern(y)).sum().backward()
    fixture.add(case)
    fixture.put(case, "shape", list(shape))
    fixture.put(case, "output.0", y)
    for key, p in [("input", x), *model.named_parameters()]:
        first = p.grad.flatten()[:4]
        fixture.put(case, f"gradient.{key}", torch.cat([p.grad.norm().reshape(1), first]))


fixture = Fixture()
network(fixture, "resnet18", ResNet(), 4, 3, 32, 32)
network(fixture, "resnet18-imagenet", ResNet(classes=20, small=False), 2, 3, 64, 64)
network(fixture, "resnet-bottleneck", ResNet(blocks=(1, 1, 2, 1), block=Bottleneck), 4, 3, 32, 32)
network(fixture, "densenet", DenseNet((2, 3, 2), 12, 16, classes=10, small=True), 4, 3, 32, 32)
network(fixture, "densenet-imagenet", DenseNet((2, 2, 2, 2), classes=20), 2, 3, 64, 64)
network(fixture, "vgg16bn", VGG(), 4, 3, 32, 32)
network(fixture, "alexnet", AlexNet(classes=20, dropout=0.0), 2, 3, 96, 96)
network(fixture, "alexnet-2012", AlexNet(classes=20, dropout=0.0, columns=2), 2, 3, 96, 96)
fixture.save()
