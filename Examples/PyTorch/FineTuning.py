import sys

import torch
from torch import nn
from torch.nn import functional as F

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 150


class Network(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(32, classes)

    def forward(self, x):
        return self.head(self.features(x))


def stripes(count, classes):
    labels = torch.randint(classes, (count,))
    angle = (labels * (torch.pi / classes) + 0.1).view(count, 1, 1, 1)
    place = torch.arange(16)
    phase = torch.rand(count, 1, 1, 1) * 6
    waves = (angle.cos() * place + angle.sin() * place.view(16, 1) + phase).sin()
    return waves + torch.randn(waves.shape) * 0.5, labels


def train(model, name, rate, batch):
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    for step in range(1, steps + 1):
        images, labels = batch()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            print(name, step, "loss", loss.item())


source = Network(10)
train(source, "source", 3e-3, lambda: stripes(32, 10))
torch.save(source.state_dict(), "stripes.pt")

model = Network(10)
model.load_state_dict(torch.load("stripes.pt", weights_only=True))
model.head = nn.Linear(32, 2)
few = stripes(32, 2)
for parameter in model.features.parameters():
    parameter.requires_grad = False
model.features.eval()
train(model, "head", 1e-2, lambda: few)
for parameter in model.features.parameters():
    parameter.requires_grad = True
model.features.train()
train(model, "all", 1e-4, lambda: few)
model.eval()
images, labels = stripes(256, 2)
with torch.no_grad():
    print("accuracy", (model(images).argmax(dim=1) == labels).float().mean().item())
