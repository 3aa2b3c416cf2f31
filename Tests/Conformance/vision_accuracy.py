#!/usr/bin/env python3
"""Short training runs on a part of Fashion-MNIST, side by side: PyTorch and `apus train`, with one recipe.

Both take the first images of the training files, standardized by their own mean and deviation, with Adam at a rate that
falls to 0 along half a cosine, batches of 64 drawn anew in each epoch, and each its own random numbers from the
distributions of torchvision. The accuracy on all 10,000 test images, the mean of the seeds, must not be further below
PyTorch's than 0.02.

usage: python3 vision_accuracy.py [MODEL ...] [--apus PATH] [--device cpu] [--seeds 1,2]        (torch, numpy)
"""
import argparse
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from torch.nn.functional import cross_entropy

root = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "Benchmarks/Peers"))
from torch_models import VGG, AlexNet, DenseNet, ResNet, VisionTransformer  # noqa: E402

# How to make a network, and its rate, training images and epochs.
MODELS = {
    "alexnet": (lambda: AlexNet(10, small=True, channels=1), 5e-4, 4096, 4),
    "alexnet-2012": (lambda: AlexNet(10, columns=2, small=True, channels=1), 5e-4, 4096, 4),
    "vgg11": (lambda: VGG(10, (1, 1, 2, 2, 2), normalized=False, channels=1), 5e-4, 4096, 4),
    "vgg11-bn": (lambda: VGG(10, (1, 1, 2, 2, 2), channels=1), 1e-3, 4096, 3),
    "resnet18": (lambda: ResNet(channels=1), 1e-3, 3072, 3),
    "resnet34": (lambda: ResNet(blocks=(3, 4, 6, 3), channels=1), 1e-3, 3072, 3),
    "se-resnet18": (lambda: ResNet(attention="se", channels=1), 1e-3, 3072, 3),
    "cbam-resnet18": (lambda: ResNet(attention="cbam", channels=1), 1e-3, 3072, 3),
    "densenet121": (lambda: DenseNet(classes=10, small=True, channels=1), 1e-3, 3072, 3),
    "vit-small": (lambda: VisionTransformer(10, 28, 4, 128, 6, 4, channels=1), 1e-3, 12288, 4),
}
DEFAULT = ["alexnet", "vgg11", "resnet34", "densenet121", "vit-small"]
BATCH = 64


def read(folder, part):
    """The images `[count, 1, 28, 28]` and labels of `train` or `t10k`; IDX headers are 16 and 8 bytes long."""

    def numbers(name, header):
        with gzip.open(folder / f"{part}-{name}-ubyte.gz") as file:
            return torch.from_numpy(numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy())

    return numbers("images-idx3", 16).view(-1, 1, 28, 28).float() / 255, numbers("labels-idx1", 8).long()


def train_torch(make, rate, count, epochs, seed, data):
    (images, labels), (tests, answers) = data
    images, labels = images[:count], labels[:count]
    mean, deviation = images.mean(), images.std()
    torch.manual_seed(seed)
    model = make().train()
    rule = torch.optim.Adam(model.parameters(), rate)
    steps = epochs * math.ceil(count / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(rule, lambda step: (1 + math.cos(math.pi * step / steps)) / 2)
    for _ in range(epochs):
        for batch in torch.randperm(count).split(BATCH):
            rule.zero_grad()
            cross_entropy(model((images[batch] - mean) / deviation), labels[batch]).backward()
            rule.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        guesses = [model((part - mean) / deviation).argmax(1) for part in tests.split(500)]
    return (torch.cat(guesses) == answers).float().mean().item()


def train_apus(apus, device, name, rate, count, epochs, seed):
    """The accuracy, or None if the command does not know the model or an option."""
    with tempfile.TemporaryDirectory() as folder:
        stem = [] if name.startswith("vit") else ["--stem", "small"]
        command = [
            *(apus, "train", name, *stem, "--data", "fashion-mnist", "--train-count", str(count), "--device", device),
            *("--optimizer", "adam", "--learning-rate", str(rate), "--schedule", "cosine"),
            *("--batch-size", str(BATCH), "--epochs", str(epochs), "--seed", str(seed)),
            *("--output", os.path.join(folder, "run"), "--json"),
        ]
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        print(f"{name}: apus exits with {run.returncode}: {run.stderr.strip()[-500:]}", file=sys.stderr)
        return None
    return json.loads(run.stdout.splitlines()[-1])["test_accuracy"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Accuracies of networks for images beside PyTorch's.")
    parser.add_argument("models", nargs="*", help=f"{', '.join(MODELS)} (default: {' '.join(DEFAULT)})")
    parser.add_argument("--apus", default=str(root / ".build/release/apus"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--data", type=Path, default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    unknown = set(options.models) - set(MODELS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    torch.set_num_threads(os.cpu_count())
    data = read(options.data, "train"), read(options.data, "t10k")
    seeds = [int(seed) for seed in options.seeds.split(",")]
    is_good = True
    print("model          images  epochs  torch   apus    difference")
    for name in options.models or DEFAULT:
        make, rate, count, epochs = MODELS[name]
        theirs = sum(train_torch(make, rate, count, epochs, seed, data) for seed in seeds) / len(seeds)
        found = [train_apus(options.apus, options.device, name, rate, count, epochs, seed) for seed in seeds]
        if None in found:
            is_good, end = False, "  not run"
        else:
            ours = sum(found) / len(found)
            is_good = is_good and ours >= theirs - 0.02
            end = f"{ours:.4f}  {ours - theirs:+.4f}{'' if ours >= theirs - 0.02 else '  TOO LOW'}"
        print(f"{name:13}  {count:6}  {epochs:6}  {theirs:.4f}  {end}", flush=True)
    sys.exit(0 if is_good else 1)
