"""The same step, gradients and clearing as torch's, with less Python around the kernels.

For a small model, most of the time of ``optimizer.step()``, ``loss.backward()`` and
``optimizer.zero_grad()`` goes into looking for what was the same in the step before: which states
belong to which parameter, which device they are on, whether a profiler watches. What is
remembered here is checked to be still true; wherever anything is out of the ordinary (hooks, a
profiler, missing gradients, gradient scaling, a method replaced by somebody), torch's own method is
called. The numbers are the same to the last bit.
"""

from __future__ import annotations

from operator import is_
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from mainspring.fast import is_enabled
from mainspring.fast.eager_optimizers import is_watched, step_eagerly, step_hooks

__all__ = ["QuickStep", "quick_backward"]

# None of these is documented, and checkers of types do not know them.
_KERNELS: Any = torch
_ENGINE: Any = getattr(torch.autograd.Variable, "_execution_engine", None)


def quick_backward(loss: Tensor) -> None:
    """``loss.backward()``.

    Args:
        loss: A scalar loss.
    """
    is_usual = type(loss) is Tensor and not loss.dim() and loss.is_floating_point()
    if not is_usual or _ENGINE is None or not is_enabled():
        loss.backward()  # type: ignore[no-untyped-call]  # - torch leaves it untyped
        return
    _ENGINE.run_backward(
        (loss,),
        (torch.ones((), dtype=loss.dtype, device=loss.device),),
        False,
        False,
        (),
        allow_unreachable=True,
        accumulate_grad=True,
    )


class QuickStep:
    """``step`` and ``zero_grad`` of one optimizer.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self._kind = _KINDS.get(type(optimizer)) if is_enabled() else None
        clears = getattr(type(optimizer), "zero_grad", None) is Optimizer.zero_grad
        self._clears = clears and is_enabled()
        self._groups: list[_Group] = []
        self._states: list[dict[str, Any]] = []
        self._hooks: list[Any] = []
        if self._kind is not None:
            self._hooks = step_hooks(optimizer)

    def step(self) -> None:
        """Change the parameters by their gradients."""
        optimizer = self.optimizer
        if self._kind is None:
            step_eagerly(optimizer)
            return
        if is_watched(optimizer, self._hooks):
            optimizer.step()
            return
        gradients = self._gradients()
        if gradients is None:
            step_eagerly(optimizer)
            self._groups = self._remembered(self._kind)
            return
        with torch.no_grad():
            for group, of_group in zip(self._groups, gradients, strict=True):
                group.update(of_group)

    def zero_grad(self) -> None:
        """Let no parameter have a gradient."""
        optimizer = self.optimizer
        if not self._clears or "zero_grad" in optimizer.__dict__:
            optimizer.zero_grad()
            return
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _gradients(self) -> list[list[Tensor]] | None:
        """The gradients of the remembered groups; ``None`` if they are not all there is."""
        groups, settings = self._groups, self.optimizer.param_groups
        if not groups or len(groups) != len(settings):
            return None
        if not _are_same(list(self.optimizer.state.values()), self._states):
            return None
        gradients = []
        for group, own in zip(groups, settings, strict=True):
            if not group.is_current(own):
                return None
            of_group = [parameter.grad for parameter in group.parameters]
            for gradient in of_group:
                if gradient is None or gradient.layout is not torch.strided:
                    return None
            gradients.append(of_group)
        return gradients  # type: ignore[return-value]  # - none is None, as was just seen

    def _remembered(self, kind: type[_Group]) -> list[_Group]:
        """What the optimizer keeps after a step; nothing if it does not suit the kernels."""
        groups = []
        state = self.optimizer.state
        for settings in self.optimizer.param_groups:
            states = [state.get(parameter, {}) for parameter in settings["params"]]
            if not kind.suits(settings, states):
                return []
            groups.append(kind(settings, states))
        self._states = list(state.values())
        return groups


def _are_same(items: list[Any], known: list[Any]) -> bool:
    """Whether two lists hold the same objects."""
    return len(items) == len(known) and all(map(is_, items, known))


class _Group:
    """A parameter group with what its kernels take.

    Attributes:
        settings: The group itself.
        parameters: Its parameters.
        state_names: Names of the states that the kernels take.
    """

    state_names: tuple[str, ...] = ()

    def __init__(self, settings: dict[str, Any], states: list[dict[str, Any]]) -> None:
        self.settings = settings
        self.parameters: list[Tensor] = list(settings["params"])
        self._own_states = states
        self._known = self._held()

    @staticmethod
    def suits(settings: dict[str, Any], states: list[dict[str, Any]]) -> bool:
        """Whether the kernels do what the optimizer does with these settings."""
        raise NotImplementedError

    def update(self, gradients: list[Tensor]) -> None:
        """Do what the optimizer does, without gradient.

        Args:
            gradients: One for each parameter.
        """
        raise NotImplementedError

    def is_current(self, settings: dict[str, Any]) -> bool:
        """Whether the optimizer still has these parameters and states, and these only."""
        return (
            settings is self.settings
            and _are_same(settings["params"], self.parameters)
            and type(settings["lr"]) is not Tensor
            and _are_same(self._held(), self._known)
        )

    def _held(self) -> list[Any]:
        return [state.get(name) for name in self.state_names for state in self._own_states]


class _FusedAdam(_Group):
    """Adam and AdamW with ``fused=True``."""

    state_names: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "step")
    decouples = False

    def __init__(self, settings: dict[str, Any], states: list[dict[str, Any]]) -> None:
        if settings["amsgrad"]:
            self.state_names = (*self.state_names, "max_exp_avg_sq")
        super().__init__(settings, states)
        self._averages = [state["exp_avg"] for state in states]
        self._squares = [state["exp_avg_sq"] for state in states]
        self._largest = [state["max_exp_avg_sq"] for state in states] if settings["amsgrad"] else []
        self._steps = [state["step"] for state in states]

    @staticmethod
    def suits(settings: dict[str, Any], states: list[dict[str, Any]]) -> bool:
        kinds = {(parameter.device, parameter.dtype) for parameter in settings["params"]}
        return bool(
            settings.get("fused")
            and len(kinds) == 1
            and all(states)
            and not isinstance(settings["betas"][0], Tensor)
        )

    def is_current(self, settings: dict[str, Any]) -> bool:
        return super().is_current(settings) and settings["fused"] is True

    def update(self, gradients: list[Tensor]) -> None:
        settings = self.settings
        beta1, beta2 = settings["betas"]
        decouples = settings.get("decoupled_weight_decay", self.decouples)
        kernel = _KERNELS._fused_adamw_ if decouples else _KERNELS._fused_adam_
        _KERNELS._foreach_add_(self._steps, 1)
        kernel(
            self.parameters,
            gradients,
            self._averages,
            self._squares,
            self._largest,
            self._steps,
            amsgrad=settings["amsgrad"],
            lr=settings["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=settings["weight_decay"],
            eps=settings["eps"],
            maximize=settings["maximize"],
            grad_scale=None,
            found_inf=None,
        )


class _FusedAdamW(_FusedAdam):
    decouples = True


class _PlainSGD(_Group):
    """SGD, with momentum once its buffers are there."""

    def __init__(self, settings: dict[str, Any], states: list[dict[str, Any]]) -> None:
        if settings["momentum"]:
            self.state_names = ("momentum_buffer",)
        super().__init__(settings, states)
        self._momentum = settings["momentum"]
        self._buffers = [state["momentum_buffer"] for state in states if self._momentum]

    @staticmethod
    def suits(settings: dict[str, Any], states: list[dict[str, Any]]) -> bool:
        if settings.get("fused") or settings.get("differentiable") or not settings["params"]:
            return False
        if not settings["momentum"]:
            return True
        # Of halves, torch rounds the product with momentum otherwise in a list than in one tensor.
        are_whole = all(parameter.dtype.itemsize >= 4 for parameter in settings["params"])
        return are_whole and all("momentum_buffer" in state for state in states)

    def is_current(self, settings: dict[str, Any]) -> bool:
        return (
            super().is_current(settings)
            and not settings["fused"]
            and bool(settings["momentum"]) == bool(self._momentum)
        )

    def update(self, gradients: list[Tensor]) -> None:
        settings, parameters = self.settings, self.parameters
        if settings["maximize"]:
            gradients = list(_KERNELS._foreach_neg(gradients))
        if settings["weight_decay"]:
            gradients = list(
                _KERNELS._foreach_add(gradients, parameters, alpha=settings["weight_decay"])
            )
        if self._momentum:
            _KERNELS._foreach_mul_(self._buffers, settings["momentum"])
            _KERNELS._foreach_add_(self._buffers, gradients, alpha=1 - settings["dampening"])
            if settings["nesterov"]:
                gradients = list(
                    _KERNELS._foreach_add(gradients, self._buffers, alpha=settings["momentum"])
                )
            else:
                gradients = self._buffers
        _KERNELS._foreach_add_(parameters, gradients, alpha=-settings["lr"])


_KINDS: dict[type, type[_Group]] = {Adam: _FusedAdam, AdamW: _FusedAdamW, SGD: _PlainSGD}
