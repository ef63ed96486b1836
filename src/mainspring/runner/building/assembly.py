"""How a run is assembled: a section describes each part, which is built when first needed."""

# ruff: noqa: D102 - what a property without a docstring is, `mainspring.hooks.Run` says

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from torch import nn

from mainspring.dataset import build_dataloader
from mainspring.dataset.any_loader import length_of, refuse_no_loader
from mainspring.dataset.loader.combined_loader import role_seed, several_loaders, use_run_seed
from mainspring.dataset.loader.dealing import dealt_out
from mainspring.defaults import DEFAULTS
from mainspring.dist import get_rank, get_world_size
from mainspring.hooks import HookDispatch, Run
from mainspring.hooks.optimizer_mode_hook import OptimizerModeHook, two_mode_optimizers
from mainspring.logging import MessageHub, MMLogger, warn
from mainspring.optim.optimizer.fused_choice import prefer_fused
from mainspring.registry.shared import SharedParts
from mainspring.rng.seeding import SampleRng
from mainspring.runner.building import build, build_optimization
from mainspring.runner.building.default_hooks import hooks_of
from mainspring.runner.building.environment import Randomness
from mainspring.runner.building.misfits import say_misfits
from mainspring.runner.building.sections import counts_epochs
from mainspring.runner.failures.error_places import building
from mainspring.runner.loops import BaseLoop

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["Assembly"]

_GUARD = "default_hooks.divergence"


def _loop_or_section(mode: str) -> property:
    """The loop of a mode; before it is built, what describes it. Either can be set."""

    def current(run: Assembly) -> Any:
        return run._parts.get(f"{mode}_loop", run._sections[f"{mode}_cfg"])

    def replace(run: Assembly, loop: Any) -> None:
        run._parts.pop(f"{mode}_loop", None)
        run._sections[f"{mode}_cfg"] = loop
        if loop is not None and not isinstance(loop, Mapping):
            run._parts[f"{mode}_loop"] = loop

    return property(current, replace)


def _part_or_section(part: str, section: str) -> property:
    """A part of the training; before it is built, what describes it. It can be set."""

    def current(run: Assembly) -> Any:
        return run._parts.get(part, run._sections[section])

    def replace(run: Assembly, value: Any) -> None:
        run._parts[part] = value

    return property(current, replace)


def _built_loop(mode: str) -> property:
    """The loop of a mode, built when first asked for; ``None`` where none is described."""
    name = f"{mode}_loop"

    def built(run: Assembly) -> Any:
        if name not in run._parts:
            section = run._sections[f"{mode}_cfg"]
            build_it = getattr(run, f"build_{name}")
            run._parts[name] = None if section is None else build_it(section)
        return run._parts[name]

    return property(built)


def _of_loop(mode: str, part: str) -> property:
    """A part of the loop of a mode, such as its loader."""
    return property(attrgetter(f"{mode}_loop.{part}"))


class Assembly(Run):
    """The parts of a run and what builds them, for `Runner` to inherit."""

    _sections: dict[str, Any]
    _parts: dict[str, Any]
    _shared_parts: SharedParts
    _dispatch: HookDispatch
    _randomness: Randomness
    _experiment_name: str
    _log_dir: str
    _launcher: str
    _seed: int
    _timestamp: str
    auto_scale_lr: Mapping[str, Any] | None
    _scaled: Any = None

    @property
    def experiment_name(self) -> str:
        return self._experiment_name

    @property
    def log_dir(self) -> str:
        return self._log_dir

    @property
    def timestamp(self) -> str:
        return self._timestamp

    @property
    def distributed(self) -> bool:
        """Whether this run is one of several processes."""
        return self._launcher != "none" or get_world_size() > 1

    @property
    def rank(self) -> int:
        return get_rank()

    @property
    def world_size(self) -> int:
        return get_world_size()

    @property
    def seed(self) -> int:
        return self._seed

    @property
    def sample_rng(self) -> SampleRng:
        """How items of data sets are given their random numbers."""
        return self._randomness.sample_rng

    @property
    def hooks(self) -> list[Any]:
        return self._dispatch.hooks

    @property
    def by_epoch(self) -> bool | None:
        """Whether training counts in epochs; ``None`` when nothing says so."""
        section = self._parts.get("train_loop", self._sections["train_cfg"])
        names_type = isinstance(section, Mapping) and "type" in section
        loop_class = build.loop_class_of(section) if names_type else None
        return counts_epochs(section, loop_class)

    @property
    def epoch(self) -> int:
        loop = self._parts.get("train_loop")
        return 0 if loop is None else loop.epoch

    @property
    def iter(self) -> int:
        loop = self._parts.get("train_loop")
        return 0 if loop is None else loop.iter

    @property
    def max_epochs(self) -> int:
        return self._length_of_training("max_epochs")

    @property
    def max_iters(self) -> int:
        return self._length_of_training("max_iters")

    @property
    def val_interval(self) -> int:
        return self._length_of_training("val_interval")

    @property
    def val_begin(self) -> int:
        return self._length_of_training("val_begin")

    def _length_of_training(self, name: str) -> int:
        """A number that the train loop knows, which is built for it."""
        loop = self.train_loop
        return 0 if loop is None else getattr(loop, name)

    train_loop: Any = _built_loop("train")
    val_loop: Any = _built_loop("val")
    test_loop: Any = _built_loop("test")

    _train_loop: Any = _loop_or_section("train")
    _val_loop: Any = _loop_or_section("val")
    _test_loop: Any = _loop_or_section("test")

    train_dataloader: Any = _of_loop("train", "dataloader")
    val_dataloader: Any = _of_loop("val", "dataloader")
    test_dataloader: Any = _of_loop("test", "dataloader")
    val_evaluator: Any = _of_loop("val", "evaluator")
    test_evaluator: Any = _of_loop("test", "evaluator")

    @property
    def _train_dataloader(self) -> Any:
        loop = self._parts.get("train_loop")
        return self._sections["train_dataloader"] if loop is None else loop.dataloader

    optim_wrapper: Any = _part_or_section("optim_wrapper", "optim_wrapper")
    param_schedulers: Any = _part_or_section("param_schedulers", "param_scheduler")

    def build_logger(
        self, log_level: int | str = "INFO", log_file: str | None = None, **kwargs: Any
    ) -> MMLogger:
        """The logger of the run."""
        file = log_file if log_file is not None else f"{self._log_dir}/{self._timestamp}.log"
        settings = {"name": self._experiment_name, **kwargs}
        return MMLogger.get_instance(log_level=log_level, log_file=file, **settings)

    def build_message_hub(self, message_hub: Mapping[str, Any] | None = None) -> MessageHub:
        """The message hub of the run."""
        arguments = {"name": self._experiment_name, **(message_hub or {})}
        return MessageHub.get_instance(**arguments)

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """The visualizer of the run."""
        return build.build_visualizer(visualizer, self._experiment_name, self._log_dir)

    def build_model(self, model: Any) -> nn.Module:
        """A model, before it is placed on a device; the run's own gets its data preprocessor."""
        is_own = not hasattr(self, "model")
        return build.build_model(model, self._sections["data_preprocessor"] if is_own else None)

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
        build_optimization.scale_learning_rates(
            optim_wrapper, auto_scale_lr, batch_size, self.world_size
        )

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """The optimizer wrapper."""
        return build_optimization.build_optimizer_wrapper(self.model, optim_wrapper)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """The schedulers."""
        return build_optimization.build_schedulers(
            scheduler, self.optim_wrapper, **self._length_for_schedules()
        )

    def _length_for_schedules(self) -> dict[str, Any]:
        loop = self.train_loop
        return {
            "by_epoch": bool(getattr(loop, "by_epoch", True)),
            "max_epochs": self.max_epochs,
            "max_iters": self.max_iters,
            "epoch_length": length_of(getattr(loop, "dataloader", None)),
        }

    def follow_length_of_run(self) -> None:
        """Let schedules that end with the run do so, and tell those by epoch how long one is."""
        loader = getattr(self.train_loop, "dataloader", None)
        length = length_of(loader)
        build_optimization.follow_length_of_run(
            self.param_schedulers, self.max_epochs, self.max_iters, length
        )
        by_epoch = getattr(self.train_loop, "by_epoch", True)
        build_optimization.count_accumulation(self.optim_wrapper, length if by_epoch else 1)

    def build_evaluator(self, evaluator: Any) -> Any:
        """An evaluator."""
        return build.build_evaluator(evaluator)

    @staticmethod
    def build_dataloader(
        dataloader: Any,
        seed: int | None = None,
        diff_rank_seed: bool = False,
        sample_rng: SampleRng | None = None,
    ) -> Any:
        """A loader from its dict; see `mainspring.dataset.build_dataloader`."""
        return build_dataloader(
            dataloader, seed=seed, diff_rank_seed=diff_rank_seed, sample_rng=sample_rng
        )

    def ready_dataloader(
        self, dataloader: Any, section: str = "train_dataloader", number: int = 0
    ) -> Any:
        """A loader, built with this run's seed unless it is one already.

        Args:
            dataloader: A loader, what describes it, or several of them: a dict by name, or a list.
            section: Config path, for errors.
            number: Which of several loaders that are used side by side.
        """
        several = several_loaders(dataloader)
        if several is not None:
            with building(self.cfg, section):
                return several.combined(
                    lambda loader, name, number: self.ready_dataloader(
                        loader, f"{section}.{name}", number
                    )
                )
        # What all ranks share of the seed.
        own = self.rank if self._randomness.diff_rank_seed else 0
        common_seed = role_seed(self._seed - own, number)
        if not isinstance(dataloader, Mapping):
            loader = dataloader() if build_optimization.is_recipe(dataloader) else dataloader
            refuse_no_loader(section, loader)
            self._say_other_sample_rng(loader, section)
            use_run_seed(loader, common_seed)
            return dealt_out(loader, common_seed, section)
        settings: dict[str, Any] = {
            "seed": role_seed(self._seed, number),
            "diff_rank_seed": self._randomness.diff_rank_seed,
        }
        if type(self).build_dataloader is Assembly.build_dataloader:
            settings["sample_rng"] = self._randomness.sample_rng
        with building(self.cfg, section), self._shared_parts.active():
            loader = self.build_dataloader(dataloader, **settings)
            return dealt_out(loader, common_seed, section)

    def _say_other_sample_rng(self, loader: Any, section: str) -> None:
        asked, own = self.sample_rng, getattr(loader, "sample_rng", None)
        if own not in (None, asked) and asked != DEFAULTS.sample_rng:
            warn(
                f"randomness.sample_rng={asked!r} does not reach the ready {type(loader).__name__} "
                f"in {section}, which was made with {own!r}: give it sample_rng={asked!r}"
            )

    def ready_evaluator(self, evaluator: Any, mode: str) -> Any:
        """An evaluator, built unless it is one already; ``None`` stays ``None``."""
        if evaluator is None:
            return None
        with building(self.cfg, f"{mode}_evaluator"), self._shared_parts.active():
            return self.build_evaluator(evaluator)

    def build_training(self) -> None:
        """Everything that training needs, so that each mistake shows before the first step."""
        with building(self.cfg, "train_dataloader"):
            self.train_loop  # noqa: B018 - building it is the point
        with building(self.cfg, "optim_wrapper"):
            section = self.optim_wrapper
            self.optim_wrapper = wrapper = self.build_optim_wrapper(section)
            if isinstance(section, Mapping) and self.sample_rng == "sample":
                prefer_fused(wrapper)
        if wrapper is not self._scaled:
            if two_mode_optimizers(wrapper):
                self._dispatch.register(OptimizerModeHook(), listed=False)
            with building(self.cfg, "auto_scale_lr"):
                self.scale_lr(wrapper, self.auto_scale_lr)
            self._scaled = wrapper
        with building(self.cfg, "param_scheduler"):
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        with building(self.cfg, "val_dataloader"):
            self.val_loop  # noqa: B018 - building it is the point
        with building(self.cfg, "train_cfg"):
            say_misfits(cast("Runner", self))

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
            data, metrics = (self._sections[f"{mode}_{x}"] for x in ("dataloader", "evaluator"))
            built: BaseLoop = build.build_evaluation_loop(self, loop, data, metrics, default_type)
        return built

    def register_hook(self, hook: Any, priority: str | int | Any | None = None) -> None:
        """Add a hook after the last one of equal or higher priority."""
        self._dispatch.register(hook, priority)

    def register_default_hooks(self, hooks: Mapping[str, Any] | None = None) -> None:
        """Add the default hooks, changed by name as `hooks` says."""
        for path, hook in hooks_of(hooks, None, self.by_epoch).items():
            if path == _GUARD and not DEFAULTS.lists_guards and "divergence" not in (hooks or {}):
                self._dispatch.register(hook, listed=False)
            else:
                self.register_hook(hook)

    def register_custom_hooks(self, hooks: Sequence[Any]) -> None:
        """Add further hooks."""
        for hook in hooks:
            self.register_hook(hook() if build_optimization.is_recipe(hook) else hook)

    @property
    def launcher(self) -> str:
        """How the processes were started."""
        return self._launcher

    @property
    def deterministic(self) -> bool:
        """Whether torch must use deterministic algorithms."""
        return self._randomness.deterministic

    def get_hooks_info(self) -> str:
        """A table of the hooks at each point, in order of call."""
        return self._dispatch.describe()
