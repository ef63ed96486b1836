"""Train some iterations by a plan, leaving nothing behind.

The run lives in a directory that is removed again, says nothing, and neither validates nor saves on
its own.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Generator, Iterator, Mapping, MutableMapping
from typing import Any

from mainspring.errors import ConfigError, LoopError
from mainspring.hooks import CheckpointHook, DivergenceHook, Hook, NPUProfilerHook, ProfilerHook
from mainspring.hooks.run import Run
from mainspring.runner.failures.error_places import building
from mainspring.runner.release import release_run
from mainspring.tools.trial import EnoughError, Watch, as_trial, build_runner, train_watched

__all__ = ["PlannedTrial", "run_trial"]


class PlannedTrial(Watch):
    """A trial that goes by a plan; to be derived from.

    Attributes:
        outputs: What the last training step returned.
        validate: The validation that the config describes, as a method without arguments; ``None``
            without one. While the trial trains, it does not take place.
        checkpoint_hook: The hook that would save, or ``None``.
        max_iters: Iterations of the whole run, as the config says.
        may_diverge: Whether weights that are no numbers any more are no reason to stop.
        steps: What is left of the plan.
        done: Iterations that were trained.
    """

    outputs: Mapping[str, Any] = {}
    validate: Any = None
    checkpoint_hook: CheckpointHook | None = None
    max_iters: int = 0
    may_diverge = False
    steps: Iterator[None] = iter(())
    done = 0

    def built(self, runner: Run) -> None:
        """Called when the run is constructed, before it prepares its training.

        Args:
            runner: The runner.
        """

    def plan(self, runner: Run) -> Iterator[None]:
        """What the trial does, as a generator: each ``yield`` trains one iteration.

        It begins when the loop does, before everything else, and continues behind the hooks of an
        iteration. Its end is that of the trial; by default `EnoughError` ends it.

        Args:
            runner: The runner.
        """
        while True:
            yield

    def put_back(self) -> None:
        """Called in the end, also of a trial that failed."""

    def training_begins(self, runner: Run) -> None:
        """Begin the plan, and let no validation take place."""
        loop = runner.val_loop
        if loop is not None:
            self.validate, loop.run = loop.run, dict
        self.steps = self.plan(runner)
        next(self.steps)

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Go on with the plan."""
        self.done += 1
        self.outputs = outputs
        if next(self.steps, self) is self:
            raise EnoughError


def run_trial(cfg: Any, watch: PlannedTrial, iterations: int) -> None:
    """Train as a plan says.

    A run that is shorter than the plan is made longer, and goes through its data again.

    Args:
        cfg: The config; not changed.
        watch: What watches.
        iterations: How many iterations the plan will need.

    Raises:
        ConfigError: The config describes no training, has a mistake, or trains too briefly in a
            loop of its own.
        Exception: Whatever the training raises.
    """
    if cfg.get("train_cfg") is None:
        raise LoopError.of("train")
    with (
        tempfile.TemporaryDirectory(prefix="mainspring-trial-") as folder,
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
    ):
        resumed = {"load_from": cfg["resume"]} if isinstance(cfg.get("resume"), str) else {}
        cfg = as_trial(cfg, folder, **resumed)
        runner = build_runner(cfg)
        try:
            with building(runner.cfg, "train_dataloader"):
                watch.max_iters = int(getattr(runner.train_loop, "max_iters", 0))
            length: Any = cfg["train_cfg"]
            if watch.max_iters < iterations and isinstance(length, MutableMapping):
                for name in ("max_epochs", "max_iters"):
                    if isinstance(length.get(name), int):
                        length[name] = max(length[name], iterations)
                release_run(runner.experiment_name)
                runner = build_runner(cfg)
            saving = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
            watch.checkpoint_hook = next(iter(saving), watch.checkpoint_hook)
            left_out: tuple[type[Hook], ...] = (CheckpointHook, ProfilerHook, NPUProfilerHook)
            left_out += (DivergenceHook,) if watch.may_diverge else ()
            runner.hooks[:] = [hook for hook in runner.hooks if not isinstance(hook, left_out)]
            watch.built(runner)
            if not train_watched(runner, watch):
                raise ConfigError(
                    f"the training ended after {watch.done} iterations, before enough was measured",
                    config_path="train_cfg",
                    help="make it longer, or ask for fewer --iterations",
                )
        finally:
            if isinstance(watch.steps, Generator):
                watch.steps.close()
            watch.put_back()
            # What the run opened is closed, so that its folder can be removed.
            release_run(runner.experiment_name)
