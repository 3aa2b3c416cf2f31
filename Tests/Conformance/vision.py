#!/usr/bin/env python3
"""Writes vision.safetensors: image networks and small attention modules.

The weights of the networks are too large to store, so this script and the tests compute them from indices. Parameters
are numbered from 1 in the order of named_parameters(). Element i (row-major) of parameter j is s * u, rounded to
float32. u is SplitMix64's finalizer of i + 2^32 * j: its upper 53 bits, scaled to -1 ..< 1. s is sqrt(6 / n) for a
matrix or kernel with n inputs for each output, and 0.1 for a vector; 1 is added to the weights of normalization layers.
Element i of the input is u with j = 0. The fixture has the norm and the first four elements of each gradient.

Small modules are stored completely, as fixture.py describes. `map.I` are their attention maps in inference mode.

usage: python3 vision.py    (torch, numpy, safetensors)
"""

import math
import os
import sys

import numpy
import torch
from fixture import Fixture, exact, pattern, randn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Benchmarks/Peers"))
from torch_models import (  # noqa: E402
    CBAM,
    VGG,
    AlexNet,
    Bottleneck,
    DenseNet,
    ResidualBlock,
    ResNet,
    SqueezeExcitation,
    VisionTransformer,
)


def scattered(count, number):
    """The numbers u of the first `count` elements of parameter `number`, or of the input if `number` is 0."""
    z = numpy.arange(count, dtype=numpy.uint64) + numpy.uint64(number << 32)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    z = z ^ (z >> numpy.uint64(31))
    return torch.from_numpy((z >> numpy.uint64(11)).astype(numpy.float64) * 2.0**-52 - 1)


def fill(model):
    """Sets all parameters of a network from their indices."""
    with torch.no_grad():
        for j, (key, p) in enumerate(model.named_parameters(), 1):
            scale = math.sqrt(6 / p[0].numel()) if p.dim() > 1 else 0.1
            is_factor = p.dim() == 1 and key.endswith("weight")
            p.copy_(exact(scale * scattered(p.numel(), j).reshape(p.shape) + (1 if is_factor else 0)))


def network(fixture, case, model, *shape):
    """Adds the output and the gradients of one forward and backward pass, in training mode and float64. In float32,
    rounding would change the signs of some inputs of ReLU near 0."""
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
network(fixture, "alexnet-small", AlexNet(classes=10, dropout=0.0, small=True, channels=1), 3, 1, 28, 28)
network(fixture, "alexnet-2012-small", AlexNet(classes=10, dropout=0.0, columns=2, small=True), 2, 3, 32, 32)
network(fixture, "vgg11-small", VGG(10, (1, 1, 2, 2, 2), normalized=False, channels=1), 3, 1, 28, 28)
network(fixture, "vgg-imagenet", VGG(10, (1, 1, 1, 1, 1), small=False, normalized=False, dropout=0.0), 1, 3, 64, 64)
network(fixture, "se-resnet18", ResNet(attention="se"), 4, 3, 32, 32)
network(fixture, "cbam-resnet18", ResNet(attention="cbam"), 4, 3, 32, 32)


def small(case, module, maps, *shape):
    """Adds a module with random parameters. In inference mode, `maps(module, x)` returns its attention maps, which are
    also added."""
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.randn(value.shape) * 0.5 + (1 if value.dim() == 1 else 0))
    x = randn(*shape)
    fixture.module(case, module, x)
    module.eval()
    with torch.no_grad():
        for number, weights in enumerate(maps(module, x)):
            fixture.put(case, f"map.{number}", weights)


def transformer_maps(model, x):
    """The attention weights of each layer, then the rollout (Abnar, Zuidema, 2020), resized to the image."""
    x, rollout, all_weights = model.tokens(x), 1, []
    for block in model.encoder.layers:
        weights = block.weights(x)
        identity = torch.eye(weights.shape[-1], dtype=weights.dtype)
        mixed = (weights.mean(1) + identity) / 2
        rollout = mixed @ rollout if all_weights else mixed
        all_weights.append(weights)
        x = block(x)
    patches = rollout[:, 0, 1:].reshape(len(x), 1, *model.grid)
    picture = torch.nn.functional.interpolate(patches, model.image, mode="bilinear", align_corners=False)
    return [*all_weights, picture]


def gate_maps(cbam, x):
    channels, pixels = cbam.factors(x)
    return channels.flatten(1), pixels


small("squeeze-excitation", SqueezeExcitation(6, 2), lambda m, x: [m.factors(x).flatten(1)], 2, 6, 3, 4)
small("cbam", CBAM(4, 2), gate_maps, 2, 4, 5, 6)
small("se-block", ResidualBlock(3, 16, 2, "se"), lambda m, x: [], 2, 3, 5, 5)
small("cbam-bottleneck", Bottleneck(16, 4, 1, "cbam"), lambda m, x: [], 2, 16, 5, 5)
transformer = VisionTransformer(classes=3, size=12, patch=4, width=8, depth=2, heads=2, hidden=12, channels=2)
transformer.grid, transformer.image = (3, 3), (12, 12)
small("vision-transformer", transformer, transformer_maps, 2, 2, 12, 12)
fixture.save()
