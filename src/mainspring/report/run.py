"""A run as its files tell it: scalars, log, checkpoints, config, and what its starts noted."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.config.printing.parse import parse_dump
from mainspring.errors import MainspringError, VisualizationError
from mainspring.logging.run_record import RECORD, read_record, state_of
from mainspring.logging.scalar_lines import Curves, read_curves, scalar_files
from mainspring.report.record import StartRecord

__all__ = ["Checkpoint", "RunFiles", "Start", "runs_in"]

_CHECKPOINT = re.compile(r"(?:(?P<unit>epoch|iter)_(?P<number>\d+))?(?:\.pth|\.safetensors)$")
_ENVIRONMENT = re.compile(r"System environment:\n(.*?)\n\s*-{20,}", re.DOTALL)
_WARNING = re.compile(r"^\S+ \S+ - \S+ - (?:WARNING|ERROR) - (.*)$", re.MULTILINE)
_RESUMED = re.compile(r"(?:resume from|Resumed? from|continuing) ([^\s:]+\.pth)")
_EXAMPLE = "work_dirs/digits"
_LONGEST_LOG = 1 << 22


@dataclass
class Start:
    """One start of a run.

    Attributes:
        log_dir: Its log directory.
        noted: What its report hook noted; ``None`` without one.
        record: What the runner noted of it; empty where it did not.
        environment: The machine and versions, by name.
        warnings: How often each warning came.
        resumed_from: The checkpoint that it went on from, if the log says so.
    """

    log_dir: Path
    noted: StartRecord | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    resumed_from: str = ""

    @classmethod
    def read(cls, log_dir: Path) -> Start:
        """Read the files of a start.

        Args:
            log_dir: Its log directory.
        """
        start = cls(log_dir, StartRecord.read(log_dir), read_record(log_dir / RECORD))
        text = _log_of(log_dir)
        found = _ENVIRONMENT.search(text)
        for line in found[1].splitlines() if found else ():
            name, colon, value = line.strip().partition(": ")
            if colon and not name.startswith("- ") and name != "PyTorch compiling details":
                start.environment[name] = value.strip()
        logged: list[str] = _WARNING.findall(text)
        start.warnings = dict(Counter(logged))
        for warning, count in (start.noted.warnings if start.noted else {}).items():
            start.warnings[warning.partition("\n")[0]] = count
        resumed = _RESUMED.search(text)
        start.resumed_from = str(start.record.get("start") or (resumed[1] if resumed else ""))
        return start

    @property
    def state(self) -> str:
        """``"running"``, ``"finished"``, ``"stopped"``, ``"crashed"``, or empty if nobody knows."""
        noted = self.noted
        if noted is not None and noted.state != "running":
            return noted.state
        return state_of(self.record) if self.record else noted.state if noted else ""

    @property
    def reason(self) -> str:
        """Why it ended early, if that is known."""
        noted = self.noted.reason if self.noted else ""
        return noted or str(self.record.get("reason") or "")

    @property
    def began(self) -> float | None:
        """When it began, in seconds since 1970."""
        known = self.record.get("began")
        if isinstance(known, int | float):
            return float(known)
        try:
            return time.mktime(time.strptime(self.log_dir.name, "%Y%m%d_%H%M%S"))
        except ValueError:
            return None

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        began, ended = (self.record.get(name) for name in ("began", "ended"))
        if isinstance(began, int | float) and isinstance(ended, int | float):
            return float(ended - began)
        return self.noted.seconds.get("total") if self.noted else None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint file.

    Attributes:
        name: Its name.
        size: Its bytes.
        saved: When it was written, in seconds since 1970.
        iteration: The iteration that it was written after, if its name tells.
        epoch: The epoch, if its name tells.
    """

    name: str
    size: int
    saved: float
    iteration: int | None = None
    epoch: int | None = None


@dataclass
class RunFiles:
    """What the files of a work directory say of a run.

    Attributes:
        folder: The work directory.
        starts: Its starts, oldest first.
        curves: Its scalars.
        checkpoints: Its checkpoints, newest first.
        config: The values of its config, as the newest start dumped it; empty without a dump.
    """

    folder: Path
    starts: list[Start]
    curves: Curves
    checkpoints: list[Checkpoint]
    config: Mapping[str, Any]

    @classmethod
    def read(cls, folder: str | Path) -> RunFiles:
        """Read a work directory.

        Args:
            folder: The directory, or the log directory of one start in it.

        Raises:
            VisualizationError: No run has left anything there.
        """
        path = Path(folder)
        files = scalar_files(path)
        records = [
            file.parent for name in (RECORD, "report.json") for file in path.glob(f"*/{name}")
        ]
        log_dirs = sorted({*(file.parents[1] for file in files), *records})
        if not log_dirs:
            below = sorted(file.parents[1] for file in path.rglob(f"*/{RECORD}"))
            raise VisualizationError(
                f"{path} holds no run: there is no */vis_data/scalars.json in it"
                if path.is_dir()
                else f"there is no folder {path}",
                help=f"give the work directory of a run, such as {(*below, _EXAMPLE)[0]}",
            )
        starts = [Start.read(log_dir) for log_dir in log_dirs]
        curves = read_curves(files, _iterations_of_epoch(starts[-1].record))
        return cls(path, starts, curves, _checkpoints(path), _config_of(log_dirs[-1]))

    @property
    def name(self) -> str:
        """Name of the run: that of its folder."""
        return self.folder.resolve().name

    @property
    def newest(self) -> Start:
        """The newest start."""
        return self.starts[-1]

    @property
    def noted(self) -> StartRecord | None:
        """What the newest start noted that has evaluated anything, else the newest at all."""
        all_noted = [start.noted for start in reversed(self.starts) if start.noted is not None]
        evaluated = [noted for noted in all_noted if noted.tables or noted.samples]
        return next(iter(evaluated or all_noted), None)

    @property
    def epoch_length(self) -> float | None:
        """Iterations of an epoch, as far as that is known; ``None`` where there are no epochs."""
        known = _iterations_of_epoch(self.newest.record)
        if known is not None:
            return known
        pairs = list(zip(self.curves.epochs.iterations, self.curves.epochs.values, strict=True))
        if not pairs or pairs[-1][1] < 2:
            return None
        # What was logged in epoch n lies within n epochs; the tightest of these bounds is near.
        return max(iteration / epoch for iteration, epoch in pairs)

    @property
    def best(self) -> list[dict[str, Any]]:
        """The best scores: ``metric``, ``score`` and, where known, ``rule`` and ``file``."""
        for start in reversed(self.starts):
            if start.noted is not None and start.noted.best:
                return start.noted.best
            best = start.record.get("best")
            if isinstance(best, Mapping) and "score" in best:
                return [dict(best)]
        return []

    def values_at(self, checkpoint: Checkpoint) -> dict[str, float]:
        """What validation measured where a checkpoint was written."""
        at = checkpoint.iteration
        length = self.epoch_length
        if at is None and checkpoint.epoch is not None and length is not None:
            at = round(checkpoint.epoch * length)
        if at is None:
            return {}
        slack = 0.5 * (length or 1) if checkpoint.epoch is not None else 0.5
        found = {}
        for name, curve in self.curves.val.items():
            near = [
                (abs(place - at), value)
                for place, value in zip(curve.iterations, curve.values, strict=True)
                if abs(place - at) < slack
            ]
            if near:
                found[name] = min(near)[1]
        return found


def runs_in(folder: str | Path) -> list[Path]:
    """The work directories of runs in a folder: itself, or those right below it.

    Args:
        folder: A work directory, or a folder of such.
    """
    path = Path(folder)
    if scalar_files(path) or any(path.glob(f"*/{RECORD}")):
        return [path]
    found = sorted(item for item in path.glob("*") if item.is_dir() and scalar_files(item))
    return found or [path]


def _iterations_of_epoch(record: Mapping[str, Any]) -> float | None:
    iters, epochs = (record.get(name) for name in ("max_iters", "max_epochs"))
    if isinstance(iters, int) and isinstance(epochs, int) and iters > 0 and epochs > 1:
        return iters / epochs
    return None


def _log_of(log_dir: Path) -> str:
    """The text of a start's log; of a very long one, its beginning and its end."""
    path = min(log_dir.glob("*.log"), default=None)
    if path is None:
        return ""
    with path.open("rb") as file:
        text = file.read(_LONGEST_LOG)
        file.seek(max(path.stat().st_size - _LONGEST_LOG, len(text)))
        text += file.read(_LONGEST_LOG)
    return text.decode(errors="replace")


def _checkpoints(folder: Path) -> list[Checkpoint]:
    found = []
    for path in folder.glob("*"):
        match = _CHECKPOINT.search(path.name)
        if match is not None and path.is_file():
            status = path.stat()
            names = {"epoch": "epoch", "iter": "iteration"}
            place = {names[match["unit"]]: int(match["number"])} if match["unit"] else {}
            found.append(Checkpoint(path.name, status.st_size, status.st_mtime, **place))
    return sorted(found, key=lambda checkpoint: -checkpoint.saved)


def _config_of(log_dir: Path) -> Mapping[str, Any]:
    """The values of a dumped config, read as data; empty if that is not possible."""
    path = log_dir / "vis_data" / "config.py"
    try:
        return parse_dump(path.read_text(encoding="utf-8"), str(path))
    except (OSError, ValueError, MainspringError):
        return {}
