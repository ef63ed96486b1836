"""What of a run goes into a script, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.data import SequentialSampler

from mainspring.checkpoint.apply import unwrap
from mainspring.dataset import DataLoader, DefaultSampler, InfiniteSampler
from mainspring.errors import ConfigError
from mainspring.hooks import EMAHook
from mainspring.model import BaseModel, Supervised
from mainspring.model.adapt import LossReturningModel
from mainspring.model.base_model.data_preprocessor import BaseDataPreprocessor
from mainspring.model.base_model.steps import ModelSteps
from mainspring.optim import AmpOptimWrapper, OptimWrapper
from mainspring.optim.optimizer.two_modes import has_two_modes
from mainspring.registry import DATASETS, MODELS
from mainspring.rng.global_generators import GENERATORS
from mainspring.runner.loops import EpochBasedTrainLoop, IterBasedTrainLoop

__all__ = ["Parts"]

_SECTIONS = {
    "activation_checkpointing": "modules that are computed again in the backward pass",
    "efficient_conv_bn_eval": "convolutions that are merged with batch norm",
    "compile": "compiled steps",
    "load_from": "weights to begin with",
    "model_wrapper_cfg": "a wrapper for several processes",
    "sync_bn": "batch norm over several processes",
}
_REPLACED = (
    "CheckpointHook",
    "DistSamplerSeedHook",
    "DivergenceHook",
    "EmptyCacheHook",
    "IterTimerHook",
    "LoggerHook",
    "NaiveVisualizationHook",
    "ParamSchedulerHook",
    "ProgressHook",
    "RuntimeInfoHook",
    "SyncBuffersHook",
)
"""Hooks that change nothing of a training, or whose work the script does itself."""
_CURVES = (
    "ConstantParamScheduler", "CosineAnnealingParamScheduler", "ExponentialParamScheduler",
    "LinearParamScheduler", "MultiStepParamScheduler", "PolyParamScheduler", "StepParamScheduler",
)  # fmt: skip
_PROBED = 64
"""Items that are loaded to see from which generators they draw."""


@dataclass
class Parts:
    """The parts of a run, and what of it no script can have.

    Attributes:
        runner: The runner, with everything that a training needs.
        left_out: What cannot be ejected, with its config path.
    """

    runner: Any
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cfg = self.runner.cfg
        self.model: Any = unwrap(self.runner.model)
        self.loop = self.runner.train_loop
        self.loader = self.loop.dataloader
        self.wrapper = self.runner.optim_wrapper
        self._look_at_sections()
        self._look_at_model()
        self._look_at_loader(self.loader, "train_dataloader")
        self._look_at_optimizer()
        self._look_at_schedules()
        self.ema = self._look_at_hooks()

    def refuse(self) -> None:
        """Refuse what is left out.

        Raises:
            ConfigError: Something is.
        """
        if not self.left_out:
            return
        lines = []
        for path, what in self.left_out:
            place = self.cfg.nearest_place(path)
            lines.append(f"  {f'{place}: ' if place else ''}{path}: {what}")
        raise ConfigError(
            "these parts of the config cannot be ejected:\n" + "\n".join(lines),
            help="change them, or give --partial to leave them out",
        )

    @property
    def is_supervised(self) -> bool:
        """Whether the model is a plain network with a loss."""
        return type(self.model) is Supervised

    @property
    def returns_loss(self) -> bool:
        """Whether the model is a plain one whose forward computes the loss."""
        return isinstance(self.model, LossReturningModel)

    @property
    def network(self) -> nn.Module:
        """What the script calls its model."""
        network: nn.Module = self.model.net if self.is_supervised else self.model
        return network

    @property
    def needs_initialising(self) -> bool:
        """Whether `init_weights` does something."""
        if self.is_supervised:
            return hasattr(self.network, "init_weights")
        if self.returns_loss:
            return hasattr(self.network, "init_weights") and not hasattr(
                type(self.network), "from_pretrained"
            )
        return any(
            getattr(module, "init_cfg", None) is not None
            or (
                hasattr(module, "init_weights")
                and getattr(type(module), "init_weights", None) is not BaseModel.init_weights
            )
            for module in self.network.modules()
        )

    def section(self, name: str) -> Any:
        """A section of the config; of a model with the preprocessor that it takes over."""
        section = self.cfg.get(name)
        added = self.cfg.get("data_preprocessor")
        if name == "model" and added is not None and isinstance(section, Mapping):
            section = {**section, "data_preprocessor": section.get("data_preprocessor", added)}
        return section

    def draws_from(self, dataset: Any) -> set[str]:
        """Names of the global generators that items were seen to draw from."""
        states = {name: generator.state() for name, generator in GENERATORS.items()}
        for index in range(min(len(dataset), _PROBED)):
            dataset[index]
        drawn = {name for name, state in states.items() if not GENERATORS[name].is_at(state)}
        for name, state in states.items():
            GENERATORS[name].put_back(state)
        return drawn

    def loss_access(self, dataset: Any) -> str:
        """How the loss is taken out of what the model returns: ``["loss"]`` or ``.loss``.

        Args:
            dataset: The training data, whose first item is tried.
        """
        model, mode = self.network, self.network.training
        batch = self.model.data_preprocessor(self.loader.collate_fn([dataset[0]]))
        with torch.no_grad():
            model.eval()
            outputs = model(**batch) if isinstance(batch, Mapping) else model(*batch)
            model.train(mode)
        return '["loss"]' if isinstance(outputs, Mapping) else ".loss"

    def _look_at_sections(self) -> None:
        for name, what in _SECTIONS.items():
            if self.cfg.get(name):
                self.left_out.append((name, what))
        if type(self.loop) not in (EpochBasedTrainLoop, IterBasedTrainLoop):
            self.left_out.append(("train_cfg", f"the loop {type(self.loop).__name__}"))
        elif len(self.loop.dynamic_intervals.intervals) > 1:
            self.left_out.append(("train_cfg.dynamic_intervals", "intervals that change"))

    def _look_at_model(self) -> None:
        model = self.model
        if not (self.is_supervised or self.returns_loss or isinstance(model, ModelSteps)):
            self.left_out.append(("model", f"{type(model).__name__} with a train_step of its own"))
        for name in ("train_step", "parse_losses", "_run_forward"):
            own = getattr(type(model), name, None)
            known = (
                getattr(kind, name, None) for kind in (ModelSteps, Supervised, LossReturningModel)
            )
            if own not in known:
                self.left_out.append(("model", f"{type(model).__name__}.{name}, its own"))
        if self.is_supervised:
            if any(True for _ in getattr(self.model.loss, "parameters", tuple)()):
                self.left_out.append(("model.loss", "a loss with parameters"))
            if type(model.data_preprocessor) is not BaseDataPreprocessor:
                self.left_out.append(("model.data_preprocessor", "preprocessing by the engine"))

    def _look_at_loader(self, loader: Any, section: str) -> None:
        if not isinstance(loader, DataLoader) or loader.batch_size is None:
            self.left_out.append((section, f"the loader {type(loader).__name__}"))
            return
        if type(loader.sampler) not in (DefaultSampler, InfiniteSampler, SequentialSampler):
            self.left_out.append((f"{section}.sampler", type(loader.sampler).__name__))
        drawn = self.draws_from(loader.dataset)
        if drawn and loader.sample_rng == "worker":
            self.left_out.append(("randomness.sample_rng", "items that draw what workers draw"))
        if drawn and hasattr(loader.dataset, "__getitems__"):
            self.left_out.append((f"{section}.dataset", "batches that are loaded at once and draw"))

    def _look_at_optimizer(self) -> None:
        wrapper = self.wrapper
        if type(wrapper) not in (OptimWrapper, AmpOptimWrapper):
            self.left_out.append(("optim_wrapper", type(wrapper).__name__))
        elif wrapper.closure_need != "none":
            self.left_out.append(("optim_wrapper", "a step that computes the loss itself"))
        elif wrapper.accumulation_schedule is not None:
            self.left_out.append(("optim_wrapper", "accumulative_counts that changes"))
        elif has_two_modes(wrapper.optimizer):
            self.left_out.append(("optim_wrapper", "an optimizer that averages the weights itself"))

    def _look_at_schedules(self) -> None:
        for number, schedule in enumerate(self.schedules):
            kinds = {kind.__name__ for kind in type(schedule).__mro__}
            known = kinds & set(_CURVES) and schedule.param_name in ("lr", "weight_decay")
            if not known:
                self.left_out.append((f"param_scheduler.{number}", type(schedule).__name__))

    @property
    def schedules(self) -> list[Any]:
        """The schedules."""
        schedules = self.runner.param_schedulers
        return list(schedules) if isinstance(schedules, list) else []

    def _look_at_hooks(self) -> EMAHook | None:
        ema = None
        for hook in self.runner.hooks:
            if type(hook).__name__ in _REPLACED:
                continue
            if type(hook) is EMAHook and self._is_plain(hook):
                ema = hook
                continue
            name = type(hook).__name__
            self.left_out.append((self._path_of(hook), f"the hook {name}"))
        return ema

    def _is_plain(self, hook: EMAHook) -> bool:
        kind = hook.ema_cfg["type"]
        name = kind if isinstance(kind, str) else getattr(kind, "__name__", "")
        begins = hook.begin_iter == hook.begin_epoch == 0
        return (
            name == "ExponentialMovingAverage"
            and begins
            and set(hook.ema_cfg) <= {"type", "momentum"}
        )

    def _path_of(self, hook: Any) -> str:
        custom = self.cfg.get("custom_hooks") or []
        for number, described in enumerate(custom):
            kind = described.get("type") if isinstance(described, Mapping) else described
            name = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
            if name.rpartition(".")[2].rstrip("'>") == type(hook).__name__:
                return f"custom_hooks.{number}"
        return "default_hooks"

    def parameter_groups(self) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Settings and names of the parameters of each group."""
        names = {id(parameter): name for name, parameter in self.network.named_parameters()}
        for group in self.wrapper.optimizer.param_groups:
            settings = {key: value for key, value in group.items() if key != "params"}
            for key in [key for key in settings if key.startswith("initial_")]:
                settings[key.removeprefix("initial_")] = settings.pop(key)
            yield settings, [names[id(parameter)] for parameter in group["params"]]

    def class_of(self, section: Mapping[str, Any], of_data: bool) -> Any:
        """The class that a section without recorded calls names."""
        kind = section["type"]
        registry = DATASETS if of_data else MODELS
        return registry.get(kind) if isinstance(kind, str) else kind

    @property
    def is_endless(self) -> bool:
        """Whether the order of the training data is one stream."""
        return isinstance(self.loader.sampler, InfiniteSampler)

    def device_type(self) -> torch.device:
        """Where the model is."""
        return next(self.network.parameters()).device
