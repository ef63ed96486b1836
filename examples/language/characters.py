"""A text, character by character, and a small transformer that goes on writing it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mainspring.model import BaseModel

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))


class Characters(Dataset):  # type: ignore[type-arg]  # - torch's Dataset is generic only to type checkers
    """Pieces of scikit-learn's descriptions of its data sets, as numbers of characters.

    Args:
        split: ``"train"`` (the first nine tenths) or ``"val"``.
        length: Characters of a piece; what follows each of them is to be predicted.
        count: Number of pieces, evenly spread.
    """

    def __init__(self, split: str, length: int = 48, count: int = 4000) -> None:
        folder = files("sklearn.datasets.descr")
        paths = sorted((path for path in folder.iterdir() if path.name.endswith(".rst")), key=str)
        text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
        number = {character: index for index, character in enumerate(ALPHABET)}
        codes = torch.tensor([number[character] for character in text if character in number])
        border = len(codes) * 9 // 10
        self.codes = codes[:border] if split == "train" else codes[border:]
        self.length, self.count = length, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        start = index * (len(self.codes) - self.length - 1) // (self.count - 1)
        return {"text": self.codes[start : start + self.length + 1]}


class Transformer(BaseModel):
    """A decoder of a few layers; learnt positions, weights of input and output shared.

    Args:
        width: Numbers for each character.
        layers: Number of layers.
        length: Characters that it looks back at.
    """

    def __init__(self, width: int = 64, layers: int = 2, length: int = 48) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(ALPHABET), width)
        self.position = nn.Embedding(length, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        for table in (self.embedding, self.position):
            nn.init.normal_(table.weight, std=0.05)

    def forward(self, text: Tensor, mode: str = "tensor") -> Any:
        """Scores of the next character at each place, the loss, or both sides for a metric."""
        if mode == "tensor":
            return self._scores(text)
        scores, following = self._scores(text[:, :-1]), text[:, 1:]
        if mode == "loss":
            return {"loss": nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())}
        pairs = zip(scores, following, strict=True)
        return [{"prediction": score, "target": target} for score, target in pairs]

    def _scores(self, text: Tensor) -> Tensor:
        length = text.shape[1]
        hidden = self.embedding(text) + self.position.weight[:length]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=text.device)
        hidden = self.norm(self.layers(hidden, mask=mask, is_causal=True))
        return hidden @ self.embedding.weight.T

    @torch.no_grad()
    def write(self, begin: str, count: int, temperature: float = 0.6) -> str:
        """Go on with a text.

        Args:
            begin: What to go on from.
            count: Characters to write.
            temperature: Less is more likely, more is more surprising.
        """
        codes = [ALPHABET.index(character) for character in begin]
        for _ in range(count):
            context = torch.tensor([codes[-self.position.num_embeddings :]])
            chances = (self._scores(context)[0, -1] / temperature).softmax(0)
            codes.append(int(torch.multinomial(chances, 1)))
        return "".join(ALPHABET[code] for code in codes)


def draw(model: Any, figure: Any) -> None:
    """What the model writes."""
    torch.manual_seed(0)
    text = model.write("The ", 330)
    lines = "\n".join(
        line[at : at + 70] for line in text.split("\n") for at in range(0, len(line), 70)
    )
    figure.text(0.02, 0.95, lines, family="monospace", va="top", fontsize=9, parse_math=False)
