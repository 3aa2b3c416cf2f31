#!/usr/bin/env python3
"""Writes optimizers.safetensors (see fixture.py): 20 steps of a small network with each optimizer. After adding a case,
run the script again and commit the file.

CASE/losses are the losses before each step. After the last step, CASE/after.K are the parameters and buffers, and
CASE/slot.K.NAME is the tensor NAME of the optimizer state of parameter K. All cases start from the parameters and
buffers start/state.K, and use the images start/input.0 with the classes start/input.1.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from fixture import Fixture, exact, randn

f = Fixture()
O = torch.optim


# The convolution has no bias: before a batch norm, the gradient of a bias is only rounding noise, which Adam would
# scale to full steps.
def net():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, bias=False),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(27, 8),
        nn.Tanh(),
        nn.Linear(8, 4),
    ).double()


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
run("sgd-clipped-value", lambda p: O.SGD(p, 0.1), clip=lambda p: nn.utils.clip_grad_value_(p, 0.02))
run("momentum-dampening", lambda p: O.SGD(p, 0.1, momentum=0.8, dampening=0.3, weight_decay=0.01))
run("adam-amsgrad", lambda p: O.Adam(p, 0.01, betas=(0.8, 0.9), amsgrad=True))
run("adamw-amsgrad", lambda p: O.AdamW(p, 0.01, betas=(0.8, 0.9), amsgrad=True))
run("adagrad", lambda p: O.Adagrad(p, 0.05))
run("adagrad-decay", lambda p: O.Adagrad(p, 0.05, lr_decay=0.1, weight_decay=0.01, initial_accumulator_value=0.1))
run("rmsprop", lambda p: O.RMSprop(p, 0.01, eps=1e-3))
run(
    "rmsprop-centered",
    lambda p: O.RMSprop(p, 0.01, alpha=0.9, eps=1e-3, momentum=0.9, centered=True, weight_decay=0.01),
)
run("adadelta", lambda p: O.Adadelta(p))
run("adadelta-decay", lambda p: O.Adadelta(p, 0.5, rho=0.8, eps=1e-4, weight_decay=0.01))
run("adamax", lambda p: O.Adamax(p, 0.01))
run("adamax-decay", lambda p: O.Adamax(p, 0.01, betas=(0.8, 0.9), weight_decay=0.1))
run("nadam", lambda p: O.NAdam(p, 0.01))
run("nadam-decay", lambda p: O.NAdam(p, 0.01, betas=(0.8, 0.9), momentum_decay=0.1, weight_decay=0.1))
run("nadamw", lambda p: O.NAdam(p, 0.01, weight_decay=0.1, decoupled_weight_decay=True))
run("rprop", lambda p: O.Rprop(p, 1e-4))
run("rprop-limits", lambda p: O.Rprop(p, 2e-3, etas=(0.4, 1.5), step_sizes=(1e-3, 4e-3)))


class Formula(O.Optimizer):
    """An optimizer that PyTorch lacks, computed by the formulas of its paper. step_of(parameter, gradient, state, step
    count) updates a parameter and the tensors of its state, whose names are `names`. In the formulas of the functions
    below, w is the parameter, g its gradient, v the velocity and s the running mean of g^2."""

    def __init__(self, parameters, step_of, names):
        super().__init__(parameters, {})
        self.step_of, self.names, self.count = step_of, names, 0

    @torch.no_grad()
    def step(self):
        self.count += 1
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                for name in self.names:
                    state.setdefault(name, torch.zeros_like(p))
                self.step_of(p, p.grad, state, self.count)


def averaged(p, g, state, t, rate=0.1, momentum=0.9, decay=0.01):
    """v = momentum * v + (1 - momentum) * (g + decay * w); w = w - rate * v."""
    state["velocity"].copy_(momentum * state["velocity"] + (1 - momentum) * (g + decay * p))
    p.copy_(p - rate * state["velocity"])


def inside_root(p, g, state, t, rate=0.01, alpha=0.9, epsilon=1e-3):
    """s = alpha * s + (1 - alpha) * g^2; w = w - rate * g / sqrt(s + epsilon)."""
    state["square_avg"].copy_(alpha * state["square_avg"] + (1 - alpha) * g**2)
    p.copy_(p - rate * g / torch.sqrt(state["square_avg"] + epsilon))


def lamb(p, g, state, t, rate=0.01, beta1=0.9, beta2=0.99, epsilon=1e-6, decay=0.01):
    """You et al., 2020, algorithm 2."""
    state["exp_avg"].copy_(beta1 * state["exp_avg"] + (1 - beta1) * g)
    state["exp_avg_sq"].copy_(beta2 * state["exp_avg_sq"] + (1 - beta2) * g**2)
    m, v = state["exp_avg"] / (1 - beta1**t), state["exp_avg_sq"] / (1 - beta2**t)
    u = m / (torch.sqrt(v) + epsilon) + decay * p
    w, r = torch.linalg.vector_norm(p), torch.linalg.vector_norm(u)
    p.copy_(p - rate * (w / r if w > 0 and r > 0 else 1.0) * u)


run("averaged-momentum", lambda p: Formula(p, averaged, ["velocity"]))
run("rmsprop-inside-root", lambda p: Formula(p, inside_root, ["square_avg"]))
run("lamb", lambda p: Formula(p, lamb, ["exp_avg", "exp_avg_sq"]))


def run_look_ahead(case, rate, momentum):
    """Sutskever et al., 2013, equations 3 and 4: the gradient is evaluated at w + momentum * v, where w are the
    parameters and v their velocities."""
    m = net()
    m.load_state_dict(start)
    parameters = dict(m.named_parameters())
    velocity = {k: torch.zeros_like(p) for k, p in parameters.items()}
    losses = []
    for _ in range(20):
        own = {k: p.detach().clone() for k, p in parameters.items()}
        with torch.no_grad():
            for k, p in parameters.items():
                p.copy_(own[k] + momentum * velocity[k])
        m.zero_grad()
        loss = F.cross_entropy(m(x), y)
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for k, p in parameters.items():
                velocity[k] = momentum * velocity[k] - rate * p.grad
                p.copy_(own[k] + velocity[k])
    f.add(case, losses=losses)
    for key, value in m.state_dict().items():
        f.put(case, f"after.{key}", value)
    for key, v in velocity.items():
        f.put(case, f"slot.{key}.velocity", v)


run_look_ahead("nesterov-look-ahead", 0.05, 0.9)


def groups(m):
    """Three groups: the weights of the convolution, with a tenth of the rate; parameters with one axis, without decay;
    all other parameters."""
    named = list(m)
    vectors = [p for p in named if p.dim() <= 1]
    return [
        {"params": [named[0]], "lr": 0.001},
        {"params": vectors, "weight_decay": 0.0},
        {"params": [p for p in named[1:] if p.dim() > 1]},
    ]


run("groups", lambda p: O.AdamW(groups(p), 0.01, weight_decay=0.1))
f.save()
