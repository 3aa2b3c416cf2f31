import sys

import torch
from torch import nn
from torch.nn import functional as F

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400
batch, length, digits, width = 32, 8, 10, 64


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(digits + 1, width)
        self.encoder = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.mixing = nn.Linear(2 * width, width)
        self.output = nn.Linear(width, digits)

    def forward(self, source, answer):
        read, state = self.encoder(self.embedding(source))
        start = torch.full((len(source), 1), digits)
        before = torch.cat([start, answer[:, : length - 1]], dim=1)
        states, _ = self.decoder(self.embedding(before), state)
        weights = (states @ read.transpose(1, 2)).softmax(dim=2)
        context = weights @ read
        return self.output(self.mixing(torch.cat([states, context], dim=2)).tanh())


model = Translator()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for step in range(1, steps + 1):
    source = torch.randint(digits, (batch, length))
    answer = source.flip(1)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(source, answer).transpose(1, 2), answer)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1)
    optimizer.step()
    if step % 20 == 0:
        print("step", step, "loss", loss.item())
with torch.no_grad():
    source = torch.randint(digits, (256, length))
    answer = torch.zeros(256, length, dtype=torch.int64)
    for place in range(length):
        answer[:, place] = model(source, answer)[:, place].argmax(dim=1)
print("accuracy", (answer == source.flip(1)).float().mean().item())
