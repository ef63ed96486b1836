"""The curves that schedulers follow, as pure functions.

Each gives the value of the next step from the value now, so that several schedulers compose: what a
warm-up has done to the value is kept by what follows. `step` counts the steps in which the
scheduler was active, from 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

__all__ = [
    "constant",
    "cosine",
    "cosine_restart",
    "exponential",
    "linear",
    "multi_step",
    "one_cycle",
    "one_cycle_ends",
    "phase_at",
    "poly",
    "step_decay",
]


def constant(value: float, step: int, *, factor: float, total: int) -> float:
    """Scaled by `factor` for `total` steps, then back."""
    if step == 0:
        return value * factor
    return value * (1.0 / factor) if step == total else value


def exponential(value: float, step: int, *, gamma: float) -> float:
    """Scaled by `gamma` at every step."""
    return value if step == 0 else value * gamma


def linear(value: float, step: int, *, start: float, end: float, total: int, base: float) -> float:
    """Scaled by a factor that goes from `start` to `end` along a line within `total` steps."""
    if step == 0:
        return value * start
    if step > total:
        return value
    before = total * start + (step - 1) * (end - start)
    # A line that begins at 0 cannot go on from there by a factor.
    return value * (1.0 + (end - start) / before) if before else base * (end - start) / total


def step_decay(value: float, step: int, *, step_size: int, gamma: float) -> float:
    """Scaled by `gamma` every `step_size` steps."""
    return value if step == 0 or step % step_size else value * gamma


def multi_step(value: float, step: int, *, milestones: Mapping[int, int], gamma: float) -> float:
    """Scaled by `gamma` at each milestone; one that is listed twice counts twice."""
    return value * gamma ** milestones[step] if step in milestones else value


def cosine(value: float, base: float, step: int, *, period: float, minimum: float) -> float:
    """From the value down to `minimum` within `period` steps along half a cosine, and up again.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5,
    without restarts.
    """
    if step == 0:
        return value
    if (step - 1 - period) % (2 * period) == 0:
        return value + (base - minimum) * (1 - math.cos(math.pi / period)) / 2
    above = 1 + math.cos(math.pi * step / period)
    before = 1 + math.cos(math.pi * (step - 1) / period)
    return above / before * (value - minimum) + minimum


def cosine_restart(
    value: float, base: float, step: int, *, period: int, weight: float, minimum: float
) -> float:
    """Half a cosine from ``weight * base`` to `minimum`; `step` counts from the last restart.

    Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, equation 5.
    """
    if step == 0:
        return base * weight
    above = 1 + math.cos(math.pi * step / period)
    before = 1 + math.cos(math.pi * (step - 1) / period)
    return above / before * (value - minimum) + minimum


def poly(value: float, step: int, *, power: float, minimum: float, total: int) -> float:
    """Down to `minimum` within `total` steps as ``(1 - step / total) ** power``."""
    if step == 0:
        return value
    ratio: float = (1 - 1 / (total - step + 1)) ** power
    return (value - minimum) * ratio + minimum


def one_cycle(start: float, end: float, fraction: float, *, anneal: str) -> float:
    """Between `start` and `end`, `fraction` of the way, along a line or half a cosine.

    Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", 2018.
    """
    if anneal == "linear":
        return (end - start) * fraction + start
    return end + (start - end) / 2.0 * (math.cos(math.pi * fraction) + 1)


def one_cycle_ends(total: int, pct_start: float, *, three_phase: bool) -> list[float]:
    """The steps at which the phases of one cycle of `total` steps end."""
    rising = float(pct_start * total) - 1
    falling = [float(2 * pct_start * total) - 2] if three_phase else []
    return [rising, *falling, total - 1]


def phase_at(step: int, ends: Sequence[float]) -> tuple[int, float]:
    """The index of the phase that a step is in, and which part of it is over.

    Args:
        step: The step.
        ends: The step at which each phase ends; what comes after the last belongs to it.
    """
    phase = next((index for index, end in enumerate(ends) if step <= end), len(ends) - 1)
    began = ends[phase - 1] if phase else 0.0
    return phase, (step - began) / (ends[phase] - began)
