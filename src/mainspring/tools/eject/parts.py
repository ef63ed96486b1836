"""What of a run goes into a script, and what does not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn
from torch.utils.data import IterableDataset, SequentialSampler

from mainspring.checkpoint.apply import unwrap
from mainspring.config.printing.sharing import first_places
from mainspring.dataset import DataLoader, DefaultSampler, InfiniteSampler, worker_init_fn
from mainspring.dataset.collate import pseudo_collate
from mainspring.errors import ConfigError, shown_path
from mainspring.hooks import EarlyStoppingHook, EMAHook
from mainspring.model import BaseModel, Supervised
from mainspring.model.adapt import LossReturningModel
from mainspring.model.base_model.data_preprocessor import BaseDataPreprocessor
from mainspring.model.base_model.steps import ModelSteps
from mainspring.optim import AmpOptimWrapper, OptimWrapper
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.optim.optimizer.two_modes import has_two_modes
from mainspring.registry import DATASETS, MODELS
from mainspring.rng.global_generators import undone_draws
from mainspring.rng.own_generators import generators_in
from mainspring.runner import Runner
from mainspring.runner.loops import EpochBasedTrainLoop, IterBasedTrainLoop
from mainspring.tools.eject.helpers import Updates
from mainspring.tools.eject.schedules import why_not

__all__ = ["Parts"]

_SECTIONS = {
    "activation_checkpointing": "modules that are computed again in the backward pass",
    "efficient_conv_bn_eval": "convolutions that are merged with batch norm",
    "compile": "compiled steps",
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
_PROBED = 64
"""Items that are loaded to see from which generators they draw."""


@dataclass
class Parts:
    """The parts of a run, and what of it no script can have.

    Attributes:
        runner: The runner, with everything that a training needs.
        left_out: What cannot be ejected, with its config path.
        unused: What is not in the script and changes neither losses nor weights, likewise.
    """

    runner: Runner
    left_out: list[tuple[str, str]] = field(default_factory=list)
    unused: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cfg = self.runner.cfg
        self.model: Any = unwrap(self.runner.model)
        self.loop = self.runner.train_loop
        self.loader = self.loop.dataloader
        self.wrappers: dict[str, Any] = by_optimizer(self.runner.optim_wrapper)
        self.schedules: dict[str, list[Any]] = {
            name: [found] if hasattr(found, "step") else list(found)
            for name, found in by_optimizer(self.runner.param_schedulers).items()
            if found
        }
        self.ema: EMAHook | None = None
        self.stop: EarlyStoppingHook | None = None
        self.batch: Any = None
        self.drawn: set[str] = set()
        self._look_at_sections()
        self._look_at_model()
        self._look_at_weights()
        self._look_at_loader(self.loader, "train_dataloader")
        for name, wrapper in self.wrappers.items():
            self._look_at_optimizer(wrapper, f"optim_wrapper.{name}".rstrip("."))
        self._look_at_schedules()
        self._look_at_hooks()

    def refuse(self) -> None:
        """Refuse what is left out.

        Raises:
            ConfigError: Something is.
        """
        if self.left_out:
            parts = "".join(f"\n  {self.in_words(part)}" for part in self.left_out)
            raise ConfigError(
                f"these parts of the config cannot be ejected:{parts}",
                help="change them, or give --partial to leave them out",
            )

    def in_words(self, part: tuple[str, str]) -> str:
        """A part that is left out, with its place in the config."""
        place = self.cfg.nearest_place(part[0])
        return f"{f'{place}: ' if place else ''}{shown_path(part[0])}: {part[1]}"

    @property
    def is_supervised(self) -> bool:
        """Whether the model is a plain network with a loss."""
        return type(self.model) is Supervised

    @property
    def returns_loss(self) -> bool:
        """Whether the model is a plain one whose forward computes the loss."""
        return isinstance(self.model, LossReturningModel)

    @property
    def has_own_step(self) -> bool:
        """Whether the model has a `train_step` of its own, which calls the optimizers itself."""
        return not _is_ours(self.model, "train_step")

    @property
    def wrapper(self) -> Any:
        """The wrapper of the optimizer, or of the first one."""
        return next(iter(self.wrappers.values()))

    @property
    def network(self) -> nn.Module:
        """What the script calls its model."""
        network: nn.Module = self.model.net if self.is_supervised else self.model
        return network

    @property
    def needs_initialising(self) -> bool:
        """Whether `init_weights` does something."""
        if self.is_supervised or self.returns_loss:
            is_loaded = self.returns_loss and hasattr(type(self.network), "from_pretrained")
            return hasattr(self.network, "init_weights") and not is_loaded

        def has_own(module: nn.Module) -> bool:
            own = getattr(type(module), "init_weights", None)
            return hasattr(module, "init_weights") and own is not BaseModel.init_weights

        modules = list(self.network.modules())
        has_cfg = any(getattr(module, "init_cfg", None) is not None for module in modules)
        return has_cfg or any(map(has_own, modules))

    def section(self, name: str) -> Any:
        """A section of the config; of a model with the preprocessor that it takes over."""
        section = self.cfg.get(name)
        added = self.cfg.get("data_preprocessor")
        if name == "model" and added is not None and isinstance(section, Mapping):
            section = {**section, "data_preprocessor": section.get("data_preprocessor", added)}
        return section

    def draws_from(self, dataset: Any) -> set[str]:
        """Names of the global generators that items were seen to draw from."""
        with undone_draws() as drawn:
            for index in range(min(len(dataset), _PROBED)):
                dataset[index]
        return set(drawn)

    def collated(self, loader: Any) -> Any:
        """A batch of one sample, as the script has it."""
        # Supervised stacks what it gets in lists.
        stacks = self.is_supervised and loader.collate_fn is pseudo_collate
        collate = torch.utils.data.default_collate if stacks else loader.collate_fn
        return collate([loader.dataset[0]])

    @contextmanager
    def trying(self) -> Iterator[None]:
        """A block in which the model is tried on a batch."""
        modes = self.runner.modes
        with torch.no_grad(), modes.evaluating(self.model, then_train=True):
            self.model.eval()
            yield

    def outputs(self, batch: Any) -> Any:
        """What a model that returns its loss gives for a batch of the loader."""
        batch = self.model.data_preprocessor(batch)
        with self.trying():
            return self.model(**batch) if isinstance(batch, Mapping) else self.model(*batch)

    def _look_at_sections(self) -> None:
        for name, what in _SECTIONS.items():
            if self.cfg.get(name):
                self.left_out.append((name, what))
        for path, first in first_places({"model": self.cfg.get("model")}).items():
            if path != first:  # the script would make two
                self.left_out.append((path, f"the same object as {shown_path(first)}"))
        scope = self.cfg.get("default_scope")
        if scope not in (None, "mainspring", "mmengine"):
            self.left_out.append(("default_scope", f"names in the registries of {scope}"))
        if type(self.loop) not in (EpochBasedTrainLoop, IterBasedTrainLoop):
            self.left_out.append(("train_cfg", f"the loop {type(self.loop).__name__}"))
        elif len(self.loop.dynamic_intervals.intervals) > 1:
            self.left_out.append(("train_cfg.dynamic_intervals", "intervals that change"))

    def _look_at_model(self) -> None:
        model = self.model
        kind = type(model).__name__
        if self.has_own_step:
            names = inspect.unwrap(type(model).train_step).__code__.co_names
            asked = set(names) & set(dir(self.wrapper))
            for name in sorted(asked - {*dir(Updates), "optimizer"}):
                self.left_out.append(("model", f"{kind}.train_step, which uses {name}"))
        else:
            for name in ("parse_losses", "_run_forward"):
                if not _is_ours(model, name):
                    self.left_out.append(("model", f"{kind}.{name}, its own"))
        if self.is_supervised:
            if any(True for _ in getattr(self.model.loss, "parameters", tuple)()):
                self.left_out.append(("model.loss", "a loss with parameters"))
            if type(model.data_preprocessor) is not BaseDataPreprocessor:
                self.left_out.append(("model.data_preprocessor", "preprocessing by the engine"))

    def _look_at_weights(self) -> None:
        path = self.cfg.get("load_from")
        self.weights_fit = True
        if not path:
            return
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        except (OSError, LookupError, RuntimeError, TypeError, UnpicklingError) as error:
            self.left_out.append(("load_from", f"weights in a file of another kind ({error})"))
            return
        shapes, given = (
            {name: getattr(each, "shape", None) for name, each in state.items()}
            for state in (self.model.state_dict(), weights)
        )
        self.weights_fit = shapes == given
        if not shapes.items() & given.items():
            self.left_out.append(("load_from", "weights of which none fits by name and shape"))

    def _look_at_loader(self, loader: Any, section: str) -> None:
        if not isinstance(loader, DataLoader) or loader.batch_size is None:
            self.left_out.append((section, f"the loader {type(loader).__name__}"))
            return
        if isinstance(loader.dataset, IterableDataset):
            self.left_out.append((f"{section}.dataset", "items that come in an order of their own"))
            return
        self._look_at_functions(loader, section)
        self.batch = self.collated(loader)
        if not isinstance(self.batch, Mapping | list | tuple | torch.Tensor):
            self.left_out.append((section, f"batches of the type {type(self.batch).__name__}"))
        if type(loader.sampler) not in (DefaultSampler, InfiniteSampler, SequentialSampler):
            self.left_out.append((f"{section}.sampler", type(loader.sampler).__name__))
        if self.is_endless and self.loop.by_epoch:
            self.left_out.append((f"{section}.sampler", "an endless order in epochs"))
        drawn = self.drawn = self.draws_from(loader.dataset)
        if drawn and loader.sample_rng == "worker":
            self.left_out.append(("randomness.sample_rng", "items that draw what workers draw"))
        if drawn and hasattr(loader.dataset, "__getitems__"):
            self.left_out.append((f"{section}.dataset", "batches that are loaded at once and draw"))

    def _look_at_functions(self, loader: Any, section: str) -> None:
        items = [loader.dataset[0]]
        with undone_draws() as drawn:
            loader.collate_fn(items)
        if drawn:
            self.left_out.append((f"{section}.collate_fn", "a function that draws"))
        begin = loader.worker_init_fn
        if loader.num_workers and begin and getattr(begin, "func", begin) is not worker_init_fn:
            self.left_out.append((f"{section}.worker_init_fn", "a function of your own"))
        if loader.num_workers and generators_in(loader.dataset):
            what = "generators of its own, which are seeded in workers"
            self.left_out.append((f"{section}.dataset", what))

    def _look_at_optimizer(self, wrapper: Any, path: str) -> None:
        if type(wrapper) not in (OptimWrapper, AmpOptimWrapper):
            self.left_out.append((path, type(wrapper).__name__))
            return
        own = self.has_own_step
        beside = "beside a train_step of the model's own"
        reasons = {
            "a step that computes the loss itself": wrapper.closure_need != "none",
            "accumulative_counts that changes": wrapper.accumulation_schedule is not None,
            "an optimizer that averages the weights itself": has_two_modes(wrapper.optimizer),
            f"accumulative_counts {beside}": own and wrapper._accumulative_counts > 1,
            f"mixed precision {beside}": own and type(wrapper) is AmpOptimWrapper,
        }
        self.left_out += [(path, reason) for reason, holds in reasons.items() if holds]

    def _look_at_schedules(self) -> None:
        for name, schedules in self.schedules.items():
            path = f"param_scheduler.{name}".rstrip(".")
            for number, schedule in enumerate(schedules):
                if (reason := why_not(schedule, schedules)) is not None:
                    what = f"{type(schedule).__name__}{reason}"
                    self.left_out.append((f"{path}.{number}", what))

    def _look_at_hooks(self) -> None:
        for hook in self.runner.hooks:
            if type(hook).__name__ in _REPLACED:
                continue
            if type(hook) is EMAHook and self._is_plain(hook):
                self.ema = hook
            elif type(hook) is EarlyStoppingHook and self.stop is None and hook.check_finite:
                self.stop = hook
            else:
                self.left_out.append((self.path_of(hook), f"the hook {type(hook).__name__}"))

    def _is_plain(self, hook: EMAHook) -> bool:
        is_usual = _name_of(hook.ema_cfg) == "ExponentialMovingAverage"
        begins_at_once = hook.begin_iter == hook.begin_epoch == 0
        return is_usual and begins_at_once and set(hook.ema_cfg) <= {"type", "momentum"}

    def path_of(self, hook: Any) -> str:
        """The config path of a hook."""
        custom = self.cfg.get("custom_hooks") or []
        for number, described in enumerate(custom):
            if _name_of(described).rpartition(".")[2].rstrip("'>") == type(hook).__name__:
                return f"custom_hooks.{number}"
        return "default_hooks"

    def parameter_groups(self, optimizer: Any) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Settings and names of the parameters of each group of an optimizer."""
        names = {id(parameter): name for name, parameter in self.network.named_parameters()}
        for group in optimizer.param_groups:
            settings = {key: value for key, value in group.items() if key != "params"}
            for key in [key for key in settings if key.startswith("initial_")]:
                settings[key.removeprefix("initial_")] = settings.pop(key)
            if "max_lr" in group:  # one cycle says what to begin with
                settings["lr"] = optimizer.defaults["lr"]
            yield settings, [names[id(parameter)] for parameter in group["params"]]

    def kept_in_evaluation(self) -> list[str]:
        """The outermost parts of the model that stay in evaluation mode; empty for the model."""
        self.runner.modes.begin(self.runner.model)
        prefix = "net" if self.is_supervised else ""
        names = self.runner.modes.state_dict(self.runner.model)["evaluated"]
        outer = [n for n in names if not any(n != o and f"{n}.".startswith(f"{o}.") for o in names)]
        return [n.removeprefix(prefix).removeprefix(".") for n in outer if n.startswith(prefix)]

    def class_of(self, section: Mapping[str, Any], of_data: bool) -> Any:
        """The class that a section without recorded calls names."""
        kind = section["type"]
        if not isinstance(kind, str):
            return kind
        found, unknown = (DATASETS if of_data else MODELS).search(kind)
        if unknown is not None:
            raise unknown
        return found

    @property
    def is_endless(self) -> bool:
        """Whether the order of the training data is one stream."""
        return isinstance(self.loader.sampler, InfiniteSampler)


def _name_of(described: Any) -> str:
    """The name of the class that a section names or is."""
    kind = described.get("type") if isinstance(described, Mapping) else described
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))


def _is_ours(model: Any, name: str) -> bool:
    """Whether a method of a model is that of the engine."""
    kinds = (ModelSteps, Supervised, LossReturningModel)
    return getattr(type(model), name, None) in [getattr(kind, name, None) for kind in kinds]
