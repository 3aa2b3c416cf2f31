import sys

import torch
from torch import nn
from torch.nn import functional as F

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 200


def network():
    return nn.Sequential(
        nn.Linear(64, 256), nn.LayerNorm(256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 10)
    )


centers = torch.randn(10, 64)


def points(count):
    labels = torch.randint(10, (count,))
    return centers[labels] + torch.randn(count, 64) * 1.5, labels


model = network()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(1, steps + 1):
    inputs, labels = points(64)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print("step", step, "loss", loss.item())

half = network().half()
half.load_state_dict(model.state_dict())
inputs, labels = points(1024)
with torch.no_grad():
    exact, narrow = model(inputs).softmax(1), half(inputs.half()).softmax(1)
print("largest difference", (exact - narrow).abs().max().item())
for name, shares in [("float32", exact), ("float16", narrow)]:
    print(name, "accuracy", (shares.argmax(dim=1) == labels).float().mean().item())
