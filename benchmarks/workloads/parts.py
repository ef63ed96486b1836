"""Networks and data that several workloads use; all of them from fixed seeds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 10
BATCH = 32
FEATURES = 32


def tiny_mlp() -> nn.Module:
    """A network so small that an iteration is all overhead."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 64), nn.ReLU(), nn.Linear(64, CLASSES))


def random_batches(count: int, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    """Batches of random inputs with targets that can be learnt."""
    generator = torch.Generator().manual_seed(seed)
    rule = torch.randn(FEATURES, CLASSES, generator=torch.Generator().manual_seed(1))
    inputs = [torch.randn(BATCH, FEATURES, generator=generator) for _ in range(count)]
    return [(each, (each @ rule).argmax(1)) for each in inputs]


@torch.no_grad()
def loss_on(net: nn.Module, batch: tuple[Tensor, Tensor]) -> float:
    """The loss after training, by which it shows whether two engines did the same work."""
    net.eval()
    return float(nn.functional.cross_entropy(net(batch[0]), batch[1]))
