#!/usr/bin/env python3
"""Losses: writes losses.safetensors. Run it again when a case is added, and check the file in."""
import torch
import torch.nn.functional as F
from fixture import Fixture, exact, randn

f = Fixture()

logits, targets = randn(5, 4) * 3, torch.tensor([0, 3, 1, 1, 2])
pixels, classes = randn(2, 3, 2, 2), torch.randint(0, 3, (2, 2, 2))
ignored, p = torch.tensor([0, -100, 1, -100, 2]), exact(torch.softmax(torch.randn(5, 4), 1))

f.function("cross-entropy", F.cross_entropy, logits, targets)
f.function("cross-entropy-large", F.cross_entropy, logits * 1e4, targets)
f.function("cross-entropy-sum", lambda x, t: F.cross_entropy(x, t, reduction="sum"), logits, targets)
f.function("cross-entropy-none", lambda x, t: F.cross_entropy(x, t, reduction="none"), logits, targets)
f.function("cross-entropy-pixels", F.cross_entropy, pixels, classes)
f.function("cross-entropy-ignoring", lambda x, t: F.cross_entropy(x, t, ignore_index=-100), logits, ignored)
f.function("cross-entropy-smoothing", lambda x, t: F.cross_entropy(x, t, label_smoothing=0.1), logits, targets)
f.function("cross-entropy-probabilities", F.cross_entropy, logits, p)
f.function("mean-squared-error", F.mse_loss, logits, p)
f.save()
