"""Tests with augmented copies of each sample, whose predictions are merged."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks.hook import Hook
from mainspring.hooks.priority import Priority
from mainspring.model import is_model_wrapper
from mainspring.registry import HOOKS, MODELS, RUNNERS

__all__ = ["PrepareTTAHook", "build_runner_with_tta"]


@HOOKS.register_module()
class PrepareTTAHook(Hook):
    """Puts the model into a test-time augmentation model before the test.

    Args:
        tta_cfg: Config of a `mainspring.model.BaseTTAModel`, without ``module``.
        priority: Place among the hooks of a point; by default that of the class.
    """

    def __init__(
        self,
        tta_cfg: Mapping[str, Any],
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        if priority is not None:
            self.priority = priority
        self.tta_cfg = tta_cfg

    def before_test(self, runner: Any) -> None:
        """Wrap the model.

        Args:
            runner: The runner of this run.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        tta_model = MODELS.build({**self.tta_cfg, "module": model})
        runner.model = runner.wrap_model(runner.cfg.get("model_wrapper_cfg"), tta_model)


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
