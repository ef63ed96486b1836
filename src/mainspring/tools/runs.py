"""What runs there are below a folder, how they went, and in what their configs differ."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.config import Config
from mainspring.config.diff import Difference, differences
from mainspring.errors import ConfigError, did_you_mean
from mainspring.logging.run_record import RECORD, read_record, record_files, state_of
from mainspring.logging.scalar_lines import scalar_files
from mainspring.report.changes import OF_THE_PLACE
from mainspring.tools.sweeps.scalars import Scalars, best_of

__all__ = ["RunSummary", "find_runs", "sorted_runs", "summarize"]

_KEYS = ("began", "name", "state", "seconds", "best")


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

    def as_json(self) -> dict[str, Any]:
        """The summary for `json_text`, without the changes."""
        return {name: value for name, value in vars(self).items() if name != "changes"}


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
    return sorted_runs([summarize(path) for path in found], "began")


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
    values = []
    known = set(_KEYS)
    for run in runs:
        known_of: dict[str, Any] = {**run.last, "name": str(run.path)}
        known_of |= {name: getattr(run, name) for name in ("began", "state", "seconds")}
        known_of["best"] = run.best and run.best["score"]
        values.append(known_of.get(key))
        known |= {*run.last}
    if runs and all(value is None for value in values):
        raise ConfigError(f"no run has {key!r} to sort by", help=did_you_mean(key, sorted(known)))
    pairs = list(zip(values, runs, strict=True))
    known_pairs = [pair for pair in pairs if pair[0] is not None]
    known_pairs.sort(key=lambda pair: (pair[0], str(pair[1].path)), reverse=descending)
    ordered = [run for _, run in (*known_pairs, *(pair for pair in pairs if pair[0] is None))]
    configs = [_config(run.path) for run in ordered]
    for run, before, own in zip(ordered, [None, *configs], configs, strict=False):
        run.changes = []
        if before is not None and own is not None:
            found = differences(before._own_values(), own._own_values())
            run.changes = [change for change in found if change.path not in OF_THE_PLACE]
    return ordered


def summarize(path: Path) -> RunSummary:
    """How a run went, by what it left.

    Args:
        path: Its work directory.
    """
    run = RunSummary(path)
    # For starts that did not note how they ended.
    scalars = Scalars(path)
    scalars.update()
    rates = {name for name in scalars.training if name.endswith("lr")}
    for name, values in (*scalars.training.items(), *scalars.validation.items()):
        if name not in rates or name in scalars.validation:
            run.last[name] = values[-1].value
    run.iter = next((values[-1].step for values in scalars.training.values()), None)
    run.best = _best(scalars)
    records = [(file, read_record(file)) for file in record_files(path)]
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


def _best(scalars: Scalars) -> dict[str, Any] | None:
    """The best value of the first metric of validation whose name tells what is better."""
    from mainspring.hooks.metric_rule import UnknownRuleError, infer_rule

    for name, values in scalars.validation.items():
        with suppress(UnknownRuleError):
            rule = infer_rule(name)
            best = best_of(values, maximize=rule == "greater")
            if best is not None:
                return {"metric": name, "score": best.value, "rule": rule, "epoch": best.step}
    return None


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


def _config(work_dir: Path) -> Config | None:
    """The resolved config that a run left; ``None`` where there is none that can be read."""
    for file in sorted(work_dir.glob("*.py"), key=lambda file: file.stat().st_mtime, reverse=True):
        # A file of the user's own may lie there.
        with suppress(Exception):
            return Config.fromfile(str(file), import_custom_modules=False)
    return None
