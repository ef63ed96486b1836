"""Hooks that watch a metric which no evaluator gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.check.intervals import hooks_of
from mainspring.check.nearest import nearest, suggestion
from mainspring.check.problem import Problem
from mainspring.check.run import Run
from mainspring.check.run_length import type_name

__all__ = ["metric_problems"]

_WATCHED = {"CheckpointHook": "save_best", "EarlyStoppingHook": "monitor"}


def metric_problems(run: Run) -> Iterator[Problem]:
    """Hooks that watch a metric without validation, or one that validation does not give.

    Args:
        run: The run.
    """
    validates = run.section("val_dataloader") is not None
    known = _metric_names(run) if validates else None
    for path, hook in hooks_of(run):
        argument = _WATCHED.get(type_name(hook) or "")
        watched = run.argument(hook, argument) if argument else None
        if argument is None or not watched:
            continue
        if not validates and run.section("train_dataloader") is not None:
            yield run.problem(
                "warning",
                f"{argument} has no effect: the run has no validation",
                (*path, argument),
                help="give val_dataloader and val_evaluator",
            )
        names = watched if isinstance(watched, list | tuple) else [watched]
        for name in names:
            if known is None or not isinstance(name, str) or name == "auto" or name in known:
                continue
            yield run.problem(
                "error",
                f"{argument} is {name!r}, but the evaluator gives {' and '.join(sorted(known))}",
                (*path, argument),
                help=suggestion(nearest(name, known)) or _only(known),
            )


def _only(known: set[str]) -> str | None:
    return f"say {next(iter(known))!r}" if len(known) == 1 else None


def _metric_names(run: Run) -> set[str] | None:
    """The names of all metrics, if they are known for certain."""
    if run.argument(run.section("val_cfg"), "compute_loss"):
        return None
    loader = run.section("val_dataloader")
    if not isinstance(loader, dict) or not (
        dict.__contains__(loader, "type") or dict.__contains__(loader, "dataset")
    ):
        return None
    return _names_of(run, run.section("val_evaluator"))


def _names_of(run: Run, evaluator: Any) -> set[str] | None:
    if isinstance(evaluator, list | tuple):
        parts = [_names_of(run, item) for item in evaluator]
        known = [part for part in parts if part is not None]
        return set().union(*known) if parts and len(known) == len(parts) else None
    target = run.target_of(evaluator)
    module = getattr(target, "__module__", "")
    if not module.startswith("mainspring.evaluator"):
        return None
    arguments = run.arguments_of(evaluator)
    name = getattr(target, "__name__", "")
    if name == "Evaluator":
        return _names_of(run, arguments.get("metrics"))
    return _accuracy(arguments) if name == "Accuracy" else None


def _accuracy(arguments: Mapping[Any, Any]) -> set[str] | None:
    topk, prefix = arguments.get("topk", 1), arguments.get("prefix")
    names = {"accuracy"}
    if isinstance(topk, list | tuple):
        names = {f"accuracy/top{k}" for k in topk}
    elif not isinstance(topk, int):
        return None
    if prefix is not None and not isinstance(prefix, str):
        return None
    return {f"{prefix}/{name}" for name in names} if prefix else names
