"""A whole training step as one compiled function: forward, backward, clipping, optimizer.

Logging, hooks and the preparation of data stay outside. What cannot be compiled as a whole trains
as without compiling, and one warning says what stood in the way.
"""

from __future__ import annotations

import os
import re
import sysconfig
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import mainspring
from mainspring.dist import get_world_size
from mainspring.logging import print_log, warn
from mainspring.model.base_model.steps import ModelSteps
from mainspring.optim import AmpOptimWrapper, OptimWrapper
from mainspring.optim.optimizer.traceable_update import TraceableUpdate
from mainspring.structures import NormalizedLoss

__all__ = ["CompiledStep", "use_compiled_step"]

_FRAME = re.compile(r'File "(.+)", line \d+, in .+')
_RAISED = re.compile(r"_UnsuitedError\((['\"])(.+)\1\)")
"""How the compiler quotes what the graph itself raised."""

_LIBRARIES = tuple(
    f"{Path(folder).resolve()}{os.sep}"
    for folder in (
        *torch.__path__,
        *mainspring.__path__,
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
    )
)
"""Folders whose files are not what a user would change."""


class _UnsuitedError(Exception):
    """The step cannot be compiled as a whole; says why."""


def use_compiled_step(model: Any, optim_wrapper: Any, settings: Mapping[str, Any]) -> bool:
    """Let a model train with its step compiled as a whole.

    Args:
        model: The model, without wrapper.
        optim_wrapper: What updates it; its optimizer's state is loaded already.
        settings: Arguments of `torch.compile`.

    Returns:
        Whether it will; if not, a warning says why.
    """
    try:
        step = CompiledStep(model, optim_wrapper, settings)
    except _UnsuitedError as error:
        _warn(_why(error))
        return False
    model.train_step = step
    return True


class CompiledStep:
    """Takes the place of ``model.train_step``.

    The optimizer's update is part of the graph for Adam, AdamW and SGD without accumulation;
    otherwise the graph ends with the gradients, and the optimizer wrapper does the rest. Compiled
    layers that draw random numbers, such as dropout, draw others than uncompiled ones.

    Parameters that are frozen, unfrozen, added or replaced meanwhile, and optimizer states that are
    loaded or begin anew meanwhile, are followed by compiling anew. A step that finds gradients that
    somebody left is not compiled.

    Attributes:
        reason: Why it runs without compiling; ``None`` while it does not.

    Args:
        model: The model.
        optim_wrapper: What updates it.
        settings: Arguments of `torch.compile`.
    """

    def __init__(self, model: Any, optim_wrapper: Any, settings: Mapping[str, Any]) -> None:
        if get_world_size() > 1:
            raise _UnsuitedError("several processes exchange gradients in the middle of it")
        _require_plain(model, optim_wrapper)
        self._model = model
        self._wrapper = optim_wrapper
        self._original: Callable[..., dict[str, Tensor]] = model.train_step
        self._settings = {"fullgraph": True, **settings}
        self._has_begun = False
        self.reason: str | None = None
        self._begin(_update_of(optim_wrapper))

    def _begin(self, update: TraceableUpdate | None) -> None:
        """Compile for the parameters that are trained now."""
        self._update: TraceableUpdate | None = update
        every = list(self._wrapper._parameters())
        self._trained: list[tuple[Tensor, bool]] = [
            (parameter, parameter.requires_grad) for parameter in every
        ]
        self._parameters: list[Tensor] = (
            update.parameters
            if update is not None
            else [parameter for parameter in every if parameter.requires_grad]
        )
        _require_plain_gradients(self._parameters)
        config = torch._dynamo.config
        if hasattr(config, "trace_autograd_ops"):
            # A graph can hold a backward pass only with this.
            config.trace_autograd_ops = True
        # Code of its own: what other runs of this process compiled does not count here.
        code = CompiledStep._graph.__code__.replace()
        graph = types.FunctionType(code, globals(), "graph")
        self._compiled: Any = torch.compile(types.MethodType(graph, self), **self._settings)

    def __call__(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Train on a batch.

        Args:
            data: What the loader gave.
            optim_wrapper: The wrapper that this step was made for.

        Returns:
            The values to log, as `BaseModel.train_step`.
        """
        if self._compiled is None or optim_wrapper is not self._wrapper:
            return self._original(data, optim_wrapper=optim_wrapper)
        try:
            self._follow_changes()
            if self._update is not None and any(p.grad is not None for p in self._parameters):
                return self._original(data, optim_wrapper=optim_wrapper)
            prepared = self._model.data_preprocessor(data, True)
            rates = None if self._update is None else self._update.rates
            log_vars, gradients, norm = self._compiled(prepared, rates)
        except Exception as error:
            from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

            # The step could not be compiled, rather than failed.
            if not isinstance(
                error, TorchDynamoException | FailOnRecompileLimitHit | _UnsuitedError
            ):
                raise
            self._compiled = None
            self.reason = _why(error)
            _warn(self.reason)
            return self._original(data, optim_wrapper=optim_wrapper)
        if self._update is not None:
            optim_wrapper.note_update(norm)
        else:
            optim_wrapper.update_by_gradients(self._parameters, gradients)
        return dict(log_vars)

    def _follow_changes(self) -> None:
        """Compile anew where something is different now that the graph holds as a constant."""
        every = list(self._wrapper._parameters())
        is_same = len(every) == len(self._trained) and all(
            now is parameter and now.requires_grad is trained
            for now, (parameter, trained) in zip(every, self._trained, strict=True)
        )
        update = self._update
        if not is_same or (update is not None and update.is_outdated()):
            self._begin(None if update is None else _update_of(self._wrapper))
        if self._update is not None and not self._update.refresh():
            # Constants of the graph, such as a momentum that is scheduled.
            self._begin(None)
        if not self._has_begun:
            # Hooks of the run may have registered some since the step was made.
            _require_plain_gradients(self._parameters)
            self._has_begun = True

    def _graph(self, data: Any, rates: Tensor | None) -> tuple[Any, Any, Any]:
        """The part that is compiled."""
        wrapper = self._wrapper
        if isinstance(wrapper, AmpOptimWrapper):
            with torch.autocast(wrapper._device_type, dtype=wrapper.dtype):
                losses = self._model._run_forward(data, mode="loss")
        else:
            losses = self._model._run_forward(data, mode="loss")
        loss, log_vars = self._model.parse_losses(losses)
        if isinstance(loss, NormalizedLoss):
            if wrapper._accumulative_counts > 1:
                raise _UnsuitedError("its losses declare what they were divided by")
            loss = loss.value
        gradients: Any = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        if self._update is None:
            return log_vars, gradients, None
        norm = None
        with torch.no_grad():
            if wrapper.clip_grad_kwargs is not None:
                gradients, norm = _clipped(gradients, wrapper.clip_grad_kwargs)
            self._update.apply(gradients, rates if rates is not None else self._update.rates)
        return log_vars, None, norm


def _require_plain(model: Any, wrapper: Any) -> None:
    step = getattr(model, "train_step", None)
    if getattr(step, "__func__", None) is not ModelSteps.train_step:
        raise _UnsuitedError(f"{type(model).__name__} has a train_step of its own")
    if type(wrapper) not in (OptimWrapper, AmpOptimWrapper):
        raise _UnsuitedError(f"{type(wrapper).__name__} updates in a way of its own")
    if wrapper.skips_non_finite:
        raise _UnsuitedError("steps whose gradients are no numbers are to be left out")
    if isinstance(wrapper, AmpOptimWrapper) and wrapper.loss_scaler.is_enabled():
        raise _UnsuitedError("the loss scaler decides on the host whether to step")


def _require_plain_gradients(parameters: Sequence[Any]) -> None:
    for parameter in parameters:
        if parameter._backward_hooks or parameter._post_accumulate_grad_hooks:
            raise _UnsuitedError("a parameter has a hook on its gradient")


def _update_of(wrapper: Any) -> TraceableUpdate | None:
    """The optimizer's update as part of the graph; ``None`` where it stays outside."""
    arguments = wrapper.clip_grad_kwargs
    clips_by_norm = arguments is None or (
        wrapper.grad_name == "grad_norm" and arguments.keys() <= {"max_norm", "norm_type"}
    )
    if wrapper._accumulative_counts > 1 or not clips_by_norm:
        return None
    try:
        return TraceableUpdate(wrapper.optimizer)
    except TypeError as error:
        print_log(f"the optimizer stays outside of the compiled step: {error}", logger="current")
        return None


def _clipped(gradients: Any, arguments: Mapping[str, Any]) -> tuple[list[Tensor | None], Tensor]:
    """`torch.nn.utils.clip_grad_norm_`, as a function."""
    present = [gradient for gradient in gradients if gradient is not None]
    order = float(arguments.get("norm_type", 2.0))
    norms = [torch.linalg.vector_norm(gradient, order) for gradient in present]
    norm = torch.linalg.vector_norm(torch.stack(norms), order)
    factor = torch.clamp(float(arguments["max_norm"]) / (norm + 1e-6), max=1.0)
    return [None if gradient is None else gradient * factor for gradient in gradients], norm


def _warn(reason: str) -> None:
    warn(f"the training step is not compiled as a whole: {reason}. It runs without compiling")


def _why(error: Exception) -> str:
    """What stood in the way, with its place in the user's code where that is known."""
    own = _RAISED.search(str(error))
    if own is not None:
        return own.group(2)
    frames = list(_FRAME.finditer(str(error)))
    of_user = [
        frame for frame in frames if not str(Path(frame.group(1)).resolve()).startswith(_LIBRARIES)
    ]
    innermost = [f" ({frame.group(0)})" for frame in (of_user or frames)[-1:]]
    return "".join([_reason(error).rstrip("."), *innermost])


def _reason(error: Exception) -> str:
    from torch._dynamo.exc import FailOnRecompileLimitHit

    if isinstance(error, FailOnRecompileLimitHit):
        return (
            f"it was compiled {torch._dynamo.config.cache_size_limit} times, and again something "
            "is different that a graph takes for constant, such as a number that the model counts "
            "up; the message of torch above says what"
        )
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    found = re.search(r"^\s*Explanation: *(\S.*)$", str(error), re.MULTILINE)
    return f"{reason.rstrip('.')}: {found.group(1).strip()}" if found else reason
