#!/usr/bin/env python3
"""The training steps of `apus bench` in tinygrad. Install: pip install 'tinygrad>=0.14'"""

import os
from importlib.metadata import version

import measure

options = measure.arguments(__doc__, devices=["cpu", "opencl"])
os.environ["TRAINING"] = "1"
os.environ["DEV"] = {"cpu": "CPU", "opencl": "CL"}[options.device.partition(":")[0]]

measure.need("tinygrad", "tinygrad>=0.14")

from tinygrad import Tensor, TinyJit  # noqa: E402, tinygrad reads DEV when it is imported
from tinygrad.nn import Conv2d, Linear  # noqa: E402
from tinygrad.nn.optim import SGD, Adam  # noqa: E402
from tinygrad.nn.state import get_parameters  # noqa: E402

peer = f"tinygrad {version('tinygrad')}"


class MLP:
    def __init__(self):
        self.layers = [Linear(784, 256), Linear(256, 128), Linear(128, 10)]

    def __call__(self, x):
        x = self.layers[1](self.layers[0](x.flatten(1)).relu()).relu()
        return self.layers[2](x)


class LeNet5:
    def __init__(self):
        self.convolutions = [Conv2d(1, 6, 5, padding=2), Conv2d(6, 16, 5)]
        self.layers = [Linear(400, 120), Linear(120, 84), Linear(84, 10)]

    def __call__(self, x):
        for convolution in self.convolutions:
            x = convolution(x).relu().max_pool2d()
        x = self.layers[1](self.layers[0](x.flatten(1)).relu()).relu()
        return self.layers[2](x)


STEPS = {
    "mlp-b128-adam": (MLP, lambda p: Adam(p, 1e-3)),
    "lenet5-b128-sgd": (LeNet5, lambda p: SGD(p, 1e-2, momentum=0.9)),
}


def step(name):
    make, optimizer = STEPS[name]
    use = measure.ProcessUse()
    model = make()
    rule = optimizer(get_parameters(model))
    images, labels = Tensor.randn(128, 1, 28, 28).realize(), Tensor.randint(128, high=10).realize()

    @TinyJit
    def run():
        rule.zero_grad()
        loss = model(images).sparse_categorical_crossentropy(labels)
        loss.backward()
        return loss.realize(*rule.schedule_step())

    run().item()
    use.first_loss()
    samples = measure.measure(lambda: run().item(), lambda: None, options.runs, span=0.1)
    line = {"benchmark": "step", "problem": name, "device": options.device} | use.line()
    measure.report(peer, samples, **line)


measure.serve(options, peer, {"step": step}, STEPS)
