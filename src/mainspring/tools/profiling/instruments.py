"""Timers around the methods of one run: of its model, its optimizer wrappers and its hooks."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.hooks import IterTimerHook, LoggerHook, ProgressHook, RuntimeInfoHook
from mainspring.hooks.hook import overridden_method
from mainspring.hooks.points import POINTS_BY_NAME
from mainspring.hooks.run_state import wrappers_of
from mainspring.tools.profiling.section_clock import SectionClock

__all__ = ["COMPILED_STEP", "HOOK", "REST_OF_STEP", "Instruments"]

HOOK = "hook "
"""What the name of a section begins with that is a hook's own."""

COMPILED_STEP = "compiled step"
"""The section of a training step that is one compiled function."""

REST_OF_STEP = "rest of the step"
"""The section of what a training step does beside its timed parts."""

_LOGGING_HOOKS = (IterTimerHook, LoggerHook, ProgressHook, RuntimeInfoHook)
_POINTS = ("before_train_epoch", "before_train_iter", "after_train_iter", "after_train_epoch")


class Instruments:
    """Replaces methods of objects by timed ones, and puts them back.

    Classes are left alone: only these objects are timed.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: SectionClock) -> None:
        self._clock = clock
        self._stack = ExitStack()

    def time_hooks(self, hooks: Iterable[Any]) -> None:
        """Time each hook: those that record and log as ``logging``, others by their class.

        Args:
            hooks: The hooks. What is called at a point must be looked up afterwards.
        """
        for hook in hooks:
            section = "logging" if isinstance(hook, _LOGGING_HOOKS) else HOOK + type(hook).__name__
            methods = {overridden_method(hook, POINTS_BY_NAME[name]) for name in _POINTS}
            for method in methods - {None}:
                self._time(hook, str(method), section)

    def time_step(self, model: nn.Module, optim_wrapper: Any) -> None:
        """Time the parts of the training step, or all of it where it is compiled as a whole.

        Args:
            model: The model, in its wrapper if it has one.
            optim_wrapper: One wrapper, or several by name.
        """
        inner: Any = unwrap(model)
        if "train_step" in vars(inner):
            # Forward, backward and optimizer are one compiled function, closed to timers.
            self._time(inner, "train_step", COMPILED_STEP)
            return
        self._time(inner, "train_step", REST_OF_STEP)
        self._time(inner, "data_preprocessor", "host-to-device")
        self._time(inner, "forward", "forward")
        for _, wrapper in wrappers_of(optim_wrapper):
            self._time(wrapper, "backward", "backward")
            self._time(wrapper, "step", "optimizer")
            self._time(wrapper, "zero_grad", "optimizer")

    def put_back(self) -> None:
        """Undo everything."""
        self._stack.close()

    def _time(self, owner: Any, name: str, section: str) -> None:
        method = getattr(owner, name, None)
        if method is None:
            return
        if isinstance(method, nn.Module):
            # A submodule cannot be replaced by a function, but its own forward can.
            self._time(method, "forward", section)
            return
        before = vars(owner).get(name)
        setattr(owner, name, self._clock.wrap(method, section))
        undo = partial(setattr, owner, name, before) if before else partial(delattr, owner, name)
        self._stack.callback(undo)
