"""One cycle: up to a peak, and far down."""

from __future__ import annotations

from typing import Any, Literal

from mainspring.errors import ConfigError
from mainspring.optim.scheduler import curves
from mainspring.optim.scheduler.base import INF, _ParamScheduler
from mainspring.optim.scheduler.param_scheduler import check_between
from mainspring.registry import PARAM_SCHEDULERS

__all__ = ["OneCycleParamScheduler"]


@PARAM_SCHEDULERS.register_module()
class OneCycleParamScheduler(_ParamScheduler):
    """Raises the parameter to a peak and lowers it far below its start (Smith and Topin, 2018).

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        eta_max: The peak.
        total_steps: Steps of the whole cycle; ``end - begin`` by default.
        pct_start: Share of the steps that goes up, from 0 to 1.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        div_factor: The peak over the first value.
        final_div_factor: The first value over the last.
        three_phase: Whether to come down to the first value symmetrically, and then on.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.

    Raises:
        ConfigError: An argument is beyond its range.
    """

    epoch_arguments = ("total_steps",)

    def __init__(
        self,
        optimizer: Any,
        param_name: str,
        eta_max: float = 0,
        total_steps: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        self.total_steps = total_steps if total_steps is not None else end - begin
        if self.total_steps <= 0 or not isinstance(self.total_steps, int):
            raise ConfigError(f"total_steps is {self.total_steps!r}, not a whole number above 0")
        check_between("pct_start", pct_start)
        if anneal_strategy not in ("cos", "linear"):
            raise ConfigError(
                f"anneal_strategy is {anneal_strategy!r}", help="it is 'cos' or 'linear'"
            )
        self.anneal_strategy = anneal_strategy
        rising = float(pct_start * self.total_steps) - 1
        last = float(self.total_steps - 1)
        initial, highest, lowest = (f"{kind}_{param_name}" for kind in ("initial", "max", "min"))
        self._phases: list[dict[str, Any]] = [
            {"end_step": rising, "start": initial, "end": highest},
            {"end_step": last, "start": highest, "end": lowest},
        ]
        if three_phase:
            falling = float(2 * pct_start * self.total_steps) - 2
            self._phases = [
                self._phases[0],
                {"end_step": falling, "start": highest, "end": initial},
                {"end_step": last, "start": initial, "end": lowest},
            ]
        if last_step == -1:
            for group in optimizer.param_groups:
                group[initial] = eta_max / div_factor
                group[highest] = eta_max
                group[lowest] = group[initial] / final_div_factor
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        step = self.last_step
        if step > self.total_steps:
            raise ValueError(f"the cycle has {self.total_steps} steps, this is step {step + 1}")
        began = 0.0
        for phase in self._phases:
            if step <= phase["end_step"] or phase is self._phases[-1]:
                fraction = (step - began) / (phase["end_step"] - began)
                break
            began = phase["end_step"]
        return [
            curves.one_cycle(
                group[phase["start"]], group[phase["end"]], fraction, anneal=self.anneal_strategy
            )
            for group in self.optimizer.param_groups
        ]
