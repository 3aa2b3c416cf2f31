#!/usr/bin/env python3
"""Matrix products, convolutions and small training steps of `apus bench` in MLX. Install: pip install 'mlx[cpu]'"""

import ctypes.util
import os
import sys
from functools import partial
from importlib.metadata import version

import measure

options = measure.arguments(__doc__, devices=["cpu"])
# MLX's wheel contains the reference BLAS, which has one thread. With the system's OpenBLAS preloaded, MLX is a hundred
# times as fast. LD_PRELOAD and OPENBLAS_NUM_THREADS are read when a process starts, so the script starts itself again.
openblas = ctypes.util.find_library("openblas")
if openblas and "LD_PRELOAD" not in os.environ:
    changed = {"LD_PRELOAD": openblas, "OPENBLAS_NUM_THREADS": str(options.threads)}
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | changed)
measure.need("mlx.core", "mlx[cpu]")

import mlx.core as mx  # noqa: E402
import mlx.nn as nn  # noqa: E402
import mlx.optimizers as optim  # noqa: E402

peer = f"mlx {version('mlx')} on {'OpenBLAS' if openblas else 'its reference BLAS'}"
mx.set_default_device(mx.cpu)
mx.random.seed(1)
report = partial(measure.report, peer, benchmark=options.kind, device=options.device)


def clock(body, **line):
    report(measure.measure(lambda: mx.eval(body()), mx.synchronize, options.runs), **line)


def random(*shape):
    result = mx.random.uniform(-1, 1, shape)
    mx.eval(result)
    return result


def gemm(name):
    m, n, k = map(int, name.split("x"))
    for transpose in options.transposes:
        a = random(k, m) if transpose[0] == "T" else random(m, k)
        b = random(n, k) if transpose[1] == "T" else random(k, n)
        left, right = a.T if transpose[0] == "T" else a, b.T if transpose[1] == "T" else b
        clock(lambda: left @ right, problem=name, transpose=transpose, operations=2 * m * n * k)


def conv(name):
    """Images and weights are stored with channels last, as MLX needs them. Each gradient is computed separately."""
    s = measure.convolution(name)
    x, w = random(s["N"], s["H"], s["W"], s["C"]), random(s["K"], s["R"], s["S"], s["C"] // s["G"])

    def output(x, w):
        return mx.conv2d(x, w, stride=s["U"], padding=s["P"], dilation=s["D"], groups=s["G"])

    y = output(x, w)
    gradient = random(*y.shape)
    passes = {
        "forward": lambda: output(x, w),
        "input": lambda: mx.vjp(lambda x: output(x, w), [x], [gradient])[1],
        "weight": lambda: mx.vjp(lambda w: output(x, w), [w], [gradient])[1],
    }
    work = 2 * y.size * w[0].size
    for chosen in options.passes:
        clock(passes[chosen], problem=name, operations=work, **{"pass": chosen})


def mlp():
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def lenet5():
    features = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2, 2)]
    features += [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2, 2), lambda x: x.flatten(1)]
    dense = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*features, *dense)


STEPS = {
    "mlp-b128-adam": (mlp, lambda: optim.Adam(1e-3), (784,)),
    "lenet5-b128-sgd": (lenet5, lambda: optim.SGD(1e-2, momentum=0.9), (28, 28, 1)),
}


def step(name):
    make, rule, size = STEPS[name]
    use = measure.ProcessUse()
    model, optimizer = make(), rule()
    images, labels = mx.random.normal((128, *size)), mx.random.randint(0, 10, (128,))
    mx.eval(images, labels)
    gradients = nn.value_and_grad(model, lambda: nn.losses.cross_entropy(model(images), labels, reduction="mean"))

    def run():
        loss, found = gradients()
        optimizer.update(model, found)
        mx.eval(loss, model.parameters(), optimizer.state)
        return loss

    run().item()
    use.first_loss()
    samples = measure.measure(run, mx.synchronize, options.runs, span=0.1)
    report(samples, problem=name, **use.line())


measure.serve(options, peer, {"gemm": gemm, "conv": conv, "step": step}, STEPS)
