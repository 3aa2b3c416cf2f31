#!/usr/bin/env python3
"""Compares one forward and backward pass of image networks in Apus, in float64 and float32, with PyTorch in float64.

For each case, writes NAME/NAME.safetensors in FOLDER, in the format of fixture.py (up to 1.7 gigabytes per file). The
file contains a random state and input, both exact in float32, and PyTorch's logits, running statistics and gradients.
Then runs LargeVisionTests on the files and prints a table. The cases are the models that Apus knows by name. The
case "NAME" is a network in its published size; the case "NAME@32" is the network with the stem for small images, here
of 32 pixels. Networks with dropout are in inference mode, the others in training mode.

The tolerances:

  float64     1e-9 of the largest element of each tensor, for gradients and results. In float64, rounding changes the
              sign of no input of a ReLU.
  float32     results: `share` of the largest element. `share` is the larger of two numbers. The first is
              4 * sqrt(K) * 2^-24, where K is the total length of the sums of the layers on the longest path from input
              to logits. The second is the largest relative change of PyTorch's logits in three runs with noise. (The
              second number is the larger one if a batch norm normalizes batches of two examples.) The noise is added to
              the results of each layer. It is normally distributed, with a deviation of 4 * sqrt(k) * 2^-24 times the
              root mean square of the results, where k is the length of the layer's sums.
              gradients: 0.1 of the norm of each tensor with at least 16 elements, and 0.05 of the norm of all gradients
              together. Rounding can change the sign of an input of a ReLU, or the position of a maximum. Such a change
              alters single elements by far more than rounding does (in PyTorch too, up to 0.03 of a norm), but alters
              the norm of all gradients little.

The bias of a convolution before a norm has the gradient 0 except for rounding. So the tolerance of the biases of all
convolutions is larger by 40 * u * `terms.KEY`, where u is 2^-53 or 2^-24. The gradient of the bias of a channel is a
sum of n terms. Let m be the sum of the magnitudes of these terms. `terms.KEY` is sqrt(n) times the norm of the vector
that contains m for each channel.

The two columns "torch" are the errors of PyTorch's results and gradients in float32, compared with float64.

usage: python3 vision_large.py FOLDER [NAME ...] [--torchvision DIR] [--no-test] [--test-only] [--runs RUNS]
                                                         (torch, numpy, safetensors)

--runs RUNS: RUNS lists beginnings of the names of test runs, separated by semicolons, for example
"cpu, float64;opencl:0 cpu". Only runs whose names begin with one of them are made (default: all).

--torchvision DIR: also compares the models of torch_models.py with those of torchvision in DIR (`pip install --no-deps
--target DIR "torchvision==0.28.*" pillow`); its compiled operations are not needed.
"""

import argparse
import math
import os
import re
import subprocess
import sys

import torch
from fixture import exact, pattern
from safetensors.torch import save_file

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(root, "Benchmarks/Peers"))
from torch_models import VGG, AlexNet, Bottleneck, DenseNet, ResNet, VisionTransformer  # noqa: E402

vgg11, vgg16, deep = (1, 1, 2, 2, 2), (2, 2, 3, 3, 3), (3, 4, 6, 3)


def vgg(convolutions, normalized):
    return lambda classes, small: VGG(classes, convolutions, small, normalized)


def resnet(*arguments, **options):
    return lambda classes, small: ResNet(classes, small, *arguments, **options)


def transformer(classes, small):
    """The network that Apus knows as vit-small."""
    sizes = {"size": 32, "patch": 4, "width": 192, "depth": 6, "heads": 3} if small else {"width": 384, "heads": 6}
    return VisionTransformer(classes, **sizes)


networks = {
    "alexnet": lambda classes, small: AlexNet(classes, small=small),
    "alexnet-2012": lambda classes, small: AlexNet(classes, columns=2, small=small),
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
    "vit-small": transformer,
}
cases = {}
for name, make in networks.items():
    # In their published sizes, the largest networks (VGG and vision transformers) take minutes each, so their batches
    # have one image.
    count = 1 if name.startswith("v") else 2
    cases[name] = (lambda make=make: make(1000, False), (count, 3, 224, 224))
    cases[name + "@32"] = (lambda make=make: make(10, True), (2, 3, 32, 32))
cases["vit-b-16"] = (VisionTransformer, (1, 3, 224, 224))


def drops(model):
    return any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())


def prepared(model):
    """The model in float64, with random values that float32 holds exactly, and without in-place activations."""
    model = model.double().train(not drops(model))
    gain = 3 if isinstance(model, VisionTransformer) else 6
    for module in model.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
    with torch.no_grad():
        for key, p in model.named_parameters():
            scale = math.sqrt(gain / p[0].numel()) if p.dim() > 1 else 0.1
            is_factor = p.dim() == 1 and key.endswith("weight")
            p.copy_(exact(scale * (2 * torch.rand(p.shape, dtype=torch.float64) - 1) + (1 if is_factor else 0)))
        for key, b in model.named_buffers():
            if b.is_floating_point():
                is_factor = key.endswith("var")
                b.copy_(exact(0.1 * (2 * torch.rand(b.shape, dtype=torch.float64) - 1) + (1 if is_factor else 0)))
    return model


def terms(module):
    """The length of the sums of a layer, or None for a module that does not count as a layer."""
    kinds = torch.nn.modules
    if isinstance(module, kinds.activation.MultiheadAttention):
        return 4 * module.embed_dim
    if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
        return module.weight[0].numel()
    if isinstance(module, (torch.nn.BatchNorm2d, torch.nn.LayerNorm, torch.nn.LocalResponseNorm)):
        return 4
    return None


def step(model, x):
    """Logits and gradients of one forward and backward pass."""
    for p in model.parameters():
        p.grad = None
    x = x.clone().requires_grad_()
    y = model(x)
    (y * pattern(y)).sum().backward()
    return y.detach(), {"input.0": x.grad, **{key: p.grad for key, p in model.named_parameters()}}


class Noise:
    """Adds noise to the results of layers."""

    def __init__(self, layers, generator):
        self.layers, self.generator = layers, generator

    def __enter__(self):
        self.hooks = [module.register_forward_hook(self.add_noise) for module in self.layers.values()]

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()

    def add_noise(self, module, _, output):
        y, *others = output if isinstance(output, tuple) else (output,)
        scale = 4 * math.sqrt(terms(module)) * 2.0**-24 * y.detach().square().mean().sqrt()
        y = y + scale * torch.randn(y.shape, dtype=y.dtype, generator=self.generator)
        return (y, *others) if isinstance(output, tuple) else y


def relative(y, expected):
    """The largest difference, as a fraction of the largest magnitude of an expected element."""
    return ((y - expected).abs().max() / expected.abs().max()).item()


def make_case(name, folder):
    make, shape = cases[name]
    torch.manual_seed(len(name))
    model = prepared(make())
    x = exact(2 * torch.rand(shape, dtype=torch.float64) - 1)
    layers = {}
    for key, module in model.named_modules():
        # `terms` counts the output projection of an attention layer (`out_proj`) with the attention layer.
        if terms(module) is not None and not key.endswith("out_proj"):
            layers[key] = module
    state = {key: value.clone() for key, value in model.state_dict().items()}

    # `terms.KEY` of the biases of convolutions, see above.
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
    single, slopes = step(model.float(), x.float())
    largest = max(value.norm() for value in gradients.values())
    # A gradient that is 0 except for rounding has no relative accuracy.
    worst = max(
        ((slopes[key] - g).norm() / g.norm()).item()
        for key, g in gradients.items()
        if key not in sums or g.norm() > 1e-6 * largest
    )

    tensors = {"output.0": y, "share": share, "float32": relative(single, y), "float32.gradient": worst}
    tensors |= {f"after.{key}": value for key, value in after.items()}
    tensors |= {f"gradient.{key}": value for key, value in gradients.items()}
    tensors |= {f"terms.{key}": value for key, value in sums.items()}
    tensors |= {"training": 0.0 if drops(model) else 1.0}
    # Inputs and state are stored in float32.
    tensors |= {"input.0": x.float()} | {
        f"state.{key}": value.float() if value.is_floating_point() else value for key, value in state.items()
    }
    stored = {}
    for key, value in tensors.items():
        value = value if isinstance(value, torch.Tensor) else torch.tensor(float(value), dtype=torch.float64)
        stored[f"{name}/{key}"] = value.detach().contiguous()
    path = os.path.join(folder, name, f"{name}.safetensors")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save_file(stored, path, metadata={"cases": f'["{name}"]', "torch": torch.__version__})
    count = sum(p.numel() for p in model.parameters())
    print(
        f"{name}: {count:,} parameters, sums of {longest:,}, results within {share:.1e}, "
        f"{os.path.getsize(path):,} bytes",
        flush=True,
    )


def compare_with_torchvision(folder):
    """Compares the models of torch_models.py with torchvision's: keys, logits and gradients in float64."""
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
        for module in [*ours.train().modules(), *other.modules()]:
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        assert list(ours.state_dict()) == list(other.state_dict()), name
        other.load_state_dict(ours.state_dict())
        x = torch.rand(2, 3, *((224, 224) if name.startswith("vit") else (96, 96)), dtype=torch.float64)
        (y, found), (z, expected) = step(ours, x), step(other, x)
        largest = max(value.norm() for value in expected.values())
        # A gradient that is 0 except for rounding has no relative accuracy.
        worst = max(((found[key] - g).norm() / (g.norm() + 1e-9 * largest)).item() for key, g in expected.items())
        difference = ((y - z).abs().max() / z.abs().max()).item()
        print(f"{name:12} keys equal, logits within {difference:.1e}, gradients within {worst:.1e}", flush=True)


def run_tests(folder, names, runs):
    """Runs the tests of each case and prints a table of the errors. Each case has a process of its own, since devices
    retain memory of every requested size. Returns the exit status."""
    command = "swift test -c release --disable-xctest --scratch-path .build-tests --filter LargeVisionTests"
    rows, failed = [], []
    for name in names:
        environment = {**os.environ, "APUS_LARGE_FIXTURES": os.path.abspath(os.path.join(folder, name))}
        if runs:
            environment["APUS_LARGE_RUNS"] = runs
        test = subprocess.run(
            command.split(), cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        found = [line.split("|")[1:] for line in test.stdout.splitlines() if line.startswith("large|")]
        rows += found
        if not found or test.returncode:
            failed.append(name)
            print(test.stdout[-6000:])
    titles = [
        "case",
        "device",
        "type",
        "torch",
        "torch",
        "results",
        "of bound",
        "where",
        "gradients",
        "of bound",
        "where",
    ]
    widths = [max(len(row[i]) for row in rows + [titles]) for i in range(len(titles))]
    for row in [titles] + rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(f"{len(names)} cases, failed: {', '.join(failed) or 'none'}")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compares image networks in their published sizes with PyTorch.")
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*", help=", ".join(cases))
    parser.add_argument("--torchvision", metavar="DIR")
    parser.add_argument("--no-test", action="store_true", help="only make the files")
    parser.add_argument("--test-only", action="store_true", help="only test existing files")
    parser.add_argument("--runs", help="which devices and types to test")
    options = parser.parse_args()
    unknown = set(options.names) - set(cases)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    torch.set_num_threads(os.cpu_count())
    os.makedirs(options.folder, exist_ok=True)
    if options.torchvision:
        compare_with_torchvision(options.torchvision)
    names = options.names or list(cases)
    if options.test_only:
        names = [name for name in names if os.path.isdir(os.path.join(options.folder, name))]
    else:
        for name in names:
            make_case(name, options.folder)
    sys.exit(0 if options.no_test else run_tests(options.folder, names, options.runs))
