"""Tests with augmented copies of each sample, whose predictions are merged."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks.hook import Hook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.model import is_model_wrapper
from mainspring.registry import HOOKS, MODELS, RUNNERS

__all__ = ["PrepareTTAHook", "build_runner_with_tta"]


@HOOKS.register_module()
class PrepareTTAHook(Hook):
    """Puts the model into a test-time augmentation model before the test.

    After it `runner.model` still is that one; what the runner does next begins with the plain one.

    Args:
        tta_cfg: Config of a `mainspring.model.BaseTTAModel`, without ``module``.
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> custom_hooks = [PrepareTTAHook(tta_cfg=dict(type="FlipAverage"))]
    """

    def __init__(
        self, tta_cfg: Mapping[str, Any], *, priority: int | str | Priority | None = None
    ) -> None:
        self._take_priority(priority)
        self.tta_cfg = tta_cfg
        self._plain_model: Any = None
        self._wrapped: Any = None

    def begin_run(self, runner: Run) -> None:
        """Take the model out again, which a test has wrapped."""
        self._take_out(runner)
        super().begin_run(runner)

    def before_test(self, runner: Run) -> None:
        """Wrap the model."""
        self._take_out(runner)
        self._plain_model = runner.model
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        tta_model = MODELS.build({**self.tta_cfg, "module": model})
        self._wrapped = runner.wrap_model(runner.cfg.get("model_wrapper_cfg"), tta_model)
        runner.model = self._wrapped

    def after_test(self, runner: Run) -> None:
        """Take the model out again, if it is tested while it is trained."""
        if runner.is_training:
            self._take_out(runner)

    def abandon(self, runner: Run, mode: str) -> None:
        """Take the model out again."""
        self._take_out(runner)

    def _take_out(self, runner: Run) -> None:
        if self._wrapped is not None and runner.model is self._wrapped:
            runner.model = self._plain_model
        self._wrapped = self._plain_model = None


def build_runner_with_tta(cfg: Any) -> Any:
    """Make a runner whose test uses test-time augmentation.

    Args:
        cfg: Config of the run, with ``tta_model`` and ``tta_pipeline``; the latter becomes the
            pipeline of the test data set.

    Raises:
        ConfigError: One of the two sections, or the test data set, is missing.
    """
    for name in ("tta_model", "tta_pipeline", "test_dataloader"):
        if name not in cfg:
            raise ConfigError(f"test-time augmentation needs {name} in the config")
    cfg = copy.deepcopy(cfg)
    dataset = cfg["test_dataloader"]["dataset"]
    while "dataset" in dataset:
        dataset = dataset["dataset"]
    dataset["pipeline"] = cfg["tta_pipeline"]
    if "runner_type" in cfg:
        runner = RUNNERS.build(cfg)
    else:
        # The runner lies above this package, so it is looked up by name.
        runner_class: Any = RUNNERS.get("Runner")
        runner = runner_class.from_cfg(cfg)
    runner.register_hook(PrepareTTAHook(cfg["tta_model"]))
    return runner
