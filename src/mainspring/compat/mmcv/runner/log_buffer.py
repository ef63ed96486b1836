"""What a run has measured since the last log line."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["LogBuffer"]


class LogBuffer:
    """Keeps numbers by name, with the samples that each stands for.

    `output` holds their means once they are asked for, and `ready` says that it does.
    """

    def __init__(self) -> None:
        self.val_history: OrderedDict[str, list[Any]] = OrderedDict()
        self.n_history: OrderedDict[str, list[int]] = OrderedDict()
        self.output: OrderedDict[str, Any] = OrderedDict()
        self.ready = False

    def clear(self) -> None:
        """Forget everything."""
        self.val_history.clear()
        self.n_history.clear()
        self.clear_output()

    def clear_output(self) -> None:
        """Forget the means."""
        self.output.clear()
        self.ready = False

    def update(self, vars: Mapping[str, Any], count: int = 1) -> None:  # noqa: A002 - MMCV's name
        """Add numbers.

        Args:
            vars: The numbers by name.
            count: How many samples they stand for.
        """
        for name, value in vars.items():
            self.val_history.setdefault(name, []).append(value)
            self.n_history.setdefault(name, []).append(count)

    def average(self, n: int = 0) -> None:
        """Take the means, weighed by samples.

        Args:
            n: Over how many of the last numbers; all by default.
        """
        for name, values in self.val_history.items():
            counts = np.array(self.n_history[name][-n:])
            self.output[name] = np.sum(np.array(values[-n:]) * counts) / np.sum(counts)
        self.ready = True
