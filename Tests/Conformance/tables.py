#!/usr/bin/env python3
"""Writes tables.safetensors: a table, and the features that scikit-learn computes from its columns. Scalers and
encoders are fitted to the training rows.

  table/csv                     the bytes of the CSV file
  table/train                   the indices of the training rows
  SCALING-FILLING-CATEGORIES/output.0
                                the features of all rows, in the order of the columns. The case named "…-missing" also
                                has a missing-value indicator, after each numeric column in which a training row has no
                                value
  table/weights                 compute_class_weight("balanced") of the target's classes in the training rows

usage: python3 tables.py    (scikit-learn, numpy; torch and safetensors to write the file)
"""

import csv
import io

import numpy
import torch
from fixture import Fixture
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

COUNT = 120
random = numpy.random.default_rng(7)
train = numpy.sort(random.permutation(COUNT)[:80])
is_train = numpy.isin(numpy.arange(COUNT), train)


def with_gaps(values, share):
    """The values as text. A random fraction `share` of them is replaced by spellings of a missing value."""
    words = ["", "NA", "NaN", "null", "?", "nan"]
    gaps = random.random(COUNT) < share
    return [words[random.integers(len(words))] if gap else str(value) for value, gap in zip(values, gaps)]


colours = numpy.array(["red", "green", "blue", "Zürich", 'a "quoted", word', "two\nlines", "aa"])
rare = numpy.array(["seen", "other"])[random.integers(2, size=COUNT)].astype(object)
rare[~is_train] = numpy.where(random.random((~is_train).sum()) < 0.5, "unseen", rare[~is_train])
columns = {
    "age": with_gaps(numpy.round(random.normal(40, 12, COUNT), 1), 0.15),
    "income": with_gaps(numpy.exp(random.normal(10, 2, COUNT)), 0.3),
    "colour": with_gaps(colours[random.integers(len(colours), size=COUNT)], 0.1),
    "count": [str(v) for v in random.integers(-5, 1000, COUNT)],
    "constant": ["0.1"] * COUNT,
    "nearly": [str(1e6 * (1 + 1e-15 * i)) for i in random.integers(0, 3, COUNT)],
    "far": [str(1e7 + v) for v in random.normal(0, 1, COUNT)],
    "rare": list(rare),
    "small": with_gaps(random.normal(0, 1e-12, COUNT), 0.2),
    "class": [["no", "yes", "perhaps"][i] for i in numpy.minimum(random.integers(6, size=COUNT), 2)],
}
numeric = ["age", "income", "count", "constant", "nearly", "far", "small"]
missing = {"", "NA", "NaN", "null", "?", "nan"}

text = io.StringIO()
writer = csv.writer(text, lineterminator="\r\n")
writer.writerow(columns)
writer.writerows(zip(*columns.values()))

fixture = Fixture()
labels = numpy.array(columns["class"])[train]
fixture.add(
    "table",
    csv=torch.tensor(list(text.getvalue().encode()), dtype=torch.uint8),
    train=torch.tensor(train, dtype=torch.int64),
    weights=list(compute_class_weight("balanced", classes=numpy.unique(labels), y=labels)),
)


def features(scaling, filling, categories, indicates):
    result = []
    for name, values in list(columns.items())[:-1]:
        if name in numeric:
            x = numpy.array([[numpy.nan if v in missing else float(v)] for v in values])
            if name == "nearly" and scaling == "min-max":
                # This subtraction is exact. Without it, MinMaxScaler loses the digits in which the values differ.
                x -= 1e6
            scaler = {"standard": StandardScaler, "min-max": MinMaxScaler, "none": FunctionTransformer}[scaling]()
            result.append(make_pipeline(SimpleImputer(strategy=filling), scaler).fit(x[train]).transform(x))
            if indicates:
                result.append(MissingIndicator(error_on_new=False).fit(x[train]).transform(x).astype(float))
        else:
            x = numpy.array([["" if v in missing else v] for v in values], dtype=object)
            known = [sorted({v[0] for v in x[train]} - {""})]
            if categories == "one-hot":
                encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
                # `fit` refuses categories that `known` does not list. Rows with missing values have the category "",
                # which is not in `known`, so `fit` does not get these rows.
                result.append(encoder.fit(x[train][x[train][:, 0] != ""]).transform(x))
            else:
                encoder = OrdinalEncoder(categories=known, handle_unknown="use_encoded_value", unknown_value=-1)
                result.append(encoder.fit(x[train][x[train][:, 0] != ""]).transform(x) + 1)
    return torch.from_numpy(numpy.concatenate(result, axis=1))


for scaling in ["standard", "min-max", "none"]:
    for filling in ["mean", "median"]:
        for categories in ["one-hot", "codes"]:
            fixture.add(
                f"{scaling}-{filling}-{categories}", **{"output.0": features(scaling, filling, categories, False)}
            )
fixture.add("standard-median-one-hot-missing", **{"output.0": features("standard", "median", "one-hot", True)})
fixture.save()
