#!/usr/bin/env python3
"""200 steps of each schedule from a rate of 1: writes schedules.safetensors. Run it again when a case is added, and
check the file in. CASE/factors are the rates of the steps."""
import torch
import torch.nn as nn
from fixture import Fixture

f = Fixture()
S = torch.optim.lr_scheduler


def run(case, make, steps=200):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0, momentum=0.9)
    schedule = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    f.add(case, factors=factors)


run("constant", lambda o: S.LambdaLR(o, lambda step: 1.0))
run("cosine", lambda o: S.CosineAnnealingLR(o, 200))
run("cosine-final", lambda o: S.CosineAnnealingLR(o, 200, eta_min=0.1))
f.save()
