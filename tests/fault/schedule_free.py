"""A schedule-free optimizer with the protocol of the packages, which rounds when it switches."""

from __future__ import annotations

import torch

__all__ = ["BETA", "LR", "ScheduleFree"]

LR, BETA = 0.2, 0.75


class ScheduleFree(torch.optim.Optimizer):
    """Schedule-free SGD with the protocol of the packages."""

    def __init__(self, params, lr=LR):
        super().__init__(params, {"lr": lr, "k": 0, "training": False})

    @torch.no_grad()
    def _switch(self, training, weight):
        for group in self.param_groups:
            if group["training"] is not training:
                group["training"] = training
                for parameter in group["params"]:
                    if parameter in self.state:
                        parameter.lerp_(self.state[parameter]["z"], weight)

    def train(self):
        self._switch(True, 1 - BETA)

    def eval(self):
        assert self.state, "nothing was averaged yet"
        self._switch(False, 1 - 1 / BETA)

    @torch.no_grad()
    def step(self, closure=None):
        assert self.param_groups[0]["training"], "it was not told to train"
        for group in self.param_groups:
            group["k"] += 1
            share = 1 / group["k"]
            for parameter in group["params"]:
                if parameter not in self.state:
                    self.state[parameter]["z"] = parameter.clone()
                z = self.state[parameter]["z"]
                parameter.lerp_(z, share)
                parameter.add_(parameter.grad, alpha=group["lr"] * (BETA * (1 - share) - 1))
                z.sub_(parameter.grad, alpha=group["lr"])
