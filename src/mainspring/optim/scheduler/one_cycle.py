"""One cycle: up to a peak, and far down."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from mainspring.errors import ConfigError
from mainspring.optim.scheduler import curves
from mainspring.optim.scheduler.base import INF, Optimized, _ParamScheduler, refuse_conversion
from mainspring.optim.scheduler.param_scheduler import check_between
from mainspring.registry import PARAM_SCHEDULERS

__all__ = ["OneCycleParamScheduler"]


@PARAM_SCHEDULERS.register_module()
class OneCycleParamScheduler(_ParamScheduler):
    """Raises the parameter to a peak and lowers it far below its start (Smith and Topin, 2018).

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups; only ``"lr"``.
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
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: An argument is beyond its range.

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = OneCycleParamScheduler(optimizer, "lr", eta_max=1.0, total_steps=5)
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [0.040..., 0.950..., 0.611..., 0.188..., 4e-06]
    """

    epoch_arguments = ("total_steps",)

    def __init__(
        self,
        optimizer: Optimized,
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
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        if param_name != "lr":
            raise ConfigError(f"one cycle is a schedule of the learning rate, not of {param_name}")
        self.eta_max = eta_max
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.anneal_strategy = anneal_strategy
        self.total_steps = end - begin if total_steps is None else total_steps
        _check_steps(self.total_steps)
        check_between("pct_start", pct_start)
        if anneal_strategy not in ("cos", "linear"):
            raise ConfigError(
                f"anneal_strategy is {anneal_strategy!r}", help="it is 'cos' or 'linear'"
            )
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._shape = pct_start, three_phase
        if total_steps is None:
            self.derived_of_end = ("total_steps", "_schedule_phases")
        if last_step == -1:
            for group in optimizer.param_groups:
                group.pop("max_lr", None)
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _adopt(self, group: dict[str, Any]) -> None:
        if "max_lr" not in group:
            group["initial_lr"] = self.eta_max / self.div_factor
            group["max_lr"] = self.eta_max
            group["min_lr"] = group["initial_lr"] / self.final_div_factor

    def _derive_from_end(self) -> None:
        if self.derived_of_end:
            self.total_steps = self.end - self.begin
            self._schedule_phases = _phases(self.total_steps, *self._shape)

    def _get_value(self) -> list[float]:
        step = self.last_step
        if step > self.total_steps:
            raise ValueError(f"the cycle has {self.total_steps} steps, this is step {step + 1}")
        ends = [phase["end_step"] for phase in self._schedule_phases]
        index, fraction = curves.phase_at(step, ends)
        phase = self._schedule_phases[index]
        return [
            curves.one_cycle(
                group[phase["start_lr"]],
                group[phase["end_lr"]],
                fraction,
                anneal=self.anneal_strategy,
            )
            for group in self.optimizer.param_groups
        ]


def _check_steps(total_steps: Any) -> None:
    if not isinstance(total_steps, int) or total_steps < 1:
        raise ConfigError(f"total_steps is {total_steps!r}", help="it is a whole number above 0")


def _phases(total_steps: int, pct_start: float, three_phase: bool) -> list[dict[str, Any]]:
    """The parts of the cycle: the step at which each ends, and what it leads from and to."""
    ends = curves.one_cycle_ends(total_steps, pct_start, three_phase=three_phase)
    turns = ["initial_lr", "max_lr", *(["initial_lr"] if three_phase else []), "min_lr"]
    return [
        {"end_step": end, "start_lr": start_lr, "end_lr": end_lr}
        for end, (start_lr, end_lr) in zip(ends, pairwise(turns), strict=True)
    ]
