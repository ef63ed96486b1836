"""What all schedulers share: counting steps, and setting a parameter of every group."""

from __future__ import annotations

import functools
import inspect
import warnings
import weakref
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias

from torch.optim import Optimizer

from mainspring.errors import ArgumentTypeError, ConfigError
from mainspring.logging import print_log
from mainspring.optim.optimizer.base import BaseOptimWrapper

__all__ = ["INF", "Optimized", "_ParamScheduler", "refuse_conversion", "written_as"]

_NO_STATE = ("optimizer", "end_of_run", "derived_of_end", "length_before", "_shape")

INF = int(1e9)
"""The end of a scheduler that does not end."""

Optimized: TypeAlias = Optimizer | BaseOptimWrapper
"""What has parameter groups that a scheduler changes."""


class _ParamScheduler:
    """Base of schedulers: changes one parameter of every group, step by step.

    A scheduler acts at steps from `begin` on and before `end`. It changes the value that it finds,
    so that several of them compose. It takes its first step when it is made.

    Attributes:
        base_values: The values before any scheduler acted, one for each group.
        last_step: Steps in which this scheduler acted, less 1.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups, such as ``"lr"``.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.

    Raises:
        TypeError: `optimizer` has no parameter groups.
        ConfigError: `begin` and `end` make no range.
    """

    epoch_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments counted in epochs, besides begin and end, for `build_iter_from_epoch`."""

    whole_steps: ClassVar[bool] = True
    """Whether these arguments are numbers of steps, rather than lengths."""

    need_val_args: ClassVar[bool] = False
    """Whether `step` is to be called with the metrics of each validation, too."""

    end_of_run: bool = False
    """Whether `end` is that of the run, because nothing else was said."""

    derived_of_end: tuple[str, ...] = ()
    """Attributes that follow from `end`."""

    length_before: Mapping[str, Any] = MappingProxyType({})
    """`end`, and what follows from it, of a run that had another length; for `follow_length`."""

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        check_optimizer(optimizer)
        if not 0 <= begin < end:
            raise ConfigError(
                f"{type(self).__name__} acts from {begin} to {end}, which is no range",
                help="begin is at least 0 and less than end",
            )
        if last_step != int(last_step) or last_step < -1:
            raise ConfigError(f"last_step is {last_step!r}", help="-1 begins anew")
        self.optimizer = optimizer
        self.param_name = param_name
        self.begin = begin
        self.end = end
        self.by_epoch = by_epoch
        self.verbose = verbose
        initial = f"initial_{param_name}"
        for index, group in enumerate(optimizer.param_groups):
            if last_step == -1:
                self._adopt(group)
            elif initial not in group:
                raise KeyError(
                    f"{initial} is not in parameter group {index}, so the schedule cannot be "
                    f"continued at step {last_step}"
                )
        self.base_values = [group[initial] for group in optimizer.param_groups]
        self.last_step = last_step
        _count_steps_of(optimizer)
        self._global_step = -1
        self._last_value: list[float] = []
        self.step()

    def _get_value(self) -> list[float]:
        """The values of all groups after the step that is being taken."""
        return [
            self._follow(value, base)
            for value, base in zip(self._current(), self.base_values, strict=True)
        ]

    def _follow(self, value: float, base: float) -> float:
        """The value of a group after the step, from that before and the one that it began with."""
        raise NotImplementedError

    def _adopt(self, group: dict[str, Any]) -> None:
        """Begin to schedule a group, with the value that it has."""
        group.setdefault(f"initial_{self.param_name}", group[self.param_name])

    def _follow_groups(self) -> None:
        """Take in groups that were added to the optimizer since the last step."""
        groups = self.optimizer.param_groups
        if len(groups) != len(self.base_values):
            for group in groups:
                self._adopt(group)
            self.base_values = [group[f"initial_{self.param_name}"] for group in groups]

    def _current(self) -> list[float]:
        return [group[self.param_name] for group in self.optimizer.param_groups]

    def step(self) -> None:
        """Take a step: an epoch or an iteration is over."""
        if self._global_step == 0:
            _warn_about_order(self.optimizer)
        self._follow_groups()
        self._global_step += 1
        if self.begin <= self._global_step < self.end:
            self.last_step += 1
            self._set(self._get_value())
        self._last_value = self._current()

    def _set(self, values: list[float]) -> None:
        for index, (group, value) in enumerate(
            zip(self.optimizer.param_groups, values, strict=True)
        ):
            group[self.param_name] = value
            if self.verbose:
                self.print_value(True, index, value)

    def get_last_value(self) -> list[float]:
        """The values of all groups after the last step."""
        return self._last_value

    def print_value(self, is_verbose: bool, group: int, value: float) -> None:
        """Say a value.

        Args:
            is_verbose: Whether to say it at all.
            group: Index of the parameter group.
            value: The value.
        """
        if is_verbose:
            print_log(f"{self.param_name} of group {group} is set to {value:.4e}", logger="current")

    def state_dict(self) -> dict[str, Any]:
        """All attributes but the optimizer, and those that follow from it or the run."""
        return {
            name: _plain(value)
            for name, value in vars(self).items()
            if name not in _NO_STATE and not callable(value)
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict`, or that of MMEngine's scheduler of the same name, gave.

        MMEngine's one-cycle schedule saves a function too, which is left out.

        Args:
            state_dict: The state; overrides the arguments that the scheduler was made with, but not
                an `end` that is that of the run.
        """
        of_run = {name: getattr(self, name) for name in self._following_run()}
        for name, value in state_dict.items():
            if name not in of_run and name not in _NO_STATE and not callable(value):
                setattr(self, name, value)
        if state_dict.get("end", self.end) != self.end and of_run and not self.need_val_args:
            self.length_before = {key: state_dict.get(key, of_run[key]) for key in of_run}

    def _following_run(self) -> tuple[str, ...]:
        return ("end", *self.derived_of_end) if self.end_of_run else ()

    def end_with_run(self, end: int) -> None:
        """Act until the end of a run, whose length is not that of before.

        Args:
            end: Epochs or iterations of the run; 0 if they are not known.
        """
        if not self.end_of_run or end in (0, self.end):
            return
        self.length_before = {name: getattr(self, name) for name in self._following_run()}
        self.end = end
        self._derive_from_end()

    def _derive_from_end(self) -> None:
        """Set what follows from `end`."""
        if "total_iters" in self.derived_of_end:
            self.total_iters = self.end - self.begin - 1

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        begin: float = 0,
        end: float = INF,
        by_epoch: bool = True,
        epoch_length: int | None = None,
        **kwargs: Any,
    ) -> Self:
        """Make a scheduler by iteration from arguments in epochs.

        Args:
            *args: Positional arguments of the class.
            begin: First epoch; may be a fraction, whose iteration is rounded down.
            end: Epoch before which to stop; may be a fraction.
            by_epoch: Must be true.
            epoch_length: Iterations of an epoch.
            **kwargs: Further arguments; those that count epochs are converted.

        Raises:
            ConfigError: `by_epoch` is false, or `epoch_length` is missing.
        """
        if not by_epoch:
            raise ConfigError("only a schedule by epoch can be converted to iterations")
        if not isinstance(epoch_length, int) or epoch_length < 1:
            raise ConfigError(f"an epoch has at least one iteration, not {epoch_length!r}")
        for name in cls.epoch_arguments:
            if kwargs.get(name) is not None:
                kwargs[name] = _in_iterations(kwargs[name], epoch_length, cls.whole_steps)
        kwargs["begin"] = int(begin * epoch_length)
        kwargs["end"] = INF if end == INF else int(end * epoch_length)
        kwargs["by_epoch"] = False
        return cls(*args, **kwargs)


def written_as(signature_of: Any, constructor: Callable[..., None]) -> Any:
    """A constructor that takes what another function is written to take.

    Args:
        signature_of: The function, for editors, type checkers and `inspect`.
        constructor: What is called with the arguments.
    """
    signature = inspect.signature(signature_of)

    @functools.wraps(signature_of)
    def written(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}.__init__() {error}") from None
        constructor(self, *args, **kwargs)

    written.__signature__ = signature  # type: ignore[attr-defined]  # - read by inspect
    return written


def refuse_conversion(asked: bool) -> None:
    """Refuse what only the builder of a config can do, because it knows the length of an epoch.

    Args:
        asked: Whether the conversion was asked for.

    Raises:
        ConfigError: It was.
    """
    if asked:
        raise ConfigError(
            "convert_to_iter_based is for configs",
            help="call build_iter_from_epoch(..., epoch_length=...) of the class",
        )


def check_optimizer(optimizer: Any) -> Any:
    """An optimizer or a wrapper, as it is.

    Raises:
        ArgumentTypeError: It has no parameter groups.
    """
    if not hasattr(optimizer, "param_groups"):
        raise ArgumentTypeError(
            f"a scheduler takes an optimizer or a wrapper, not a {type(optimizer).__name__}"
        )
    return optimizer


def _in_iterations(value: Any, epoch_length: int, whole: bool) -> Any:
    """Epochs as iterations; where these are counted, a fraction goes to the nearest one."""
    if isinstance(value, list | tuple):
        return [_in_iterations(item, epoch_length, whole) for item in value]
    return round(value * epoch_length) if whole else value * epoch_length


def _plain(value: Any) -> Any:
    """A copy in plain types: `Counter` as a dict, so that safe loading reads it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _count_steps_of(optimizer: Any) -> None:
    """Let the optimizer's step leave a mark, so that a wrong order of calls can be warned about."""
    step: Callable[..., Any] = optimizer.step
    function = getattr(step, "__func__", None)
    optimizer._steps_before = _steps_of(optimizer)
    # Wrappers count by themselves.
    if hasattr(optimizer, "inner_count") or hasattr(step, "_with_counter") or function is None:
        return
    # Weak, so that the optimizer does not keep itself alive.
    owner = weakref.ref(optimizer)
    optimizer._global_step = optimizer._steps_before = 0

    @functools.wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        instance = owner()
        assert instance is not None
        instance._global_step += 1
        return function(instance, *args, **kwargs)

    counted._with_counter = True  # type: ignore[attr-defined]  # - the mark looked for above
    optimizer.step = counted


def _steps_of(optimizer: Any) -> Any:
    """What changes when an optimizer is used, if that is known; accumulating is using it."""
    if hasattr(optimizer, "inner_count"):
        return optimizer.inner_count, optimizer.optimizer_steps
    return getattr(optimizer, "_global_step", None)


def _warn_about_order(optimizer: Any) -> None:
    """Warn when the optimizer was not used since the schedule was made."""
    steps = _steps_of(optimizer)
    if steps is not None and steps == getattr(optimizer, "_steps_before", None):
        warnings.warn(
            "the scheduler stepped before the optimizer did, so the first value of the schedule is "
            "never used: call optimizer.step() before scheduler.step()",
            stacklevel=3,
        )
