#!/usr/bin/env python3
"""Compares short training runs of PyTorch and `apus train`, with the same settings, on a subset of Fashion-MNIST.

Both sides use the same number of training images: a random sample, stratified by class, that depends on the seed. The
images are standardized by the mean and standard deviation of the sample. Both sides use Adam with a rate that falls to
0 along half a cosine, and batches of 64 that are shuffled in each epoch. Initial values have torchvision's
distributions, with different random numbers on both sides. Both sides are tested on the same 2,500 images, stratified
by class. The mean accuracy of Apus over the seeds may be at most 0.02 below the mean accuracy of PyTorch.

The networks are models that `apus train` knows by name, with one channel and the stem for small images. Before any
training, the script compares the number of parameters of each PyTorch layer with the list of `apus summary`. If a
number differs, nothing is trained.

With `--together`, both sides start from PyTorch's initial values and use the same images in the same order, so that
only the rounding of each step differs. Use `--together` if the means of a few seeds do not show whether one side learns
worse.

The largest network takes about two minutes per side and seed on two cores. `--torch-cache FILE` stores PyTorch's
accuracies. A later call with the same recipe, for example with another Apus device, does not measure them again.

usage: python3 vision_accuracy.py [MODEL ...] [--apus PATH] [--device cpu] [--seeds 1,2] [--train-count N] [--epochs N]
                                  [--together] [--torch-cache FILE]                  (torch, numpy, safetensors)
"""

import argparse
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy

root = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "Benchmarks/Peers"))
from torch_models import VGG, AlexNet, DenseNet, ResNet, VisionTransformer  # noqa: E402

CLASSES, SIZE, BATCH, TESTS = 10, 28, 64, 2500
# For each model: a function that builds it for a number of channels, the learning rate, the number of training images,
# and the number of epochs. Each training takes about 10^13 multiply-adds.
MODELS = {
    "alexnet": (lambda channels: AlexNet(CLASSES, small=True, channels=channels), 5e-4, 4096, 4),
    "alexnet-2012": (lambda channels: AlexNet(CLASSES, columns=2, small=True, channels=channels), 5e-4, 4096, 4),
    "vgg11": (lambda channels: VGG(CLASSES, (1, 1, 2, 2, 2), normalized=False, channels=channels), 5e-4, 4096, 4),
    "vgg11-bn": (lambda channels: VGG(CLASSES, (1, 1, 2, 2, 2), channels=channels), 1e-3, 4096, 3),
    "resnet18": (lambda channels: ResNet(CLASSES, channels=channels), 1e-3, 2560, 3),
    "resnet34": (lambda channels: ResNet(CLASSES, blocks=(3, 4, 6, 3), channels=channels), 1e-3, 1536, 3),
    "se-resnet18": (lambda channels: ResNet(CLASSES, attention="se", channels=channels), 1e-3, 2560, 3),
    "cbam-resnet18": (lambda channels: ResNet(CLASSES, attention="cbam", channels=channels), 1e-3, 2560, 3),
    "densenet121": (lambda channels: DenseNet(classes=CLASSES, small=True, channels=channels), 1e-3, 1536, 3),
    "vit-small": (lambda channels: VisionTransformer(CLASSES, SIZE, 4, 192, 6, 3, channels=channels), 1e-3, 6144, 4),
}
# Warmup steps. Without warmup, the accuracy of a Transformer after a short training depends strongly on its initial
# values.
WARMUP = {"vit-small": 64}
DEFAULT = ["alexnet", "vgg11", "resnet34", "densenet121", "vit-small"]


def read(folder, part):
    """The images `[count, 28, 28]` and labels of `train` or `t10k` as bytes. The IDX header of images is 16 bytes long,
    and that of labels 8 bytes."""

    def numbers(name, header):
        with gzip.open(folder / f"{part}-{name}-ubyte.gz") as file:
            return numpy.frombuffer(file.read(), numpy.uint8, offset=header)

    return numbers("images-idx3", 16).reshape(-1, SIZE, SIZE), numbers("labels-idx1", 8)


def stratified(labels, count, seed):
    """The indices of `count` examples, stratified by class. The number of examples of a class is rounded up for the
    classes with the largest remainders, and otherwise down."""
    random = numpy.random.default_rng(seed)
    classes, sizes = numpy.unique(labels, return_counts=True)
    shares = sizes * count / len(labels)
    counts = numpy.floor(shares).astype(int)
    for place in numpy.argsort(counts - shares, kind="stable")[: count - counts.sum()]:
        counts[place] += 1
    chosen = [random.permutation(numpy.flatnonzero(labels == c))[:n] for c, n in zip(classes, counts)]
    return numpy.sort(numpy.concatenate(chosen))


def write_idx(path, array):
    """Writes bytes in MNIST's format: two zeros, the type 8, the rank, the extents, the elements."""
    extents = b"".join(extent.to_bytes(4, "big") for extent in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + extents + numpy.ascontiguousarray(array).tobytes())


def write_data(folder, train, test):
    for part, (images, labels) in (("train", train), ("t10k", test)):
        write_idx(folder / f"{part}-images-idx3-ubyte", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte", labels)


def difference(apus, name):
    """The differences between the networks that Apus and PyTorch build for a name; empty if there are none. If
    `apus summary` fails, its error message.

    Both networks are built for three channels, the default of `apus summary`."""
    command = [apus, "summary", name, "--stem", "small", "--classes", str(CLASSES), "--image-size", str(SIZE), "--json"]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        return run.stderr.strip()
    *rows, whole = map(json.loads, run.stdout.splitlines())
    listed = {row["layer"]: row["parameters"] for row in rows if row["parameters"]}
    # Parameters are summed for each path of the summary, because one layer of the summary may stand for several PyTorch
    # modules.
    found = dict.fromkeys(listed, 0)
    others = []
    total = 0
    for key, value in MODELS[name][0](3).named_parameters():
        total += value.numel()
        path = max((p for p in listed if key == p or key.startswith(p + ".")), key=len, default=None)
        if path is None:
            others.append(key)
        else:
            found[path] += value.numel()
    unlike = [f"{path}: {listed[path]:,} and {count:,}" for path, count in found.items() if listed[path] != count]
    if total != whole["parameters"]:
        unlike.insert(0, f"{whole['parameters']:,} and {total:,} parameters")
    return "; ".join(unlike[:4] + [f"only PyTorch's has {key}" for key in others[:4]])


def factor(step, steps, warmup):
    """The factor of the learning rate at a step: a linear rise to 1, then half a cosine down to 0."""
    if step < warmup:
        return 1 / warmup + (1 - 1 / warmup) * step / warmup
    return (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2


def mixed(bits):
    """SplitMix64's finalizer (Steele, Lea, Flood, 2014)."""
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) % 2**64
    return bits ^ (bits >> 31)


def apus_order(count, seed, epoch):
    """The order in which `apus train --seed` visits examples: `MinibatchOrder` with the seed `RunSeeds.order`."""
    gamma = 0x9E3779B97F4A7C15
    seed = mixed((seed + 3 * gamma) % 2**64)
    key = mixed(mixed((seed + gamma) % 2**64) ^ epoch * 0xD1342543DE82EF95 % 2**64)
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        place = mixed((key + gamma * (last + 1)) % 2**64) * (last + 1) >> 64
        order[last], order[place] = order[place], order[last]
    return torch.tensor(order)


@dataclass
class Recipe:
    """The recipe of both sides, and whether they share initial values and batches."""

    name: str
    rate: float
    count: int
    epochs: int
    warmup: int
    together: bool

    def model(self, seed):
        torch.manual_seed(seed)
        return MODELS[self.name][0](1)


def train_torch(recipe, seed, train, test):
    chosen = stratified(train[1], recipe.count, seed)

    def tensors(images, labels):
        return torch.from_numpy(images.copy()).unsqueeze(1).float() / 255, torch.from_numpy(labels.astype(numpy.int64))

    (images, labels), (tests, answers) = tensors(train[0][chosen], train[1][chosen]), tensors(*test)
    mean, deviation = images.mean(), images.std()
    model = recipe.model(seed).train()
    rule = torch.optim.Adam(model.parameters(), recipe.rate)
    steps = recipe.epochs * math.ceil(recipe.count / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(rule, lambda step: factor(step, steps, recipe.warmup))
    for epoch in range(recipe.epochs):
        order = apus_order(recipe.count, seed, epoch) if recipe.together else torch.randperm(recipe.count)
        for batch in order.split(BATCH):
            rule.zero_grad()
            cross_entropy(model((images[batch] - mean) / deviation), labels[batch]).backward()
            rule.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        guesses = [model((part - mean) / deviation).argmax(1) for part in tests.split(500)]
    return (torch.cat(guesses) == answers).float().mean().item()


def train_apus(apus, device, recipe, seed, train, test):
    """The accuracy, or None if the run failed."""
    with tempfile.TemporaryDirectory() as folder:
        start = ["--train-count", str(recipe.count), "--split-seed", str(seed)]
        if recipe.together:
            chosen = stratified(train[1], recipe.count, seed)
            train = train[0][chosen], train[1][chosen]
            start = ["--weights", os.path.join(folder, "first.safetensors")]
            save_file({key: value.contiguous() for key, value in recipe.model(seed).state_dict().items()}, start[1])
        write_data(Path(folder), train, test)
        command = [
            *(apus, "train", recipe.name, "--stem", "small", "--data", f"mnist:{folder}", "--device", device, *start),
            *("--optimizer", "adam", "--learning-rate", str(recipe.rate), "--schedule", "cosine"),
            *("--batch-size", str(BATCH), "--epochs", str(recipe.epochs), "--seed", str(seed)),
            *("--output", os.path.join(folder, "run"), "--json"),
            *(("--warmup", str(recipe.warmup)) if recipe.warmup else ()),
        ]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        print(f"{recipe.name}: apus exits with {run.returncode}: {run.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    return json.loads(run.stdout.splitlines()[-1])["test_accuracy"]


class Cache:
    """PyTorch's accuracies, with the settings of the training as keys; stored in a file if `path` is not None."""

    def __init__(self, path):
        self.path = path
        self.values = json.loads(path.read_text()) if path and path.exists() else {}

    def get(self, key, measure):
        text = json.dumps(key)
        if text not in self.values:
            self.values[text] = measure()
            if self.path:
                self.path.write_text(json.dumps(self.values, indent=1) + "\n")
        return self.values[text]


def compare(name, options, seeds, train, test, cache):
    """Trains on both sides and prints a line of the comparison; returns whether Apus's accuracy is high enough."""
    make, rate, count, epochs = MODELS[name]
    recipe = Recipe(
        name, rate, options.train_count or count, options.epochs or epochs, WARMUP.get(name, 0), options.together
    )
    parameters = sum(value.numel() for value in make(1).parameters())
    start = time.monotonic()

    def theirs(seed):
        key = [name, parameters, rate, recipe.count, recipe.epochs, recipe.warmup, seed, BATCH, TESTS]
        key += [torch.__version__] + ["together"] * recipe.together
        return cache.get(key, lambda: train_torch(recipe, seed, train, test))

    wanted = [theirs(seed) for seed in seeds]
    expected = sum(wanted) / len(seeds)
    middle = time.monotonic()
    found = [train_apus(options.apus, options.device, recipe, seed, train, test) for seed in seeds]
    is_good, end = False, "not run"
    if None not in found:
        ours = sum(found) / len(found)
        is_good = ours >= expected - 0.02
        end = f"{ours:.4f}  {ours - expected:+.4f}     {'' if is_good else '  TOO LOW'}"
    seconds = f"{middle - start:5.0f} {time.monotonic() - middle:5.0f}"
    print(f"{name:13}  {recipe.count:6}  {recipe.epochs:6}  {seconds}  {expected:.4f}  {end}".rstrip(), flush=True)
    if len(seeds) > 1 and None not in found:
        for side, values in (("torch", wanted), ("apus", found)):
            print(f"{'':13}  {side}: {' '.join(f'{value:.4f}' for value in values)}", flush=True)
    return is_good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compares the accuracies of image networks with PyTorch's.")
    parser.add_argument("models", nargs="*", help=f"{', '.join(MODELS)} (default: {' '.join(DEFAULT)})")
    parser.add_argument("--apus", default=str(root / ".build/release/apus"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--train-count", type=int, help="the number of training images (default: depends on the model)")
    parser.add_argument("--epochs", type=int, help="the number of epochs (default: depends on the model)")
    parser.add_argument("--together", action="store_true", help="the same initial values and batches on both sides")
    parser.add_argument("--torch-cache", type=Path, metavar="FILE", help="stores PyTorch's accuracies between calls")
    parser.add_argument("--data", type=Path, default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    unknown = set(options.models) - set(MODELS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    names = options.models or DEFAULT
    unlike = {name: text for name in names if (text := difference(options.apus, name))}
    if unlike:
        sys.exit("\n".join(f"{name}: the networks differ (Apus and PyTorch): {text}" for name, text in unlike.items()))
    torch.set_num_threads(os.cpu_count())
    train, (images, labels) = read(options.data, "train"), read(options.data, "t10k")
    chosen = stratified(labels, TESTS, 0)
    test = images[chosen], labels[chosen]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    cache = Cache(options.torch_cache)
    print("model          images  epochs  seconds      torch   apus    difference")
    results = [compare(name, options, seeds, train, test, cache) for name in names]
    sys.exit(0 if all(results) else 1)
