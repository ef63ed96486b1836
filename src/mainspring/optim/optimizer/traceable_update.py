"""Optimizer updates as functions of tensors, for a compiler to trace into one graph.

The formulas are those of torch's own optimizers, written for one parameter at a time. The learning
rate is a tensor, so that a schedule does not make the compiler begin anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import is_
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from mainspring.fast.eager_optimizers import step_hooks

__all__ = ["TraceableUpdate"]

_STATE_NAMES = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
_COUNTED = ("lr", "params")
"""What of a group is no constant of the graph."""


class TraceableUpdate:
    """The update of an optimizer: what it needs, and how it is computed.

    The states are those of the optimizer itself, changed in place, so that checkpoints and
    everything else see them as usual.

    Attributes:
        parameters: The parameters that are updated, over all groups.

    Args:
        optimizer: An `Adam`, `AdamW` or `SGD`.

    Raises:
        TypeError: The optimizer, or something that is asked of it, has no such function here.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self._optimizer = optimizer
        kind = type(optimizer)
        makers: dict[type, Callable[[Any, Mapping[str, Any]], Any]] = {
            Adam: self._adam,
            AdamW: self._adam,
            SGD: self._sgd,
        }
        if kind not in makers:
            raise TypeError(f"{kind.__name__} is not among {', '.join(k.__name__ for k in makers)}")
        if "step" in vars(optimizer) or any(step_hooks(optimizer)):
            raise TypeError("something is to be called before or after its step")
        self.parameters: list[Tensor] = []
        self._updates: list[Callable[[Sequence[Any], Tensor], None]] = []
        self._constants = self._read_constants()
        self._rates: list[float] = []
        self.rates = torch.zeros(len(optimizer.param_groups), dtype=torch.float64, device="cpu")
        """Learning rate of each group, of shape (groups,), on the CPU."""
        for group in optimizer.param_groups:
            _require_ordinary(group)
            first = len(self.parameters)
            chosen = [parameter for parameter in group["params"] if parameter.requires_grad]
            self.parameters += chosen
            self._updates.append(_sliced(makers[kind](chosen, group), first, len(self.parameters)))
        self._known_states = self._states()

    def refresh(self) -> bool:
        """Take the learning rates over; returns whether everything else is as it was."""
        rates = [group["lr"] for group in self._optimizer.param_groups]
        if rates != self._rates:
            self._rates = rates
            self.rates.copy_(torch.tensor(rates, dtype=torch.float64, device="cpu"))
        return self._read_constants() == self._constants

    def is_outdated(self) -> bool:
        """Whether the optimizer has other states by now, other groups, or hooks on its step."""
        optimizer, states = self._optimizer, self._states()
        return (
            "step" in vars(optimizer)
            or any(step_hooks(optimizer))
            or len(optimizer.param_groups) != len(self._updates)
            or len(states) != len(self._known_states)
            or not all(map(is_, states, self._known_states))
        )

    def _states(self) -> list[Any]:
        """The tensors that the graph changes besides the parameters."""
        return [
            state.get(name) for state in self._optimizer.state.values() for name in _STATE_NAMES
        ]

    def apply(self, gradients: Sequence[Tensor | None], rates: Tensor) -> None:
        """Change the parameters; to be traced.

        Args:
            gradients: One for each of `parameters`; ``None`` where the loss does not depend on it.
            rates: The learning rates, `rates`.
        """
        for index, update in enumerate(self._updates):
            update(gradients, rates[index])

    def _read_constants(self) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in group.items() if name not in _COUNTED}
            for group in self._optimizer.param_groups
        ]

    def _adam(self, parameters: list[Tensor], group: Mapping[str, Any]) -> Any:
        beta1, beta2 = group["betas"]
        epsilon, decay, maximize = group["eps"], group["weight_decay"], group["maximize"]
        is_decoupled = group.get("decoupled_weight_decay", type(self._optimizer) is AdamW)
        if group["amsgrad"]:
            raise TypeError("amsgrad is not computed here")
        states = [self._optimizer.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                device = parameter.device if group.get("fused") else "cpu"
                state["step"] = torch.zeros((), dtype=torch.float32, device=device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        steps = [state["step"] for state in states]
        averages = [state["exp_avg"] for state in states]
        squares = [state["exp_avg_sq"] for state in states]

        def update(gradients: Sequence[Tensor | None], rate: Tensor) -> None:
            for index, parameter in enumerate(parameters):
                gradient = gradients[index]
                if gradient is None:
                    continue
                step, average, square = steps[index], averages[index], squares[index]
                step.add_(1)
                count, lr = step.double().to(parameter.device), rate.to(parameter.device)
                if maximize:
                    gradient = -gradient
                if decay and is_decoupled:
                    parameter.mul_((1 - lr * decay).to(parameter.dtype))
                elif decay:
                    gradient = gradient.add(parameter, alpha=decay)
                average.lerp_(gradient, 1 - beta1)
                square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
                first = 1 - beta1**count
                second = (1 - beta2**count).sqrt()
                denominator = (square.sqrt() / second.to(square.dtype)).add_(epsilon)
                parameter.sub_((lr / first).to(parameter.dtype) * average / denominator)

        return update

    def _sgd(self, parameters: list[Tensor], group: Mapping[str, Any]) -> Any:
        momentum, dampening, nesterov = group["momentum"], group["dampening"], group["nesterov"]
        decay, maximize = group["weight_decay"], group["maximize"]
        buffers: list[Tensor] = []
        if momentum:
            states = [self._optimizer.state[parameter] for parameter in parameters]
            for parameter, state in zip(parameters, states, strict=True):
                if state.get("momentum_buffer") is None:
                    if dampening:
                        raise TypeError("dampening leaves the first step out")
                    # Nothing times momentum plus the gradient: the gradient, as torch begins.
                    state["momentum_buffer"] = torch.zeros_like(parameter)
            buffers = [state["momentum_buffer"] for state in states]

        def update(gradients: Sequence[Tensor | None], rate: Tensor) -> None:
            for index, parameter in enumerate(parameters):
                gradient = gradients[index]
                if gradient is None:
                    continue
                if maximize:
                    gradient = -gradient
                if decay:
                    gradient = gradient.add(parameter, alpha=decay)
                if momentum:
                    buffer = buffers[index]
                    buffer.mul_(momentum).add_(gradient, alpha=1 - dampening)
                    gradient = gradient.add(buffer, alpha=momentum) if nesterov else buffer
                parameter.sub_(rate.to(parameter.device, parameter.dtype) * gradient)

        return update


def _require_ordinary(group: Mapping[str, Any]) -> None:
    if isinstance(group["lr"], Tensor) or group.get("differentiable") or group.get("capturable"):
        raise TypeError("its learning rate is a tensor, or it is differentiable or capturable")


def _sliced(
    update: Callable[[Sequence[Any], Tensor], None], first: int, last: int
) -> Callable[[Sequence[Any], Tensor], None]:
    def of_group(gradients: Sequence[Any], rate: Tensor) -> None:
        update(gradients[first:last], rate)

    return of_group
