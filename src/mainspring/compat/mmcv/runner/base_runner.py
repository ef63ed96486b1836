"""What MMCV's runners share: hooks, counters, checkpoints."""

from __future__ import annotations

import copy
import logging
import os
from abc import ABCMeta, abstractmethod
from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar

from torch import nn
from torch.optim import Optimizer

from mainspring import checkpoint as files
from mainspring.checkpoint.apply import unwrap
from mainspring.compat.mmcv.runner.checkpoint import load_checkpoint, save_checkpoint
from mainspring.compat.mmcv.runner.hooks.hook import HOOKS, Hook
from mainspring.compat.mmcv.runner.hooks.lr_updater import optimizers_of
from mainspring.compat.mmcv.runner.log_buffer import LogBuffer
from mainspring.compat.mmcv.runner.utils import deprecated, get_host_info, get_time_str
from mainspring.dist import gather_object, get_dist_info
from mainspring.hooks.priority import Priority, get_priority
from mainspring.rng.states import RandomStates
from mainspring.runner.state.resume import _restore_generators

__all__ = ["BaseRunner"]

OWN = "mmcv_runner"
"""Entry of a checkpoint with what MMCV does not keep: where the run is, to the iteration."""


class BaseRunner(metaclass=ABCMeta):
    """Base of the runners.

    Args:
        model: The model, with ``train_step(data, optimizer)`` and ``val_step``, which return a
            dict of ``loss``, ``log_vars`` and ``num_samples``.
        batch_processor: Older way to say what happens to a batch, in place of these methods.
        optimizer: The optimizer, or several by name.
        work_dir: Where checkpoints and logs go.
        logger: Where the run says what it does.
        meta: Meta information for checkpoints.
        max_iters: Iterations of the run.
        max_epochs: Epochs of the run; give one of both.
    """

    by_epoch: ClassVar[bool] = True
    """Whether a run is as long as its epochs, and hooks count them where nothing else is said."""

    def __init__(
        self,
        model: nn.Module,
        batch_processor: Callable[..., Any] | None = None,
        optimizer: Any = None,
        work_dir: str | None = None,
        logger: Any = None,
        meta: dict[str, Any] | None = None,
        max_iters: int | None = None,
        max_epochs: int | None = None,
    ) -> None:
        inner = unwrap(model)
        if batch_processor is not None:
            if not callable(batch_processor):
                raise TypeError(f"batch_processor must be callable, but got {batch_processor!r}")
            deprecated("batch_processor", "implement train_step() and val_step() in the model")
            if hasattr(inner, "train_step") or hasattr(inner, "val_step"):
                raise RuntimeError("batch_processor is given, but the model has its own steps")
        elif not hasattr(model, "train_step"):
            raise AssertionError(f"{type(model).__name__} has no train_step(data, optimizer)")
        several = optimizer if isinstance(optimizer, dict) else {"optimizer": optimizer}
        for name, one in several.items():
            if not isinstance(one, Optimizer) and (one is not None or several is optimizer):
                raise TypeError(f"{name} must be a torch.optim.Optimizer, but is {one!r}")
        kinds = {"logger": logging.Logger, "meta": dict | None, "work_dir": str | None}
        for name, value in (("logger", logger), ("meta", meta), ("work_dir", work_dir)):
            if not isinstance(value, kinds[name]):
                raise TypeError(f"{name} must be of type {kinds[name]}, but is {value!r}")
        if max_epochs is not None and max_iters is not None:
            raise ValueError("Only one of `max_epochs` or `max_iters` can be set.")
        self.model: Any = model
        self.batch_processor, self.optimizer = batch_processor, optimizer
        self.logger, self.meta = logger, meta
        self.work_dir = None if work_dir is None else os.path.abspath(work_dir)
        if self.work_dir is not None:
            os.makedirs(self.work_dir, exist_ok=True)
        self._model_name = type(inner).__name__
        self._rank, self._world_size = get_dist_info()
        self.timestamp = get_time_str()
        self.mode: str | None = None
        self._hooks: list[Any] = []
        self._epoch = self._iter = self._inner_iter = self._turn = 0
        self._max_epochs, self._max_iters = max_epochs, max_iters
        self.log_buffer = LogBuffer()
        self.data_loader: Any
        self.data_batch: Any
        self.outputs: Any
        self._within_step = False
        self._random_states: list[Any] = []
        self._noted: list[dict[str, Any]] | None = None
        self._written: str | None = None

    model_name = property(lambda self: self._model_name, doc="Class name of the model.")
    rank = property(lambda self: self._rank, doc="Number of this process.")
    world_size = property(lambda self: self._world_size, doc="Number of processes.")
    hooks = property(lambda self: self._hooks, doc="The hooks, in the order of their calls.")
    epoch = property(lambda self: self._epoch, doc="Finished epochs.")
    iter = property(lambda self: self._iter, doc="Index of the iteration.")
    inner_iter = property(lambda self: self._inner_iter, doc="Its index in the epoch.")
    max_epochs = property(lambda self: self._max_epochs, doc="Epochs of the run.")
    max_iters = property(lambda self: self._max_iters, doc="Iterations of the run.")

    @abstractmethod
    def train(self, data_loader: Any, **kwargs: Any) -> None:
        """Train for an epoch or an iteration."""

    @abstractmethod
    def val(self, data_loader: Any, **kwargs: Any) -> None:
        """Validate for an epoch or an iteration."""

    @abstractmethod
    def run(self, data_loaders: list[Any], workflow: list[tuple[str, int]], **kwargs: Any) -> None:
        """Run phases in turn, such as ``[("train", 2), ("val", 1)]``, until the run is over."""

    def _enter(self, mode: str, data_loader: Any) -> None:
        """Begin to train or to validate with the batches of a loader."""
        self.mode, self.data_loader = mode, data_loader
        self.model.train() if mode == "train" else self.model.eval()

    def _step(self, train_mode: bool, *args: Any, **kwargs: Any) -> None:
        """Take the batch through the model, between the hooks of an iteration."""
        phase = "train" if train_mode else "val"
        self._within_step = train_mode
        self.call_hook(f"before_{phase}_iter")
        if self.batch_processor is not None:
            outputs = self.batch_processor(
                self.model, self.data_batch, train_mode=train_mode, **kwargs
            )
        else:
            outputs = getattr(self.model, f"{phase}_step")(self.data_batch, *args, **kwargs)
        if not isinstance(outputs, dict):
            raise TypeError(
                '"batch_processor()" or "model.train_step()" and "model.val_step()" must return '
                f"a dict, but {phase}_step returned {type(outputs).__name__}"
            )
        if "log_vars" in outputs:
            self.log_buffer.update(outputs["log_vars"], outputs["num_samples"])
        self.outputs = outputs
        self.call_hook(f"after_{phase}_iter")
        self.data_batch = None
        self._within_step = False

    def _begin(self, data_loaders: Any, workflow: Any, given: int | None) -> int:
        """Check and announce a run; returns its length."""
        unit = "epochs" if self.by_epoch else "iters"
        if not isinstance(data_loaders, list) or len(data_loaders) != len(workflow):
            raise AssertionError("data_loaders is a list with one loader for each phase")
        for flow in workflow:
            if not isinstance(flow, tuple):
                raise AssertionError(f"workflow is a list of (phase, count), but has {flow!r}")
            if not isinstance(flow[0], str):
                raise TypeError(f"mode in workflow must be a str, but got {type(flow[0])}")
            if not hasattr(self, flow[0]):
                raise ValueError(f'runner has no method named "{flow[0]}" to run')
        if given is not None:
            deprecated(f"setting max_{unit} in run", f"set max_{unit} in runner_config", 4)
            setattr(self, f"_max_{unit}", given)
        length: int | None = getattr(self, f"_max_{unit}")
        if length is None:
            raise AssertionError(f"max_{unit} must be specified during instantiation")
        self.logger.info(f"Start running, host: {get_host_info()}, work_dir: {self.work_dir}")
        self.logger.info(f"Hooks will be executed in the following order:\n{self.get_hook_info()}")
        self.logger.info(f"workflow: {workflow}, max: {length} {unit}")
        return length

    @property
    def _done(self) -> int:
        """Finished epochs or iterations, in what the run is measured."""
        return self._epoch if self.by_epoch else self._iter

    def _take_turns(self, phases: list[Any], length: int, **kwargs: Any) -> None:
        """Run phases, each with its loader, in turn until the run is over."""
        turns = [(*phase, number) for phase in phases for number in range(phase[0][1])]
        # Random numbers go on where they were once the hooks have begun.
        _restore_generators(self._random_states)
        self._random_states = []
        while self._done < length or self._turn % len(turns):
            (mode, _), loader, number = turns[self._turn % len(turns)]
            self._turn += 1
            if number == 0:
                self._inner_iter = 0
            if mode != "train" or self._done < length:
                getattr(self, mode)(loader, **kwargs)
        self._turn = 0

    def current_lr(self) -> Any:
        """The learning rates of the parameter groups; by name where there are several optimizers.

        Raises:
            RuntimeError: There is no optimizer.
        """
        return self._of_groups("lr", lambda group: group["lr"])

    def current_momentum(self) -> Any:
        """The momenta of the parameter groups, or their first betas; otherwise as `current_lr`."""
        return self._of_groups(
            "momentum", lambda group: group.get("momentum", group.get("betas", (0,))[0])
        )

    def _of_groups(self, name: str, value: Callable[[Any], Any]) -> Any:
        if self.optimizer is None:
            raise RuntimeError(f"{name} is not applicable because optimizer does not exist.")
        several = optimizers_of(self).items()
        found = {key: [value(group) for group in one.param_groups] for key, one in several}
        return found.get(None, found)

    def register_hook(self, hook: Any, priority: int | str | Priority = "NORMAL") -> None:
        """Add a hook after those of the same or a higher priority."""
        if not isinstance(hook, Hook):
            raise AssertionError(f"a hook is wanted, not {hook!r}")
        if hasattr(hook, "priority"):
            raise ValueError('"priority" is a reserved attribute for hooks')
        hook.priority = get_priority(priority)
        insort(self._hooks, hook, key=attrgetter("priority"))

    def register_hook_from_cfg(self, hook_cfg: Mapping[str, Any]) -> None:
        """Add a hook from its dict, which may have a ``priority``."""
        self._register(hook_cfg, "NORMAL")

    def call_hook(self, fn_name: str) -> None:
        """Call a method of all hooks."""
        for hook in self._hooks:
            getattr(hook, fn_name)(self)
        if self._noted is not None and fn_name.startswith("after_train_"):
            self._settle(self._noted, self._written)

    def note_ranks(self) -> None:
        """Note on rank 0 what each rank keeps for itself, for its next checkpoint; on all ranks."""
        self._noted = gather_object(self._state_of_rank()) or []

    def _state_of_rank(self) -> dict[str, Any]:
        return {"random_states": RandomStates.capture().state_dict()}

    def _settle(self, noted: list[dict[str, Any]], path: str | None) -> None:
        """Note in a checkpoint what hooks after it, such as an evaluation, drew and found out."""
        now = gather_object(self._state_of_rank()) or []
        self._noted = self._written = None
        if path is None or _fingerprints(noted) == _fingerprints(now):
            return
        content = files.load_file(path)
        content[OWN]["ranks"] = now
        content["meta"]["hook_msgs"] = (self.meta or {}).get("hook_msgs", {})
        files.save_checkpoint(content, path)

    def get_hook_info(self) -> str:
        """A table of the hooks at each point."""
        lines, names = [], {one.value: one.name for one in Priority}
        for stage in Hook.stages:
            acting = [hook for hook in self._hooks if stage in hook.get_triggered_stages()]
            if acting:
                lines.append(f"{stage}:")
                for one in acting:
                    priority = names.get(one.priority, one.priority)
                    lines.append(f"({priority:<12}) {type(one).__name__:<35}")
                lines.append(" -------------------- ")
        return "\n".join(lines)

    def load_checkpoint(
        self,
        filename: str,
        map_location: Any = "cpu",
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = ((r"^module.", ""),),
    ) -> Mapping[str, Any]:
        """Load the weights of a checkpoint; returns the checkpoint."""
        return load_checkpoint(
            self.model, filename, map_location, strict, self.logger, revise_keys=revise_keys
        )

    def resume(
        self, checkpoint: str, resume_optimizer: bool = True, map_location: Any = "default"
    ) -> None:
        """Continue the run that a checkpoint was taken of.

        A checkpoint of this runner is continued exactly, random numbers and data of each rank
        included; one of MMCV's as MMCV does it.

        Args:
            checkpoint: Path or URI.
            resume_optimizer: Whether to restore the state of the optimizer.
            map_location: As in `torch.load`.
        """
        location = "cpu" if map_location == "default" else map_location
        found = self.load_checkpoint(checkpoint, map_location=location)
        own = found.get(OWN, {})
        self._epoch = found["meta"]["epoch"]
        self._iter, self._turn = own.get("iter", found["meta"]["iter"]), own.get("turn", 0)
        messages = {**(self.meta or {}).get("hook_msgs", {}), **found["meta"].get("hook_msgs", {})}
        self.meta = {**found["meta"], "hook_msgs": messages}
        if "optimizer" in found and resume_optimizer:
            if self.optimizer is None:
                raise TypeError("Optimizer should be dict or torch.optim.Optimizer but got None")
            states = found["optimizer"]
            for name, one in optimizers_of(self).items():
                one.load_state_dict(states if name is None else states[name])
        ranks = own.get("ranks", [])
        self._resume_data(ranks[self.rank] if len(ranks) == self.world_size else {})
        self._random_states = [one["random_states"] for one in ranks]
        self.logger.info(f"resumed epoch {self.epoch}, iter {self.iter}")

    def _resume_data(self, own: Mapping[str, Any]) -> None:  # noqa: B027 - most need nothing
        """Find the place in the data; nothing to do where a checkpoint ends an epoch."""

    def auto_resume(self) -> None:
        """Continue from the newest whole checkpoint in the work directory, if there is one."""
        found = files.find_resumable_checkpoint(self.work_dir) if self.work_dir else None
        if found is not None:
            self.logger.info(f"resume from {found.path}: {found.reason}")
            self.resume(found.path)

    def save_checkpoint(
        self,
        out_dir: str,
        filename_tmpl: str = "epoch_{}.pth",
        save_optimizer: bool = True,
        meta: dict[str, Any] | None = None,
        create_symlink: bool = True,
    ) -> None:
        """Write a checkpoint, and let ``latest.pth`` lead to it."""
        filename = filename_tmpl.format(self._done + 1)
        if not isinstance(meta, dict | None):
            raise TypeError(f"meta should be a dict or None, but got {type(meta)}")
        content = {**(meta or {}), **(self.meta or {}), "epoch": self.epoch + 1, "iter": self.iter}
        is_best = filename.startswith("best_")
        if self.world_size == 1 and not is_best:
            self.note_ranks()
        ranks = (not is_best and self._noted) or [self._state_of_rank()]
        own = {"iter": self.iter + self._within_step, "turn": self._turn, "ranks": ranks}
        path = os.path.join(out_dir, filename)
        optimizer = self.optimizer if save_optimizer else None
        save_checkpoint(self.model, path, optimizer, content, **{OWN: own})
        if "://" in out_dir:
            return
        if not is_best:
            self._written = path
        if create_symlink:
            link = Path(out_dir, "latest.pth")
            link.unlink(missing_ok=True)
            link.symlink_to(filename)

    def register_lr_hook(self, lr_config: Any) -> None:
        """Add the hook of a learning rate policy, such as ``dict(policy="step", step=[8])``."""
        self._register(_of_policy(lr_config, "LrUpdaterHook"), "VERY_HIGH")

    def register_momentum_hook(self, momentum_config: Any) -> None:
        """Add the hook of a momentum policy."""
        self._register(_of_policy(momentum_config, "MomentumUpdaterHook"), "HIGH")

    def register_optimizer_hook(self, optimizer_config: Any) -> None:
        """Add the hook that steps the optimizer."""
        self._register(optimizer_config, "ABOVE_NORMAL", "OptimizerHook")

    def register_checkpoint_hook(self, checkpoint_config: Any) -> None:
        """Add the hook that writes checkpoints."""
        self._register(checkpoint_config, "NORMAL", "CheckpointHook")

    def register_timer_hook(self, timer_config: Any) -> None:
        """Add the hook that takes the times."""
        self._register(timer_config, "LOW")

    def register_profiler_hook(self, profiler_config: Any) -> None:
        """Add the hook that profiles."""
        self._register(profiler_config, "NORMAL", "ProfilerHook")

    def register_logger_hooks(self, log_config: Mapping[str, Any] | None) -> None:
        """Add the hooks that log: ``dict(interval=50, hooks=[dict(type="TextLoggerHook")])``."""
        config = log_config or {}
        for hook in config.get("hooks", ()):
            self._register({"interval": config["interval"], **hook}, "VERY_LOW")

    def register_custom_hooks(self, custom_config: Any) -> None:
        """Add further hooks, each a hook or a dict."""
        items = custom_config if isinstance(custom_config, list) else [custom_config]
        for item in items:
            self._register(item, "NORMAL")

    def _register(self, config: Any, priority: str, kind: str | None = None) -> None:
        if config is None:
            return
        if isinstance(config, Mapping):
            arguments = {} if kind is None else {"type": kind}
            arguments |= copy.deepcopy(dict(config))
            priority = arguments.pop("priority", priority)
            config = HOOKS.build(arguments)
        self.register_hook(config, priority)

    def register_training_hooks(
        self,
        lr_config: Any,
        optimizer_config: Any = None,
        checkpoint_config: Any = None,
        log_config: Mapping[str, Any] | None = None,
        momentum_config: Any = None,
        timer_config: Any = {"type": "IterTimerHook"},  # noqa: B006 - MMCV's default; not changed
        custom_hooks_config: Any = None,
    ) -> None:
        """Add the hooks that a training usually has; ``None`` leaves one out."""
        for config in (checkpoint_config, lr_config, *(log_config or {}).get("hooks", ())):
            if isinstance(config, dict) and not self.by_epoch:
                config.setdefault("by_epoch", False)
        self.register_lr_hook(lr_config)
        self.register_momentum_hook(momentum_config)
        self.register_optimizer_hook(optimizer_config)
        self.register_checkpoint_hook(checkpoint_config)
        self.register_timer_hook(timer_config)
        self.register_logger_hooks(log_config)
        self.register_custom_hooks(custom_hooks_config)


def _of_policy(config: Any, suffix: str) -> Any:
    if not isinstance(config, Mapping):
        return config
    if "policy" not in config:
        raise AssertionError(f"a policy is wanted, as in dict(policy='step'), not {dict(config)}")
    arguments = dict(config)
    policy = arguments.pop("policy")
    name = policy.title() if policy == policy.lower() else policy
    return {**arguments, "type": f"{name}{suffix}"}


def _fingerprints(ranks: list[dict[str, Any]]) -> list[bytes]:
    return [RandomStates.from_state_dict(one["random_states"]).fingerprint() for one in ranks]
