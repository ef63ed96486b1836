"""Muon for the matrices of a model, with AdamW for what it cannot step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import AdamW, Optimizer

from mainspring.errors import MissingPackageError
from mainspring.registry import OPTIMIZERS

__all__ = ["Muon"]


@OPTIMIZERS.register_module()
class Muon(Optimizer):
    """Muon for parameters with two dimensions, AdamW for all others.

    Each group is split into one of either kind. A group's own ``lr`` counts in proportion: half of
    `lr` is also half of AdamW's. Muon is K. Jordan et al., "Muon: An optimizer for hidden layers in
    neural networks" (2024), as `torch.optim.Muon` has it; ``"match_rms_adamw"`` is J. Liu et al.,
    "Muon is Scalable for LLM Training" (arXiv:2502.16982), section 2.2.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate of Muon.
        weight_decay: Decoupled weight decay of both.
        momentum: Momentum of Muon.
        nesterov: Whether that is Nesterov's.
        adjust_lr_fn: How Muon's rate follows the shape of a matrix: ``"original"``, or
            ``"match_rms_adamw"``, with which one rate suits both.
        adamw: Arguments of AdamW; ``lr`` is 3e-4, or `lr` with ``"match_rms_adamw"``, if not given.

    Raises:
        MissingPackageError: This torch has no Muon yet (it came with 2.9).

    Example:
        >>> model = torch.nn.Linear(4, 2)
        >>> optimizer = Muon(model.parameters(), lr=0.02, adamw=dict(lr=1e-3))
        >>> [(group["method"], group["lr"]) for group in optimizer.param_groups]
        [('muon', 0.02), ('adamw', 0.001)]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        adjust_lr_fn: Literal["original", "match_rms_adamw"] | None = None,
        adamw: dict[str, Any] | None = None,
    ) -> None:
        of_torch = getattr(torch.optim, "Muon", None)
        if of_torch is None:
            raise MissingPackageError(
                f"torch {torch.__version__} has no Muon", help="install torch 2.9 or newer"
            )
        rate = lr if adjust_lr_fn == "match_rms_adamw" else 3e-4
        self._steppers: dict[str, Optimizer] = {
            "muon": of_torch(
                [torch.empty(1, 1)],
                lr=lr,
                weight_decay=weight_decay,
                momentum=momentum,
                nesterov=nesterov,
                adjust_lr_fn=adjust_lr_fn,
            ),
            "adamw": AdamW(
                [torch.empty(1)], **{"lr": rate, "weight_decay": weight_decay, **(adamw or {})}
            ),
        }
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the matrices of a group and its other parameters as groups of their own.

        Args:
            param_group: ``params``, and settings that differ for them.
        """
        given = param_group["params"]
        params = [given] if isinstance(given, Tensor) else list(given)
        for method, stepper in self._steppers.items():
            chosen = [each for each in params if (_dimensions(each) == 2) == (method == "muon")]
            if chosen:
                group = {**stepper.defaults, **param_group, "params": chosen, "method": method}
                if "lr" in param_group and self.defaults["lr"]:
                    group["lr"] = stepper.defaults["lr"] * param_group["lr"] / self.defaults["lr"]
                super().add_param_group(group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Step every parameter that has a gradient.

        Args:
            closure: Computes the loss anew, with gradients.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for method, stepper in self._steppers.items():
            stepper.param_groups = [each for each in self.param_groups if each["method"] == method]
            stepper.state = self.state
            stepper.step()
        return loss

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_steppers": self._steppers}


def _dimensions(param: Any) -> int:
    """Of a parameter, or of one with its name."""
    return int((param[1] if isinstance(param, tuple) else param).ndim)
