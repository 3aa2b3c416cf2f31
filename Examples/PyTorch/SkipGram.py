import random
import sys

import torch
from torch import nn
from torch.nn import functional as F

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300
words, topics, width, batch, negatives, window = 200, 5, 16, 256, 5, 2

text = []
for _ in range(2000):
    topic = random.randrange(topics)
    text += [random.randrange(words // topics) * topics + topic for _ in range(10)]


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.centers = nn.Embedding(words, width)
        self.contexts = nn.Embedding(words, width)
        nn.init.normal_(self.centers.weight, std=0.1)
        nn.init.normal_(self.contexts.weight, std=0.1)

    def forward(self, center, context, noise):
        vector = self.centers(center)
        near = (vector * self.contexts(context)).sum(dim=1)
        far = (self.contexts(noise) @ vector.unsqueeze(2))[:, :, 0]
        return -(F.logsigmoid(near) + F.logsigmoid(-far).sum(dim=1)).mean()


model = SkipGram()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for step in range(1, steps + 1):
    places = [random.randrange(window, len(text) - window) for _ in range(batch)]
    center = torch.tensor([text[place] for place in places])
    context = torch.tensor([text[place + random.choice([-2, -1, 1, 2])] for place in places])
    noise = torch.randint(words, (batch, negatives))
    optimizer.zero_grad()
    loss = model(center, context, noise)
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print("step", step, "loss", loss.item())
with torch.no_grad():
    vectors = model.centers.weight
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    near = (unit @ unit.T - torch.eye(words) * 2).argmax(dim=1)
    hits = near % topics == torch.arange(words) % topics
print("share of nearest neighbors with the same topic", hits.float().mean().item())
