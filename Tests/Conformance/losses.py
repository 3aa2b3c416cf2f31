#!/usr/bin/env python3
"""Writes losses.safetensors (see fixture.py): PyTorch's losses and their gradients. After adding a case, run the script
again and commit the file."""

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

weights = exact(torch.rand(4) + 0.25)
f.function("cross-entropy-weights", lambda x, t, w: F.cross_entropy(x, t, w.detach()), logits, targets, weights)
f.function(
    "cross-entropy-weights-none",
    lambda x, t, w: F.cross_entropy(x, t, w.detach(), reduction="none"),
    logits,
    targets,
    weights,
)
for case, reduction in [("cross-entropy-everything", "mean"), ("cross-entropy-everything-sum", "sum")]:
    f.function(
        case,
        lambda x, t, w: F.cross_entropy(x, t, w.detach(), ignore_index=-100, label_smoothing=0.2, reduction=reduction),
        logits,
        ignored,
        weights,
    )
f.function(
    "cross-entropy-pixels-weights", lambda x, t, w: F.cross_entropy(x, t, w.detach()), pixels, classes, weights[:3]
)
f.function(
    "cross-entropy-probabilities-everything",
    lambda x, p, w: F.cross_entropy(x, p, w.detach(), label_smoothing=0.2),
    logits,
    p,
    weights,
)
f.function("cross-entropy-from-probabilities", lambda p, t: F.nll_loss(p.log().clamp(min=-100), t), p, targets)
f.function("negative-log-likelihood", lambda x, t: F.nll_loss(x, t, ignore_index=-100), logits, ignored)
f.function(
    "negative-log-likelihood-weights",
    lambda x, t, w: F.nll_loss(x, t, w.detach(), ignore_index=-100),
    logits,
    ignored,
    weights,
)

a, b, random_targets = randn(3, 5) * 2, randn(3, 5) * 2, exact(torch.rand(3, 5))
signs, pair_signs = exact(torch.sign(torch.randn(3, 5))), torch.tensor([1.0, -1.0, 1.0])
f.function("mean-squared-error-batch-mean", lambda x, t: F.mse_loss(x, t, reduction="sum") / 3, a, b)
f.function("mean-absolute-error", F.l1_loss, a, b)
f.function("mean-absolute-error-none", lambda x, t: F.l1_loss(x, t, reduction="none"), a, b)
f.function("huber", F.huber_loss, a, b)
f.function("huber-delta", lambda x, t: F.huber_loss(x, t, delta=2.5, reduction="sum"), a, b)
f.function("smooth-l1", F.smooth_l1_loss, a, b)
f.function("smooth-l1-beta", lambda x, t: F.smooth_l1_loss(x, t, beta=2.5, reduction="none"), a, b)

f.function("binary-cross-entropy", F.binary_cross_entropy_with_logits, a, random_targets)
f.function("binary-cross-entropy-large", F.binary_cross_entropy_with_logits, a * 1e3, random_targets)
f.function(
    "binary-cross-entropy-weights",
    lambda x, t, w, p: F.binary_cross_entropy_with_logits(x, t, w.detach(), pos_weight=p.detach(), reduction="sum"),
    a,
    random_targets,
    torch.rand(3, 1) + 0.5,
    torch.rand(5) + 0.5,
)
q = exact(torch.rand(3, 5) * 0.9 + 0.05)
f.function("binary-cross-entropy-from-probabilities", F.binary_cross_entropy, q, random_targets)
f.function(
    "binary-cross-entropy-from-probabilities-weights",
    lambda x, t, w: F.binary_cross_entropy(x, t, w.detach(), reduction="none"),
    q,
    random_targets,
    torch.rand(5) + 0.5,
)
# Probabilities of 0 and 1, right and wrong: PyTorch clamps logarithms to at least -100.
f.function(
    "binary-cross-entropy-certain",
    lambda x, t: F.binary_cross_entropy(x, t.detach(), reduction="none"),
    torch.tensor([0.0, 1.0, 0.0, 1.0]),
    torch.tensor([0.0, 1.0, 1.0, 0.0]),
)

logs, t = torch.log_softmax(a, 1), exact(torch.softmax(b, 1))
f.function("kl-divergence", lambda x, t: F.kl_div(x, t, reduction="sum") / 15, logs, t)
f.function("kl-divergence-batch-mean", lambda x, t: F.kl_div(x, t, reduction="batchmean"), logs, t)
f.function("kl-divergence-logarithms", lambda x, t: F.kl_div(x, t, log_target=True, reduction="sum"), logs, t.log())
f.function("kl-divergence-zeros", lambda x, t: F.kl_div(x, t.detach(), reduction="none"), logs, exact(torch.eye(3, 5)))

# PyTorch has no binary hinge loss, so the cases "hinge" and "squared-hinge" are computed by their formulas.
f.function("hinge", lambda x, t: torch.relu(1 - t * x).mean(), a, signs)
f.function("squared-hinge", lambda x, t: torch.relu(1 - t * x).square().sum(), a, signs)
f.function("soft-margin", lambda x, t: F.soft_margin_loss(x, t.detach()), a, signs)
f.function("hinge-embedding", lambda x, t: F.hinge_embedding_loss(x, t, margin=1.5), a, signs.to(torch.int64))
f.function("margin-ranking", lambda x, y, t: F.margin_ranking_loss(x, y, t, margin=0.5), a, b, signs)
f.function("multi-margin", F.multi_margin_loss, logits, targets)
f.function(
    "multi-margin-squared",
    lambda x, t, w: F.multi_margin_loss(x, t, p=2, margin=1.5, weight=w.detach(), reduction="none"),
    logits,
    targets,
    weights,
)
f.function("cosine-similarity", F.cosine_similarity, a, b)
f.function("cosine-distance", lambda x, y: (1 - F.cosine_similarity(x, y)).mean(), a, b)
f.function(
    "cosine-embedding",
    lambda x, y, t: F.cosine_embedding_loss(x, y, t, margin=0.1, reduction="none"),
    a,
    b,
    pair_signs.to(torch.int64),
)
f.function("pairwise-distance", F.pairwise_distance, a, b)
c = randn(3, 5) * 2
f.function("triplet-margin", F.triplet_margin_loss, a, b, c)
f.function(
    "triplet-margin-swap",
    lambda x, y, z: F.triplet_margin_loss(x, y, z, margin=3, p=3, swap=True, reduction="none"),
    a,
    b,
    c,
)
counts = torch.randint(0, 6, (3, 5)).to(torch.float64)
f.function("poisson", lambda x, t: F.poisson_nll_loss(x, t.detach()), a, counts)
f.function(
    "poisson-rates",
    lambda x, t: F.poisson_nll_loss(x, t.detach(), log_input=False, full=True, reduction="none"),
    a.exp(),
    counts,
)
f.function("gaussian", F.gaussian_nll_loss, a, b, random_targets + 0.1)
f.function(
    "gaussian-full",
    lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True, eps=0.4, reduction="none"),
    a,
    b,
    random_targets,
)


# PyTorch's gradient of ctc_loss is correct only if the input of ctc_loss is a log_softmax. So these cases take logits,
# and apply log_softmax before ctc_loss.
def ctc(case, targets, inputs, lengths, times=7, classes=5, **options):
    f.function(
        case,
        lambda x, t: F.ctc_loss(x.log_softmax(2), t, inputs, lengths, **options),
        randn(times, len(inputs), classes) * 2,
        torch.tensor(targets),
    )


padded = [[1, 1, 4], [3, 0, -7], [2, 4, 99]]
ctc("ctc", padded, [7, 5, 6], [3, 1, 2])
ctc("ctc-none", padded, [7, 5, 6], [3, 1, 2], reduction="none")
ctc("ctc-concatenated-blank-last", [1, 1, 0, 3, 2, 2], [7, 5, 6], [3, 1, 2], blank=4)
ctc("ctc-empty-target", [[1, 2, 3], [0, 0, 0], [2, 2, 2]], [7, 5, 6], [3, 0, 3])
ctc("ctc-zero-infinity", padded, [3, 5, 0], [3, 1, 2], zero_infinity=True)
f.save()
