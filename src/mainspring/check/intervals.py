"""Counting in epochs here and in iterations there; intervals longer than the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainspring.check.problem import Problem
from mainspring.check.run import Run
from mainspring.check.run_length import type_name, whole_number

__all__ = ["hooks_of", "interval_problems"]


def hooks_of(run: Run) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The hooks that a config describes, with their paths.

    Args:
        run: The run.
    """
    default, custom = run.section("default_hooks"), run.section("custom_hooks")
    if isinstance(default, dict):
        for name, hook in dict.items(default):
            yield ("default_hooks", str(name)), hook
    if isinstance(custom, list | tuple):
        for index, hook in enumerate(custom):
            yield ("custom_hooks", str(index)), hook


def interval_problems(run: Run) -> Iterator[Problem]:
    """What is counted in two ways, and what the run is too short for.

    Args:
        run: The run.
    """
    yield from _train_cfg(run)
    by_epoch = run.length.by_epoch
    if by_epoch is None:
        return
    processor = run.section("log_processor")
    counted = run.argument(processor, "by_epoch")
    if isinstance(counted, bool) and counted is not by_epoch:
        yield run.problem(
            "warning",
            f"log_processor says by_epoch={counted}, but train_cfg counts {run.length.unit}",
            ("log_processor", "by_epoch"),
            help="leave by_epoch out: lines then count as the run does",
        )
    if not by_epoch:
        yield from _hooks_by_epoch(run)


def _train_cfg(run: Run) -> Iterator[Problem]:
    section = run.section("train_cfg")
    arguments = run.arguments_of(section)
    typed = isinstance(section, dict) and dict.__contains__(section, "type")
    by_epoch = arguments.get("by_epoch")
    if typed and isinstance(by_epoch, bool) and type_name(section) in _KNOWN_LOOPS:
        yield run.problem(
            "error",
            "train_cfg gives both type and by_epoch",
            ("train_cfg", "by_epoch"),
            help="leave one out: the type already says what is counted",
        )
    total = run.length.total
    for name in ("val_begin", "val_interval"):
        value = whole_number(arguments.get(name))
        if total is None or value is None or value <= total:
            continue
        if run.section("val_dataloader") is None:
            continue
        meaning = "never validates" if name == "val_begin" else "validates only at its end"
        yield run.problem(
            "warning",
            f"{name} is {value}, so a run of {run.length} {meaning}",
            ("train_cfg", name),
            help=f"give at most {total}",
        )


_KNOWN_LOOPS = ("EpochBasedTrainLoop", "IterBasedTrainLoop", "WorkflowTrainLoop")


def _hooks_by_epoch(run: Run) -> Iterator[Problem]:
    names = {"CheckpointHook": "by_epoch", "LoggerHook": "log_metric_by_epoch"}
    for path, hook in hooks_of(run):
        argument = names.get(type_name(hook) or "")
        if argument is not None and run.argument(hook, argument) is True:
            yield run.problem(
                "warning",
                f"{type_name(hook)} counts epochs, but the run counts iterations and is one epoch "
                "to its hooks",
                (*path, argument),
                help=f"say {argument}=False",
            )
