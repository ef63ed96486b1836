"""MMEngine's strategies: model, optimizer and schedules of a run, made, saved and loaded together.

A strategy serves a program that has a loop of its own. `FlexibleRunner` takes one too, and asks it
for the parts; saving, loading and the environment of the run are the runner's.
"""

from __future__ import annotations

import os
import time
from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

from torch import nn
from torch.optim import Optimizer

from mainspring import checkpoint as files
from mainspring.device import get_device
from mainspring.device.collect_env import collect_env
from mainspring.dist import get_dist_info, infer_launcher, is_main_process
from mainspring.errors import ConfigError, ConfigTypeError
from mainspring.logging import MMLogger
from mainspring.model import is_model_wrapper
from mainspring.optim import BaseOptimWrapper, OptimWrapperDict
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.registry import STRATEGIES
from mainspring.rng.seeding import set_random_seed
from mainspring.runner.building import build, build_optimization
from mainspring.runner.building.environment import set_up_environment
from mainspring.runner.building.model_setup import compile_step, prepare_model
from mainspring.runner.release import new_timestamp
from mainspring.runner.state.resume import map_schedulers
from mainspring.strategy import DDPStrategy as DDPWrapping
from mainspring.strategy import SingleDeviceStrategy as DevicePlacing
from mainspring.version import __version__

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["BaseStrategy", "DDPStrategy", "SingleDeviceStrategy"]

_made_by_a_run: ContextVar[bool] = ContextVar("a runner makes the strategy", default=False)
_PREFIXES = ((r"^module.", ""),)


class BaseStrategy(metaclass=ABCMeta):
    """Base of strategies.

    Args:
        work_dir: Where checkpoints and logs go.
        experiment_name: Name of the run; the time of its start by default.
        env_kwargs: ``launcher`` (by default what the environment says), ``randomness``, and what
            ``env_cfg`` of a run holds.
        log_kwargs: Arguments of the logger, such as ``log_level``.
        auto_scale_lr: ``dict(enable=True, base_batch_size=...)`` scales learning rates linearly.
    """

    model: nn.Module
    optim_wrapper: BaseOptimWrapper
    param_schedulers: Any
    logger: MMLogger

    def __init__(
        self,
        *,
        work_dir: str = "work_dirs",
        experiment_name: str | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        log_kwargs: Mapping[str, Any] | None = None,
        auto_scale_lr: Mapping[str, Any] | None = None,
    ) -> None:
        self.work_dir = os.path.abspath(work_dir)
        self._env_kwargs = dict(env_kwargs or {})
        self._auto_scale_lr = auto_scale_lr
        self.dispatch_kwargs: dict[str, Any] = {}
        self._prepared = False
        if _made_by_a_run.get():
            return
        self._prefix = f"{experiment_name}_" if experiment_name else ""
        self._setup_env(**self._env_kwargs)
        self.experiment_name = self._prefix + self.timestamp
        self.log_dir = os.path.join(self.work_dir, self.timestamp)
        os.makedirs(self.log_dir, exist_ok=True)
        self.logger = self.build_logger(**(log_kwargs or {}))

    def _setup_env(
        self,
        *,
        launcher: str | None = None,
        randomness: Mapping[str, Any] | None = None,
        **env_cfg: Any,
    ) -> None:
        self.launcher = infer_launcher() if launcher is None else launcher
        set_up_environment(env_cfg, self.launcher)
        self.timestamp = new_timestamp(self.work_dir, lambda stamp: self._prefix + stamp)
        self.randomness = dict(randomness or {"seed": None})
        self.seed = set_random_seed(**self.randomness)

    @staticmethod
    @contextmanager
    def made_by_a_run() -> Iterator[None]:
        """A block in which strategies leave their environment to a runner."""
        token = _made_by_a_run.set(True)
        try:
            yield
        finally:
            _made_by_a_run.reset(token)

    def belong_to(self, runner: Runner) -> None:
        """Take over the environment of a run, whose parts this strategy makes.

        Args:
            runner: The runner.
        """
        self.work_dir, self.log_dir = runner.work_dir, runner.log_dir
        self.experiment_name, self.timestamp = runner.experiment_name, runner.timestamp
        self.launcher, self.seed, self.logger = runner.launcher, runner.seed, runner.logger
        self.randomness = {"seed": runner.seed, "deterministic": runner.deterministic}

    @property
    def distributed(self) -> bool:
        """Whether this is one of several processes."""
        return self.launcher != "none"

    @property
    def rank(self) -> int:
        """Number of this process."""
        return get_dist_info()[0]

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return get_dist_info()[1]

    def prepare(
        self,
        model: nn.Module | Mapping[str, Any],
        *,
        optim_wrapper: Any = None,
        param_scheduler: Any = None,
        compile: bool | Mapping[str, Any] = False,  # noqa: A002 - MMEngine's name
        dispatch_kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Make the parts, ready for training; a second call gives them again.

        Args:
            model: The model, or a dict with ``type``.
            optim_wrapper: The optimizer wrapper, or a dict; none by default.
            param_scheduler: A scheduler, a dict, or several of them; none by default.
            compile: What to compile, as in the config of a run.
            dispatch_kwargs: What the parts have to know: ``epoch_length``, ``max_epochs``,
                ``max_iters``, ``train_micro_batch_size_per_gpu``.

        Returns:
            The model, or a list of it and what else was asked for.
        """
        if self._prepared:
            return self._prepared_components()
        self.dispatch_kwargs.update(dispatch_kwargs or {})
        self.model = self._wrap_model(self._init_model_weights(self.build_model(model)))
        if optim_wrapper is not None:
            self.optim_wrapper = self.build_optim_wrapper(optim_wrapper, self.model)
            self._scale_lr()
            self._count_from(0)
        if param_scheduler is not None:
            self.param_schedulers = self.build_param_scheduler(param_scheduler, self.optim_wrapper)
        self.compile_model(self.model, compile)
        self._prepared = True
        return self._prepared_components()

    def load_checkpoint(
        self,
        filename: str,
        *,
        map_location: Any = "cpu",
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = _PREFIXES,
        callback: Callable[[Any], Any] | None = None,
    ) -> dict[str, Any]:
        """Load the weights of a checkpoint.

        Args:
            filename: Path or URI.
            map_location: As in `torch.load`; ``"default"`` is the device of this process.
            strict: Whether every weight must fit.
            revise_keys: Pairs of pattern and replacement applied to every key.
            callback: Called with the checkpoint before anything is taken from it.

        Returns:
            The rest of the checkpoint.
        """
        location = get_device() if map_location == "default" else map_location
        checkpoint: dict[str, Any] = files._load_checkpoint(filename, location, self.logger)
        if callback is not None:
            callback(checkpoint)
        weights = checkpoint.pop("state_dict")
        self.load_model_state_dict(weights, strict=strict, revise_keys=revise_keys)
        return checkpoint

    def resume(
        self,
        filename: str,
        *,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: Any = "default",
        callback: Callable[[Any], Any] | None = None,
    ) -> dict[str, Any]:
        """Load weights, and the states of optimizer and schedules.

        Args:
            filename: Path or URI.
            resume_optimizer: Whether to restore the optimizer's state.
            resume_param_scheduler: Whether to restore the schedulers' states.
            map_location: As in `load_checkpoint`.
            callback: As in `load_checkpoint`.

        Returns:
            The rest of the checkpoint.
        """
        checkpoint = self.load_checkpoint(filename, map_location=map_location, callback=callback)
        if resume_optimizer:
            self.load_optim_state_dict(checkpoint.pop("optimizer"))
        if resume_param_scheduler and hasattr(self, "param_schedulers"):
            self.load_scheduler_state_dict(checkpoint.pop("param_schedulers"))
        seed, wanted = checkpoint["meta"].get("seed"), self.randomness.get("seed")
        if seed is not None and seed != wanted:
            if wanted is not None:
                self.logger.warning(
                    f'The value of random seed in the checkpoint "{seed}" is different from the '
                    f'value in `randomness` config "{wanted}"'
                )
            self.randomness["seed"] = seed
            self.seed = set_random_seed(**self.randomness)
        if hasattr(self, "optim_wrapper"):
            self._count_from(checkpoint["meta"].get("iter", 0))
        return checkpoint

    def save_checkpoint(
        self,
        filename: str,
        *,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        extra_ckpt: dict[str, Any] | None = None,
        callback: Callable[[Any], Any] | None = None,
    ) -> None:
        """Write a checkpoint; to be called on all ranks.

        Args:
            filename: Path or URI.
            save_optimizer: Whether to keep the optimizer's state.
            save_param_scheduler: Whether to keep the schedulers' states.
            extra_ckpt: Further entries; its ``meta`` gets seed, time and version.
            callback: Called with the checkpoint before it is written.
        """
        if not is_main_process():
            return
        checkpoint: dict[str, Any] = {"state_dict": self.model_state_dict()}
        if save_optimizer and hasattr(self, "optim_wrapper"):
            checkpoint["optimizer"] = self.optim_state_dict()
        if save_param_scheduler and hasattr(self, "param_schedulers"):
            checkpoint["param_schedulers"] = self.scheduler_state_dict()
        checkpoint |= extra_ckpt or {}
        checkpoint["meta"] = {
            **checkpoint.get("meta", {}),
            "seed": self.seed,
            "time": time.strftime("%Y%m%d_%H%M%S"),
            "mmengine": __version__,
        }
        if callback is not None:
            callback(checkpoint)
        files.save_checkpoint(checkpoint, filename)

    def build_model(self, model: Any) -> nn.Module:
        """The model: a module as it is, or what a dict describes."""
        if not isinstance(model, nn.Module | Mapping):
            raise ConfigTypeError(
                f"model should be a nn.Module object or dict, but got {model!r}",
                config_path="model",
            )
        return build.build_model(model, None)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        return model.to(get_device())

    def compile_model(
        self,
        model: nn.Module,
        compile: bool | Mapping[str, Any] = False,  # noqa: A002 - MMEngine's name
    ) -> nn.Module:
        """Have a model compiled in its first iteration, as ``compile`` says."""
        compile_step(model, {"compile": compile}, getattr(self, "optim_wrapper", None))
        return model

    def _init_model_weights(self, model: nn.Module) -> nn.Module:
        if self.dispatch_kwargs.get("init_weights_for_test_or_val", True):
            prepare_model(model, {})
        return model

    def build_optim_wrapper(self, optim_wrapper: Any, model: nn.Module | None = None) -> Any:
        """The optimizer wrapper, or the dict of several.

        Args:
            optim_wrapper: A wrapper, an optimizer, or a dict.
            model: The model whose parameters are trained.
        """
        if not isinstance(optim_wrapper, BaseOptimWrapper | OptimWrapperDict | Optimizer | Mapping):
            raise ConfigTypeError(
                f"optimizer wrapper should be an OptimWrapper object or dict, but got "
                f"{optim_wrapper!r}",
                config_path="optim_wrapper",
            )
        return build_optimization.build_optimizer_wrapper(model, optim_wrapper)  # type: ignore[arg-type]  # - not asked for where a wrapper is given

    def build_param_scheduler(
        self, scheduler: Any, optim_wrapper: Any, default_args: Mapping[str, Any] | None = None
    ) -> Any:
        """The schedulers: a list, or a dict of lists where there are several optimizers.

        Args:
            scheduler: A scheduler, a dict, or several of them.
            optim_wrapper: What they schedule.
            default_args: ``max_epochs``, ``max_iters`` and ``epoch_length``; by default those that
                `prepare` was given.
        """
        known = self.dispatch_kwargs if default_args is None else default_args
        return build_optimization.build_schedulers(
            scheduler,
            optim_wrapper,
            by_epoch=known.get("by_epoch", True),
            max_epochs=known.get("max_epochs") or 0,
            max_iters=known.get("max_iters") or 0,
            epoch_length=known.get("epoch_length"),
        )

    def _scale_lr(self) -> None:
        batch_size = self.dispatch_kwargs.get("train_micro_batch_size_per_gpu", 1)
        build_optimization.scale_learning_rates(
            self.optim_wrapper, self._auto_scale_lr, batch_size, self.world_size
        )

    def build_logger(
        self, log_level: int | str = "INFO", log_file: str | None = None, **kwargs: Any
    ) -> MMLogger:
        """The logger."""
        file = os.path.join(self.log_dir, f"{self.timestamp}.log") if log_file is None else log_file
        settings = {"log_level": log_level, "log_file": file, **kwargs}
        return MMLogger.get_instance(self.experiment_name, **settings)

    def model_state_dict(self) -> Mapping[str, Any]:
        """The weights, on the CPU, without the prefixes of wrappers."""
        return files.weights_to_cpu(files.get_state_dict(self.model))

    def optim_state_dict(self) -> dict[str, Any]:
        """The state of the optimizer."""
        return self.optim_wrapper.state_dict()

    def scheduler_state_dict(self) -> Any:
        """The states of the schedulers, in their order; by name where there are several lists."""
        return map_schedulers(self.param_schedulers, lambda one: one.state_dict())

    def load_model_state_dict(
        self,
        state_dict: Mapping[str, Any],
        *,
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = _PREFIXES,
    ) -> None:
        """Load weights into the model."""
        weights = {"state_dict": state_dict}
        files._load_checkpoint_to_model(self.model, weights, strict, self.logger, revise_keys)

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of the optimizer."""
        self.optim_wrapper.load_state_dict(state_dict)

    def load_scheduler_state_dict(self, state_dict: Any) -> None:
        """Restore the states of the schedulers."""
        states = by_optimizer(state_dict)
        for name, schedulers in by_optimizer(self.param_schedulers).items():
            for scheduler, state in zip(schedulers, states[name], strict=False):
                scheduler.load_state_dict(state)

    def load_or_resume(
        self, *, load_from: str | None = None, resume: bool | str = False
    ) -> dict[str, Any] | None:
        """Load weights or continue, whichever is asked for.

        Args:
            load_from: Checkpoint to take weights from, or, with `resume`, to continue.
            resume: Whether to continue; by itself, from the newest checkpoint in `work_dir`. A path
                is continued from.

        Returns:
            The rest of the checkpoint; ``None`` if none was loaded.
        """
        if not resume:
            return None if load_from is None else self.load_checkpoint(load_from)
        found = resume if isinstance(resume, str) else load_from
        found = files.find_latest_checkpoint(self.work_dir) if found is None else found
        self.logger.info(f"resume from {found}")
        return None if found is None else self.resume(found)

    def collect_env(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is known of the machine, and of this run's environment."""
        of_the_run = {
            **self._env_kwargs,
            **self.randomness,
            "Distributed launcher": self.launcher,
            "Distributed training": self.distributed,
            "GPU number": self.world_size,
        }
        return collect_env(), of_the_run

    def _prepared_components(self) -> Any:
        names = ("model", "optim_wrapper", "param_schedulers")
        parts = [getattr(self, name) for name in names if hasattr(self, name)]
        return parts[0] if len(parts) == 1 else parts

    def _count_from(self, iteration: int) -> None:
        """Let an optimizer that accumulates gradients know when it steps last."""
        if getattr(self.optim_wrapper, "_accumulative_counts", 1) > 1:
            if "max_iters" not in self.dispatch_kwargs:
                raise ConfigError(
                    "accumulative_counts needs to know where the training ends",
                    help="give prepare(dispatch_kwargs=dict(max_iters=...))",
                )
            self.optim_wrapper.initialize_count_status(
                self.model, iteration, self.dispatch_kwargs["max_iters"]
            )


@STRATEGIES.register_module()
class SingleDeviceStrategy(BaseStrategy):
    """One process on one device.

    Example:
        >>> strategy = dict(type="SingleDeviceStrategy", work_dir="line")
    """

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        return self.convert_model(model).to(get_device())

    def convert_model(self, model: nn.Module) -> nn.Module:
        """Make synchronised batch norm the ordinary one."""
        return DevicePlacing(get_device()).wrap(model)


@STRATEGIES.register_module()
class DDPStrategy(SingleDeviceStrategy):
    """One process per device; gradients are averaged after every backward pass.

    Args:
        model_wrapper: The wrapper, a dict with ``type`` (default ``MMDistributedDataParallel``) and
            its arguments.
        sync_bn: ``"torch"`` or ``"mmcv"`` to synchronise batch norm statistics over processes.
        **kwargs: Arguments of `BaseStrategy`.

    Example:
        >>> strategy = dict(type="DDPStrategy", sync_bn="torch")
    """

    def __init__(
        self,
        *,
        model_wrapper: Mapping[str, Any] | None = None,
        sync_bn: Literal["torch", "mmcv"] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_wrapper = model_wrapper
        self.sync_bn: Literal["torch", "mmcv"] | None = sync_bn

    def convert_model(self, model: nn.Module) -> nn.Module:
        """Leave the model as it is: the wrapping sees to batch norm."""
        return model

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        if is_model_wrapper(model):
            return model
        wrapping = DDPWrapping(self.model_wrapper, self.sync_bn)
        return wrapping.wrap(self.convert_model(model))
