"""Handwritten digits, and two networks: one draws them, the other tells drawn from real."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mainspring.model import BaseModel


class DigitImages(Dataset):  # type: ignore[type-arg]  # - torch's Dataset is generic only to type checkers
    """The images of scikit-learn's digits, of shape (64,), from -1 to 1, with their labels."""

    def __init__(self) -> None:
        from sklearn.datasets import load_digits  # takes a second, which reading a config need not

        images, labels = load_digits(return_X_y=True)
        self.images = torch.tensor(images / 8 - 1, dtype=torch.float32)
        self.labels = torch.tensor(labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]


def _network(inputs: int, outputs: int, width: int) -> nn.Sequential:
    layers = [nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, width)]
    return nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.Linear(width, outputs))


class ConditionalGAN(BaseModel):
    """A generator that draws the digit it is told, and a critic that sees image and label.

    The losses are those of Goodfellow et al. (2014), the labels go in as in Mirza and Osindero
    (2014).

    Args:
        noise: Random numbers for an image.
        width: Width of both networks.
    """

    def __init__(self, noise: int = 16, width: int = 256) -> None:
        super().__init__()
        self.noise = noise
        self.generator = _network(noise + 10, 64, width)
        self.critic = _network(64 + 10, 1, width)

    def forward(self, labels: Tensor, mode: str = "tensor") -> Tensor:
        """Images, of shape (batch, 64), of the digits that are asked for."""
        noise = torch.randn(len(labels), self.noise, device=labels.device)
        known = nn.functional.one_hot(labels, 10).float()
        return torch.tanh(self.generator(torch.cat([noise, known], 1)))

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """A step of the critic, then one of the generator."""
        images, labels = self.data_preprocessor(data, True)
        drawn = self(labels)
        real, fake = self._judge(images, labels), self._judge(drawn.detach(), labels)
        loss_critic = nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()
        optim_wrapper["critic"].update_params(loss_critic)

        self.critic.requires_grad_(False)  # it is not to learn from the generator's loss
        loss_generator = nn.functional.softplus(-self._judge(drawn, labels)).mean()
        self.critic.requires_grad_(True)
        optim_wrapper["generator"].update_params(loss_generator)
        return {"loss_critic": loss_critic.detach(), "loss_generator": loss_generator.detach()}

    def _judge(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.critic(torch.cat([images, nn.functional.one_hot(labels, 10).float()], 1))


def draw(model: Any, figure: Any) -> None:
    """Four of each digit, drawn by the generator."""
    torch.manual_seed(0)
    images = model(torch.arange(10).repeat(4)).view(4, 10, 8, 8)
    axis = figure.subplots()
    axis.imshow(images.transpose(1, 2).reshape(32, 80).numpy(), cmap="gray_r")
