"""The language models that Apus has, in PyTorch, with the rates and sizes of their recipes."""

import torch
import torch.nn as nn


class CharLSTM(nn.Module):
    rate, batch, length = 2e-3, 32, 64

    def __init__(self, count, width=256, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(count, width)
        self.lstm = nn.LSTM(width, width, 2, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, count)

    def forward(self, x):
        return self.output(self.dropout(self.lstm(self.embedding(x))[0]))


class CharTransformer(nn.Module):
    rate, batch, length = 1e-3, 16, 128

    def __init__(self, count, width=256, heads=8, depth=4):
        super().__init__()
        self.embedding = nn.Embedding(count, width)
        self.positions = nn.Parameter(torch.empty(self.length, width))
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)

        def layer():
            return nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )

        # nn.TransformerEncoder would copy one layer: all would start from the same values.
        self.layers = nn.ModuleList(layer() for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, count)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(self.length))

    def forward(self, x):
        x = self.embedding(x) + self.positions
        for layer in self.layers:
            x = layer(x, src_mask=self.mask, is_causal=True)
        return self.output(self.norm(x))
