#!/usr/bin/env python3
"""What PyTorch makes of layers, losses and optimizers: writes nn.json beside itself.

usage: nn.py        needs torch; run it again when a case is added, and check the file in
Every tensor is {"shape": [...], "values": [...]}. The loss of a layer's gradients is the sum of its outputs times a
fixed pattern, pattern[i] = cos(i).
"""
import json, math, os
import torch, torch.nn as nn, torch.nn.functional as F

torch.manual_seed(20240611)
torch.set_num_threads(1)

def tensor(t):
    t = t.detach()
    values = t.flatten().tolist()
    return {"shape": list(t.shape), "values": values if not t.is_floating_point() else [float(f"{v:.9g}") for v in values]}

def pattern(t): return torch.cos(torch.arange(t.numel(), dtype=torch.float32)).reshape(t.shape)
def state(m): return {k: tensor(v) for k, v in m.state_dict().items()}

def layer(name, module, shape, training=True, repeat=1):
    module.train(training)
    before = state(module)
    for _ in range(repeat):
        module.zero_grad()
        x = torch.randn(shape, requires_grad=True) if repeat == 1 else x if _ else torch.randn(shape, requires_grad=True)
        if x.grad is not None: x.grad = None
        y = module(x)
        (y * pattern(y)).sum().backward()
    return {"name": name, "state": before, "after": state(module), "input": tensor(x), "output": tensor(y),
            "input_gradient": tensor(x.grad), "gradients": {k: tensor(p.grad) for k, p in module.named_parameters()}}

def batch_norm(name, channels, shape, training, affine=True):
    m = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    m = m(channels, affine=affine)
    with torch.no_grad():
        m.running_mean.copy_(torch.randn(channels)); m.running_var.copy_(torch.rand(channels) + 0.5)
        if affine: m.weight.copy_(torch.randn(channels)); m.bias.copy_(torch.randn(channels))
    return layer(name, m, shape, training, repeat=2)

layers = [
    layer("linear", nn.Linear(5, 3), (4, 5)),
    layer("linear-no-bias", nn.Linear(5, 3, bias=False), (2, 4, 5)),
    layer("conv1d", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), (2, 4, 11)),
    layer("conv2d", nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(1, 0)), (2, 2, 5, 6)),
    layer("conv2d-same", nn.Conv2d(2, 3, (4, 3), padding="same", bias=False), (2, 2, 5, 6)),
    layer("conv3d", nn.Conv3d(2, 2, 2, padding=1), (1, 2, 3, 3, 4)),
    layer("maxpool1d", nn.MaxPool1d(3, 2, 1), (2, 3, 9)),
    layer("maxpool2d", nn.MaxPool2d(2), (2, 2, 5, 4)),
    layer("maxpool2d-ceil", nn.MaxPool2d(3, 2, 1, ceil_mode=True), (1, 2, 6, 7)),
    layer("maxpool3d", nn.MaxPool3d(2), (1, 1, 4, 4, 4)),
    layer("avgpool2d", nn.AvgPool2d(3, 2, 1), (1, 2, 6, 7)),
    layer("avgpool2d-no-padding", nn.AvgPool2d(3, 2, 1, count_include_pad=False), (1, 2, 6, 7)),
    batch_norm("batchnorm2d-training", 3, (4, 3, 2, 3), True),
    batch_norm("batchnorm1d-training", 3, (5, 3), True, affine=False),
    batch_norm("batchnorm2d-inference", 3, (4, 3, 2, 3), False),
] + [layer(n, m, (3, 7)) for n, m in [("relu", nn.ReLU()), ("leakyrelu", nn.LeakyReLU(0.2)), ("elu", nn.ELU(0.7)),
    ("selu", nn.SELU()), ("gelu", nn.GELU()), ("silu", nn.SiLU()), ("softplus", nn.Softplus()),
    ("sigmoid", nn.Sigmoid()), ("tanh", nn.Tanh()), ("softmax", nn.Softmax(1))]]

def loss(name, make, x, **extra):
    x = x.clone().requires_grad_(); y = make(x); (y * pattern(y)).sum().backward()
    return {"name": name, "input": tensor(x), "value": tensor(y), "gradient": tensor(x.grad),
            **{k: tensor(v) for k, v in extra.items()}}

logits, targets = torch.randn(5, 4) * 3, torch.tensor([0, 3, 1, 1, 2])
pixels, classes = torch.randn(2, 3, 2, 2), torch.randint(0, 3, (2, 2, 2))
ignored, p = torch.tensor([0, -100, 1, -100, 2]), torch.softmax(torch.randn(5, 4), 1)
losses = [
    loss("cross-entropy", lambda x: F.cross_entropy(x, targets), logits, targets=targets),
    loss("cross-entropy-large", lambda x: F.cross_entropy(x, targets), logits * 1e4, targets=targets),
    loss("cross-entropy-sum", lambda x: F.cross_entropy(x, targets, reduction="sum"), logits, targets=targets),
    loss("cross-entropy-none", lambda x: F.cross_entropy(x, targets, reduction="none"), logits, targets=targets),
    loss("cross-entropy-pixels", lambda x: F.cross_entropy(x, classes), pixels, targets=classes),
    loss("cross-entropy-ignoring", lambda x: F.cross_entropy(x, ignored, ignore_index=-100), logits, targets=ignored),
    loss("cross-entropy-smoothing", lambda x: F.cross_entropy(x, targets, label_smoothing=0.1), logits, targets=targets),
    loss("cross-entropy-probabilities", lambda x: F.cross_entropy(x, p), logits, targets=p),
    loss("mean-squared-error", lambda x: F.mse_loss(x, p), logits, targets=p),
]

# No bias ahead of the batch norm: its gradient is rounding noise, of which Adam makes full steps.
def net(): return nn.Sequential(nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 8), nn.Tanh(), nn.Linear(8, 4))
start = net().state_dict()
X, Y = torch.randn(8, 1, 6, 6), torch.arange(8) % 4

def trajectory(name, make, clip=None):
    m = net(); m.load_state_dict(start); o = make(m.parameters()); values = []
    for step in range(20):
        o.zero_grad(); l = F.cross_entropy(m(X), Y); l.backward()
        if clip: nn.utils.clip_grad_norm_(m.parameters(), clip)
        o.step(); values.append(l.item())
    return {"name": name, "losses": values, "after": state(m)}

O = torch.optim
optimizers = {"start": {k: tensor(v) for k, v in start.items()}, "input": tensor(X), "targets": tensor(Y), "runs": [
    trajectory("sgd", lambda p: O.SGD(p, 0.1)),
    trajectory("sgd-decay", lambda p: O.SGD(p, 0.1, weight_decay=0.01)),
    trajectory("momentum", lambda p: O.SGD(p, 0.05, momentum=0.9)),
    trajectory("nesterov", lambda p: O.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
    trajectory("adam", lambda p: O.Adam(p, 0.01)),
    trajectory("adam-decay", lambda p: O.Adam(p, 0.01, betas=(0.8, 0.99), weight_decay=0.1)),
    trajectory("adamw", lambda p: O.AdamW(p, 0.01, weight_decay=0.1)),
    trajectory("sgd-clipped", lambda p: O.SGD(p, 0.1), clip=0.5),
]}

schedule = O.lr_scheduler.CosineAnnealingLR(O.SGD([nn.Parameter(torch.zeros(1))], 1.0), 10)
cosine = []
for _ in range(11):
    cosine.append(schedule.get_last_lr()[0]); schedule.optimizer.step(); schedule.step()

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nn.json"), "w") as f:
    json.dump({"torch": torch.__version__, "layers": layers, "losses": losses, "optimizers": optimizers, "cosine": cosine}, f, separators=(",", ":"))
    f.write("\n")
