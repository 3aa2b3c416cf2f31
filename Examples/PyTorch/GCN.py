import random
import sys

import torch
from torch import nn
from torch.nn import functional as F

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
nodes, classes, width = 200, 4, 16
labels = [node % classes for node in range(nodes)]

edges = [(node, node) for node in range(nodes)]
for left in range(nodes):
    for right in range(left):
        if random.random() < (0.15 if labels[left] == labels[right] else 0.01):
            edges += [(left, right), (right, left)]
sources, targets = torch.tensor(edges).T
degrees = torch.zeros(nodes).index_add(0, targets, torch.ones(len(edges)))
shares = (degrees[sources] * degrees[targets]).rsqrt().unsqueeze(1)


class GraphConvolution(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x):
        y = self.linear(x)
        return torch.zeros_like(y).index_add(0, targets, y[sources] * shares)


model = nn.Sequential(GraphConvolution(nodes, width), nn.ReLU(), nn.Dropout(0.5), GraphConvolution(width, classes))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
features, truth, known = torch.eye(nodes), torch.tensor(labels), slice(0, 4 * classes)

for step in range(1, steps + 1):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(features)[known], truth[known])
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        print("step", step, "loss", loss.item())
model.eval()
with torch.no_grad():
    hits = model(features).argmax(dim=1) == truth
print("accuracy", hits.float().mean().item())
