import random
import sys

import torch
from torch import nn
from torch.nn import functional as F

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
size, batch, discount = 5, 32, 0.95


class Catch:
    def __init__(self):
        self.row, self.ball, self.paddle = 0, random.randrange(size), size // 2

    @property
    def state(self):
        return [self.row / (size - 1), self.ball / (size - 1), self.paddle / (size - 1)]

    def move(self, action):
        self.row += 1
        self.paddle = min(max(self.paddle + action - 1, 0), size - 1)
        if self.row < size - 1:
            return 0, False
        return (1 if self.paddle == self.ball else -1), True


def network():
    return nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))


online, target = network(), network()
target.load_state_dict(online.state_dict())
optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
memory, rewards, game = [], [], Catch()

for step in range(1, steps + 1):
    state = game.state
    explores = random.random() < max(0.05, 1 - 2 * step / steps)
    with torch.no_grad():
        action = random.randrange(3) if explores else online(torch.tensor(state)).argmax().item()
    reward, is_over = game.move(action)
    memory.append((state, action, reward, game.state, is_over))
    if is_over:
        rewards.append(reward)
        game = Catch()
    if len(memory) < batch:
        continue
    states, actions, gains, nexts, ends = map(torch.tensor, zip(*random.choices(memory, k=batch)))
    with torch.no_grad():
        goal = gains + target(nexts).max(1).values * discount * ~ends
    values = online(states).gather(1, actions[:, None])[:, 0]
    optimizer.zero_grad()
    F.smooth_l1_loss(values, goal).backward()
    nn.utils.clip_grad_norm_(online.parameters(), 10)
    optimizer.step()
    if step % 100 == 0:
        target.load_state_dict(online.state_dict())
    if step % 500 == 0:
        print("step", step, "reward", sum(rewards[-100:]) / min(len(rewards), 100))
