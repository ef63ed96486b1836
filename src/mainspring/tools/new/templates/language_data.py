"""Text of a small made language, as characters: replace `write_text` by your own text."""

from __future__ import annotations

import random

import torch
from torch import Tensor
from torch.utils.data import Dataset

NAMES = ("ann", "ben", "cleo", "dan")
VERBS = ("sees", "likes", "helps")
PLACES = ("at home", "in town", "by the sea")
ALPHABET = " abcdefghijklmnopqrstuvwxyz.\n"


def write_text(seed: int, sentences: int) -> str:
    """Sentences such as "ann likes ben by the sea", a line each."""
    generator = random.Random(seed)
    lines = []
    for _ in range(sentences):
        first, second = generator.sample(NAMES, 2)
        lines.append(f"{first} {generator.choice(VERBS)} {second} {generator.choice(PLACES)}.\n")
    return "".join(lines)


class Characters(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of `context` characters and the ones that follow each, as numbers.

    Args:
        sentences: How much text to write.
        context: Characters of an item.
        seed: Another seed gives another text.
    """

    def __init__(self, sentences: int, context: int = 32, seed: int = 0) -> None:
        text = write_text(seed, sentences)
        self.tokens = torch.tensor([ALPHABET.index(letter) for letter in text])
        self.context = context

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.context

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        first = index * self.context
        part = self.tokens[first : first + self.context + 1]
        return part[:-1], part[1:]

    def read_input(self, source: str) -> Tensor:
        """A line of text, for `mainspring predict`."""
        return torch.tensor([ALPHABET.index(letter) for letter in source[-self.context :]])
