"""What runs there are below a folder, how they went, and in what their configs differ."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.config import Config
from mainspring.config.diff import Difference, differences
from mainspring.errors import ConfigError, did_you_mean
from mainspring.logging.run_record import RECORD, read_record, record_files, state_of
from mainspring.logging.scalar_lines import ScalarLine, scalar_files

__all__ = ["RunSummary", "find_runs", "sorted_runs"]

_OF_THE_PLACE = ("work_dir", "resume", "load_from", "launcher")


@dataclass
class RunSummary:
    """A work directory in which something was trained.

    Attributes:
        path: The directory.
        state: ``"running"``, ``"finished"``, ``"stopped"``, ``"crashed"``; ``"unknown"`` where
            nothing was noted, as by MMEngine.
        reason: What stopped or crashed it.
        began: When its first start began, in seconds since 1970.
        seconds: How long its starts lasted together; ``None`` where that was not noted.
        epoch: Epochs done; ``None`` where they are not known or not counted.
        iter: Iterations done.
        best: The best value of the watched metric: ``metric``, ``score``, ``epoch``, ``iter``.
        last: Losses and metrics in the end, by name.
        changes: Values in which its config differs from that of the run before it in the list.
    """

    path: Path
    state: str = "unknown"
    reason: str = ""
    began: float = 0.0
    seconds: float | None = None
    epoch: int | None = None
    iter: int | None = None
    best: dict[str, Any] | None = None
    last: dict[str, float] = field(default_factory=dict)
    changes: list[Difference] = field(default_factory=list)


def find_runs(folder: str | Path) -> list[RunSummary]:
    """The runs below a folder, oldest first, each with what its config changes.

    Args:
        folder: The folder; it may be a work directory itself.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"there is no directory {str(folder)!r}")
    found = set()
    for name, _, files in os.walk(root):  # what vanishes meanwhile, or may not be read, is skipped
        path = Path(name)
        if RECORD in files and path != root:
            found.add(path.parent)
        is_scalars = path.name == "vis_data" and "scalars.json" in files
        if is_scalars and root not in (path, path.parent):
            found.add(path.parents[1])
    return sorted_runs([_summary(path) for path in found], "began")


def sorted_runs(
    runs: Sequence[RunSummary], key: str, *, descending: bool = False
) -> list[RunSummary]:
    """Runs in another order; their changes are those to the new neighbour.

    Args:
        runs: The runs.
        key: ``"began"``, ``"name"``, ``"state"``, ``"seconds"``, ``"best"``, or the name of a loss
            or metric. Runs without it come last.
        descending: Whether the greatest comes first.

    Raises:
        ConfigError: No run has a value of that name.
    """
    values = [_value(run, key) for run in runs]
    if runs and all(value is None for value in values):
        known = [
            "began",
            "name",
            "state",
            "seconds",
            "best",
            *{name for r in runs for name in r.last},
        ]
        raise ConfigError(f"no run has {key!r} to sort by", help=did_you_mean(key, known))
    pairs = sorted(
        ((value, run) for value, run in zip(values, runs, strict=True) if value is not None),
        key=lambda pair: (pair[0], str(pair[1].path)),
        reverse=descending,
    )
    rest = [run for value, run in zip(values, runs, strict=True) if value is None]
    ordered = [run for _, run in pairs] + rest
    configs = [_config(run.path) for run in ordered]
    for run, before, own in zip(ordered, [None, *configs], configs, strict=False):
        run.changes = _changes(before, own)
    return ordered


def _value(run: RunSummary, key: str) -> Any:
    if key == "best":
        return run.best and run.best["score"]
    if key == "name":
        return str(run.path)
    return getattr(run, key) if key in ("began", "state", "seconds") else run.last.get(key)


def _summary(path: Path) -> RunSummary:
    records = [(file, read_record(file)) for file in record_files(path)]
    run = RunSummary(path)
    _read_scalars(run)
    if not records:
        run.began = min((file.stat().st_mtime for file in scalar_files(path)), default=0.0)
        return run
    newest = records[-1][1]
    run.state, run.reason = state_of(newest), newest.get("reason", "")
    run.began = records[0][1].get("began", 0.0)
    run.seconds = sum(_seconds(each, file) for file, each in records)
    if newest.get("ended") is not None:
        run.iter = newest.get("iter")
        run.epoch = newest.get("epoch") if newest.get("by_epoch") else None
        run.best, run.last = newest.get("best") or run.best, newest.get("last") or run.last
    return run


def _seconds(record: dict[str, Any], file: Path) -> float:
    """How long a start lasted; one that was killed, until it wrote its last line."""
    if record.get("seconds") is not None:
        return float(record["seconds"])
    ended = record.get("ended")
    if ended is None and state_of(record) == "running":
        ended = time.time()
    if ended is None:
        ended = max(other.stat().st_mtime for other in file.parent.rglob("*") if other.is_file())
    return max(float(ended) - float(record.get("began", ended)), 0.0)


def _read_scalars(run: RunSummary) -> None:
    """Fill in what the lines of scalars tell, for starts that did not note how they ended."""
    for file in scalar_files(run.path):
        for text in file.read_bytes().splitlines():
            line = ScalarLine.parse(text)
            if line is None:
                continue
            if line.kind == "train":
                run.iter = line.step if line.step is not None else run.iter
                rates = [name for name in line.numbers if name.endswith("lr")]
                run.last |= {name: line.numbers[name] for name in line.numbers.keys() - rates}
            else:
                run.last |= line.numbers
                _see(run, line)


def _see(run: RunSummary, line: ScalarLine) -> None:
    """Take the metrics of a validation over, if they are the best so far."""
    from mainspring.hooks.metric_rule import UnknownRuleError, infer_rule, is_better

    for name, value in line.numbers.items():
        if run.best is not None and run.best["metric"] != name:
            continue
        try:
            rule = infer_rule(name)
        except UnknownRuleError:
            continue
        if run.best is None or is_better(value, run.best["score"], rule):
            run.best = {"metric": name, "score": value, "rule": rule, "epoch": line.step}
        return


def _config(work_dir: Path) -> Config | None:
    """The resolved config that a run left; ``None`` where there is none that can be read."""
    for file in sorted(work_dir.glob("*.py"), key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            return Config.fromfile(str(file), import_custom_modules=False)
        except Exception:  # noqa: BLE001 - a file of the user's own that lies there
            continue
    return None


def _changes(before: Config | None, own: Config | None) -> list[Difference]:
    if before is None or own is None:
        return []
    found = differences(before._own_values(), own._own_values())
    return [difference for difference in found if difference.path not in _OF_THE_PLACE]
