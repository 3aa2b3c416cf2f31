#!/usr/bin/env python3
"""Trains char-lstm or char-transformer in PyTorch with the recipe that Apus uses by default, and prints the bits per
character for the last tenth of the text, which is not trained on. Compare them with the bits of an Apus run that has
the same number of steps.

The recipe is Adam, gradients clipped to a norm of 1, windows of the text in random order, dropout of 0.1 (only
char-lstm) and learning rates that follow half a cosine. The script prints one JSON object per seed.
"""

import argparse
import json
import math
import subprocess
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch_models import CharLSTM, CharTransformer

MODELS = {"char-lstm": CharLSTM, "char-transformer": CharTransformer}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", choices=MODELS)
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--seeds", default="1")
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
torch.set_num_threads(options.threads)

text = subprocess.run(["bible", "-f", "gen1:1-rev22:21"], capture_output=True, check=True).stdout.decode()
cut = len(text) - int(len(text) * 0.1)
characters = {c: n + 2 for n, c in enumerate(sorted(set(text[:cut])))}


def windows(text, length):
    """Inputs and targets `[count, length]`."""
    tokens = torch.tensor([characters.get(c, 1) for c in text])
    count = (len(tokens) - 1) // length
    return tokens[: count * length].view(count, length), tokens[1 : count * length + 1].view(count, length)


def train(seed):
    torch.manual_seed(seed)
    kind = MODELS[options.model]
    model = kind(len(characters) + 2)
    inputs, targets = windows(text[:cut], kind.length)
    rule = torch.optim.Adam(model.parameters(), kind.rate)
    start, order = time.time(), []
    for step in range(options.steps):
        if len(order) < kind.batch:
            order = torch.randperm(len(inputs)).tolist()
        batch, order = order[: kind.batch], order[kind.batch :]
        rule.param_groups[0]["lr"] = kind.rate * (1 + math.cos(math.pi * step / options.steps)) / 2
        rule.zero_grad()
        F.cross_entropy(model(inputs[batch]).flatten(0, 1), targets[batch].flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        rule.step()
    seconds = time.time() - start
    total, (inputs, targets) = 0.0, windows(text[cut:], kind.length)
    model.eval()
    with torch.no_grad():
        for x, y in zip(inputs.split(256), targets.split(256)):
            total += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
    return total / targets.numel() / math.log(2), seconds


for seed in map(int, options.seeds.split(",")):
    bits, seconds = train(seed)
    line = {"peer": "torch", "model": options.model, "seed": seed, "steps": options.steps}
    print(json.dumps({**line, "test_bits_per_character": round(bits, 4), "seconds": round(seconds, 1)}), flush=True)
