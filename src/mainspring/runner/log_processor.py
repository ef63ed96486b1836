"""From recorded scalars to log lines.

Scalars are collected from the message hub, smoothed, and written in two forms: a dict for the
visualizer's backends and one line for people. The fields of a line are two spaces apart::

    Epoch(train)  [1][ 50/100]  lr: 1.0000e-02  eta: 0:01:23  time: 0.0166  data_time: 0.0008  ...

All the work is done where a line is written; an iteration without one costs nothing here.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch

from mainspring.dataset.any_loader import length_of
from mainspring.device import (
    get_max_cuda_memory,
    get_max_musa_memory,
    is_cuda_available,
    is_musa_available,
)
from mainspring.errors import ConfigError, did_you_mean
from mainspring.hooks import Run
from mainspring.logging import HistoryBuffer
from mainspring.registry import LOG_PROCESSORS

__all__ = ["LogProcessor"]

Mode = Literal["train", "val", "test"]
Statistic = dict[str, Any]

_TIMES = ("data_time", "time")
_GAP = "  "


@LOG_PROCESSORS.register_module()
class LogProcessor:
    """Collects what was recorded, smooths it, and writes it as a line.

    Args:
        window_size: Iterations over which smoothed scalars are averaged; or ``"epoch"``, those of
            the epoch so far, or ``"global"``, all.
        by_epoch: Whether lines count epochs; ``None`` follows the training loop.
        custom_cfg: Further statistics: dicts with ``data_src`` (name of the scalar without its
            mode), ``method_name`` (``"mean"``, ``"min"``, ``"max"``, ``"current"`` or a registered
            one), ``window_size`` (a number of values, ``"epoch"`` or ``"global"``) and ``log_name``
            (what it is logged as; by default it replaces the scalar).
        num_digits: Digits after the point.
        log_with_hierarchy: Whether names keep their mode, as ``train/loss``, in what backends get.
        mean_pattern: Regular expression of the names of smoothed scalars; of the others the newest
            value is shown. Metrics after a validation are never smoothed.

    Raises:
        ConfigError: `custom_cfg` makes no sense.

    Example:
        >>> epoch_loss = dict(
        ...     data_src="loss", log_name="loss_epoch", method_name="mean", window_size="epoch"
        ... )
        >>> log_processor = LogProcessor(window_size=20, custom_cfg=[epoch_loss])
    """

    def __init__(
        self,
        window_size: int | str = 10,
        by_epoch: bool | None = True,
        custom_cfg: Sequence[Mapping[str, Any]] | None = None,
        num_digits: int = 4,
        log_with_hierarchy: bool = False,
        mean_pattern: str = r".*(loss|time|data_time|grad_norm).*",
    ) -> None:
        self.window_size = window_size
        self.by_epoch = by_epoch
        self.custom_cfg: list[Statistic] = [dict(item) for item in custom_cfg or ()]
        self.num_digits = num_digits
        self.log_with_hierarchy = log_with_hierarchy
        self.mean_pattern = re.compile(mean_pattern)
        self._smoothed: dict[str, bool] = {}
        self._is_accelerated: bool | None = None
        self._check_window(window_size, "log_processor.window_size")
        self._check_custom_cfg()

    def get_log_after_iter(
        self, runner: Run, batch_idx: int, mode: Mode
    ) -> tuple[dict[str, Any], str]:
        """What to log after an iteration.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its loader.
            mode: ``"train"``, ``"val"`` or ``"test"``.

        Returns:
            Scalars for backends, and the line.

        Raises:
            ConfigError: There is no such mode.
        """
        _check_mode(mode, ("train", "val", "test"))
        statistics = _with_numbers(self.custom_cfg, runner, batch_idx)
        window = _windows(runner, batch_idx).get(self.window_size, self.window_size)
        shown = self._collect(statistics, runner, mode, window)
        tag = dict(shown)
        if self.log_with_hierarchy:
            tag = self._collect(statistics, runner, mode, window, keep_mode=True)
        by_epoch = self._counts_epochs(runner)
        fixed = f".{self.num_digits}f"
        rates, fields = list[str](), list[str]()
        for name, value in shown.items():
            if name.endswith("lr"):
                rates.append(f"{name}: {value:.{self.num_digits}e}")
            # While metrics are computed there are only losses.
            elif mode == "train" or (mode == "val" and name.startswith("val/loss")):
                text = format(value, fixed) if type(value) is float else self._number(value)
                fields.append(f"{name}: {text}")
        parts = [self._position(runner, batch_idx, mode, by_epoch), " ".join(rates)]
        if by_epoch and mode != "test":
            tag["epoch"] = _epoch(runner, mode)
        tag["iter"] = runner.iter + 1 if _has_train_loop(runner) else 0
        eta = runner.message_hub.get_info("eta")
        timed = eta is not None and all(name in shown for name in _TIMES)
        if eta is not None and timed:
            times = [f"{name}: {shown[name]:{fixed}}" for name in ("time", "data_time")]
            parts += [f"eta: {dt.timedelta(seconds=int(eta))}", *times]
            fields = [field for field in fields if field not in times]
        if self._is_accelerated is None:
            self._is_accelerated = is_cuda_available() or is_musa_available()
        if self._is_accelerated:
            most_in_use = get_max_musa_memory if is_musa_available() else get_max_cuda_memory
            tag["memory"] = most_in_use(getattr(runner.model, "output_device", None))
            parts.append(f"memory: {tag['memory']}")
        return tag, _GAP.join([*parts, _GAP.join(fields)])

    def get_log_after_epoch(
        self,
        runner: Run,
        batch_idx: int,
        mode: Literal["val", "test"],
        with_non_scalar: bool = False,
    ) -> tuple[dict[str, Any], str]:
        """What to log after a validation or test.

        Args:
            runner: The runner of this run.
            batch_idx: Number of batches.
            mode: ``"val"`` or ``"test"``.
            with_non_scalar: Whether what is no number joins what backends get.

        Returns:
            Metrics for backends, and the line.

        Raises:
            ConfigError: There is no such mode.
        """
        _check_mode(mode, ("val", "test"))
        length = _length(runner, mode) or batch_idx
        by_epoch = self._counts_epochs(runner)
        head = f"{'Epoch' if by_epoch else 'Iter'}({mode}) "
        if by_epoch and mode == "val":
            head += f"[{_epoch(runner, mode)}]"
        statistics = list(self.custom_cfg)
        chosen = {item["data_src"].removeprefix(f"{mode}/") for item in statistics}
        statistics += [
            {"data_src": name, "method_name": "mean", "window_size": "epoch"}
            for name in _TIMES
            if name not in chosen
        ]
        # A metric is a result, not a sample of something noisy: it is shown as it is.
        scalars = self._collect(
            _with_numbers(statistics, runner, batch_idx),
            runner,
            mode,
            keep_mode=self.log_with_hierarchy,
        )
        others = {  # such as a confusion matrix
            (name if self.log_with_hierarchy else name.removeprefix(f"{mode}/")): value
            for name, value in runner.message_hub.runtime_info.items()
            if name.startswith(mode)
        }
        times = {name for name in scalars if name.removeprefix(f"{mode}/") in _TIMES}
        metrics = {name: value for name, value in scalars.items() if name not in times}
        ordered_times = {name: scalars[name] for name in sorted(times)}
        fields = [
            f"{name}: {self._number(value)}"
            for name, value in [*metrics.items(), *others.items(), *ordered_times.items()]
        ]
        tag = {**metrics, **(others if with_non_scalar else {}), **ordered_times}
        return tag, f"{head}[{length}/{length}]{_GAP}{_GAP}{_GAP.join(fields)}"

    def _check_custom_cfg(self) -> None:
        names: set[str] = set()
        for index, item in enumerate(self.custom_cfg):
            place = f"log_processor.custom_cfg[{index}]"
            if "data_src" not in item or "method_name" not in item:
                missing = "data_src" if "data_src" not in item else "method_name"
                raise ConfigError(
                    f"a statistic has no {missing}: {item!r}",
                    config_path=place,
                    help="such as dict(data_src='loss', method_name='mean', window_size=100)",
                )
            known = HistoryBuffer._statistics_methods  # another may be registered later
            close = did_you_mean(str(item["method_name"]), known)
            if item["method_name"] not in known and close:
                raise ConfigError(
                    f"there is no statistic {item['method_name']!r}", config_path=place, help=close
                )
            name = str(item.get("log_name", item["data_src"]))
            if name in names:
                raise ConfigError(
                    f"two statistics are logged as {name!r}",
                    config_path=place,
                    help="tell them apart by log_name",
                )
            names.add(name)
            self._check_window(item.get("window_size"), place)

    def _check_window(self, window: Any, place: str) -> None:
        if window == "epoch" and self.by_epoch is False:
            raise ConfigError(
                "window_size='epoch' has no meaning where iterations are counted",
                config_path=place,
                help="give a number of iterations, or 'global'",
            )
        is_word = isinstance(window, str) and window not in ("epoch", "global")
        if is_word or (isinstance(window, int) and window < 1):
            raise ConfigError(
                f"window_size is {window!r}",
                config_path=place,
                help="give a number of values, 'epoch' or 'global'",
            )

    def _counts_epochs(self, runner: Run) -> bool:
        if self.by_epoch is not None:
            return self.by_epoch
        return bool(getattr(getattr(runner, "_train_loop", None), "by_epoch", True))

    def _position(self, runner: Run, batch_idx: int, mode: Mode, by_epoch: bool) -> str:
        """Where the run is, aligned so that the lines of a run form columns."""
        if not by_epoch and mode == "train":
            return f"Iter(train) [{_of(runner.iter + 1, runner.max_iters or None)}]"
        within = f"[{_of(batch_idx + 1, _length(runner, mode))}]"
        if not by_epoch:
            return f"Iter({mode}) {within}"
        if mode == "test":
            return f"Epoch(test) {within}"
        epoch = f"[{_epoch(runner, mode)}]"
        if _has_train_loop(runner):
            epoch = epoch.rjust(len(str(runner.max_epochs)) + 3)
        return f"Epoch({mode}){epoch}{within}"

    def _collect(
        self,
        statistics: Sequence[Statistic],
        runner: Run,
        mode: Mode,
        window: Any = None,
        *,
        keep_mode: bool = False,
    ) -> dict[str, Any]:
        """Numbers of a mode by name: smoothed in a window or newest, then what is asked for."""
        prefix = f"{mode}/"
        histories, found = dict[str, HistoryBuffer](), dict[str, Any]()
        for key, history in runner.message_hub.log_scalars.items():
            if key.startswith(mode):
                name = key if keep_mode else key.removeprefix(prefix)
                histories[name] = history
                if window is not None and self._is_smoothed(name):
                    found[name] = history.smoothed(window)
                else:
                    found[name] = history.newest()
        for item in statistics:
            arguments = dict(item)
            source = arguments.pop("data_src")
            name = arguments.pop("log_name", source)
            if keep_mode:
                source, name = prefix + source.removeprefix(prefix), prefix + name
            if source in histories:
                value = histories[source].statistics(**arguments)
                found[name] = value.item() if isinstance(value, np.generic) else value
        return found

    def _is_smoothed(self, name: str) -> bool:
        known = self._smoothed.get(name)
        if known is None:
            known = self._smoothed[name] = self.mean_pattern.search(name) is not None
        return known

    def _number(self, value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.{self.num_digits}f}"
        if isinstance(value, torch.Tensor | np.ndarray):
            return f"\n{value}\n"
        return str(value)


def _check_mode(mode: str, known: tuple[str, ...]) -> None:
    if mode not in known:
        raise ConfigError(f"the mode is {mode!r}", help=f"one of {', '.join(known)}")


def _with_numbers(
    statistics: Sequence[Statistic], runner: Run, batch_idx: int
) -> Sequence[Statistic]:
    """The statistics with windows as numbers of values."""
    numbers = _windows(runner, batch_idx)
    return [
        {**item, "window_size": numbers.get(item["window_size"], item["window_size"])}
        if "window_size" in item
        else item
        for item in statistics
    ]


def _windows(runner: Run, batch_idx: int) -> dict[Any, int]:
    return {"epoch": batch_idx + 1, "global": runner.iter + 1}


def _of(done: int, total: int | None) -> str:
    return f"{done}/?" if total is None else f"{done:>{len(str(total))}}/{total}"


def _length(runner: Run, mode: Mode) -> int | None:
    """Batches of the loader; ``None`` for a stream."""
    return length_of(getattr(runner, f"{mode}_loop").dataloader)


def _has_train_loop(runner: Run) -> bool:
    """Whether the run trains, rather than only validating or testing a model."""
    return not isinstance(getattr(runner, "_train_loop", None), Mapping | None)


def _epoch(runner: Run, mode: Mode) -> int:
    """The epoch of a line, counted from 1; a validation belongs to the epoch that ended."""
    if mode == "train":
        return int(runner.epoch) + 1
    return int(runner.epoch) if _has_train_loop(runner) else 0
