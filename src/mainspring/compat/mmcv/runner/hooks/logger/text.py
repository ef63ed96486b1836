"""Lines in the log, and as JSON beside it."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import torch

from mainspring import fileio
from mainspring.compat.mmcv.runner.hooks.checkpoint import folder_of
from mainspring.compat.mmcv.runner.hooks.logger.base import LoggerHook, first_values
from mainspring.errors import ConfigError
from mainspring.utils import apply_to

__all__ = ["TextLoggerHook"]

_ELSEWHERE = ("mode", "Epoch", "iter", "lr", "time", "data_time", "memory", "epoch")


class TextLoggerHook(LoggerHook):
    """Writes lines into the log and into ``TIMESTAMP.log.json``.

    Args:
        by_epoch: As for `LoggerHook`.
        interval: As for `LoggerHook`.
        ignore_last: As for `LoggerHook`.
        reset_flag: As for `LoggerHook`.
        interval_exp_name: After how many iterations the name of the run is written.
        out_dir: Where the files are copied to at the end.
        out_suffix: Which files.
        keep_local: Whether they stay in the work directory.
        file_client_args: Storage backend and its arguments.
    """

    def __init__(
        self,
        by_epoch: bool = True,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        interval_exp_name: int = 1000,
        out_dir: str | None = None,
        out_suffix: str | tuple[str, ...] = (".log.json", ".log", ".py"),
        keep_local: bool = True,
        file_client_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(interval, ignore_last, reset_flag, by_epoch)
        if out_dir is None and file_client_args is not None:
            raise ConfigError('file_client_args should be "None" when `out_dir` is not specified.')
        self.interval_exp_name, self.file_client_args = interval_exp_name, file_client_args
        self.out_dir, self.out_suffix, self.keep_local = out_dir, out_suffix, keep_local
        self.time_sec_tot = 0.0

    def before_run(self, runner: Any) -> None:
        super().before_run(runner)
        self.start_iter = runner.iter
        self.json_log_path = os.path.join(runner.work_dir, f"{runner.timestamp}.log.json")
        if runner.meta is not None:
            self._dump_log(runner.meta, runner)

    def log(self, runner: Any) -> dict[str, Any]:
        output = runner.log_buffer.output
        number = output.pop("eval_iter_num", self.get_iter(runner, inner_iter=True))
        entry = {
            "mode": self.get_mode(runner),
            "epoch": self.get_epoch(runner),
            "iter": number,
            "lr": first_values(runner.current_lr()),
        }
        if "time" in output and torch.cuda.is_available():
            entry["memory"] = torch.cuda.max_memory_allocated() // 2**20
        entry |= output
        self._log_info(entry, runner)
        self._dump_log(entry, runner)
        return entry

    def _log_info(self, entry: dict[str, Any], runner: Any) -> None:
        if runner.meta is not None and "exp_name" in runner.meta:
            ends = self.by_epoch and self.end_of_epoch(runner)
            if self.every_n_iters(runner, self.interval_exp_name) or ends:
                runner.logger.info(f"Exp name: {runner.meta['exp_name']}")
        mode = "" if entry["mode"] == "train" else f"({entry['mode']})"
        if self.by_epoch:
            whole = f"/{len(runner.data_loader)}" if not mode else ""
            line = f"Epoch{mode} [{entry['epoch']}][{entry['iter']}{whole}]\t"
        else:
            whole = f"/{runner.max_iters}" if not mode else ""
            line = f"Iter{mode} [{entry['iter']}{whole}]\t"
        parts = [] if mode else self._progress(entry, runner)
        for name, value in entry.items():
            if name not in _ELSEWHERE:
                shown = f"{value:.4f}" if isinstance(value, float) else value
                parts.append(f"{name}: {shown}")
        runner.logger.info(line + ", ".join(parts))

    def _progress(self, entry: dict[str, Any], runner: Any) -> list[str]:
        rates = entry["lr"]
        if isinstance(rates, dict):
            parts = [" ".join(f"lr_{name}: {rate:.3e}" for name, rate in rates.items())]
        else:
            parts = [f"lr: {rates:.3e}"]
        if "time" in entry:
            self.time_sec_tot += entry["time"] * self.interval
            each = self.time_sec_tot / (runner.iter - self.start_iter + 1)
            left = dt.timedelta(seconds=int(each * (runner.max_iters - runner.iter - 1)))
            parts.append(f"eta: {left}")
            parts += [
                f"{name}: {entry[name]:.3f}" for name in ("time", "data_time") if name in entry
            ]
            if "memory" in entry:
                parts.append(f"memory: {entry['memory']}")
        return parts

    def _dump_log(self, entry: Any, runner: Any) -> None:
        if runner.rank == 0:
            with open(self.json_log_path, "a", encoding="utf-8") as file:
                rounded = apply_to(entry, lambda v: isinstance(v, float), lambda v: round(v, 5))
                file.write(json.dumps(rounded, default=str) + "\n")

    def after_run(self, runner: Any) -> None:
        if self.out_dir is None:
            return
        folder = folder_of(self.out_dir, runner)
        for path in sorted(Path(runner.work_dir).rglob("*")):
            if path.is_file() and path.name.endswith(self.out_suffix):
                target = fileio.join_path(folder, str(path.relative_to(runner.work_dir)))
                fileio.put(path.read_bytes(), target, self.file_client_args)
                runner.logger.info(f"The file {path} has been uploaded to {target}.")
                if not self.keep_local:
                    path.unlink()
