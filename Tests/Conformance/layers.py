#!/usr/bin/env python3
"""Layers: writes layers.safetensors. Run it again when a case is added, and check the file in."""
import torch
import torch.nn as nn
from fixture import Fixture, exact, randn

f = Fixture()

f.module("linear", nn.Linear(5, 3), randn(4, 5))
f.module("linear-no-bias", nn.Linear(5, 3, bias=False), randn(2, 4, 5))
f.module("conv1d", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), randn(2, 4, 11))
f.module("conv2d", nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(1, 0)), randn(2, 2, 5, 6))
f.module("conv2d-same", nn.Conv2d(2, 3, (4, 3), padding="same", bias=False), randn(2, 2, 5, 6))
f.module("conv3d", nn.Conv3d(2, 2, 2, padding=1), randn(1, 2, 3, 3, 4))
f.module("max-pool1d", nn.MaxPool1d(3, 2, 1), randn(2, 3, 9))
f.module("max-pool2d", nn.MaxPool2d(2), randn(2, 2, 5, 4))
f.module("max-pool2d-ceil", nn.MaxPool2d(3, 2, 1, ceil_mode=True), randn(1, 2, 6, 7))
f.module("max-pool3d", nn.MaxPool3d(2), randn(1, 1, 4, 4, 4))
f.module("avg-pool1d", nn.AvgPool1d(3, 2, 1), randn(2, 3, 9))
f.module("avg-pool2d", nn.AvgPool2d(3, 2, 1), randn(1, 2, 6, 7))
f.module("avg-pool2d-no-padding", nn.AvgPool2d(3, 2, 1, count_include_pad=False), randn(1, 2, 6, 7))
f.module("avg-pool3d", nn.AvgPool3d((2, 1, 2)), randn(1, 1, 2, 3, 4))


def batch_norm(case, channels, shape, training, affine=True):
    m = nn.BatchNorm1d(channels, affine=affine) if len(shape) == 2 else nn.BatchNorm2d(channels, affine=affine)
    with torch.no_grad():
        m.running_mean.copy_(randn(channels))
        m.running_var.copy_(exact(torch.rand(channels) + 0.5))
        if affine:
            m.weight.copy_(randn(channels))
            m.bias.copy_(randn(channels))
    f.module(case, m, randn(*shape), training=training, repeat=2)


batch_norm("batch-norm2d-training", 3, (4, 3, 2, 3), True)
batch_norm("batch-norm1d-training", 3, (5, 3), True, affine=False)
batch_norm("batch-norm2d-inference", 3, (4, 3, 2, 3), False)

for case, m in [
        ("relu", nn.ReLU()), ("leaky-relu", nn.LeakyReLU(0.2)), ("elu", nn.ELU(0.7)), ("selu", nn.SELU()),
        ("gelu", nn.GELU()), ("silu", nn.SiLU()), ("softplus", nn.Softplus()), ("sigmoid", nn.Sigmoid()),
        ("tanh", nn.Tanh()), ("softmax", nn.Softmax(1))]:
    f.module(case, m, randn(3, 7))

f.module("flatten", nn.Flatten(), randn(2, 3, 4))
f.save()
