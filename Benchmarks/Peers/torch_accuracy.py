#!/usr/bin/env python3
"""Trains mlp or lenet5 on Fashion-MNIST in PyTorch with the recipe that Apus uses by default. The accuracies can be
compared with those of Apus.

The recipe is Adam with a learning rate of 1e-3, batches of 128, standardized pixels and PyTorch's initialization. The
script prints one JSON object per seed.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F

MODELS = {
    "mlp": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    ),
    "lenet5": lambda: nn.Sequential(
        *[nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()],
        *[nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)],
    ),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", choices=MODELS)
parser.add_argument("--seeds", default="1,2,3,4,5")
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--data", type=Path, default="/usr/share/datasets/fashion-mnist")
options = parser.parse_args()


def read(part):
    """The images `[count, 1, 28, 28]` and labels of `train` or `t10k`. IDX headers have 16 bytes (images) or 8
    (labels)."""

    def numbers(name, header):
        with gzip.open(options.data / f"{part}-{name}-ubyte.gz") as file:
            return torch.from_numpy(numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy())

    return numbers("images-idx3", 16).view(-1, 1, 28, 28).float() / 255, numbers("labels-idx1", 8).long()


def train(seed, images, labels):
    torch.manual_seed(seed)
    model = MODELS[options.model]()
    rule = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(options.epochs):
        for batch in torch.randperm(len(images)).split(128):
            rule.zero_grad()
            F.cross_entropy(model(images[batch]), labels[batch]).backward()
            rule.step()
    return model


(images, labels), (test_images, test_labels) = read("train"), read("t10k")
mean, deviation = images.mean(), images.std()
for seed in map(int, options.seeds.split(",")):
    start = time.perf_counter()
    model = train(seed, (images - mean) / deviation, labels)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        guesses = model((test_images - mean) / deviation).argmax(1)
    accuracy = (guesses == test_labels).float().mean().item()
    line = {"model": options.model, "seed": seed, "test_accuracy": round(accuracy, 4), "seconds": round(seconds, 1)}
    print(json.dumps(line | {"peer": f"torch {torch.__version__}"}), flush=True)
