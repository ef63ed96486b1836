"""The wide face of `Runner` that programs written for MMEngine use.

Everything here is a view of a part or a forwarder to the module that owns the job. New code of
mainspring needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from mainspring.dataset import build_dataloader
from mainspring.dist import get_rank, get_world_size
from mainspring.errors import ConfigError
from mainspring.logging import MessageHub, MMLogger
from mainspring.runner import build
from mainspring.runner.default_hooks import with_default_hooks
from mainspring.runner.environment import (
    Randomness,
    SampleRng,
    set_random_seed,
    set_up_environment,
)
from mainspring.runner.loops import BaseLoop
from mainspring.runner.places import building
from mainspring.runner.sections import counts_epochs
from mainspring.runner.startup_log import dump_config

__all__ = ["MMEngineNames"]


class MMEngineNames:
    """Properties and builders of MMEngine's runner, for `Runner` to inherit."""

    cfg: Any
    model: nn.Module
    logger: Any
    message_hub: Any
    visualizer: Any
    work_dir: str
    _sections: dict[str, Any]
    _parts: dict[str, Any]
    _dispatch: Any
    _randomness: Randomness
    _experiment_name: str
    _log_dir: str
    _launcher: str
    _seed: int
    _timestamp: str
    _model_name: str

    @property
    def experiment_name(self) -> str:
        """Name of the run."""
        return self._experiment_name

    @property
    def model_name(self) -> str:
        """Class name of the model."""
        return self._model_name

    @property
    def log_dir(self) -> str:
        """Directory of this start's log files."""
        return self._log_dir

    @property
    def timestamp(self) -> str:
        """Time of this start, ``YYYYmmdd_HHMMSS``."""
        return self._timestamp

    @property
    def launcher(self) -> str:
        """How the processes were started."""
        return self._launcher

    @property
    def distributed(self) -> bool:
        """Whether a launcher started several processes."""
        return self._launcher != "none"

    @property
    def rank(self) -> int:
        """Number of this process."""
        return get_rank()

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return get_world_size()

    @property
    def deterministic(self) -> bool:
        """Whether torch must use deterministic algorithms."""
        return self._randomness.deterministic

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self._seed

    @property
    def sample_rng(self) -> SampleRng:
        """How items of data sets are given their random numbers."""
        return self._randomness.sample_rng

    @property
    def hooks(self) -> list[Any]:
        """The hooks, in the order in which they are called."""
        hooks: list[Any] = self._dispatch.hooks
        return hooks

    @property
    def _hooks(self) -> list[Any]:
        return self.hooks

    @property
    def by_epoch(self) -> bool | None:
        """Whether training counts in epochs; ``None`` when nothing says so."""
        section = self._parts.get("train_loop", self._sections["train_cfg"])
        loop_class = build.loop_class_of(section) if _names_type(section) else None
        return counts_epochs(section, loop_class)

    @property
    def epoch(self) -> int:
        """Finished epochs of training."""
        return self._loop_number("epoch")

    @property
    def iter(self) -> int:
        """Finished iterations of training; inside an iteration, its index."""
        loop = self._parts.get("train_loop")
        return 0 if loop is None else loop.iter

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole training; 0 before the loop is built."""
        return self._loop_number("max_epochs")

    @property
    def max_iters(self) -> int:
        """Iterations of the whole training; 0 before the loop is built."""
        loop = self._parts.get("train_loop")
        return 0 if loop is None else loop.max_iters

    @property
    def val_interval(self) -> int:
        """Epochs or iterations between two validations."""
        return self._loop_number("val_interval")

    @property
    def val_begin(self) -> int:
        """First epoch or iteration after which to validate."""
        return self._loop_number("val_begin")

    def _loop_number(self, name: str) -> int:
        loop = self._parts.get("train_loop")
        return 0 if loop is None else getattr(loop, name)

    @property
    def train_loop(self) -> Any:
        """The train loop, built when first asked for."""
        if "train_loop" not in self._parts:
            self._parts["train_loop"] = self.build_train_loop(self._sections["train_cfg"])
        return self._parts["train_loop"]

    @property
    def val_loop(self) -> Any:
        """The validation loop, built when first asked for; ``None`` when there is none."""
        if "val_loop" not in self._parts:
            section = self._sections["val_cfg"]
            self._parts["val_loop"] = None if section is None else self.build_val_loop(section)
        return self._parts["val_loop"]

    @property
    def test_loop(self) -> Any:
        """The test loop, built when first asked for; ``None`` when there is none."""
        if "test_loop" not in self._parts:
            section = self._sections["test_cfg"]
            self._parts["test_loop"] = None if section is None else self.build_test_loop(section)
        return self._parts["test_loop"]

    @property
    def _train_loop(self) -> Any:
        return self._parts.get("train_loop", self._sections["train_cfg"])

    @_train_loop.setter
    def _train_loop(self, loop: Any) -> None:
        self._parts["train_loop"] = loop

    @property
    def _val_loop(self) -> Any:
        return self._parts.get("val_loop", self._sections["val_cfg"])

    @_val_loop.setter
    def _val_loop(self, loop: Any) -> None:
        self._parts["val_loop"] = loop

    @property
    def _test_loop(self) -> Any:
        return self._parts.get("test_loop", self._sections["test_cfg"])

    @_test_loop.setter
    def _test_loop(self, loop: Any) -> None:
        self._parts["test_loop"] = loop

    @property
    def train_dataloader(self) -> Any:
        """Loader of the training data."""
        return self.train_loop.dataloader

    @property
    def val_dataloader(self) -> Any:
        """Loader of the validation data."""
        return self.val_loop.dataloader

    @property
    def test_dataloader(self) -> Any:
        """Loader of the test data."""
        return self.test_loop.dataloader

    @property
    def _train_dataloader(self) -> Any:
        loop = self._parts.get("train_loop")
        return self._sections["train_dataloader"] if loop is None else loop.dataloader

    @property
    def val_evaluator(self) -> Any:
        """Evaluator of the validation."""
        return self.val_loop.evaluator

    @property
    def test_evaluator(self) -> Any:
        """Evaluator of the test."""
        return self.test_loop.evaluator

    @property
    def optim_wrapper(self) -> Any:
        """The optimizer wrapper; before training, what describes it."""
        return self._parts.get("optim_wrapper", self._sections["optim_wrapper"])

    @optim_wrapper.setter
    def optim_wrapper(self, wrapper: Any) -> None:
        self._parts["optim_wrapper"] = wrapper

    @property
    def param_schedulers(self) -> Any:
        """The schedulers; before training, what describes them."""
        return self._parts.get("param_schedulers", self._sections["param_scheduler"])

    @param_schedulers.setter
    def param_schedulers(self, schedulers: Any) -> None:
        self._parts["param_schedulers"] = schedulers

    def setup_env(self, env_cfg: Mapping[str, Any]) -> None:
        """Prepare backends, worker start method and process group."""
        set_up_environment(env_cfg, self._launcher)

    def set_randomness(
        self, seed: int | None, diff_rank_seed: bool = False, deterministic: bool = False
    ) -> None:
        """Seed all generators and take the seed over as the run's."""
        self._seed = set_random_seed(seed, deterministic, diff_rank_seed)

    def build_logger(
        self, log_level: int | str = "INFO", log_file: str | None = None, **kwargs: Any
    ) -> MMLogger:
        """The logger of the run."""
        file = log_file if log_file is not None else f"{self._log_dir}/{self._timestamp}.log"
        return build.build_logger(self._experiment_name, log_level, file, **kwargs)

    def build_message_hub(self, message_hub: Mapping[str, Any] | None = None) -> MessageHub:
        """The message hub of the run."""
        arguments = {"name": self._experiment_name, **(message_hub or {})}
        hub: MessageHub = MessageHub.get_instance(**arguments)
        return hub

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """The visualizer of the run."""
        return build.build_visualizer(visualizer, self._experiment_name, self._log_dir)

    def build_model(self, model: Any) -> nn.Module:
        """The model, before it is placed on a device."""
        return build.build_model(model, self._sections["data_preprocessor"])

    def build_log_processor(self, log_processor: Any) -> Any:
        """The log processor."""
        return build.build_log_processor(log_processor, self.by_epoch)

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: Mapping[str, Any] | None = None) -> None:
        """Scale learning rates by the real batch size, if asked for."""
        loader = self._train_dataloader
        batch_size: Any = getattr(loader, "batch_size", None)
        if batch_size is None and isinstance(loader, Mapping):
            batch_size = loader.get("batch_size")
        if batch_size is None:
            batch_size = getattr(getattr(loader, "batch_sampler", None), "batch_size", 1)
        build.scale_learning_rates(optim_wrapper, auto_scale_lr, batch_size, self.world_size)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """The optimizer wrapper."""
        return build.build_optimizer_wrapper(self.model, optim_wrapper)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """The schedulers."""
        loop = self.train_loop
        return build.build_schedulers(
            scheduler,
            self.optim_wrapper,
            by_epoch=bool(getattr(loop, "by_epoch", True)),
            max_epochs=self.max_epochs,
            max_iters=self.max_iters,
            epoch_length=_length(getattr(loop, "dataloader", None)),
        )

    def build_evaluator(self, evaluator: Any) -> Any:
        """An evaluator."""
        return build.build_evaluator(evaluator)

    @staticmethod
    def build_dataloader(
        dataloader: Any,
        seed: int | None = None,
        diff_rank_seed: bool = False,
        sample_rng: SampleRng = "sample",
    ) -> Any:
        """A loader from its dict; see `mainspring.dataset.build_dataloader`."""
        return build_dataloader(
            dataloader, seed=seed, diff_rank_seed=diff_rank_seed, sample_rng=sample_rng
        )

    def ready_dataloader(self, dataloader: Any, section: str = "train_dataloader") -> Any:
        """A loader, built with this run's seed unless it is one already."""
        if not isinstance(dataloader, Mapping):
            if dataloader is None or isinstance(dataloader, str | int | float):
                raise ConfigError(
                    f"{section} is {dataloader!r}", config_path=section, help="give a loader"
                )
            loader = dataloader() if build.is_recipe(dataloader) else dataloader
            if hasattr(loader, "use_run_seed"):
                loader.use_run_seed(self._seed)
            return loader
        settings: dict[str, Any] = {
            "seed": self._seed,
            "diff_rank_seed": self._randomness.diff_rank_seed,
        }
        if type(self).build_dataloader is MMEngineNames.build_dataloader:
            settings["sample_rng"] = self._randomness.sample_rng
        with building(self.cfg, section):
            return self.build_dataloader(dataloader, **settings)

    def ready_evaluator(self, evaluator: Any, mode: str) -> Any:
        """An evaluator, built unless it is one already; ``None`` stays ``None``."""
        if evaluator is None:
            return None
        with building(self.cfg, f"{mode}_evaluator"):
            return self.build_evaluator(evaluator)

    def build_train_loop(self, loop: Any) -> BaseLoop:
        """The train loop."""
        with building(self.cfg, "train_cfg"):
            built: BaseLoop = build.build_train_loop(self, loop, self._sections["train_dataloader"])
        return built

    def build_val_loop(self, loop: Any) -> BaseLoop:
        """The validation loop."""
        return self._build_evaluation_loop(loop, "val", "ValLoop")

    def build_test_loop(self, loop: Any) -> BaseLoop:
        """The test loop."""
        return self._build_evaluation_loop(loop, "test", "TestLoop")

    def _build_evaluation_loop(self, loop: Any, mode: str, default_type: str) -> BaseLoop:
        with building(self.cfg, f"{mode}_cfg"):
            built: BaseLoop = build.build_evaluation_loop(
                self,
                loop,
                self._sections[f"{mode}_dataloader"],
                self._sections[f"{mode}_evaluator"],
                default_type,
            )
        return built

    def register_hook(self, hook: Any, priority: str | int | Any | None = None) -> None:
        """Add a hook after the last one of equal or higher priority."""
        self._dispatch.register(hook, priority)

    def register_default_hooks(self, hooks: Mapping[str, Any] | None = None) -> None:
        """Add the default hooks, changed by name as `hooks` says."""
        for hook in with_default_hooks(hooks, self.by_epoch):
            self.register_hook(hook)

    def register_custom_hooks(self, hooks: Sequence[Any]) -> None:
        """Add further hooks."""
        for hook in hooks:
            self.register_hook(hook() if build.is_recipe(hook) else hook)

    def register_hooks(
        self,
        default_hooks: Mapping[str, Any] | None = None,
        custom_hooks: Sequence[Any] | None = None,
    ) -> None:
        """Add default hooks, then custom ones."""
        self.register_default_hooks(default_hooks)
        if custom_hooks is not None:
            self.register_custom_hooks(custom_hooks)

    def get_hooks_info(self) -> str:
        """A table of the hooks at each point, in order of call."""
        table: str = self._dispatch.describe()
        return table

    def dump_config(self) -> None:
        """Write the resolved config into the work directory."""
        dump_config(self)


def _names_type(section: Any) -> bool:
    return isinstance(section, Mapping) and "type" in section


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except TypeError:
        return None
