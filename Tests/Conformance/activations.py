#!/usr/bin/env python3
"""Writes activations.safetensors (see fixture.py): the activations that layers.py does not cover. After adding a case,
run the script again and commit the file."""

import torch
import torch.nn as nn
from fixture import Fixture, randn

f = Fixture()


class StraightThrough(torch.autograd.Function):
    """1 where x >= 0, else 0. The backward pass does not change the gradient; with `clips`, it sets the gradient to 0
    where |x| > 1."""

    @staticmethod
    def forward(ctx, x, clips):
        ctx.save_for_backward(x)
        ctx.clips = clips
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return (g * (x.abs() <= 1) if ctx.clips else g), None


class UnitStep(nn.Module):
    def __init__(self, clips):
        super().__init__()
        self.clips = clips

    def forward(self, x):
        return StraightThrough.apply(x, self.clips)


class ScaledTanh(nn.Module):
    """scale * tanh(slope * x), written as in the literature: tanh(a) = 2 / (1 + exp(-2a)) - 1."""

    def __init__(self, slope, scale):
        super().__init__()
        self.slope, self.scale = slope, scale

    def forward(self, x):
        return self.scale * (2 / (1 + torch.exp(-2 * self.slope * x)) - 1)


for case, m in [
    ("celu", nn.CELU(1.7)),
    ("gelu-tanh", nn.GELU(approximate="tanh")),
    ("mish", nn.Mish()),
    ("softplus-beta", nn.Softplus(beta=2.5)),
    ("softsign", nn.Softsign()),
    ("log-sigmoid", nn.LogSigmoid()),
    ("tanh-slope", ScaledTanh(0.5, 1)),
    ("tanh-lecun", ScaledTanh(2 / 3, 1.7159)),
    ("relu6", nn.ReLU6()),
    ("hard-tanh", nn.Hardtanh(-0.5, 0.75)),
    ("hard-sigmoid", nn.Hardsigmoid()),
    ("hard-swish", nn.Hardswish()),
    ("hard-shrink", nn.Hardshrink(0.6)),
    ("soft-shrink", nn.Softshrink(0.6)),
    ("tanh-shrink", nn.Tanhshrink()),
    ("threshold", nn.Threshold(0.3, -2)),
    ("unit-step", UnitStep(False)),
    ("unit-step-clipped", UnitStep(True)),
    ("log-softmax", nn.LogSoftmax(1)),
    ("softmin", nn.Softmin(1)),
]:
    f.module(case, m, randn(3, 7) * 2)

f.module("glu", nn.GLU(1), randn(2, 6, 3))
f.module("prelu", nn.PReLU(), randn(3, 7))
f.module("prelu-channels", nn.PReLU(4, init=0.1), randn(2, 4, 3))
f.module("rrelu-inference", nn.RReLU(), randn(3, 7), training=False)
f.save()
