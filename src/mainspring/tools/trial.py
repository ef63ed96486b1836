"""Train what a config describes for some iterations, somewhere else, and watch.

The loop, the hooks and the order of everything are those of `mainspring train`. A `Watch` stands
behind all other hooks, and is told what happens before the first of them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping
from typing import Any

from mainspring.hooks import Hook
from mainspring.hooks.run import Run
from mainspring.registry import RUNNERS
from mainspring.runner import Runner

__all__ = [
    "EnoughError",
    "Watch",
    "as_trial",
    "build_runner",
    "save_as",
    "train_watched",
    "with_workers",
]

_SEED = 0
_OF_WORKERS = ("persistent_workers", "prefetch_factor", "timeout", "multiprocessing_context")


class EnoughError(Exception):
    """Ends a training from within."""


class Watch(Hook):
    """Watches a trial from behind all other hooks; to be derived from."""

    priority = "LOWEST"

    def training_begins(self, runner: Run) -> None:
        """Called before the hooks of the beginning.

        Args:
            runner: The runner.
        """

    def batch_came(self, runner: Run, data_batch: Any) -> None:
        """Called when a batch has come, before the hooks of its iteration.

        Args:
            runner: The runner.
            data_batch: The batch, as the loader gave it.
        """

    def step_ended(self, runner: Run) -> None:
        """Called when the model has made its step, before the hooks that follow it.

        Args:
            runner: The runner.
        """


class _First(Hook):
    """Stands before all other hooks."""

    priority = "HIGHEST"

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def before_train(self, runner: Run) -> None:
        self.watch.training_begins(runner)

    def before_train_iter(self, runner: Run, batch_idx: int, data_batch: Any = None) -> None:
        self.watch.batch_came(runner, data_batch)

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.watch.step_ended(runner)


def as_trial(cfg: Any, work_dir: str, **changes: Any) -> Any:
    """The config of a run that writes into one folder, sends nothing anywhere and resumes nothing.

    Args:
        cfg: The user's config; not changed.
        work_dir: The folder.
        **changes: Further sections to set.
    """
    cfg = copy.deepcopy(cfg)
    visualizer: Any = cfg.get("visualizer")
    if isinstance(visualizer, MutableMapping):
        visualizer["vis_backends"] = [{"type": "LocalVisBackend"}]
        visualizer.pop("save_dir", None)
    else:
        visualizer = None
    randomness = dict(cfg.get("randomness") or {})
    if randomness.get("seed") is None:
        randomness["seed"] = _SEED
    fixed = {"launcher": "none", "resume": False, "visualizer": visualizer}
    for name, value in {**fixed, "randomness": randomness, "work_dir": work_dir, **changes}.items():
        cfg[name] = value
    return cfg


def with_workers(section: Any, workers: int) -> Any:
    """The section of a loader with another number of workers; what is no section as it is.

    Args:
        section: The section; not changed.
        workers: Number of processes that load; 0 for none.
    """
    if not isinstance(section, Mapping) or "dataset" not in section:
        return section
    changed: Any = copy.deepcopy(section)
    if workers or "num_workers" in section:
        changed["num_workers"] = workers
    if not workers:
        for name in _OF_WORKERS:
            changed.pop(name, None)
    return changed


def build_runner(cfg: Any) -> Any:
    """The runner that a config describes.

    Args:
        cfg: What `as_trial` gave.
    """
    runner: Any = RUNNERS.build(cfg) if "runner_type" in cfg else Runner.from_cfg(cfg)
    return runner


def save_as(hook: Any, runner: Run, name: str, **settings: Any) -> None:
    """Write a checkpoint that holds what those of a hook hold into the work directory.

    Args:
        hook: The checkpoint hook; ``None`` for all.
        runner: The runner.
        name: Name of the file.
        **settings: Further arguments of `mainspring.runner.Runner.save_checkpoint`.
    """
    for each in ("save_optimizer", "save_param_scheduler"):
        settings[each] = getattr(hook, each, True)
    runner.save_checkpoint(runner.work_dir, name, **settings)


def train_watched(runner: Run, watch: Watch) -> bool:
    """Train until the watch raises `EnoughError`, or the run ends.

    Args:
        runner: The runner.
        watch: What watches.

    Returns:
        Whether the watch ended it.
    """
    runner.hooks.insert(0, _First(watch))
    runner.hooks.append(watch)
    try:
        runner.train()
    except EnoughError:
        return True
    return False
