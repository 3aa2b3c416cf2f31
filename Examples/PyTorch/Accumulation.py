import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 20


class Spirals(Dataset):
    def __len__(self):
        return 1024

    def __getitem__(self, number):
        label = number % 2
        angle = torch.tensor(number * 9 / len(self) + 0.5)
        turned = angle + label * torch.pi
        return torch.stack([angle * turned.cos(), angle * turned.sin()]) / 9, label


data = Spirals()
loader = DataLoader(data, batch_size=32, shuffle=True, num_workers=2)
model = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

for epoch in range(epochs):
    for number, (inputs, targets) in enumerate(loader):
        loss = F.cross_entropy(model(inputs), targets)
        (loss / 4).backward()
        if number % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()
    print("epoch", epoch, "loss", loss.item())
inputs, targets = next(iter(DataLoader(data, batch_size=1024)))
with torch.no_grad():
    print("accuracy", (model(inputs).argmax(dim=1) == targets).float().mean().item())
