"""`FlexibleRunner`: the runner, with a strategy that makes model, optimizer and schedules."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from mainspring.config import Config
from mainspring.dist import infer_launcher
from mainspring.errors import ConfigError, ConfigTypeError
from mainspring.registry import RUNNERS, STRATEGIES
from mainspring.runner import strategies
from mainspring.runner.building.request import as_config
from mainspring.runner.building.section_types import Launcher, ModelSection
from mainspring.runner.runner import Runner
from mainspring.runner.strategies import BaseStrategy

__all__ = ["FlexibleRunner"]

_THE_RUNNERS = (
    *("prepare", "load_or_resume", "load_checkpoint", "resume", "save_checkpoint"),
    *("model_state_dict", "optim_state_dict", "scheduler_state_dict", "load_model_state_dict"),
    *("load_optim_state_dict", "load_scheduler_state_dict", "compile_model", "build_logger"),
)
"""Methods of a strategy that a runner does not call, since it does all that itself."""


@RUNNERS.register_module()
class FlexibleRunner(Runner):
    """A runner whose model, optimizer and schedules are made by a strategy.

    All else is as in `Runner`, whose arguments are taken, by name.

    Args:
        model: The model.
        strategy: A strategy, or a dict with ``type``; by default ``DDPStrategy`` where there is a
            launcher, otherwise ``SingleDeviceStrategy``.
        launcher: How the processes were started; by default what the environment says.
        work_dir: As for `Runner`.
        compile: What to compile; by default what the config says.
        cfg: The whole config.
        **sections: The other arguments of `Runner`.
    """

    strategy: BaseStrategy

    def __init__(
        self,
        model: ModelSection,
        *,
        work_dir: str | None = "work_dirs",
        strategy: BaseStrategy | Mapping[str, Any] | None = None,
        launcher: Launcher | None = None,
        compile: bool | Mapping[str, Any] = False,  # noqa: A002 - MMEngine's name
        cfg: Config | Mapping[str, Any] | None = None,
        **sections: Any,
    ) -> None:
        if not isinstance(compile, bool | Mapping):
            raise ConfigTypeError(
                f"compile should be a bool or dict, but got {type(compile).__name__}",
                config_path="compile",
            )
        described = as_config(cfg)
        if compile:
            described.compile = compile
        self._strategy = described.get("strategy") if strategy is None else strategy
        found: Any = infer_launcher() if launcher is None else launcher
        super().__init__(model, work_dir, launcher=found, cfg=described, **sections)

    def build_strategy(
        self,
        strategy: BaseStrategy | Mapping[str, Any] | None = None,
        launcher: str = "none",
        **_: Any,
    ) -> BaseStrategy:
        """A strategy that serves this run.

        Args:
            strategy: A strategy, a dict, or none for that of the launcher.
            launcher: How the processes were started.

        Raises:
            ConfigError: Its class overrides what the runner does.
        """
        made: Any = strategy
        if not isinstance(strategy, BaseStrategy):
            kind = "SingleDeviceStrategy" if launcher == "none" else "DDPStrategy"
            with BaseStrategy.made_by_a_run():
                made = STRATEGIES.build({"type": kind, **(strategy or {})})
        for name in _THE_RUNNERS:
            method: Any = inspect.unwrap(getattr(type(made), name))
            if method.__module__ != strategies.__name__:
                raise ConfigError(
                    f"{type(made).__name__}.{name} would not be called: the runner does that",
                    config_path="strategy",
                    help="override build_model, _wrap_model, build_optim_wrapper or "
                    "build_param_scheduler, or the method of the runner",
                )
        made.belong_to(self)
        return made  # type: ignore[no-any-return]  # - what the registry holds is a strategy

    def build_model(self, model: Any) -> nn.Module:
        """The model, made by the strategy, which is made first."""
        self.strategy = self.build_strategy(self._strategy, self.launcher)
        preprocessor = self._sections["data_preprocessor"]
        if preprocessor is not None and isinstance(model, Mapping):
            model = {"data_preprocessor": preprocessor, **copy.copy(model)}
        return self.strategy.build_model(model)

    def wrap_model(
        self, model_wrapper_cfg: Mapping[str, Any] | None, model: nn.Module
    ) -> nn.Module:
        """Have the strategy place and wrap the model."""
        if model_wrapper_cfg is not None:
            raise ConfigError(
                "model_wrapper_cfg is given, but the strategy wraps the model",
                config_path="model_wrapper_cfg",
                help="write strategy = dict(type='DDPStrategy', model_wrapper=dict(...))",
            )
        self.strategy.model = self.strategy._wrap_model(model)
        return self.strategy.model

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """The optimizer wrapper, made by the strategy."""
        wrapper = self.strategy.build_optim_wrapper(optim_wrapper, self.model)
        self.strategy.optim_wrapper = wrapper
        return wrapper

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """The schedulers, made by the strategy."""
        if scheduler is None:
            return None
        self.strategy.dispatch_kwargs.update(self._length_for_schedules())
        schedulers = self.strategy.build_param_scheduler(scheduler, self.optim_wrapper)
        self.strategy.param_schedulers = schedulers
        return schedulers
