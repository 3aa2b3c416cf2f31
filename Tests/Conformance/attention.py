#!/usr/bin/env python3
"""Writes attention.safetensors (see fixture.py): attention functions, positions, and Transformer layers. After adding a
case, run the script again and commit the file.

Boolean masks are true where a query may attend to a key, as in scaled_dot_product_attention. PyTorch's modules take the
inverse masks."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from fixture import Fixture, exact, randn

f = Fixture()


def flags(*shape):
    """A random boolean mask by which each query may attend at least to the first key."""
    mask = torch.rand(*shape) < 0.6
    mask[..., 0] = True
    return mask


def present(*lengths, size):
    """A mask [batch, size] that is true for the elements before the end of each sequence."""
    return torch.arange(size) < torch.tensor(lengths)[:, None]


def causal(queries, keys, offset=0):
    return torch.ones(queries, keys, dtype=torch.bool).tril(offset)


# The attention function. Shapes end in [length, size]; most of them begin with [batch, heads].
def dot(case, f_, *inputs, **others):
    f.function("sdpa" + case, f_, *inputs, **others)


sdpa = F.scaled_dot_product_attention
q, k, v = randn(2, 3, 4, 5), randn(2, 3, 6, 5), randn(2, 3, 6, 7)
dot("", sdpa, q, k, v)
dot("-scale", lambda q, k, v: sdpa(q, k, v, scale=0.3), q, k, v)
dot("-causal", lambda q, k, v: sdpa(q, k, v, is_causal=True), q, k, v)
dot("-causal-square", lambda q, k, v: sdpa(q, k, v, is_causal=True), q, k[:, :, :4], v[:, :, :4])
dot("-causal-offset", lambda q, k, v: sdpa(q, k, v, attn_mask=causal(4, 6, 2)), q, k, v)
dot("-mask", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), q, k, v, flags(4, 6))
dot("-mask-heads", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), q, k, v, flags(2, 3, 4, 6))
dot("-mask-added", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), q, k, v, randn(3, 4, 6))
dot("-causal-mask", lambda q, k, v, m: sdpa(q, k, v, attn_mask=causal(4, 6) & m), q, k, v, flags(2, 1, 1, 6))
dot("-plain", sdpa, randn(4, 5), randn(6, 5), randn(6, 7))
dot("-broadcast", sdpa, randn(2, 3, 4, 5), randn(3, 6, 5), randn(1, 3, 6, 5))
dot("-long", lambda q, k, v: sdpa(q, k, v, is_causal=True), *[randn(1, 1, 70, 8) for _ in range(3)])
g = randn(2, 4, 3, 5), randn(2, 2, 6, 5), randn(2, 2, 6, 4)
dot("-grouped", lambda q, k, v: sdpa(q, k, v, enable_gqa=True), *g)
dot("-grouped-causal", lambda q, k, v: sdpa(q, k, v, is_causal=True, enable_gqa=True), *g)
dot("-grouped-mask", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m, enable_gqa=True), *g, flags(2, 4, 3, 6))
dot("-grouped-mask-added", lambda q, k, v, m: sdpa(q, k, v, attn_mask=m, enable_gqa=True), *g, randn(3, 6))
dot(
    "-one-group",
    lambda q, k, v: sdpa(q, k, v, enable_gqa=True),
    randn(2, 4, 3, 5),
    randn(2, 1, 6, 5),
    randn(2, 1, 6, 5),
)


def masked_rows(q, k, v, m):
    """Attention whose output is 0 for queries that may attend to no key."""
    weights = (q @ k.mT / math.sqrt(5)).masked_fill(~m, -1e300).softmax(-1)
    return (weights * m) @ v


rows = flags(2, 1, 4, 6)
rows[0, 0, 1] = False
rows[1, 0] = False
dot("-masked-rows", masked_rows, q, k, v, rows)


# Position encodings: rotary, sinusoidal, learned, and linear biases.
def rotated(x, pairing, offset=0, base=10000.0):
    """x with rotary positions that begin at `offset`. The elements of a pair are neighbors if `pairing` is
    "interleaved", otherwise they are half the size apart."""
    length, size = x.shape[-2:]
    place = torch.arange(offset, offset + length, dtype=torch.float64)
    angles = place[:, None] * base ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
    if pairing == "interleaved":
        turned = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * torch.polar(
            torch.ones_like(angles), angles
        )
        return torch.view_as_real(turned).flatten(-2)
    angles = torch.cat([angles, angles], -1)
    a, b = x.chunk(2, -1)
    return x * angles.cos() + torch.cat([-b, a], -1) * angles.sin()


def waves(length, size):
    """The sinusoidal position encodings [length, size] of Vaswani et al. (2017)."""
    place = torch.arange(length, dtype=torch.float64)[:, None]
    rate = torch.exp(torch.arange(0, size, 2, dtype=torch.float64) * (-math.log(10000.0) / size))
    table = torch.zeros(length, size, dtype=torch.float64)
    table[:, 0::2] = torch.sin(place * rate)
    table[:, 1::2] = torch.cos(place * rate)[:, : size // 2]
    return table


def slopes(heads):
    """The slopes of linear biases, as in the code of Press, Smith and Lewis (2022)."""
    if math.log2(heads).is_integer():
        start = 2 ** (-(2 ** -(math.log2(heads) - 3)))
        return [start ** (i + 1) for i in range(heads)]
    power = 2 ** math.floor(math.log2(heads))
    return slopes(power) + slopes(2 * power)[0::2][: heads - power]


f.function("rotary-halves", lambda x: rotated(x, "halves"), randn(2, 3, 4, 6))
f.function("rotary-interleaved", lambda x: rotated(x, "interleaved"), randn(2, 3, 4, 6))
f.function("rotary-offset", lambda x: rotated(x, "halves", 3, 100.0), randn(2, 4, 6))
f.function("sinusoidal", lambda x: x + waves(6, 5)[2:, None], randn(4, 2, 5))
f.function("sinusoidal-batch-first", lambda x: x + waves(4, 6), randn(2, 4, 6))


class Learned(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3))

    def forward(self, x):
        return x + self.weight[1:5, None]


f.module("learned", Learned(), randn(4, 2, 3))


def biased(q, k, v, heads):
    """Attention with linear biases (ALiBi), for 4 queries at positions 2 to 5 and 6 keys at positions 0 to 5."""
    distance = (torch.arange(4)[:, None] + 2 - torch.arange(6)).abs()
    bias = -torch.tensor(slopes(heads), dtype=torch.float64)[:, None, None] * distance
    return sdpa(q, k, v, attn_mask=bias)


f.function("linear-biases", lambda q, k, v: biased(q, k, v, 4), randn(2, 4, 4, 3), randn(2, 4, 6, 3), randn(2, 4, 6, 3))
f.function(
    "linear-biases-odd", lambda q, k, v: biased(q, k, v, 6), randn(1, 6, 4, 3), randn(1, 6, 6, 3), randn(1, 6, 6, 3)
)


# Multi-head attention. Biases are random, since PyTorch initializes them to zeros.
def drawn(m):
    """The module with random parameters."""
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(exact(torch.randn_like(p) * 0.5))
    return m


def heads(case, m, call, *inputs):
    f.module("multihead" + case, drawn(m), *inputs, call=call)


def self_attention(**options):
    """A function that calls a module with x as queries, keys and values, and returns the output without the weights."""
    return lambda m, x, *masks: list(m(x, x, x, need_weights=False, **options, **named(masks)))[:1]


def named(masks):
    """The masks as keyword arguments of nn.MultiheadAttention, with boolean masks inverted. A mask whose first extent
    is 2, the batch size, is the key padding mask."""
    found = {}
    for mask in masks:
        inverse = ~mask if mask.dtype == torch.bool else mask
        found["key_padding_mask" if mask.shape[0] == 2 else "attn_mask"] = inverse
    return found


M = nn.MultiheadAttention
x = randn(5, 2, 6)
heads("", M(6, 3), self_attention(), x)
heads("-batch-first", M(6, 3, batch_first=True), self_attention(), randn(2, 5, 6))
heads("-no-bias", M(6, 2, bias=False), self_attention(), x)
heads("-mask", M(6, 2), self_attention(), x, flags(5, 5))
heads("-mask-added", M(6, 2), self_attention(), x, randn(5, 5))
heads("-key-mask", M(6, 2), self_attention(), x, present(5, 3, size=5))
heads("-both-masks", M(6, 2), self_attention(), x, flags(5, 5), present(5, 3, size=5))
heads("-causal", M(6, 2), lambda m, x: m(x, x, x, need_weights=False, attn_mask=~causal(5, 5), is_causal=True)[:1], x)
heads("-cross", M(6, 2), lambda m, q, k: m(q, k, k, need_weights=False)[:1], x, randn(3, 2, 6))
heads("-three", M(6, 2), lambda m, q, k, v: m(q, k, v, need_weights=False)[:1], x, randn(3, 2, 6), randn(3, 2, 6))
heads(
    "-sizes",
    M(6, 2, kdim=4, vdim=3),
    lambda m, q, k, v: m(q, k, v, need_weights=False)[:1],
    x,
    randn(3, 2, 4),
    randn(3, 2, 3),
)
heads("-weights", M(6, 2), lambda m, q, k: m(q, k, k), x, randn(3, 2, 6))
heads(
    "-weights-heads",
    M(6, 2, batch_first=True),
    lambda m, q, k: m(q, k, k, average_attn_weights=False),
    randn(2, 5, 6),
    randn(2, 3, 6),
)
heads("-key-bias", M(6, 2, add_bias_kv=True), self_attention(), x)
heads("-zero-key", M(6, 2, add_zero_attn=True), self_attention(), x, flags(5, 5))
heads(
    "-both-keys", M(6, 2, add_bias_kv=True, add_zero_attn=True), self_attention(), x, flags(5, 5), present(5, 3, size=5)
)
# PyTorch extends attn_mask so that all queries may attend to the added keys. This case leaves out is_causal=True, with
# which PyTorch would ignore attn_mask.
heads(
    "-both-keys-causal",
    M(6, 2, add_bias_kv=True, add_zero_attn=True),
    lambda m, x: m(x, x, x, need_weights=False, attn_mask=~causal(5, 5))[:1],
    x,
)


class Grouped(nn.Module):
    """Causal self-attention in which groups of heads share keys and values, as in LLaMA; with `rotary`, the positions
    are rotary."""

    def __init__(self, size, heads, groups, rotary):
        super().__init__()
        self.heads, self.groups, self.size, self.rotary = heads, groups, size, rotary
        width = groups * size // heads
        self.in_proj_weight = nn.Parameter(torch.randn(size + 2 * width, size))
        self.in_proj_bias = nn.Parameter(torch.randn(size + 2 * width))
        self.out_proj = nn.Linear(size, size)

    def forward(self, x):
        n = self.size // self.heads
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).split(
            [self.size, self.groups * n, self.groups * n], -1
        )
        q, k, v = [p.unflatten(-1, (-1, n)).transpose(1, 2) for p in parts]
        if self.rotary:
            q, k = rotated(q, "halves"), rotated(k, "halves")
        y = sdpa(q, k, v, is_causal=True, enable_gqa=True)
        return self.out_proj(y.transpose(1, 2).flatten(-2))


f.module("multihead-grouped", Grouped(8, 4, 2, False), randn(2, 5, 8))
f.module("multihead-rotary", Grouped(8, 2, 1, True), randn(2, 5, 8))

# Transformers, in training mode: in inference PyTorch has a fast path with other rounding and without gradients.
x, memory = randn(4, 2, 6), randn(3, 2, 6)
layer = dict(nhead=2, dim_feedforward=5, dropout=0.0)
E, D = nn.TransformerEncoderLayer, nn.TransformerDecoderLayer
f.module("encoder-layer", drawn(E(6, **layer)), x)
f.module(
    "encoder-layer-options",
    drawn(E(6, **layer, activation="gelu", layer_norm_eps=0.1, batch_first=True, norm_first=True)),
    randn(2, 4, 6),
)
f.module("encoder-layer-no-bias", drawn(E(6, **layer, bias=False)), x)
f.module(
    "encoder-layer-masks",
    drawn(E(6, **layer)),
    x,
    flags(4, 4),
    present(4, 2, size=4),
    call=lambda m, x, a, k: m(x, src_mask=~a, src_key_padding_mask=~k),
)
f.module(
    "encoder-layer-causal",
    drawn(E(6, **layer, norm_first=True)),
    x,
    call=lambda m, x: m(x, src_mask=~causal(4, 4), is_causal=True),
)
f.module("decoder-layer", drawn(D(6, **layer)), x, memory)
f.module(
    "decoder-layer-options",
    drawn(D(6, **layer, activation="gelu", layer_norm_eps=0.1, batch_first=True, norm_first=True)),
    randn(2, 4, 6),
    randn(2, 3, 6),
)
f.module("decoder-layer-no-bias", drawn(D(6, **layer, bias=False)), x, memory)
f.module(
    "decoder-layer-masks",
    drawn(D(6, **layer)),
    x,
    memory,
    flags(4, 4),
    present(4, 2, size=4),
    flags(4, 3),
    present(3, 1, size=3),
    call=lambda m, x, y, a, k, b, l: m(
        x, y, tgt_mask=~a, tgt_key_padding_mask=~k, memory_mask=~b, memory_key_padding_mask=~l
    ),
)
f.module(
    "decoder-layer-causal",
    drawn(D(6, **layer, norm_first=True)),
    x,
    memory,
    call=lambda m, x, y: m(x, y, tgt_mask=~causal(4, 4), tgt_is_causal=True),
)
f.module(
    "encoder",
    drawn(nn.TransformerEncoder(E(6, **layer, norm_first=True), 2, nn.LayerNorm(6))),
    x,
    present(4, 2, size=4),
    call=lambda m, x, k: m(x, mask=~causal(4, 4), src_key_padding_mask=~k, is_causal=True),
)
f.module(
    "decoder",
    drawn(nn.TransformerDecoder(D(6, **layer), 2)),
    x,
    memory,
    present(3, 1, size=3),
    call=lambda m, x, y, k: m(x, y, tgt_mask=~causal(4, 4), memory_key_padding_mask=~k, tgt_is_causal=True),
)
f.module(
    "transformer",
    drawn(nn.Transformer(6, 2, 1, 1, 5, dropout=0.0)),
    x,
    randn(3, 2, 6),
    present(4, 2, size=4),
    present(3, 2, size=3),
    call=lambda m, x, y, k, l: m(
        x,
        y,
        tgt_mask=~causal(3, 3),
        src_key_padding_mask=~k,
        tgt_key_padding_mask=~l,
        memory_key_padding_mask=~k,
        tgt_is_causal=True,
    ),
)
f.save()
