#!/usr/bin/env python3
"""Writes recurrent.safetensors (see fixture.py): recurrent layers and cells. After adding a case, run the script again
and commit the file.

A layer's output.0 contains the outputs at all time steps; output.1 and, for an LSTM, output.2 are the last states.
Cases of sequences with different lengths also contain CASE/lengths. In these cases, inputs after the end of a sequence
are NaN, and the gradients of these inputs are zeros."""

import torch
import torch.nn as nn
from fixture import Fixture, randn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

f = Fixture()


def flat(found):
    y, s = found
    return [y] + list(s if isinstance(s, tuple) else [s])


def call(m, x, *states):
    return flat(m(x, states if isinstance(m, nn.LSTM) else states[0]) if states else m(x))


for name, make, states in [
    ("rnn", nn.RNN, 1),
    ("rnn-relu", lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k), 1),
    ("lstm", nn.LSTM, 2),
    ("gru", nn.GRU, 1),
]:
    f.module(name, make(3, 4), randn(5, 2, 3), call=call)
    f.module(f"{name}-state", make(3, 4), randn(5, 2, 3), *[randn(1, 2, 4) for _ in range(states)], call=call)
    f.module(f"{name}-no-bias-batch-first", make(3, 4, bias=False, batch_first=True), randn(2, 5, 3), call=call)
    f.module(
        f"{name}-deep-both",
        make(3, 4, num_layers=2, bidirectional=True),
        randn(3, 2, 3),
        *[randn(4, 2, 4) for _ in range(states)],
        call=call,
    )
    lengths = torch.tensor([4, 1, 3])

    def packed(m, x):
        y, s = m(pack_padded_sequence(x, lengths, enforce_sorted=False))
        return flat((pad_packed_sequence(y, total_length=x.shape[0])[0], s))

    case = f"{name}-lengths"
    f.module(case, make(3, 4, bidirectional=True), randn(5, 3, 3), call=packed)
    f.put(case, "lengths", lengths)
    x = f.tensors[f"{case}/input.0"]
    for b, n in enumerate(lengths):
        x[n:, b] = float("nan")
f.module("rnn-one", nn.RNN(3, 4), randn(1, 1, 3), call=call)


# Cells: outputs are the new states.
def cell(m, x, *states):
    found = m(x, states if len(states) > 1 else states[0]) if states else m(x)
    return list(found if isinstance(found, tuple) else [found])


f.module("rnn-cell", nn.RNNCell(3, 4), randn(2, 3), randn(2, 4), call=cell)
f.module("rnn-cell-relu-no-bias", nn.RNNCell(3, 4, bias=False, nonlinearity="relu"), randn(2, 3), call=cell)
f.module("lstm-cell", nn.LSTMCell(3, 4), randn(2, 3), randn(2, 4), randn(2, 4), call=cell)
f.module("lstm-cell-no-bias", nn.LSTMCell(3, 4, bias=False), randn(2, 3), call=cell)
f.module("gru-cell", nn.GRUCell(3, 4), randn(2, 3), randn(2, 4), call=cell)
f.module("gru-cell-no-bias", nn.GRUCell(3, 4, bias=False), randn(2, 3), call=cell)


def truncated(m, x):
    """Runs the layer on two segments of a sequence. No gradient flows from the second segment to the first."""
    y, s = m(x[:3])
    z, s = m(x[3:], tuple(t.detach() for t in s) if isinstance(s, tuple) else s.detach())
    return flat((torch.cat([y, z]), s))


for name, make in [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)]:
    f.module(f"{name}-truncated", make(3, 4), randn(6, 2, 3), call=truncated)
f.module("lstm-dropout-inference", nn.LSTM(3, 4, num_layers=2, dropout=0.5), randn(5, 2, 3), training=False, call=call)
f.save()
