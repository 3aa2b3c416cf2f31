#!/usr/bin/env python3
"""Networks for images, whose weights are too large to keep: they follow a pattern, which the tests make too.

Parameter number j (in the order of the state dict, from 1 on) is s * cos(0.37 * (i mod 9973) + j) at row-major place i,
rounded to float32, with s = sqrt(2 / inputs of an output) for matrices and 0.1 for vectors; factors of normalization
have 1 added. Of each gradient its norm and its first four numbers are kept.

usage: python3 vision.py    (torch, numpy, safetensors)
"""
import math
import os
import sys

import torch

from fixture import Fixture, exact, pattern

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Benchmarks/Peers"))
from torch_models import VGG, AlexNet, ResNet  # noqa: E402


def fill(model):
    with torch.no_grad():
        for j, (key, p) in enumerate(model.named_parameters(), 1):
            places = torch.arange(p.numel(), dtype=torch.float64) % 9973
            scale = math.sqrt(2 / p[0].numel()) if p.dim() > 1 else 0.1
            value = scale * torch.cos(0.37 * places + j).reshape(p.shape)
            is_factor = p.dim() == 1 and key.endswith("weight")
            p.copy_(exact(value + 1 if is_factor else value))


def network(fixture, case, model, *shape):
    model = model.double().train()
    fill(model)
    x = exact(torch.cos(torch.arange(math.prod(shape), dtype=torch.float64) * 0.71)).reshape(shape).requires_grad_()
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
network(fixture, "vgg16bn", VGG(), 4, 3, 32, 32)
network(fixture, "alexnet", AlexNet(classes=20, dropout=0.0), 2, 3, 96, 96)
fixture.save()
