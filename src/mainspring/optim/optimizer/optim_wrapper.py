"""An optimizer together with how it is used: accumulation, clipping, recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from mainspring.config.words import Factory
from mainspring.errors import ConfigError, ConfigTypeError, mark_user_mistake
from mainspring.fast.quick_step import QuickStep, quick_backward
from mainspring.logging import MessageHub, warn
from mainspring.optim.optimizer.accumulation import AccumulationSchedule, checked_counts
from mainspring.optim.optimizer.base import NO_CONTEXT, BaseOptimWrapper
from mainspring.optim.optimizer.clipping import clipping
from mainspring.optim.optimizer.closures import closure_need
from mainspring.optim.optimizer.norm_layers import has_batch_norm
from mainspring.optim.optimizer.normalizer import TargetNormalizer
from mainspring.optim.optimizer.two_modes import has_two_modes
from mainspring.registry import OPTIM_WRAPPERS
from mainspring.structures import NormalizedLoss

__all__ = ["OptimWrapper", "gradient_on_host"]

_LOOKED_AT = 100
"""Steps before which it is looked whether another loss has left gradients."""


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(BaseOptimWrapper):
    """Updates parameters by a loss, in one call or step by step.

    ``update_params(loss)`` scales the loss, computes gradients and, when a group of
    `accumulative_counts` micro-batches is complete, clips, steps and clears them. The last group of
    a training is closed by its last iteration, however few micro-batches it has.

    A loss that declares what it was divided by (`mainspring.structures.NormalizedLoss`) is weighed
    by that count among the micro-batches of its group and among ranks, so that accumulating several
    small batches is the same as one large batch. Other losses are divided by the number of
    micro-batches.

    Args:
        optimizer: The optimizer; in a config, a factory of it that the parameters are given to.
        accumulative_counts: Micro-batches (iterations) of a step. Schedulers, and whatever else
            counts iterations, count micro-batches. Pairs, such as ``[(0, 1), (10, 4)]``, change
            their number from an epoch or iteration on, whichever training counts in.
        clip_grad: ``dict(max_norm=...)`` and further arguments of
            `torch.nn.utils.clip_grad_norm_`, ``dict(type="value", clip_value=...)``, or a number,
            the largest norm. The norm before clipping is recorded as ``train/grad_norm``.
        constructor: In a config, what makes optimizer and wrapper for the model:
            `DefaultOptimWrapperConstructor` by default.
        paramwise_cfg: In a config, that constructor's rules for single parameters.

    Attributes:
        message_hub: Where the norm is recorded: the current hub at construction.
        clip_grad_kwargs: Arguments of the clipping function; ``None`` without clipping.
        skips_non_finite: Whether a step is left out whose gradients are no numbers.
        accumulation_schedule: How the number of micro-batches changes; ``None`` if it does not.

    Raises:
        ConfigError: An argument makes no sense.
        TypeError: `optimizer` is no optimizer.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), clip_grad=1.0)
        >>> wrapper.update_params(model(torch.ones(1, 2)).square().mean())
        >>> wrapper.get_lr()
        {'lr': [0.1]}
    """

    def __init__(
        self,
        optimizer: Optimizer | Factory[Optimizer],
        accumulative_counts: int | Sequence[tuple[int, int]] = 1,
        clip_grad: Mapping[str, Any] | float | None = None,
        *,
        constructor: str | Factory[Any] | None = None,
        paramwise_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        largest, schedule = checked_counts(accumulative_counts)
        _refuse_config_words(constructor=constructor, paramwise_cfg=paramwise_cfg)
        super().__init__(_ready(optimizer))
        if has_two_modes(self.optimizer):
            self.optimizer.train()
        self._accumulative_counts, self.accumulation_schedule = largest, schedule
        self.clip_grad_kwargs: dict[str, Any] | None = None
        if clip_grad is not None:
            self.grad_name, self.clip_func, self.clip_grad_kwargs = clipping(clip_grad)
        self.message_hub = MessageHub.get_current_instance()
        self._inner_count = 0
        self._max_counts = -1
        self._optimizer_steps = 0
        self._lost_micro_batches = 0
        self._cleared_at = 0
        self._looks = _LOOKED_AT
        self._normalizer = TargetNormalizer()
        self._quick = QuickStep(self.optimizer)
        self.skips_non_finite = False
        self.closure_need = closure_need(self.optimizer)
        if self.closure_need != "none" and largest > 1:
            raise ConfigError(
                f"{type(self.optimizer).__name__} computes the loss of a batch several times, so "
                "gradients of several batches cannot be accumulated for it",
                help="leave accumulative_counts out",
            )

    @property
    def inner_count(self) -> int:
        """Number of micro-batches so far."""
        return self._inner_count

    @property
    def micro_steps(self) -> int:
        """Number of micro-batches so far, those before a resume included."""
        return self._inner_count

    @property
    def optimizer_steps(self) -> int:
        """Number of groups stepped on so far, those before a resume included."""
        return self._optimizer_steps

    def update_params(
        self,
        loss: torch.Tensor | NormalizedLoss,
        step_kwargs: dict[str, Any] | None = None,
        zero_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Update the parameters by the loss of a micro-batch.

        Args:
            loss: Scalar loss, plain or with its count; the same kind throughout a group.
            step_kwargs: Passed on to the optimizer's step.
            zero_kwargs: Passed on to the optimizer's `zero_grad`.

        Raises:
            ValueError: Losses with and without a count in one group.
        """
        if self._looks and self._cleared_at == self._inner_count:
            self._look_for_gradients()
        if self._accumulative_counts > 1:
            self._check_micro_batch(loss)
        if isinstance(loss, NormalizedLoss):
            loss = self._normalizer.weigh(loss, self._parameters(), last=self.should_sync())
        else:
            loss = self.scale_loss(loss)
        self.backward(loss)
        if self.should_update():
            self.step(**(step_kwargs or {}))
            self.zero_grad(**(zero_kwargs or {}))

    def update_by_closure(self, compute: Callable[[], torch.Tensor | NormalizedLoss]) -> None:
        """Update the parameters with an optimizer whose step computes the loss, such as LBFGS.

        Args:
            compute: Computes the loss of the batch anew; called as often as the optimizer asks.
        """

        def closure() -> Any:
            self.optimizer.zero_grad()
            with torch.enable_grad():
                loss = compute()
                if isinstance(loss, NormalizedLoss):
                    loss = self._normalizer.weigh(loss, self._parameters(), last=True)
                quick_backward(loss)
            if self.clip_grad_kwargs is not None:
                self._clip_grad()
            return loss.detach()

        if self.closure_need == "uses gradients":
            closure()
        self.optimizer.step(closure)
        self.optimizer.zero_grad()
        self._inner_count += 1
        self._optimizer_steps += 1

    def note_update(self, norm: torch.Tensor | None = None) -> None:
        """Count a step that somebody else has made, such as a compiled one.

        Args:
            norm: Norm of the gradients before clipping, to be recorded.
        """
        self._inner_count += 1
        self._optimizer_steps += 1
        if norm is not None:
            self.message_hub.update_scalar(f"train/{self.grad_name}", norm)

    def update_by_gradients(
        self, parameters: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor | None]
    ) -> None:
        """Update the parameters by the gradients of a micro-batch, which are not scaled yet.

        Args:
            parameters: The parameters.
            gradients: A gradient for each, or ``None``.
        """
        in_group = [
            (p, self.scale_loss(g))
            for p, g in zip(parameters, gradients, strict=True)
            if g is not None
        ]
        for parameter, gradient in in_group:
            parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        self._inner_count += 1
        if self.should_update():
            self.step()
            self.zero_grad()

    def _look_for_gradients(self) -> None:
        """Say, once, that the step to come takes along gradients of another loss than its own."""
        self._looks -= 1
        parameters = list(self._parameters())
        left = sum(map(_has_gradient, parameters))
        if left:
            self._looks = 0
            warn(
                f"{left} of {len(parameters)} parameters of {type(self.optimizer).__name__} had "
                "gradients before the loss that they are updated by: another loss has left them, "
                "and they are added. If that is not meant, compute that loss while "
                "requires_grad_(False) holds for these parameters, take its gradients by "
                "torch.autograd.grad(), or call zero_grad() of this optimizer wrapper after it"
            )

    def _check_micro_batch(self, loss: torch.Tensor | NormalizedLoss) -> None:
        if self._lost_micro_batches:
            warn(
                f"the checkpoint lies within a group of {self._accumulative_counts} micro-batches "
                f"and does not hold the gradients of the first {self._lost_micro_batches}: this "
                "once, the step is made without them"
            )
        elif not self._begins_group(self._inner_count) and (
            self._normalizer.active is not isinstance(loss, NormalizedLoss)
        ):
            raise ValueError(
                "some losses of a group of micro-batches declare their count (NormalizedLoss) and "
                "others do not, so that they cannot be weighed"
            )
        self._lost_micro_batches = 0

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Compute gradients, counting the micro-batch.

        Args:
            loss: Scalar loss.
            **kwargs: Passed on to `torch.Tensor.backward`.
        """
        if kwargs:
            loss.backward(**kwargs)  # type: ignore[no-untyped-call]  # - torch leaves it untyped
        else:
            quick_backward(loss)
        self._inner_count += 1

    def zero_grad(self, **kwargs: Any) -> None:
        """Clear gradients; arguments as in `torch.optim.Optimizer.zero_grad`."""
        self._cleared_at = self._inner_count
        if kwargs:
            self.optimizer.zero_grad(**kwargs)
        else:
            self._quick_step().zero_grad()

    def step(self, **kwargs: Any) -> None:
        """Clip gradients, if configured, and change the parameters.

        Args:
            **kwargs: Passed on to the optimizer's step.
        """
        if self.closure_need != "none" and "closure" not in kwargs:
            raise ConfigTypeError(
                f"the step of {type(self.optimizer).__name__} needs a function that computes the "
                "loss",
                help="BaseModel.train_step gives one; a train_step of your own calls "
                "optim_wrapper.update_by_closure(function)",
            )
        if self.skips_non_finite and not self._has_finite_gradients():
            self._optimizer_steps += 1
            return
        if self.clip_grad_kwargs is not None:
            self._clip_grad()
        if kwargs:
            self.optimizer.step(**kwargs)
        else:
            self._quick_step().step()
        self._optimizer_steps += 1

    def _has_finite_gradients(self) -> bool:
        """Whether all gradients are numbers; says so if they are not. Waits for the device."""
        gradients = [p.grad for p in self._parameters() if p.grad is not None]
        # Their norm is much faster than the largest one on a CPU, but it may overflow.
        for order in (2.0, float("inf")):
            if not gradients or bool(nn.utils.get_total_norm(gradients, order).isfinite()):
                return True
        warn(
            f"the gradients of micro-batch {self._inner_count} are no numbers: this step is left "
            "out"
        )
        return False

    def _quick_step(self) -> QuickStep:
        if self._quick.optimizer is not self.optimizer:
            self._quick = QuickStep(self.optimizer)
        return self._quick

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:
        """What to run the forward pass under.

        On all but the last micro-batch of a group, ranks do not exchange gradients.

        Args:
            model: The model, in its wrapper if it has one.
        """
        if self._accumulative_counts > 1 and not self.should_sync() and hasattr(model, "no_sync"):
            wrapper: Any = model
            unsynchronised: AbstractContextManager[None] = wrapper.no_sync()
            return unsynchronised
        return NO_CONTEXT

    def _clip_grad(self) -> None:
        """Clip the gradients that there are; the norm stays on its device."""
        with_gradient = [
            parameter
            for parameter in self._parameters()
            if parameter.requires_grad and parameter.grad is not None
        ]
        if not with_gradient:
            return
        norm = self.clip_func(with_gradient, **(self.clip_grad_kwargs or {}))
        # Clipping by value gives no norm.
        if norm is not None:
            self.message_hub.update_scalar(f"train/{self.grad_name}", norm.detach())

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Learn how many iterations are done and how many there are in all.

        Args:
            model: The model.
            init_counts: Iterations that are done.
            max_counts: Iterations of the whole training.
        """
        self._inner_count = self._cleared_at = init_counts
        self._max_counts = max_counts
        schedule, counts = self.accumulation_schedule, self._accumulative_counts
        steps = schedule.groups_before(init_counts) if schedule else init_counts // counts
        self._optimizer_steps = steps
        # Whether their gradients come back is known when the next micro-batch begins.
        self._lost_micro_batches = init_counts - self._group_of(init_counts)[0]
        if self._accumulative_counts > 1 and has_batch_norm(model):
            warn(
                "gradients are accumulated, but batch norm sees each micro-batch alone: training "
                "differs from that with the large batch"
            )

    def should_update(self) -> bool:
        """Whether the micro-batch just counted completes a group, or the training."""
        return self._begins_group(self._inner_count) or self._inner_count == self._max_counts

    def should_sync(self) -> bool:
        """Whether the micro-batch to come completes a group, or the training."""
        coming = self._inner_count + 1
        return self._begins_group(coming) or coming == self._max_counts

    def _begins_group(self, number: int) -> bool:
        """Whether a micro-batch is the first of its group."""
        if self.accumulation_schedule is None:
            return number % self._accumulative_counts == 0
        return self.accumulation_schedule.group_of(number)[0] == number

    def _group_of(self, number: int) -> tuple[int, int]:
        """The first micro-batch of the group that one belongs to, and how many it has."""
        if self.accumulation_schedule is not None:
            return self.accumulation_schedule.group_of(number)
        return number - number % self._accumulative_counts, self._accumulative_counts

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """Divide a loss by the number of micro-batches of its group.

        Args:
            loss: The loss of the micro-batch to come.
        """
        if self._accumulative_counts == 1:
            return loss
        first, size = self._group_of(self._inner_count)
        if self._inner_count < self._max_counts:  # the last group may have fewer
            size = min(size, self._max_counts - first)
        return loss if size == 1 else loss / size

    def count_in_units_of(self, micro_batches: int) -> None:
        """Learn what `accumulation_schedule` counts in.

        Args:
            micro_batches: Those of an epoch, or 1.
        """
        if self.accumulation_schedule is not None:
            pairs = self.accumulation_schedule.pairs
            self.accumulation_schedule = AccumulationSchedule(pairs, micro_batches)

    def accumulation_state_dict(self) -> dict[str, Any]:
        """Gradients that the next step would find, and counts of the group under way.

        There are some inside a group of micro-batches, but also where a step of another model, or
        of the user's own, has left them. Gradients that ranks have not exchanged yet differ between
        them: each rank has its own state.

        Returns:
            Tensors on the host, copied; an empty dict if nothing is under way.
        """
        gradients = {
            str(index): gradient
            for index, parameter in enumerate(self._parameters())
            if (gradient := gradient_on_host(parameter)) is not None
        }
        counts_groups = self._accumulative_counts > 1 and self._inner_count > 0
        if not gradients and not counts_groups:
            return {}
        return {
            "inner_count": self._inner_count,
            "gradients": gradients,
            "counts": self._normalizer.state_dict(),
        }

    def load_accumulation_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `accumulation_state_dict` gave, after `initialize_count_status`.

        Args:
            state: The state of this rank.

        Raises:
            ValueError: The state belongs to other parameters.
        """
        if not state:
            return
        parameters = list(self._parameters())
        for name, gradient in state["gradients"].items():
            index = int(name)
            if index >= len(parameters) or parameters[index].shape != gradient.shape:
                raise ValueError(
                    f"the saved gradient {name}, of shape {tuple(gradient.shape)}, belongs to no "
                    "parameter of the optimizer"
                )
            parameters[index].grad = gradient.to(parameters[index].device, copy=True)
        self._normalizer.load_state_dict(state["counts"], parameters[0].device)
        self._inner_count = state["inner_count"]
        self._cleared_at = -1
        self._lost_micro_batches = 0

    def __repr__(self) -> str:
        schedule = self.accumulation_schedule
        counts = self._accumulative_counts if schedule is None else schedule.pairs
        settings = f"accumulative_counts={counts}"
        if self.clip_grad_kwargs is not None:
            settings += f", clip_grad={self.clip_grad_kwargs}"
        return f"{type(self).__name__}({settings}, optimizer={self.optimizer!r})"


def gradient_on_host(parameter: torch.Tensor) -> torch.Tensor | None:
    """A copy of a gradient, for a checkpoint; ``None`` if there is none but zeros.

    Args:
        parameter: A parameter.
    """
    if parameter.grad is None or not _has_gradient(parameter):
        return None
    return parameter.grad.detach().to("cpu", copy=True)


def _has_gradient(parameter: torch.Tensor) -> bool:
    gradient = parameter.grad
    if gradient is None:
        return False
    return bool((gradient._values() if gradient.is_sparse else gradient).any())


def _ready(given: Any) -> Optimizer:
    if hasattr(given, "param_groups") and not isinstance(given, type):
        optimizer: Optimizer = given
        return optimizer
    if callable(given):
        raise ConfigTypeError(
            f"optimizer is {given!r}, which still needs the parameters",
            help="outside of a config give the optimizer: SGD(model.parameters(), lr=0.1)",
        )
    wrong = TypeError(f"optimizer is {given!r}, which has no parameter groups")
    raise mark_user_mistake(wrong)


def _refuse_config_words(**words: Any) -> None:
    for name, value in words.items():
        if value is not None:
            raise ConfigError(
                f"{name} is for configs: a wrapper that has its optimizer cannot follow it",
                help="call build_optim_wrapper(model, dict(optimizer=..., paramwise_cfg=...))",
            )
