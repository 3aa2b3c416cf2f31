#!/usr/bin/env python3
"""Writes metrics.safetensors: metrics of classifiers and regressions by scikit-learn, and power laws fitted by SciPy.
After adding a case, run the script again and commit the file. Metrics that scikit-learn lacks or leaves undefined are
computed here from their definitions."""

import warnings

import numpy as np
import torch
from fixture import Fixture
from scipy.optimize import curve_fit
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

warnings.simplefilter("ignore")
f = Fixture()
draw = np.random.default_rng(20250117)


def defined(values):
    return [np.nan if v is None else v for v in values]


def top(p, y, k):
    """The top-k accuracy. Classes with equal outputs are ranked by their indices, the lowest first. scikit-learn ranks
    the highest index first, so it gets the classes in reverse order for the comparison."""
    classes = p.shape[1]
    places = np.argsort(-p, axis=1, kind="stable")[:, :k]
    share = (places == y[:, None]).any(1).mean()
    if classes > 2:
        other = m.top_k_accuracy_score(classes - 1 - y, p[:, ::-1], k=k, labels=range(classes))
        assert share == other
    return share


def calibration_error(confidence, hit, bins):
    """The expected calibration error with `bins` bins of equal width. Bins include their upper edges."""
    edges = np.linspace(0, 1, bins + 1)
    place = np.searchsorted(edges[1:-1], confidence)
    gaps = [
        np.sum(place == b) / len(hit) * abs(hit[place == b].mean() - confidence[place == b].mean())
        for b in range(bins)
        if np.any(place == b)
    ]
    return sum(gaps)


def points(score, positive):
    """Tuples (threshold, true positives, false positives, all positives, all negatives), one for each different score
    as the threshold, from the highest to the lowest."""
    return [
        (t, np.sum(positive & (score >= t)), np.sum(~positive & (score >= t)), np.sum(positive), np.sum(~positive))
        for t in np.unique(score)[::-1]
    ]


def best(points, value, allowed=lambda *_: True):
    """The threshold with the largest `value`, among those of `points` that `allowed` accepts; NaN if it accepts none.
    If several thresholds have this value, the highest one."""
    found, result = -np.inf, np.nan
    for t, tp, fp, p, n in points:
        if allowed(tp, fp, p, n) and value(tp, fp, p, n) > found + 1e-12:
            found, result = value(tp, fp, p, n), t
    return result


def one_against_rest(case, number, score, positive):
    """Adds curves, calibration and thresholds for class `number`. `score` is the probability of the class for each
    example, `positive` whether the example has the class."""
    put = lambda key, value: f.put(case, f"{key}.{number}", np.asarray(value, dtype=np.float64).tolist())
    both = positive.any() and not positive.all()
    if both:
        for key, drop in [("roc", True), ("roc-all", False)]:
            for name, values in zip(["fpr", "tpr", "thresholds"], m.roc_curve(positive, score, drop_intermediate=drop)):
                put(f"{key}.{name}", values)
    if positive.any():
        precision, recall, thresholds = m.precision_recall_curve(positive, score)
        put("pr.precision", precision), put("pr.recall", recall), put("pr.thresholds", thresholds)
    for bins in [5, 10]:
        share, probability = calibration_curve(positive, score, n_bins=bins, pos_label=True)
        put(f"calibration-{bins}.share", share), put(f"calibration-{bins}.probability", probability)
    all = points(score, positive)
    f1 = lambda tp, fp, p, n: 2 * tp / (tp + fp + p)
    precision, recall = (lambda tp, fp, p, n: tp / (tp + fp)), (lambda tp, fp, p, n: tp / p)
    # The thresholds with the best F1; with the largest difference of true and false positive rate; with the best recall
    # at a precision of at least 0.6; with the best precision at a recall of at least 0.75.
    put(
        "choice",
        [
            best(all, f1) if positive.any() else np.nan,
            best(all, lambda tp, fp, p, n: tp / p - fp / n) if both else np.nan,
            best(all, recall, lambda *c: c[0] > 0 and precision(*c) >= 0.6) if positive.any() else np.nan,
            best(all, precision, lambda *c: recall(*c) >= 0.75) if positive.any() else np.nan,
        ],
    )


def classifier(case, p, y, curves=()):
    f.add(case)
    p32, y = np.asarray(p, dtype=np.float32), np.asarray(y)
    p, classes = p32.astype(np.float64), p32.shape[1]
    f.put(case, "probabilities", torch.tensor(p32))
    f.put(case, "labels", torch.tensor(y, dtype=torch.int32))
    put = lambda key, value: f.put(case, key, np.asarray(value, dtype=np.float64).tolist())
    predicted = p.argmax(1)
    put("confusion", m.confusion_matrix(y, predicted, labels=range(classes)).flatten())
    each = m.precision_recall_fscore_support(y, predicted, labels=range(classes), zero_division=0)
    for key, values in zip(["precision", "recall", "f1", "support"], each):
        put(key, values)
    for average in ["macro", "micro", "weighted"]:
        put(average, m.precision_recall_fscore_support(y, predicted, average=average, zero_division=0)[:3])
    put("accuracy", m.accuracy_score(y, predicted))
    put("top", [top(p, y, k) for k in range(1, min(classes, 6))])
    put("balanced", m.balanced_accuracy_score(y, predicted))
    put("kappa", m.cohen_kappa_score(y, predicted))
    put("matthews", m.matthews_corrcoef(y, predicted))
    put("log-loss", m.log_loss(y, y_proba=p, labels=range(classes)))
    put(
        "brier",
        m.brier_score_loss(y, p[:, 1], pos_label=1)
        if classes == 2
        else m.brier_score_loss(y, p, labels=range(classes)),
    )
    areas, precisions = [], []
    for k in range(classes):
        positive = y == k
        both = positive.any() and not positive.all()
        areas.append(m.roc_auc_score(positive, p[:, k]) if both else np.nan)
        precisions.append(m.average_precision_score(positive, p[:, k]) if positive.any() else np.nan)
        if k in curves:
            one_against_rest(case, k, p[:, k], positive)
    put("areas", areas), put("average-precisions", precisions)
    present = ~np.isnan(areas)
    if present.any():
        support = np.bincount(y, minlength=classes)[present]
        mean = [np.mean(np.array(areas)[present]), np.average(np.array(areas)[present], weights=support)]
        if present.all() and classes > 2:
            kinds = ["macro", "weighted"]
            assert np.allclose(mean, [m.roc_auc_score(y, p, multi_class="ovr", average=a) for a in kinds], atol=1e-14)
        put("area", mean)
    put("calibration-errors", [calibration_error(p.max(1), predicted == y, bins) for bins in [1, 7, 10, 15]])


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def random(count, classes, labels, sharpness=1.5):
    y = draw.choice(labels, count)
    return softmax(draw.normal(size=(count, classes)) + sharpness * np.eye(classes)[y]), y


classifier("ten-classes", *random(160, 10, range(10)), curves=[0, 7])
y = draw.integers(0, 4, 80)
counts = np.stack([draw.multinomial(8, 0.4 * np.eye(4)[c] + 0.15) for c in y])
classifier("ties", counts / 8, y, curves=range(4))
classifier("absent-classes", *random(40, 6, [0, 2, 3], 0.5), curves=range(6))
p, y = random(30, 5, [0, 2, 3])
p[:, 1] = 0
classifier("class-never-seen", p / p.sum(1, keepdims=True), y, curves=[1, 2])
classifier("one-class", *random(20, 3, [2]), curves=range(3))
classifier("one-class-always-right", [[0.125, 0.625, 0.25]] * 4, [1, 1, 1, 1], curves=[1])
classifier("one-example", [[0.25, 0.5, 0.25]], [1], curves=[0, 1])
classifier("one-example-wrong", [[0.5, 0.25, 0.25]], [2], curves=[0, 2])
classifier("many-classes", *random(120, 60, range(50), 3))
classifier("two-classes", *random(150, 2, [0, 1]), curves=[0, 1])
first = draw.integers(0, 9, 90) / 8
classifier(
    "two-classes-ties",
    np.stack([first, 1 - first], 1),
    (draw.random(90) > 0.2 + 0.6 * first).astype(int),
    curves=[0, 1],
)
hard = draw.integers(0, 2, 40)
classifier("two-classes-certain", np.eye(2)[hard], np.where(draw.random(40) < 0.2, 1 - hard, hard), curves=[0, 1])
classifier("all-right", np.eye(3)[[0, 1, 2, 2, 1]] * 0.75 + 0.25 / 3, [0, 1, 2, 2, 1], curves=[1])
classifier("all-equal", np.full((6, 4), 0.25), [0, 1, 2, 3, 3, 0], curves=[0])
edges = np.linspace(0, 1, 11)[draw.integers(0, 11, 60)].astype(np.float32).astype(np.float64)
classifier("edges-of-bins", np.stack([edges, 1 - edges], 1), draw.integers(0, 2, 60), curves=[0, 1])


def regression(case, predicted, targets):
    f.add(case)
    predicted, targets = [np.asarray(v, dtype=np.float32) for v in [predicted, targets]]
    f.put(case, "predicted", torch.tensor(predicted))
    f.put(case, "targets", torch.tensor(targets))
    p, t = predicted.astype(np.float64), targets.astype(np.float64)
    put = lambda key, value: f.put(case, key, np.asarray(value, dtype=np.float64).tolist())
    for key, measure in [
        ("absolute", m.mean_absolute_error),
        ("squared", m.mean_squared_error),
        ("root", m.root_mean_squared_error),
        ("median", m.median_absolute_error),
        ("r2", m.r2_score),
        ("explained", m.explained_variance_score),
    ]:
        put(key, measure(t, p))
        if key != "root":
            put(f"{key}.each", np.atleast_1d(measure(t, p, multioutput="raw_values")))
    put("r2-weighted", m.r2_score(t, p, multioutput="variance_weighted"))
    put("maximum", max(m.max_error(a, b) for a, b in zip(np.atleast_2d(t.T), np.atleast_2d(p.T))))


x = draw.normal(size=(51, 3)) * [1, 100, 1e-3] + [0, 1e4, 0]
noise = draw.normal(size=(51, 3)) * [0.5, 30, 1e-3] + [0.2, -5, 0]
regression("one-output", (x + noise)[:, 0], x[:, 0])
regression("even-count", (x + noise)[:50, 1], x[:50, 1])
regression("three-outputs", x + noise, x)
x[:, 1] = 7
regression("equal-targets", x + noise, x)
regression("equal-targets-right", np.where([True, True, False], x, x + noise), x)
regression("constant", np.full(5, 2.5), np.full(5, 2.5))
regression("one-number", [1.5], [4.0])
regression("worse-than-the-mean", [5, -3, 8], [1, 2, 3])


def power_law(case, sizes, errors, start=(0.1, 1, 0.5)):
    f.add(case)
    sizes, errors = np.asarray(sizes, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    law = lambda n, a, b, c: a + b * n**-c
    found, _ = curve_fit(
        law,
        sizes,
        errors,
        p0=start,
        bounds=([0, 0, 0.01], [np.inf, np.inf, 4]),
        ftol=1e-15,
        xtol=1e-15,
        gtol=1e-15,
        max_nfev=100000,
        x_scale=[0.1, 1, 0.5],
    )
    f.put(case, "sizes", sizes.tolist())
    f.put(case, "errors", errors.tolist())
    f.put(case, "law", found.tolist())
    f.put(case, "residual", float(np.sqrt(np.mean((errors - law(sizes, *found)) ** 2))))


sizes = np.array([100, 200, 400, 800, 1600, 3200, 6400])
power_law("law-exact", sizes, 0.05 + 2 * sizes**-0.6)
power_law("law-noise", sizes, 0.05 + 2 * sizes**-0.6 + draw.normal(size=7) * 0.002)
power_law("law-without-rest", sizes, 1.5 * sizes**-0.4 - 0.01 + draw.normal(size=7) * 0.001, start=(0.01, 1, 0.4))
power_law("law-four-points", [1000, 5000, 20000, 60000], [0.21, 0.14, 0.115, 0.104])
f.save()
