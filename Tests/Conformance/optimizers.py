#!/usr/bin/env python3
"""20 steps of a small net with each optimizer: writes optimizers.safetensors. Run it again when a case is added, and
check the file in.

CASE/losses are the losses before each step, CASE/after.K the parameters and buffers after the last, CASE/slot.K.NAME
what the optimizer keeps then; start/state.K, start/input.0 and start/input.1 (the classes) are what all begin with.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from fixture import Fixture, exact, randn

f = Fixture()
O = torch.optim


# No bias ahead of the batch norm: its gradient is rounding noise, of which Adam makes full steps.
def net():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(27, 8), nn.Tanh(), nn.Linear(8, 4)).double()


start = {k: exact(v) for k, v in net().state_dict().items()}
x, y = randn(8, 1, 6, 6), torch.arange(8) % 4
f.add("start", **{f"state.{k}": v for k, v in start.items()})
f.put("start", "input.0", x.float())
f.put("start", "input.1", y)


def run(case, make, clip=None):
    m = net()
    m.load_state_dict(start)
    o = make(m.parameters())
    losses = []
    for step in range(20):
        o.zero_grad()
        loss = F.cross_entropy(m(x), y)
        loss.backward()
        if clip:
            clip(m.parameters())
        o.step()
        losses.append(loss.item())
    f.add(case, losses=losses)
    for key, value in m.state_dict().items():
        f.put(case, f"after.{key}", value)
    for key, p in m.named_parameters():
        for name, slot in o.state[p].items():
            if isinstance(slot, torch.Tensor) and slot.shape == p.shape:
                f.put(case, f"slot.{key}.{name}", slot)


run("sgd", lambda p: O.SGD(p, 0.1))
run("sgd-decay", lambda p: O.SGD(p, 0.1, weight_decay=0.01))
run("momentum", lambda p: O.SGD(p, 0.05, momentum=0.9))
run("nesterov", lambda p: O.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01))
run("adam", lambda p: O.Adam(p, 0.01))
run("adam-decay", lambda p: O.Adam(p, 0.01, betas=(0.8, 0.99), weight_decay=0.1))
run("adamw", lambda p: O.AdamW(p, 0.01, weight_decay=0.1))
run("sgd-clipped", lambda p: O.SGD(p, 0.1), clip=lambda p: nn.utils.clip_grad_norm_(p, 0.5))
f.save()
