"""A generator against a discriminator (Goodfellow et al., 2014)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainspring.model import BaseModel


def layers(inputs: int, outputs: int, width: int = 64) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )


class GAN(BaseModel):
    """Imitates points (N, 2).

    Args:
        noise: Random numbers that a point is made of.
    """

    def __init__(self, noise: int = 8) -> None:
        super().__init__()
        self.noise = noise
        self.generator = layers(noise, 2)
        self.discriminator = layers(2, 1)

    def train_step(self, data: Tensor, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the discriminator, then one of the generator."""
        real: Tensor = self.data_preprocessor(data, True)
        made = self.make(len(real))
        truth, guess = self.discriminator(real), self.discriminator(made.detach())
        loss_d = F.softplus(-truth).mean() + F.softplus(guess).mean()
        optim_wrapper["discriminator"].update_params(loss_d)
        self.discriminator.requires_grad_(False)  # it is not to learn from the generator's loss
        loss_g = F.softplus(-self.discriminator(made)).mean()
        self.discriminator.requires_grad_(True)
        optim_wrapper["generator"].update_params(loss_g)
        return {"loss_d": loss_d.detach(), "loss_g": loss_g.detach()}

    def make(self, count: int) -> Tensor:
        """New points, of shape (count, 2)."""
        device = next(self.parameters()).device
        points: Tensor = self.generator(torch.randn(count, self.noise, device=device))
        return points

    def forward(  # type: ignore[override]  # - there are no samples with labels
        self, inputs: Tensor, mode: str = "tensor"
    ) -> Any:
        """Points made of noise (N, `noise`)."""
        return self.generator(inputs)
