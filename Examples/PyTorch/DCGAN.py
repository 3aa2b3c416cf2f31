import sys

import torch
from torch import nn
from torch.nn import functional as F

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400
batch, noise, width = 32, 16, 16

generator = nn.Sequential(
    nn.ConvTranspose2d(noise, 2 * width, 4, bias=False),
    nn.BatchNorm2d(2 * width),
    nn.ReLU(),
    nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
    nn.BatchNorm2d(width),
    nn.ReLU(),
    nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1, bias=False),
    nn.Tanh(),
)
discriminator = nn.Sequential(
    nn.Conv2d(1, width, 4, stride=2, padding=1, bias=False),
    nn.LeakyReLU(0.2),
    nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
    nn.BatchNorm2d(2 * width),
    nn.LeakyReLU(0.2),
    nn.Conv2d(2 * width, 1, 4, bias=False),
    nn.Flatten(0),
)
generator_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))


def rectangles():
    low = torch.randint(1, 8, (2, batch, 1))
    high = low + torch.randint(4, 8, (2, batch, 1))
    pixel = torch.arange(16)
    inside = ((pixel >= low) & (pixel < high)).float()
    return inside[0].view(batch, 1, 16, 1) * inside[1].view(batch, 1, 1, 16) * 2 - 1


real, fake = torch.ones(batch), torch.zeros(batch)
for step in range(1, steps + 1):
    images = generator(torch.randn(batch, noise, 1, 1))
    discriminator_optimizer.zero_grad()
    of_discriminator = F.binary_cross_entropy_with_logits(
        discriminator(rectangles()), real
    ) + F.binary_cross_entropy_with_logits(discriminator(images.detach()), fake)
    of_discriminator.backward()
    discriminator_optimizer.step()
    generator_optimizer.zero_grad()
    of_generator = F.binary_cross_entropy_with_logits(discriminator(images), real)
    of_generator.backward()
    generator_optimizer.step()
    if step % 10 == 0:
        print("step", step, "discriminator", of_discriminator.item(), "generator", of_generator.item())
with torch.no_grad():
    generator.eval()
    drawn = generator(torch.randn(batch, noise, 1, 1))
print("bright share", (drawn > 0).float().mean().item(), "of", (rectangles() > 0).float().mean().item())
