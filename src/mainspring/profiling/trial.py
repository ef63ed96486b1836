"""Train what a config describes for some iterations, leaving nothing behind.

The loop, the hooks and the order of everything are those of `mainspring train`; what watches them
stands before the first and behind the last hook. The run lives in a directory that is removed
again, says nothing, and neither validates nor saves on its own.
"""

from __future__ import annotations

import contextlib
import copy
import os
import tempfile
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks import CheckpointHook, DivergenceHook, Hook, NPUProfilerHook, ProfilerHook
from mainspring.registry import RUNNERS
from mainspring.runner import Runner
from mainspring.runner.places import building
from mainspring.runner.release import release_run

__all__ = ["Watch", "run_trial"]

_LEFT_OUT = (CheckpointHook, ProfilerHook, NPUProfilerHook)


class Watch:
    """Watches a trial; to be derived from.

    Attributes:
        outputs: What the last training step returned.
        validate: The validation that the config describes, as a method without arguments; ``None``
            without one. While the trial trains, it does not take place.
        checkpoint_hook: The hook that would save, or ``None``.
        max_iters: Iterations of the whole run, as the config says.
        may_diverge: Whether weights that are no numbers any more are no reason to stop.
    """

    outputs: Mapping[str, Any] = {}
    validate: Any = None
    checkpoint_hook: CheckpointHook | None = None
    max_iters: int = 0
    may_diverge = False

    def built(self, runner: Any) -> None:
        """Called when the run is constructed, before it prepares its training.

        Args:
            runner: The runner.
        """

    def plan(self, runner: Any) -> Iterator[None]:
        """What the trial does, as a generator: each ``yield`` trains one iteration.

        It begins when the loop does, before everything else, and continues behind the hooks of an
        iteration. Its end is that of the trial.

        Args:
            runner: The runner.
        """
        raise NotImplementedError

    def batch_came(self, data_batch: Any) -> None:
        """Called when a batch has come, before the hooks of its iteration.

        Args:
            data_batch: The batch, as the loader gave it.
        """

    def put_back(self) -> None:
        """Called in the end, also of a trial that failed."""


class _EnoughError(Exception):
    """Ends a trial from within."""


def run_trial(cfg: Any, watch: Watch, iterations: int) -> None:
    """Train until the watch has seen enough.

    A run that is shorter than the trial is made longer, and goes through its data again.

    Args:
        cfg: The config; not changed.
        watch: What watches.
        iterations: How many iterations the watch will need.

    Raises:
        ConfigError: The config describes no training, has a mistake, or trains too briefly in a
            loop of its own.
        Exception: Whatever the training raises.
    """
    if cfg.get("train_cfg") is None:
        raise ConfigError(
            "this run describes no training",
            help="give train_dataloader, train_cfg and optim_wrapper",
        )
    with (
        tempfile.TemporaryDirectory(prefix="mainspring-trial-") as folder,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        cfg = _as_trial(cfg, folder)
        runner = _build(cfg)
        try:
            with building(runner.cfg, "train_dataloader"):
                watch.max_iters = int(getattr(runner.train_loop, "max_iters", 0))
            if watch.max_iters < iterations:
                _release(runner)
                runner = _build(_lengthened(cfg, iterations))
            _train(runner, watch)
        finally:
            _release(runner)


def _as_trial(cfg: Any, folder: str) -> Any:
    """The config of a run that writes into a folder only and continues nothing."""
    cfg = copy.deepcopy(cfg)
    if isinstance(cfg.get("resume"), str):
        cfg["load_from"] = cfg["resume"]
    for name, value in {
        "work_dir": folder,
        "launcher": "none",
        "resume": False,
        "visualizer": None,
    }.items():
        cfg[name] = value
    return cfg


def _lengthened(cfg: Any, iterations: int) -> Any:
    cfg = copy.deepcopy(cfg)
    section = cfg["train_cfg"]
    for name in ("max_epochs", "max_iters"):
        if isinstance(section, Mapping) and isinstance(section.get(name), int):
            changed: Any = section
            changed[name] = max(section[name], iterations)
    return cfg


def _build(cfg: Any) -> Any:
    runner: Any = RUNNERS.build(cfg) if "runner_type" in cfg else Runner.from_cfg(cfg)
    return runner


def _train(runner: Any, watch: Watch) -> None:
    savers = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
    watch.checkpoint_hook = savers[0] if savers else None
    left_out = (*_LEFT_OUT, DivergenceHook) if watch.may_diverge else _LEFT_OUT
    for hook in [hook for hook in runner.hooks if isinstance(hook, left_out)]:
        runner.hooks.remove(hook)
    watch.built(runner)
    last = _Last(watch)
    runner.hooks.insert(0, _First(watch, last))
    runner.hooks.append(last)
    try:
        runner.train()
    except _EnoughError:
        return
    finally:
        last.close()
        watch.put_back()
    raise ConfigError(
        f"the training ended after {last.done} iterations, before enough was measured",
        config_path="train_cfg",
        help="make it longer, or ask for fewer --iterations",
    )


def _release(runner: Any) -> None:
    """Close what the run opened, so that its folder can be removed."""
    release_run(runner.experiment_name)


class _Last(Hook):
    """Stands behind all other hooks, and carries out the plan."""

    priority = "LOWEST"

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.plan: Iterator[None] = iter(())
        self.done = 0

    def begin(self, runner: Any) -> None:
        self.plan = self.watch.plan(runner)
        next(self.plan)

    def close(self) -> None:
        if isinstance(self.plan, Generator):
            self.plan.close()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.done += 1
        self.watch.outputs = outputs
        try:
            next(self.plan)
        except StopIteration:
            raise _EnoughError from None


class _First(Hook):
    """Stands before all other hooks."""

    priority = "HIGHEST"

    def __init__(self, watch: Watch, last: _Last) -> None:
        self.watch = watch
        self.last = last

    def before_train(self, runner: Any) -> None:
        loop = runner.val_loop
        if loop is not None:
            self.watch.validate = loop.run
            loop.run = dict
        self.last.begin(runner)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.watch.batch_came(data_batch)
