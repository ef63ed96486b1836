"""The average time of a function or block, reported while it runs."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import ClassVar, ParamSpec, Self, TypeVar

from mainspring.dist import is_main_process
from mainspring.errors import ArgumentValueError
from mainspring.logging.print_log import print_log

__all__ = ["TimeCounter"]

P = ParamSpec("P")
R = TypeVar("R")


class TimeCounter:
    """Average the time of a function (as a decorator) or a block (as a context manager).

    Only rank 0 measures.

    Args:
        log_interval: Number of runs between two reports.
        warmup_interval: Number of the first run that counts, at least 1.
        with_sync: Whether to wait for the GPU before reading the clock.
        tag: Name in the report. Counters of one tag are one counter; a block needs a tag.
        logger: Where to report, as in `mainspring.logging.print_log`; printed by default.

    Example:
        >>> @TimeCounter(log_interval=10)
        ... def forward(): ...
    """

    instance_dict: ClassVar[dict[str | None, TimeCounter]] = {}

    log_interval: int
    warmup_interval: int
    with_sync: bool
    tag: str | None
    logger: logging.Logger | str | None
    _count: int
    _seconds: float
    _started: float

    def __new__(
        cls,
        log_interval: int = 1,
        warmup_interval: int = 1,
        with_sync: bool = True,
        tag: str | None = None,
        logger: logging.Logger | str | None = None,
    ) -> Self:
        """The counter of this tag, a new one if there is none."""
        if warmup_interval < 1:
            raise ArgumentValueError(
                f"warmup_interval must be at least 1, but is {warmup_interval}"
            )
        known = cls.instance_dict.get(tag) if tag is not None else None
        if isinstance(known, cls):
            return known
        counter = super().__new__(cls)
        cls.instance_dict[tag] = counter
        counter.log_interval = log_interval
        counter.warmup_interval = warmup_interval
        counter.with_sync = with_sync
        counter.tag = tag
        counter.logger = logger
        counter._count = 0
        counter._seconds = counter._started = 0.0
        return counter

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]:
        """Measure each call of a function."""
        if self.tag is None:
            self.tag = fn.__name__
        if not is_main_process():
            return fn

        @functools.wraps(fn)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            started = self._now()
            result = fn(*args, **kwargs)
            self._record(self._now() - started)
            return result

        return timed

    def __enter__(self) -> None:
        if self.tag is None:
            raise ArgumentValueError(
                "a TimeCounter around a block needs a tag to name it in the report"
            )
        if is_main_process():
            self._started = self._now()

    def __exit__(self, *_: object) -> None:
        if is_main_process():
            self._record(self._now() - self._started)

    def _now(self) -> float:
        import torch

        if self.with_sync and torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter()

    def _record(self, seconds: float) -> None:
        self._count += 1
        if self._count < self.warmup_interval:
            return
        self._seconds += seconds
        if self._count % self.log_interval == 0:
            average = 1000 * self._seconds / (self._count - self.warmup_interval + 1)
            print_log(
                f"[{self.tag}]-time per run averaged in the past {self._count} runs: "
                f"{average:.1f} ms",
                self.logger,
            )
