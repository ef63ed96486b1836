"""A small transformer that looks back (Vaswani et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SmallTransformer(nn.Module):
    """Scores of the next token at each place of (N, T) tokens.

    Args:
        vocabulary: Number of tokens.
        context: Longest text.
        width: Width of a layer.
        depth: Number of layers.
    """

    def __init__(self, vocabulary: int, context: int, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(context, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, depth)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, inputs: Tensor) -> Tensor:
        length = inputs.shape[1]
        embedded = self.tokens(inputs) + self.places(torch.arange(length, device=inputs.device))
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=inputs.device)
        scores: Tensor = self.head(self.layers(embedded, mask=mask, is_causal=True))
        return scores


class NextTokenLoss(nn.Module):
    """Cross-entropy of all places."""

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(scores.flatten(0, 1), targets.flatten())
