#!/usr/bin/env python3
"""Networks for images in their published sizes: one training step of PyTorch in float64 against Apus in float32.

Makes NAME.safetensors in a folder for each case, with random state, input, logits, running statistics and all
gradients, in the form of fixture.py (in float32: the files take up to a gigabyte each), then runs LargeVisionTests on
them and prints a table. "NAME-small" has the stem for small images, of 32 pixels.

How far Apus may be off, K being the length of a sum and noise meaning that the results of every layer of PyTorch are moved
by 4 * sqrt(K) * 2^-24 of their root mean square (DESIGN.md, section 6), normally distributed:

  results     a share of the largest number: 4 * sqrt(K) * 2^-24, K being the length of all sums from input to logits, one
              behind the other; or as far as noise moves PyTorch's logits, if that is more, as where batches of two
              examples are normalized (`share`, the most of three draws)
  gradients   ten times the first of these of the norm, and three times as far as PyTorch's gradients move in norm (the root
              of the mean square of three draws, `moved.KEY`) with noise, and with half of all rectifiers and maxima
              turned that a difference of `share` could turn: a turned one moves a gradient by far more than rounding.
              For biases ahead of a norm, whose gradients are 0 but for rounding, ten times 4 * sqrt(n) * 2^-24 of the n
              terms' magnitudes (`terms.KEY`)

The column "torch" is how far PyTorch's own results in float32 are off.

usage: python3 vision_large.py FOLDER [NAME ...] [--torchvision DIR] [--no-test] [--test-only]
                                                         (torch, numpy, safetensors)

--torchvision DIR: also compares the models of torch_models.py with torchvision's, which lies in DIR (`pip install
--no-deps --target DIR "torchvision==0.28.*" pillow`); its compiled operations are not needed.
"""
import argparse
import math
import os
import re
import subprocess
import sys

import torch
from safetensors.torch import save_file

from fixture import exact, pattern

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(root, "Benchmarks/Peers"))
from torch_models import VGG, AlexNet, Bottleneck, DenseNet, ResNet, VisionTransformer  # noqa: E402

vgg11, vgg16, deep = (1, 1, 2, 2, 2), (2, 2, 3, 3, 3), (3, 4, 6, 3)


def vgg(convolutions, normalized):
    return lambda classes, small: VGG(classes, convolutions, small, normalized, dropout=0.0)


def resnet(*arguments, **options):
    return lambda classes, small: ResNet(classes, small, *arguments, **options)


networks = {
    "alexnet": lambda classes, small: AlexNet(classes, dropout=0.0, small=small),
    "alexnet-2012": lambda classes, small: AlexNet(classes, dropout=0.0, columns=2, small=small),
    "vgg11": vgg(vgg11, False),
    "vgg11-bn": vgg(vgg11, True),
    "vgg16": vgg(vgg16, False),
    "vgg16-bn": vgg(vgg16, True),
    "resnet18": resnet(),
    "resnet34": resnet(deep),
    "resnet50": resnet(deep, Bottleneck),
    "se-resnet18": resnet(attention="se"),
    "se-resnet50": resnet(deep, Bottleneck, attention="se"),
    "cbam-resnet18": resnet(attention="cbam"),
    "densenet121": lambda classes, small: DenseNet(classes=classes, small=small),
}
cases = {}
for name, make in networks.items():
    # The largest take minutes each.
    cases[name] = (lambda make=make: make(1000, False), (1 if name.startswith("vgg") else 2, 3, 224, 224))
    cases[name + "-small"] = (lambda make=make: make(10, True), (2, 3, 32, 32))
cases["vit-b-16"] = (VisionTransformer, (1, 3, 224, 224))
cases["vit-small"] = (lambda: VisionTransformer(10, 32, 4, 128, 6, 4), (2, 3, 32, 32))


def prepared(model):
    """In float64, with random values that float32 holds, and no activations in place."""
    model = model.double().train()
    gain = 3 if isinstance(model, VisionTransformer) else 6
    for module in model.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    with torch.no_grad():
        for key, p in model.named_parameters():
            scale = math.sqrt(gain / p[0].numel()) if p.dim() > 1 else 0.1
            is_factor = p.dim() == 1 and key.endswith("weight")
            p.copy_(exact(scale * (2 * torch.rand(p.shape, dtype=torch.float64) - 1) + (1 if is_factor else 0)))
    return model


def terms(module):
    """The length of the sums of a layer, None for what is no layer of its own."""
    kinds = torch.nn.modules
    if isinstance(module, kinds.activation.MultiheadAttention):
        return 4 * module.embed_dim
    if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
        return module.weight[0].numel()
    if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.LayerNorm, torch.nn.LocalResponseNorm)):
        return 4
    return None


def step(model, x):
    """Logits and gradients of one training step."""
    for p in model.parameters():
        p.grad = None
    x = x.clone().requires_grad_()
    y = model(x)
    (y * pattern(y)).sum().backward()
    return y.detach(), {"input.0": x.grad, **{key: p.grad for key, p in model.named_parameters()}}


class Noise:
    """Moves the results of layers."""

    def __init__(self, layers, generator):
        self.layers, self.generator = layers, generator

    def __enter__(self):
        self.hooks = [module.register_forward_hook(self.move) for module in self.layers.values()]

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()

    def move(self, module, _, output):
        y, *others = output if isinstance(output, tuple) else (output,)
        scale = 4 * math.sqrt(terms(module)) * 2.0**-24 * y.detach().square().mean().sqrt()
        y = y + scale * torch.randn(y.shape, dtype=y.dtype, generator=self.generator)
        return (y, *others) if isinstance(output, tuple) else y


class Turned:
    """Turns half of the rectifiers whose arguments lie within `share` of the largest one from 0, and maxima whose second lies as
    near to the first: their values stay as good as they are, gradients go the other way."""

    def __init__(self, share, generator):
        self.share, self.generator, self.count = share, generator, 0
        self.places = [
            (torch, "relu", self.relu),
            *((torch.nn.functional, "relu", self.relu), (torch.nn.functional, "max_pool2d", self.max_pool2d)),
            (torch.Tensor, "amax", lambda x, dim, keepdim=False: self.amax(x, dim, keepdim)),
        ]

    def __enter__(self):
        self.kept = [(owner, name, getattr(owner, name)) for owner, name, _ in self.places]
        for owner, name, function in self.places:
            setattr(owner, name, function)
        return self

    def __exit__(self, *_):
        for owner, name, function in self.kept:
            setattr(owner, name, function)

    def half(self, near):
        self.count += near.sum().item()
        return near & (torch.rand(near.shape, generator=self.generator) < 0.5)

    def relu(self, x, inplace=False):
        near = self.half(x.detach().abs() <= self.share * x.detach().abs().max())
        return torch.where((x.detach() > 0) ^ near, x, torch.zeros_like(x))

    def largest(self, x, scale, least):
        """The largest of the last axis, or the second where it is as good and above `least`."""
        values, indices = x.detach().topk(2, -1)
        near = self.half((values[..., 0] - values[..., 1] <= self.share * scale) & (values[..., 1] > least))
        return x.gather(-1, torch.where(near, indices[..., 1], indices[..., 0])[..., None])[..., 0]

    def max_pool2d(self, x, size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        stride = stride or size
        scale = x.detach().abs().max()
        more = [-(n - size) % stride if ceil_mode else 0 for n in x.shape[:1:-1]]
        x = torch.nn.functional.pad(
            x, (padding, padding + more[0], padding, padding + more[1]), value=-math.inf
        )
        windows = x.unfold(2, size, stride).unfold(3, size, stride).flatten(4)
        # Zeros of rectifiers are equal without any rounding, and pass nothing on.
        return self.largest(windows, scale, 0)

    def amax(self, x, dim, keepdim=False):
        dims = dim if isinstance(dim, tuple) else (dim,)
        others = [axis for axis in range(x.dim()) if axis not in dims]
        y = self.largest(x.permute(*others, *dims).flatten(len(others)), x.detach().abs().max(), -math.inf)
        for axis in dims if keepdim else ():
            y = y.unsqueeze(axis)
        return y


def relative(y, expected):
    return ((y - expected).abs().max() / expected.abs().max()).item()


def make_case(name, folder):
    make, shape = cases[name]
    torch.manual_seed(len(name))
    model = prepared(make())
    x = exact(2 * torch.rand(shape, dtype=torch.float64) - 1)
    layers = {}
    for key, module in model.named_modules():
        # What lies inside of attention is counted with it.
        if terms(module) is not None and not key.endswith("out_proj"):
            layers[key] = module
    state = {key: value.clone() for key, value in model.state_dict().items()}

    # The magnitudes of what the gradients of convolutions' biases are sums of.
    sums = {}
    hooks = []
    for key, module in layers.items():
        if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
            def keep(module, inputs, outputs, key=key):
                g = outputs[0]
                sums[f"{key}.bias"] = math.sqrt(g[:, 0].numel()) * g.abs().sum((0, 2, 3)).norm()
            hooks.append(module.register_full_backward_hook(keep))
    y, gradients = step(model, x)
    gradients = {key: value.clone() for key, value in gradients.items()}
    after = {key: value.clone() for key, value in model.named_buffers()}
    for hook in hooks:
        hook.remove()

    longest = sum(terms(module) for key, module in layers.items() if "downsample" not in key)
    unit = 4 * math.sqrt(longest) * 2.0**-24
    share = unit
    with torch.no_grad():
        for draw in range(3):
            with Noise(layers, torch.Generator().manual_seed(draw)):
                share = max(share, relative(model(x), y))
    squares = dict.fromkeys(gradients, 0.0)
    for draw in range(3):
        generator = torch.Generator().manual_seed(10 + draw)
        with Noise(layers, generator), Turned(share, generator) as turned:
            for key, value in step(model, x)[1].items():
                squares[key] += (value - gradients[key]).square().sum().item() / 3
    moved = {key: 3 * math.sqrt(value) for key, value in squares.items()}
    with torch.no_grad():
        peer = relative(model.float()(x.float()), y)

    tensors = {"input.0": x, "output.0": y, "unit": unit, "share": share, "float32": peer}
    tensors |= {f"state.{key}": value for key, value in state.items()}
    tensors |= {f"after.{key}": value for key, value in after.items()}
    tensors |= {f"gradient.{key}": value for key, value in gradients.items()}
    tensors |= {f"moved.{key}": value for key, value in moved.items()}
    tensors |= {f"terms.{key}": value for key, value in sums.items()}
    stored = {}
    for key, value in tensors.items():
        value = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(float(value))
        stored[f"{name}/{key}"] = (value.float() if value.is_floating_point() else value).contiguous()
    path = os.path.join(folder, f"{name}.safetensors")
    save_file(stored, path, metadata={"cases": f'["{name}"]', "torch": torch.__version__})
    count = sum(p.numel() for p in model.parameters())
    print(
        f"{name}: {count:,} parameters, sums of {longest:,}, results within {share:.1e}, "
        f"{turned.count} near a kink, "
        f"{os.path.getsize(path):,} bytes",
        flush=True,
    )


def compare_with_torchvision(folder):
    """The models of torch_models.py against torchvision's: keys, logits and gradients in float64."""
    sys.path.insert(0, folder)
    with open(os.path.join(folder, "torchvision/_meta_registrations.py")) as file:
        names = set(re.findall(r'register_meta\("(\w+)"', file.read())) | {"nms", "qnms"}
    definitions = [torch.library.Library("torchvision", "FRAGMENT")]
    for name in sorted(names):
        try:
            definitions[0].define(f"{name}(Tensor a) -> Tensor")
        except RuntimeError:
            pass
    import torchvision

    print(f"torchvision {torchvision.__version__}")
    pairs = {
        **{key: key for key in ("alexnet", "vgg11", "vgg16", "resnet18", "resnet34", "resnet50", "densenet121")},
        **{"vgg11-bn": "vgg11_bn", "vgg16-bn": "vgg16_bn", "vit-b-16": "vit_b_16"},
    }
    for name, theirs in pairs.items():
        ours = prepared(cases[name][0]())
        other = getattr(torchvision.models, theirs)(weights=None).double().train()
        for module in other.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        assert list(ours.state_dict()) == list(other.state_dict()), name
        other.load_state_dict(ours.state_dict())
        x = torch.rand(2, 3, *((224, 224) if name.startswith("vit") else (96, 96)), dtype=torch.float64)
        (y, found), (z, expected) = step(ours, x), step(other, x)
        largest = max(value.norm() for value in expected.values())
        # A gradient that is 0 but for rounding has no digits of its own.
        worst = max(((found[key] - g).norm() / (g.norm() + 1e-9 * largest)).item() for key, g in expected.items())
        difference = ((y - z).abs().max() / z.abs().max()).item()
        print(f"{name:12} keys equal, logits within {difference:.1e}, gradients within {worst:.1e}", flush=True)


def run_tests(folder):
    command = "swift test -c release --disable-xctest --scratch-path .build-tests --filter LargeVisionTests"
    environment = {**os.environ, "APUS_LARGE_FIXTURES": os.path.abspath(folder)}
    found = subprocess.run(
        command.split(), cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    rows = [line.split("|")[1:] for line in found.stdout.splitlines() if line.startswith("large|")]
    if not rows or found.returncode:
        print(found.stdout[-6000:])
    titles = ["case", "device", "torch", "results", "of bound", "gradients", "of bound", "where"]
    widths = [max(len(row[i]) for row in rows + [titles]) for i in range(len(titles))]
    for row in [titles] + rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return found.returncode


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Networks for images in their published sizes against PyTorch.")
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*", help=", ".join(cases))
    parser.add_argument("--torchvision", metavar="DIR")
    parser.add_argument("--no-test", action="store_true", help="only make the files")
    parser.add_argument("--test-only", action="store_true", help="only test the files that are there")
    options = parser.parse_args()
    unknown = set(options.names) - set(cases)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    torch.set_num_threads(os.cpu_count())
    os.makedirs(options.folder, exist_ok=True)
    if options.torchvision:
        compare_with_torchvision(options.torchvision)
    for name in [] if options.test_only else options.names or cases:
        make_case(name, options.folder)
    sys.exit(0 if options.no_test else run_tests(options.folder))
