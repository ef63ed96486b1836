"""What policies of learning rates and of momenta share: when to set values, and along what curves.

A policy computes the value of each parameter group from its first one; a warm-up changes it at the
beginning of the run.
"""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import cos, pi
from typing import Any, ClassVar, Literal

from mainspring.compat.mmcv.runner.hooks.hook import Hook
from mainspring.errors import ConfigError, did_you_mean

__all__ = [
    "Annealing",
    "Cyclic",
    "OneCycle",
    "Steps",
    "Updater",
    "annealing_cos",
    "annealing_linear",
    "format_param",
    "optimizers_of",
]


def annealing_cos(start: float, end: float, factor: float, weight: float = 1.0) -> float:
    """The point of a half cosine from `start` to `end` at `factor`, from 0 to 1."""
    return end + 0.5 * weight * (start - end) * (cos(pi * factor) + 1)


def annealing_linear(start: float, end: float, factor: float) -> float:
    """The point of a line from `start` to `end` at `factor`, from 0 to 1."""
    return start + (end - start) * factor


def format_param(name: str, optim: Any, param: Any) -> Sequence[float]:
    """A value for each parameter group: the same for all, one for each, or by name of optimizer."""
    if isinstance(param, Mapping):
        if name not in param:
            raise KeyError(f"{name} is not found in {param.keys()}")
        return param[name]  # type: ignore[no-any-return]  # - one for each group
    count = len(optim.param_groups)
    values = param if isinstance(param, list | tuple) else [param] * count
    if len(values) != count:
        raise ValueError(f"expected {count} values for {name}, got {len(values)}")
    return values


def optimizers_of(runner: Any) -> dict[str | None, Any]:
    """The optimizers by name; a single one has none."""
    optimizer = runner.optimizer
    return optimizer if isinstance(optimizer, dict) else {None: optimizer}


def _curve(strategy: str) -> Callable[[float, float, float], float]:
    if strategy not in ("cos", "linear"):
        raise ConfigError(f"anneal_strategy is {strategy!r}", help="it is 'cos' or 'linear'")
    return annealing_cos if strategy == "cos" else annealing_linear


class Updater(Hook):
    """Sets a setting of the parameter groups, by epochs or by iterations.

    Args:
        by_epoch: Whether the policy counts epochs.
        warmup: ``"constant"``, ``"linear"`` or ``"exp"``; none by default.
        warmup_iters: Length of the warm-up.
        warmup_ratio: Where it begins, as a part of the policy's value.
        warmup_by_epoch: Whether `warmup_iters` counts epochs.
    """

    setting: ClassVar[Literal["lr", "momentum"]]

    def __init__(
        self,
        by_epoch: bool = True,
        warmup: str | None = None,
        warmup_iters: int = 0,
        warmup_ratio: float = 0.1,
        warmup_by_epoch: bool = False,
    ) -> None:
        if warmup is not None:
            kinds = ("constant", "linear", "exp")
            if warmup not in kinds:
                raise ConfigError(
                    f'"{warmup}" is not a supported type for warming up',
                    help=did_you_mean(str(warmup), kinds) or f"one of {', '.join(kinds)}",
                )
            if warmup_iters <= 0:
                raise ConfigError('"warmup_iters" must be a positive integer')
            if not 0 < warmup_ratio <= 1:
                raise ConfigError('"warmup_ratio" must be in range (0,1]')
        self.by_epoch, self.warmup_by_epoch = by_epoch, warmup_by_epoch
        self.warmup, self.warmup_ratio = warmup, warmup_ratio
        self.warmup_epochs = warmup_iters if warmup_by_epoch else None
        self.warmup_iters: Any = None if warmup_by_epoch else warmup_iters
        self._base: dict[str | None, list[float]] = {}
        self._regular: dict[str | None, list[float]] = {}

    def value(self, runner: Any, base: Any) -> float:
        """The value of a group from its first one, at this point of the run."""
        raise NotImplementedError

    def write(self, group: dict[str, Any], value: float) -> None:
        """Set the setting of a group; the first beta is the momentum of optimizers like Adam."""
        if self.setting in group:
            group[self.setting] = value
        elif "betas" in group:
            group["betas"] = (value, group["betas"][1])

    def progress(self, runner: Any) -> tuple[int, int]:
        """Where the run is, and how long it is, in what the policy counts."""
        if self.by_epoch:
            return runner.epoch, runner.max_epochs
        return runner.iter, runner.max_iters

    def before_run(self, runner: Any) -> None:
        """Remember the first values; a run that is continued has them in its groups."""
        for name, optimizer in optimizers_of(runner).items():
            self._base[name] = []
            for group in optimizer.param_groups:
                now = group[self.setting] if self.setting in group else group["betas"][0]
                self._base[name].append(group.setdefault(f"initial_{self.setting}", float(now)))

    def before_train_epoch(self, runner: Any) -> None:
        """Set the values of the epoch."""
        if self.warmup_iters is None:
            self.warmup_iters = (self.warmup_epochs or 0) * len(runner.data_loader)
        if self.by_epoch:
            self._set_regular(runner)

    def before_train_iter(self, runner: Any) -> None:
        """Set the values of the iteration."""
        warming = self.warmup is not None and runner.iter < self.warmup_iters
        if not self.by_epoch:
            self._set_regular(runner)
        elif self.warmup is not None and runner.iter == self.warmup_iters:
            self._set(runner, self._regular)
        if warming:
            self._set(runner, self._warmed(runner.iter))

    def _set_regular(self, runner: Any) -> None:
        self._regular = self.regular(runner)
        self._set(runner, self._regular)

    def regular(self, runner: Any) -> dict[str | None, list[float]]:
        """The values of all groups, without a warm-up."""
        of_group = getattr(self, f"get_{self.setting}")
        return {
            name: [of_group(runner, base) for base in values] for name, values in self._base.items()
        }

    def _warmed(self, iteration: int) -> dict[str | None, list[float]]:
        way = 1 - iteration / self.warmup_iters
        ratio = {
            "constant": self.warmup_ratio,
            "linear": 1 - way * (1 - self.warmup_ratio),
            "exp": self.warmup_ratio**way,
        }[str(self.warmup)]
        return {
            name: [value * ratio if self.setting == "lr" else value / ratio for value in values]
            for name, values in self._regular.items()
        }

    def _set(self, runner: Any, values: Mapping[str | None, list[float]]) -> None:
        for name, optimizer in optimizers_of(runner).items():
            for group, value in zip(optimizer.param_groups, values[name], strict=True):
                self.write(group, value)


class Steps(Updater):
    """Multiplies the value at some points.

    Args:
        step: After how many epochs or iterations, each time or at each of a list.
        gamma: By what.
        **kwargs: ``min_lr`` or ``min_momentum``, and those of `Updater`.
    """

    gamma = 0.1

    def __init__(self, step: int | list[int], gamma: float | None = None, **kwargs: Any) -> None:
        steps = step if isinstance(step, list) else [step]
        if not all(isinstance(one, int) for one in steps):
            raise TypeError(f'"step" must be a list or integer, but is {step!r}')
        if not all(one > 0 for one in steps):
            raise ConfigError(f"step is {step!r}", help="give positive numbers")
        self.step = step
        self.gamma = self.gamma if gamma is None else gamma
        self.minimum = kwargs.pop(f"min_{self.setting}", None)
        super().__init__(**kwargs)

    def value(self, runner: Any, base: float) -> float:
        done, _ = self.progress(runner)
        step = self.step
        times = done // step if isinstance(step, int) else sum(done >= one for one in step)
        value = base * self.gamma**times
        return value if self.minimum is None else max(value, self.minimum)


class Annealing(Updater):
    """Goes from the first value to another one, along a curve.

    Args:
        **kwargs: ``min_lr`` or ``min_lr_ratio`` (``min_momentum``, ...), and those of `Updater`.
    """

    anneal_strategy: ClassVar[str] = "cos"

    def __init__(self, **kwargs: Any) -> None:
        self.minimum = kwargs.pop(f"min_{self.setting}", None)
        self.ratio = kwargs.pop(f"min_{self.setting}_ratio", None)
        if (self.minimum is None) == (self.ratio is None):
            name = f"min_{self.setting}"
            raise ConfigError(f"a policy needs {name} or {name}_ratio, and not both")
        super().__init__(**kwargs)

    def target(self, base: float) -> float:
        """The value at the end."""
        return base * self.ratio if self.minimum is None else float(self.minimum)

    def value(self, runner: Any, base: float) -> float:
        done, whole = self.progress(runner)
        return _curve(self.anneal_strategy)(base, self.target(base), done / whole)


def _refuse_epochs(by_epoch: bool) -> None:
    if by_epoch:
        raise ConfigError('currently only support "by_epoch" = False')


class Cyclic(Updater):
    """Goes to one value and on to another one, several times.

    Args:
        by_epoch: Must be ``False``.
        target_ratio: The two values, as parts of the first one; the second of them by default a
            hundred thousandth of the first.
        cyclic_times: How often.
        step_ratio_up: Which part of a cycle goes to the first of them.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        gamma: By what each further cycle is smaller.
        **kwargs: Those of `Updater`.
    """

    ratios: ClassVar[tuple[float, float]] = (10, 1e-4)

    def __init__(
        self,
        by_epoch: bool = False,
        target_ratio: float | tuple[float, ...] | None = None,
        cyclic_times: int = 1,
        step_ratio_up: float = 0.4,
        anneal_strategy: str = "cos",
        gamma: float = 1,
        **kwargs: Any,
    ) -> None:
        given = self.ratios if target_ratio is None else target_ratio
        given = (given,) if isinstance(given, float) else given
        if not isinstance(given, tuple):
            raise ConfigError(f"target_ratio should be either float or tuple, got {type(given)}")
        given = (given[0], given[0] / 1e5) if len(given) == 1 else given
        if len(given) != 2 or not 0 <= step_ratio_up < 1 or not 0 < gamma <= 1:
            raise ConfigError(
                f"target_ratio is {given}, step_ratio_up {step_ratio_up}, gamma {gamma}",
                help="give two ratios, a part below 1, and a factor from 0 to 1",
            )
        _refuse_epochs(by_epoch)
        self.target_ratio, self.cyclic_times = given, cyclic_times
        self.step_ratio_up, self.gamma = step_ratio_up, gamma
        self.anneal_func = _curve(anneal_strategy)
        super().__init__(by_epoch, **kwargs)

    def value(self, runner: Any, base: float) -> float:
        length = runner.max_iters // self.cyclic_times
        up = int(self.step_ratio_up * length)
        cycle, place = divmod(runner.iter, length)
        scale = self.gamma**cycle
        top, bottom = self.target_ratio
        if place < up:
            return self.anneal_func(base, base * (1 - scale + top * scale), place / up)
        if up:
            top = 1 - scale + top * scale
        else:
            bottom = 1 - scale + bottom * scale
        return self.anneal_func(base * top, base * bottom, (place - up) / (length - up))


class OneCycle(Updater):
    """Goes up and down once over the run, see Smith and Topin, "Super-Convergence", 2018.

    Args:
        pct_start: Which part of the run goes to the first turning point.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        three_phase: Whether the way back is as long as the way there, with a third phase.
        **kwargs: Those of `Updater`.
    """

    def __init__(
        self,
        pct_start: Any = 0.3,
        anneal_strategy: str = "cos",
        three_phase: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("by_epoch", False)
        _refuse_epochs(kwargs["by_epoch"])
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ConfigError(f"expected float between 0 and 1 pct_start, but got {pct_start}")
        self.pct_start, self.three_phase = pct_start, three_phase
        self.anneal_func = _curve(anneal_strategy)
        super().__init__(**kwargs)

    def at(self, iteration: int, length: int, turns: Sequence[float]) -> float:
        """The value at an iteration.

        Args:
            iteration: The iteration.
            length: Iterations of the whole.
            turns: Values at the beginning, at each turning point, and at the end.
        """
        ends = [self.pct_start * length - 1, length - 1]
        if self.three_phase:
            ends.insert(1, 2 * self.pct_start * length - 2)
        start: float = 0
        for phase, end in enumerate(ends):
            if iteration <= end or phase == len(ends) - 1:
                way = (iteration - start) / (end - start)
                return self.anneal_func(turns[phase], turns[phase + 1], way)
            start = end
        raise AssertionError("the last phase ends the run")
