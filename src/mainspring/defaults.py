"""What holds where a run says nothing; MMEngine's alias sets what MMEngine's users count on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DEFAULTS", "Defaults"]


@dataclass
class Defaults:
    """Choices that nobody made, for the whole process.

    Attributes:
        name: Name in log lines, and of the logger and the hub that exist without a run.
        sample_rng: How items of a data set draw; see `mainspring.runner.Runner`'s ``randomness``.
        fused: Whether Adam and AdamW step in one kernel, which may differ in the last bit.
        separate_curves: Whether losses and times of a validation have other names in trackers and
            ``scalars.json`` than those of training.
        lists_guards: Whether the hook that ends a diverged training, which MMEngine does not have,
            is among the hooks of a run, also where it is not described.
        wants_prefix: Whether a metric without prefix is warned about.
        short_lines: Whether standard output gets what a person reads, rather than every line of the
            log; and trackers names as ``train/loss`` over iterations.
    """

    name: str = "mainspring"
    sample_rng: Literal["sample", "worker"] = "sample"
    fused: bool = True
    separate_curves: bool = True
    lists_guards: bool = True
    wants_prefix: bool = False
    short_lines: bool = True


DEFAULTS = Defaults()
