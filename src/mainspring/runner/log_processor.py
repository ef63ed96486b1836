"""From recorded scalars to log lines."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch

from mainspring.device import get_max_cuda_memory, get_max_musa_memory, is_musa_available
from mainspring.errors import ConfigError
from mainspring.registry import LOG_PROCESSORS

__all__ = ["LogProcessor"]


@LOG_PROCESSORS.register_module()
class LogProcessor:
    """Collects scalars, smooths them, and writes them as a line.

    Args:
        window_size: Iterations over which smoothed scalars are averaged.
        by_epoch: Whether lines count epochs.
        custom_cfg: Further statistics: dicts with ``data_src`` (name of the scalar),
            ``method_name`` (``"mean"``, ``"min"``, ``"max"``, ``"current"`` or a registered one),
            ``log_name`` and ``window_size`` (a number, ``"epoch"`` or ``"global"``).
        num_digits: Digits after the point.
        log_with_hierarchy: Whether scalars keep their mode, as ``train/loss``, in what backends
            get.
        mean_pattern: Regular expression of the names of smoothed scalars; the others show their
            newest value.

    Raises:
        ConfigError: `custom_cfg` makes no sense.
    """

    def __init__(
        self,
        window_size: int = 10,
        by_epoch: bool = True,
        custom_cfg: Sequence[dict[str, Any]] | None = None,
        num_digits: int = 4,
        log_with_hierarchy: bool = False,
        mean_pattern: str = r".*(loss|time|data_time|grad_norm).*",
    ) -> None:
        self.window_size = window_size
        self.by_epoch = by_epoch
        self.custom_cfg = [dict(item) for item in custom_cfg or []]
        self.num_digits = num_digits
        self.log_with_hierarchy = log_with_hierarchy
        self.mean_pattern = re.compile(mean_pattern)
        self._is_smoothed = functools.cache(lambda name: self.mean_pattern.match(name) is not None)
        self._check_custom_cfg()

    def _check_custom_cfg(self) -> None:
        names = []
        for index, item in enumerate(self.custom_cfg):
            place = f"log_processor.custom_cfg.{index}"
            if "data_src" not in item:
                raise ConfigError("the statistic names no data_src", config_path=place)
            item.setdefault("log_name", item["data_src"])
            names.append(item["log_name"])
            if item.get("window_size") == "epoch" and not self.by_epoch:
                raise ConfigError(
                    "window_size='epoch' needs training by epoch",
                    config_path=place,
                    help="give a number of iterations, or 'global'",
                )
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(
                    f"two statistics are logged as {name!r}",
                    config_path="log_processor.custom_cfg",
                    help="tell them apart with log_name",
                )

    def get_log_after_iter(
        self, runner: Any, batch_idx: int, mode: str
    ) -> tuple[dict[str, Any], str]:
        """What to log after an iteration.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its loader.
            mode: ``"train"``, ``"val"`` or ``"test"``.

        Returns:
            Scalars for backends, and the line.
        """
        current_loop = self._get_cur_loop(runner, mode)
        position = self._get_iter(runner, batch_idx)
        tag = self._collect_scalars(self._windows(runner, batch_idx), runner, mode)
        if not self.log_with_hierarchy:
            tag = OrderedDict((_without_mode(name), value) for name, value in tag.items())
        if mode == "train":
            tag_with_position: dict[str, Any] = self._with_position(runner, tag)
        else:
            tag_with_position = dict(tag)
        line = self._place(runner, current_loop, batch_idx, position, mode)
        line += self._rates(tag)
        eta = runner.message_hub.get_info("eta")
        if eta is not None:
            line += f"eta: {dt.timedelta(seconds=int(eta))}  "
        plain = {_without_mode(name): value for name, value in tag.items()}
        if "time" in plain:
            line += f"time: {plain['time']:.{self.num_digits}f}  "
            line += f"data_time: {plain['data_time']:.{self.num_digits}f}  "
        memory = self._memory(runner)
        if memory is not None:
            line += f"memory: {memory}  "
            tag_with_position["memory"] = memory
        if mode == "train":
            shown = [
                f"{name}: {self._shown(value)}"
                for name, value in tag.items()
                if _without_mode(name) not in ("time", "data_time") and not name.endswith("lr")
            ]
            line += "  ".join(shown)
        else:
            shown = [
                f"{name}: {self._shown(value)}"
                for name, value in tag.items()
                if name.startswith("val/loss")
            ]
            line += "  ".join(shown)
        return tag_with_position, line

    def get_log_after_epoch(
        self, runner: Any, batch_idx: int, mode: str, with_non_scalar: bool = False
    ) -> tuple[dict[str, Any], str]:
        """What to log after a validation or test.

        Args:
            runner: The runner of this run.
            batch_idx: Number of batches.
            mode: ``"val"`` or ``"test"``.
            with_non_scalar: Whether what is no number joins the scalars for backends.

        Returns:
            Scalars for backends, and the line.
        """
        if mode not in ("val", "test"):
            raise ValueError(f"mode is 'val' or 'test', not {mode!r}")
        loop = self._get_cur_loop(runner, mode)
        length = len(loop.dataloader)
        line = self._place_after_epoch(runner, length, mode)
        windows = [dict(item) for item in self.custom_cfg]
        for item in windows:
            item.update(_of_window(item.get("window_size", self.window_size), runner, batch_idx))
        windows.append({"data_src": "time", "window_size": batch_idx, "method_name": "mean"})
        windows.append({"data_src": "data_time", "window_size": batch_idx, "method_name": "mean"})
        scalars = self._collect_scalars(windows, runner, mode)
        others = self._collect_non_scalars(runner, mode)
        shown, timings = [], []
        for name, value in scalars.items():
            text = f"{_without_mode(name)}: {self._shown(value)}"
            (timings if _without_mode(name) in ("time", "data_time") else shown).append(text)
        shown += [f"{_without_mode(name)}: \n{value}\n" for name, value in others.items()]
        line += "  ".join([*shown, *sorted(timings)])
        tag = {**scalars, **others} if with_non_scalar else dict(scalars)
        if not self.log_with_hierarchy:
            tag = {_without_mode(name): value for name, value in tag.items()}
        return tag, line

    def _shown(self, value: Any) -> Any:
        return f"{value:.{self.num_digits}f}" if isinstance(value, float) else value

    def _rates(self, tag: dict[str, Any]) -> str:
        rates = [
            f"{_without_mode(name)}: {value:.{self.num_digits}e}"
            for name, value in tag.items()
            if name.endswith("lr")
        ]
        return "  ".join(rates) + "  " if rates else ""

    def _with_position(self, runner: Any, tag: dict[str, Any]) -> dict[str, Any]:
        found = dict(tag)
        if self.by_epoch:
            found["epoch"] = self._get_epoch(runner, "train")
        found["iter"] = runner.iter + 1
        return found

    def _place(self, runner: Any, loop: Any, batch_idx: int, position: int, mode: str) -> str:
        length = len(loop.dataloader)
        if not self.by_epoch:
            if mode == "train":
                width = len(str(runner.max_iters))
                return f"Iter({mode}) [{position:{width}}/{runner.max_iters}]  "
            width = len(str(length))
            return f"Iter({mode}) [{batch_idx + 1:{width}}/{length}]  "
        width = len(str(length))
        within = f"[{batch_idx + 1:{width}}/{length}]  "
        if mode == "train":
            epoch = f"[{self._get_epoch(runner, mode)}]"
            return f"Epoch({mode}) {epoch:>{self._epoch_width(runner)}}{within}"
        if mode == "val":
            epoch = f"[{self._get_epoch(runner, mode)}]"
            return f"Epoch({mode}) {epoch:>{self._epoch_width(runner)}}{within}"
        return f"Epoch({mode}) {within}"

    def _epoch_width(self, runner: Any) -> int:
        return len(str(runner.max_epochs)) + 3

    def _place_after_epoch(self, runner: Any, length: int, mode: str) -> str:
        if not self.by_epoch:
            return f"Iter({mode}) [{length}/{length}]    "
        if mode == "test":
            return f"Epoch({mode}) [{length}/{length}]    "
        return f"Epoch({mode}) [{self._get_epoch(runner, mode)}][{length}/{length}]    "

    def _windows(self, runner: Any, batch_idx: int) -> list[dict[str, Any]]:
        windows = []
        for item in self.custom_cfg:
            copied = dict(item)
            copied.update(_of_window(item.get("window_size", self.window_size), runner, batch_idx))
            windows.append(copied)
        return windows

    def _collect_scalars(
        self, statistics: list[dict[str, Any]], runner: Any, mode: str
    ) -> OrderedDict[str, Any]:
        """Scalars of a mode by full name: smoothed or newest, and the custom statistics."""
        found: OrderedDict[str, Any] = OrderedDict()
        scalars = runner.message_hub.log_scalars
        mode_scalars = {name: b for name, b in scalars.items() if name.startswith(f"{mode}/")}
        for name, buffer in mode_scalars.items():
            if (mode == "train" and self._is_smoothed(_without_mode(name))) or (mode != "train" and _without_mode(name) in ("time", "data_time")):
                found[name] = buffer.mean(self.window_size).item()
            else:
                found[name] = buffer.current().item()
        for item in statistics:
            source = f"{mode}/{item['data_src']}"
            if source not in mode_scalars:
                continue
            arguments = {
                key: value for key, value in item.items() if key not in ("data_src", "log_name")
            }
            method = arguments.pop("method_name", "mean")
            if method == "current":
                arguments.pop("window_size", None)
            value = mode_scalars[source].statistics(method, **arguments)
            name = f"{mode}/{item.get('log_name', item['data_src'])}"
            found[name] = value.item() if hasattr(value, "item") else value
        return found

    def _collect_non_scalars(self, runner: Any, mode: str) -> dict[str, Any]:
        return {
            name: value
            for name, value in runner.message_hub.runtime_info.items()
            if name.startswith(f"{mode}/")
        }

    def _memory(self, runner: Any) -> int | None:
        """Most memory of the device since the last line, in MB; ``None`` without accelerator."""
        device = getattr(runner.model, "output_device", None)
        if torch.cuda.is_available():
            return get_max_cuda_memory(device)
        if is_musa_available():
            return get_max_musa_memory(device)
        return None

    def _get_iter(self, runner: Any, batch_idx: int) -> int:
        return batch_idx + 1 if self.by_epoch else int(runner.iter) + 1

    def _get_epoch(self, runner: Any, mode: str) -> int:
        return int(runner.epoch) + 1 if mode == "train" else int(runner.epoch)

    def _get_cur_loop(self, runner: Any, mode: str) -> Any:
        if mode == "train":
            return runner.train_loop
        return runner.val_loop if mode == "val" else runner.test_loop


def _without_mode(name: str) -> str:
    return name.split("/", 1)[1] if "/" in name else name


def _of_window(window: Any, runner: Any, batch_idx: int) -> dict[str, Any]:
    """The number of iterations that a window stands for."""
    if window == "epoch":
        return {"window_size": batch_idx + 1}
    if window == "global":
        return {"window_size": runner.iter + 1}
    return {"window_size": window}
