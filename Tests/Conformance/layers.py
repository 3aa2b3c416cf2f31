#!/usr/bin/env python3
"""Writes layers.safetensors (see fixture.py): layers and some activations. After adding a case, run the script again
and commit the file."""

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
for mode in ["reflect", "replicate", "circular"]:
    f.module("conv2d-" + mode, nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=mode), randn(2, 2, 5, 6))
f.module("conv1d-same-reflect", nn.Conv1d(2, 2, 4, padding="same", padding_mode="reflect"), randn(2, 2, 7))
f.module("depthwise1d", nn.Conv1d(3, 3, 3, padding=1, groups=3), randn(2, 3, 6))
f.module("depthwise2d-multiplier", nn.Conv2d(3, 6, 3, stride=2, groups=3, bias=False), randn(2, 3, 5, 6))
f.module(
    "conv-transpose1d", nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), randn(2, 4, 5)
)
f.module("conv-transpose1d-dilation", nn.ConvTranspose1d(2, 3, 3, dilation=2, bias=False), randn(2, 2, 5))
f.module("conv-transpose2d", nn.ConvTranspose2d(3, 2, 3), randn(2, 3, 4, 3))
f.module(
    "conv-transpose2d-options",
    nn.ConvTranspose2d(3, 2, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), dilation=(1, 2)),
    randn(2, 3, 4, 3),
)
f.module("conv-transpose3d", nn.ConvTranspose3d(2, 2, 2, stride=2), randn(1, 2, 2, 3, 2))

f.module("bilinear", nn.Bilinear(3, 4, 2), randn(5, 3), randn(5, 4))
f.module("bilinear-no-bias", nn.Bilinear(3, 4, 2, bias=False), randn(2, 3, 3), randn(2, 3, 4))
f.module("embedding", nn.Embedding(6, 3), torch.tensor([[0, 5, 2], [2, 2, 1]]))
f.module("embedding-padding", nn.Embedding(6, 3, padding_idx=2), torch.tensor([[0, 5, 2], [2, 2, 1]]))
f.module("embedding-given", nn.Embedding.from_pretrained(randn(4, 2), freeze=False), torch.tensor([3, 0, 3]))

f.module("max-pool1d", nn.MaxPool1d(3, 2, 1), randn(2, 3, 9))
f.module("max-pool2d", nn.MaxPool2d(2), randn(2, 2, 5, 4))
f.module("max-pool2d-ceil", nn.MaxPool2d(3, 2, 1, ceil_mode=True), randn(1, 2, 6, 7))
f.module("max-pool2d-dilation", nn.MaxPool2d((2, 3), 1, 1, dilation=(3, 2)), randn(1, 2, 6, 7))
f.module("max-pool3d", nn.MaxPool3d(2), randn(1, 1, 4, 4, 4))
f.module("avg-pool1d", nn.AvgPool1d(3, 2, 1), randn(2, 3, 9))
f.module("avg-pool2d", nn.AvgPool2d(3, 2, 1), randn(1, 2, 6, 7))
f.module("avg-pool2d-ceil", nn.AvgPool2d(3, 2, 1, ceil_mode=True), randn(1, 2, 6, 7))
f.module("avg-pool2d-no-padding", nn.AvgPool2d(3, 2, 1, count_include_pad=False), randn(1, 2, 6, 7))
f.module("avg-pool3d", nn.AvgPool3d((2, 1, 2)), randn(1, 1, 2, 3, 4))


class Function(nn.Module):
    """A module that calls a function."""

    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, *x):
        return self.call(*x)


f.module("adaptive-avg-pool1d", nn.AdaptiveAvgPool1d(3), randn(2, 3, 7))
f.module("adaptive-avg-pool2d", nn.AdaptiveAvgPool2d((2, None)), randn(1, 2, 6, 5))
f.module("adaptive-avg-pool3d", nn.AdaptiveAvgPool3d(1), randn(1, 2, 3, 2, 3))
f.module("adaptive-max-pool1d", nn.AdaptiveMaxPool1d(3), randn(2, 3, 7))
f.module("adaptive-max-pool2d", nn.AdaptiveMaxPool2d((2, None)), randn(1, 2, 6, 5))
f.module("adaptive-max-pool3d", nn.AdaptiveMaxPool3d((2, 1, 2)), randn(1, 2, 3, 2, 4))
f.module("global-average-pool", Function(lambda x: x.mean((2, 3))), randn(2, 3, 4, 5))
f.module("global-max-pool", Function(lambda x: x.amax((2, 3))), randn(2, 3, 4, 5))
f.module("lp-pool1d", nn.LPPool1d(3, 3, 2), torch.rand(2, 2, 7) + 0.1)
f.module("lp-pool2d", nn.LPPool2d(2, (2, 3)), randn(1, 2, 4, 6))
f.module("lp-pool2d-sum", nn.LPPool2d(1, 2), randn(1, 2, 4, 6))
f.module("lp-pool3d", nn.LPPool3d(2, 2), randn(1, 2, 2, 4, 2))


def drawn(m):
    """The module with random parameters and running values, as if it had been trained."""
    with torch.no_grad():
        for key, value in m.state_dict().items():
            if value.is_floating_point():
                value.copy_(exact(torch.rand(value.shape) + 0.5) if key == "running_var" else randn(*value.shape))
    return m


image = (4, 3, 2, 3)
f.module("batch-norm2d-training", drawn(nn.BatchNorm2d(3)), randn(*image), repeat=2)
f.module("batch-norm1d-training", drawn(nn.BatchNorm1d(3, affine=False)), randn(5, 3), repeat=2)
f.module("batch-norm2d-inference", drawn(nn.BatchNorm2d(3)), randn(*image), training=False, repeat=2)
f.module("batch-norm2d-options", drawn(nn.BatchNorm2d(3, eps=0.1, momentum=0.3)), randn(*image), repeat=2)
f.module("batch-norm2d-cumulative", drawn(nn.BatchNorm2d(3, momentum=None)), randn(*image), repeat=3)
f.module("batch-norm2d-untracked", drawn(nn.BatchNorm2d(3, track_running_stats=False)), randn(*image))
f.module(
    "batch-norm2d-untracked-inference",
    drawn(nn.BatchNorm2d(3, affine=False, track_running_stats=False)),
    randn(*image),
    training=False,
)
f.module("batch-norm3d-training", drawn(nn.BatchNorm3d(2)), randn(2, 2, 2, 3, 2))
f.module("layer-norm", drawn(nn.LayerNorm(5)), randn(2, 3, 5))
f.module("layer-norm-shape", drawn(nn.LayerNorm((3, 5), eps=0.1)), randn(2, 3, 5))
f.module("layer-norm-no-bias", drawn(nn.LayerNorm(5, bias=False)), randn(2, 3, 5))
f.module("layer-norm-plain", drawn(nn.LayerNorm(5, elementwise_affine=False)), randn(2, 3, 5))
f.module("rms-norm", drawn(nn.RMSNorm(5, eps=1e-5)), randn(2, 3, 5))
f.module("rms-norm-shape", drawn(nn.RMSNorm((3, 5), eps=0.1)), randn(2, 3, 5))
f.module("rms-norm-plain", drawn(nn.RMSNorm(5, elementwise_affine=False)), randn(2, 3, 5))
f.module("group-norm", drawn(nn.GroupNorm(2, 4)), randn(2, 4, 3))
f.module("group-norm-image", drawn(nn.GroupNorm(2, 4, eps=0.1)), randn(2, 4, 2, 3))
f.module("group-norm-plain", drawn(nn.GroupNorm(1, 4, affine=False)), randn(2, 4, 2, 3))
f.module("instance-norm1d", drawn(nn.InstanceNorm1d(3)), randn(2, 3, 6))
f.module("instance-norm2d", drawn(nn.InstanceNorm2d(3, eps=0.1, affine=True)), randn(*image))
f.module("instance-norm3d", drawn(nn.InstanceNorm3d(2, affine=True)), randn(2, 2, 2, 3, 2))
f.module(
    "instance-norm2d-tracked",
    drawn(nn.InstanceNorm2d(3, momentum=0.3, affine=True, track_running_stats=True)),
    randn(*image),
    repeat=2,
)
f.module(
    "instance-norm2d-tracked-inference",
    drawn(nn.InstanceNorm2d(3, track_running_stats=True)),
    randn(*image),
    training=False,
)
f.module("local-response-norm", nn.LocalResponseNorm(3, alpha=0.5, beta=0.6, k=1.5), randn(2, 5, 2, 3))
f.module("local-response-norm-even", nn.LocalResponseNorm(4), randn(2, 5, 6) * 9)
f.module("local-response-norm-sum", nn.LocalResponseNorm(5, alpha=5e-4, k=2), randn(1, 6, 2, 2) * 9)

for case, m in [
    ("relu", nn.ReLU()),
    ("leaky-relu", nn.LeakyReLU(0.2)),
    ("elu", nn.ELU(0.7)),
    ("selu", nn.SELU()),
    ("gelu", nn.GELU()),
    ("silu", nn.SiLU()),
    ("softplus", nn.Softplus()),
    ("sigmoid", nn.Sigmoid()),
    ("tanh", nn.Tanh()),
    ("softmax", nn.Softmax(1)),
]:
    f.module(case, m, randn(3, 7))

f.module("flatten", nn.Flatten(), randn(2, 3, 4))
f.module("unflatten", nn.Unflatten(1, (2, 3)), randn(4, 6))
f.module("unflatten-open", nn.Unflatten(-2, (-1, 2)), randn(2, 6, 3))
f.module("identity", nn.Identity(), randn(2, 3))
f.module("zero-pad1d", nn.ZeroPad1d(2), randn(1, 2, 3))
f.module("zero-pad2d", nn.ZeroPad2d((2, 1, 0, 3)), randn(1, 2, 3, 4))
f.module("constant-pad2d", nn.ConstantPad2d((2, 1, 0, 3), 1.5), randn(1, 2, 3, 4))
f.module("constant-pad3d", nn.ConstantPad3d(1, -2.0), randn(1, 1, 2, 3, 2))
for name, module in [("reflection", "Reflection"), ("replication", "Replication"), ("circular", "Circular")]:
    f.module(name + "-pad1d", getattr(nn, module + "Pad1d")((2, 1)), randn(1, 2, 3))
    f.module(name + "-pad2d", getattr(nn, module + "Pad2d")((2, 1, 0, 2)), randn(1, 2, 3, 4))
    f.module(name + "-pad3d", getattr(nn, module + "Pad3d")(1), randn(1, 1, 2, 3, 2))
f.module("upsample-nearest1d", nn.Upsample(7), randn(1, 2, 3))
f.module("upsample-nearest2d", nn.Upsample(scale_factor=2), randn(1, 2, 2, 3))
f.module("upsample-nearest3d", nn.Upsample(size=(4, 2, 3)), randn(1, 1, 2, 3, 2))
f.module("upsample-linear1d", nn.Upsample(scale_factor=2, mode="linear"), randn(1, 2, 3))
f.module(
    "upsample-bilinear",
    nn.Upsample(scale_factor=(1.5, 2.4), mode="bilinear", recompute_scale_factor=True),
    randn(1, 2, 3, 3),
)
f.module("upsample-bilinear-aligned", nn.Upsample(size=(5, 4), mode="bilinear", align_corners=True), randn(1, 2, 3, 3))
f.module("upsample-trilinear", nn.Upsample(size=3, mode="trilinear"), randn(1, 1, 2, 3, 2))
f.module("pixel-shuffle", nn.PixelShuffle(2), randn(2, 8, 2, 3))
f.module("pixel-unshuffle", nn.PixelUnshuffle(2), randn(2, 2, 4, 6))
for case, m, shape in [
    ("dropout", nn.Dropout(), (3, 4)),
    ("dropout1d", nn.Dropout1d(), (2, 3, 4)),
    ("dropout2d", nn.Dropout2d(), (2, 3, 2, 2)),
    ("dropout3d", nn.Dropout3d(), (1, 2, 2, 2, 2)),
    ("alpha-dropout", nn.AlphaDropout(), (3, 4)),
    ("feature-alpha-dropout", nn.FeatureAlphaDropout(), (2, 3, 4)),
]:
    f.module(case + "-inference", m, randn(*shape), training=False)
f.save()
