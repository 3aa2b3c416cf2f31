#!/usr/bin/env python3
"""Writes schedules.safetensors (see fixture.py): 200 steps of each learning rate schedule, with a base rate of 1 (for
cyclic and one-cycle schedules, the highest rate). After adding a case, run the script again and commit the file.

CASE/factors has the learning rate of each step, which equals the factor of the schedule. Schedules that change the
momentum also have CASE/momenta, the momentum of each step. Schedules that depend on a metric also have CASE/metrics,
the values of the metric that the schedule received after each step."""

import torch
import torch.nn as nn
from fixture import Fixture

f = Fixture()
S = torch.optim.lr_scheduler


def run(case, make, steps=200, metrics=None):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0, momentum=0.9)
    schedule = make(optimizer)
    factors, momenta = [], []
    for step in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        schedule.step(*([] if metrics is None else [metrics[step]]))
    f.add(case, factors=factors)
    if any(m != 0.9 for m in momenta):
        f.put(case, "momenta", momenta)
    if metrics is not None:
        f.put(case, "metrics", metrics)


def triangle(step, steps=200, start=0.2, peak=0.23, end=0.07):
    """The schedule of airbench: linearly from `start` to 1 at the step int(peak * steps), then linearly to `end`."""
    top = int(peak * steps)
    return start + (1 - start) * step / top if step < top else 1 + (end - 1) * (step - top) / (steps - top)


run("constant", lambda o: S.LambdaLR(o, lambda step: 1.0))
run("cosine", lambda o: S.CosineAnnealingLR(o, 200))
run("cosine-final", lambda o: S.CosineAnnealingLR(o, 200, eta_min=0.1))
run("step", lambda o: S.StepLR(o, 30, gamma=0.5))
run("multi-step", lambda o: S.MultiStepLR(o, [20, 50, 51, 120], gamma=0.3))
run("exponential", lambda o: S.ExponentialLR(o, 0.97))
run("inverse-time", lambda o: S.LambdaLR(o, lambda step: 1 / (1 + 0.05 * step)))
run("polynomial", lambda o: S.PolynomialLR(o, 200, power=2.5))
run("polynomial-steps", lambda o: S.PolynomialLR(o, 60))
run("linear", lambda o: S.LinearLR(o, 1 / 3, 1.0, 5))
run("linear-down", lambda o: S.LinearLR(o, 1.0, 0.1, 150))
run("triangle", lambda o: S.LambdaLR(o, triangle))
run("constant-then", lambda o: S.ConstantLR(o, 0.25, 40))
run(
    "constant-then-cosine",
    lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.25, 1000), S.CosineAnnealingLR(o, 160)], [40]),
)
run("warm-up", lambda o: S.LinearLR(o, 0.05, 1.0, 20))
run("warm-up-cosine", lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, 1.0, 25), S.CosineAnnealingLR(o, 175)], [25]))
run("cosine-restarts", lambda o: S.CosineAnnealingWarmRestarts(o, 25, 2, 0.05))
run("cosine-restarts-equal", lambda o: S.CosineAnnealingWarmRestarts(o, 30))
run("one-cycle", lambda o: S.OneCycleLR(o, 1.0, 200))
run(
    "one-cycle-three-phases",
    lambda o: S.OneCycleLR(
        o, 1.0, 200, pct_start=0.37, three_phase=True, anneal_strategy="linear", div_factor=10, final_div_factor=100
    ),
)
run("cyclic", lambda o: S.CyclicLR(o, 0.1, 1.0, 25))
run("cyclic-halving", lambda o: S.CyclicLR(o, 0.2, 1.0, 10, 30, mode="triangular2", cycle_momentum=False))
run("cyclic-exponential", lambda o: S.CyclicLR(o, 0.2, 1.0, 15, 30, mode="exp_range", gamma=0.99, base_momentum=0.7))

wave = [float(2 / (1 + 0.02 * i) + 0.3 * torch.sin(torch.tensor(i * 0.7))) for i in range(200)]
run("plateau", lambda o: S.ReduceLROnPlateau(o), metrics=wave)
run(
    "plateau-options",
    lambda o: S.ReduceLROnPlateau(
        o, mode="max", factor=0.6, patience=3, threshold=0.01, threshold_mode="abs", cooldown=5, min_lr=0.02
    ),
    metrics=wave,
)
run(
    "plateau-max-relative",
    lambda o: S.ReduceLROnPlateau(o, mode="max", factor=0.5, patience=7, threshold=0.05),
    metrics=wave,
)
run(
    "plateau-min-absolute",
    lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=2, threshold=0.1, threshold_mode="abs", cooldown=2),
    metrics=wave,
)
f.save()
