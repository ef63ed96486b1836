"""What was changed since the checkpoint that a run goes on from, and what each change does.

Settings of optimizers and schedules are restored with their states, so a new value has no effect,
which is said, unless it is asked for: ``anew=["lr"]``. Everything else of the description counts as
it is now; that is said too, where it makes another run of it.
"""

from __future__ import annotations

import inspect
import logging
import reprlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.columns import titled
from mainspring.config import Config
from mainspring.config.diff import Difference, differences
from mainspring.config.printing.parse import parse_dump
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.dataset import DataLoader
from mainspring.errors import CheckpointError, ConfigError, did_you_mean
from mainspring.logging import print_log
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["Settings", "description", "say_changes"]

_KERNELS = ("foreach", "fused", "capturable", "differentiable", "maximize")
_NO_SETTINGS = ("optimizer", "param_name", "last_step", "verbose", "convert_to_iter_based")
_OF_THIS_START = ("work_dir", "load_from", "resume", "anew", "launcher", "env_cfg", "log_processor",
                  "log_level", "visualizer", "experiment_name", "record_digests")  # fmt: skip
_RESTORED = ("optim_wrapper.optimizer", "optim_wrapper.paramwise_cfg", "optim_wrapper._args_",
             "param_scheduler", "auto_scale_lr")  # fmt: skip
_WITHOUT_INFLUENCE = ("num_workers", "prefetch_factor", "persistent_workers", "pin_memory")


class Settings:
    """The settings of optimizers and schedules as they are described today, before a restore.

    Args:
        runner: The run; its optimizers and schedules are built.
        anew: What counts as it is described today: names of settings of the optimizers, such as
            ``"lr"``; ``"schedule"``, as if it had been so from the start, learning rates included;
            ``"optimizer"``, which begins without what the one of the checkpoint knew, and with
            today's settings and schedule.

    Raises:
        ConfigError: There is no such setting.
    """

    def __init__(self, runner: Runner, anew: Sequence[str] = ()) -> None:
        self._runner = runner
        self._optimizers = {
            name: wrapper.optimizer
            for name, wrapper in by_optimizer(runner.optim_wrapper).items()
            if hasattr(wrapper, "optimizer")
        }
        self._raw = {
            name: [{key: value for key, value in group.items() if key != "params"}
                   for group in optimizer.param_groups]
            for name, optimizer in self._optimizers.items()
        }  # fmt: skip
        self.today = self.now()
        self.anew = [anew] if isinstance(anew, str) else list(anew)
        settings = {key for groups in self._raw.values() for group in groups for key in group}
        known = {"schedule", "optimizer", *settings}
        for name in self.anew:
            if name not in known:
                raise ConfigError(
                    f"anew names {name!r}, which no optimizer has as a setting",
                    config_path="anew",
                    help=did_you_mean(str(name), known)
                    or "name lr, schedule or optimizer, for example",
                )

    @property
    def keeps_optimizer(self) -> bool:
        """Whether the state of the checkpoint's optimizer is taken over."""
        return "optimizer" not in self.anew

    @property
    def keeps_schedule(self) -> bool:
        """Whether the states of the checkpoint's schedules are taken over."""
        return self.keeps_optimizer and "schedule" not in self.anew

    def now(self) -> dict[str, dict[str, Any]]:
        """The settings that hold now, in plain types, by optimizer and schedule."""
        found: dict[str, dict[str, Any]] = {}
        for name, optimizer in self._optimizers.items():
            of_groups = [
                {
                    key: _plain(group.get(f"initial_{key}", value))
                    for key, value in group.items()
                    if key not in ("params", *_KERNELS) and not key.startswith("initial_")
                }
                for group in optimizer.param_groups
            ]
            values = {key: [group.get(key) for group in of_groups] for key in of_groups[0]}
            found[titled("the optimizer", name)] = {"type": _type_of(optimizer), **values}
        for title, scheduler in self._schedulers():
            settings = {
                key: _plain(getattr(scheduler, key))
                for key in _parameters(type(scheduler))
                if key not in _NO_SETTINGS and hasattr(scheduler, key)
            }
            found[title] = {"type": _type_of(scheduler), **settings}
        return found

    def _schedulers(self) -> Iterator[tuple[str, Any]]:
        schedulers = self._runner.param_schedulers or []
        for name, of_one in by_optimizer(schedulers).items():
            for number, scheduler in enumerate(of_one if isinstance(of_one, list) else [of_one], 1):
                yield titled(f"schedule {number}", name), scheduler

    def refuse_misfits(
        self, saved: Mapping[str, dict[str, Any]], checkpoint: Mapping[str, Any]
    ) -> None:
        """Refuse states of optimizers and schedules of another kind.

        Args:
            saved: The settings that held for the checkpoint; empty for those of others.
            checkpoint: The checkpoint.

        Raises:
            CheckpointError: There is one.
        """
        if self.keeps_optimizer:
            for name, optimizer in self._optimizers.items():
                then = saved.get(titled("the optimizer", name), {}).get("type")
                state = checkpoint.get("optimizer", {})
                groups = (state.get(name, {}) if name else state).get("param_groups", [])
                if _is_another_kind(optimizer, then, groups):
                    known = (
                        _short(then)
                        if then and then != _type_of(optimizer)
                        else "another optimizer"
                    )
                    raise CheckpointError(
                        f"the checkpoint is of {known}, this run has {type(optimizer).__name__}: "
                        "what one knows is of no use to the other",
                        help="give the optimizer of the checkpoint, or let the new one begin "
                        "without what the old one knew: anew=['optimizer'], --anew optimizer",
                    )
        if self.keeps_schedule:
            for title, scheduler in self._schedulers():
                then = saved.get(title, {}).get("type")
                if then is not None and then != _type_of(scheduler):
                    raise CheckpointError(
                        f"{title} is {type(scheduler).__name__}, in the checkpoint {_short(then)}",
                        help="give the schedule of the checkpoint, or let the new one count as if "
                        "it had been so from the start: anew=['schedule'], --anew schedule",
                    )

    def settle(self, saved: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Bring about what is asked for anew, and say which other changes have no effect.

        Args:
            saved: The settings that held for the checkpoint; empty for those of others.

        Returns:
            The settings that hold from here on.
        """
        restored = self.now()
        for name in self.anew:
            if name not in ("schedule", "optimizer"):
                self._set_anew(name)
        if not self.keeps_schedule:
            self._begin_schedules_anew()
        holding = self.now()
        for title, today in self.today.items():
            for key, value in today.items():
                then = saved.get(title, restored.get(title, {})).get(key, value)
                holds = holding.get(title, {}).get(key, value)
                if value == then or key == "type":
                    holding[title][key] = value  # not what a schedule has made of it
                    continue
                if holds == value:
                    _say(f"{key} of {title}: {_shown(then)} -> {_shown(value)} from here on")
                    continue
                way = key if title.startswith("the optimizer") else "schedule"
                _say(
                    f"{key} of {title} is {_shown(value)} now and was {_shown(then)} for the "
                    "checkpoint, whose state is restored: the change has no effect (with "
                    f"anew=['{way}'], or --anew {way} on the command line, it has)",
                    logging.WARNING,
                )
                holding.setdefault(title, {})[key] = then
        gone = [t for t in saved if t not in self.today and t.startswith("schedule")]
        new = [t for t in self.today if saved and t not in saved and t.startswith("schedule")]
        for title in gone + new if self.keeps_schedule else []:
            what = "new and begins now, at its first step" if title in new else "no more"
            _say(
                f"{title} is {what} (with --anew schedule, it is as if today's schedules had been "
                "there from the start)",
                logging.WARNING,
            )
        return holding

    def _set_anew(self, key: str) -> None:
        """Let a setting have today's value; where a schedule changes it, its course is scaled."""
        for name, optimizer in self._optimizers.items():
            scheduled = [
                scheduler
                for _, scheduler in self._schedulers()
                if scheduler.param_name == key
                and getattr(scheduler.optimizer, "optimizer", scheduler.optimizer) is optimizer
            ]
            for index, (group, raw) in enumerate(
                zip(optimizer.param_groups, self._raw[name], strict=False)
            ):
                if key not in raw:
                    continue
                initial = f"initial_{key}"
                new, old = raw.get(initial, raw[key]), group.get(initial, group[key])
                for scheduler in scheduled:
                    scheduler.base_values[index] = new
                if initial in group:
                    group[initial] = new
                group[key] = group[key] * (new / old) if scheduled and old else new

    def _begin_schedules_anew(self) -> None:
        """Bring the schedules of today to where they would be, had they been so from the start."""
        runner = self._runner
        schedulers = [scheduler for _, scheduler in self._schedulers()]
        names = {s.param_name for s in schedulers} | {"lr"}
        for name, optimizer in self._optimizers.items():
            for group, raw in zip(optimizer.param_groups, self._raw[name], strict=False):
                kept = {key for key in raw if key.removeprefix("initial_") in names}
                group.update({key: raw[key] for key in kept})
        iters, epochs = runner.iter, runner.epoch
        length = iters / epochs if epochs else float("inf")
        done = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no step of the optimizer came before
            for number in range(1, iters + 1):
                ends_epoch = number >= (done + 1) * length and done < epochs
                done += ends_epoch
                for scheduler in schedulers:
                    if getattr(scheduler, "need_val_args", False):
                        continue
                    if not scheduler.by_epoch or ends_epoch:
                        scheduler.step()


def description(runner: Runner) -> dict[str, Any]:
    """The sections of a run that no config describes, in plain types, for `say_changes`.

    Args:
        runner: The run.
    """
    return {
        name: _described(value)
        for name, value in runner._sections.items()
        if name not in _OF_THIS_START and name not in runner.cfg and value is not None
    }


def say_changes(runner: Runner, meta: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    """Say what else differs from the description that a checkpoint holds, and what that does.

    Args:
        runner: The run.
        meta: The ``meta`` of the checkpoint, with its config.
        described: What `description` gave when it was written.
    """
    try:
        then = Config(
            parse_dump(str(meta.get("cfg", "")), "config of the checkpoint")
        )._own_values()
    except (ConfigError, SyntaxError) as error:
        _say(f"the config of the checkpoint cannot be compared with this one: {error}")
        return
    before = {**described, **_sections_of(then)}
    today = {**description(runner), **_sections_of(runner.cfg._own_values())}
    if not before:
        return
    for difference in differences(before, today):
        path = difference.path
        if path.startswith(_RESTORED) or path in _OF_THIS_START:
            continue
        left, right = _shown(difference.left), _shown(difference.right)
        change = {"added": f"{right} is new", "removed": f"{left} is no more"}.get(
            difference.kind, f"{left} -> {right}"
        )
        effect, level = _effect(runner, difference)
        _say(f"{path}: {change}: {effect}", level)


def _sections_of(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if name in RUNNER_SECTIONS and name not in _OF_THIS_START and value is not None
    }


def _effect(runner: Runner, difference: Difference) -> tuple[str, int]:
    """What a change of the description does to a run that goes on, and how loudly to say so."""
    path = difference.path
    section, _, rest = path.partition(".")
    if path == "randomness.seed":
        return "without effect, the seed of the checkpoint goes on", logging.WARNING
    if section == "train_dataloader":
        if rest == "num_workers" and _draws_by_worker(runner, difference):
            return "takes effect: items that draw random numbers draw others", logging.WARNING
        if rest.partition(".")[0] in _WITHOUT_INFLUENCE:
            return "takes effect, without influence on what is trained", logging.INFO
        return (
            "takes effect: from here on it is not the run that it would have been",
            logging.WARNING,
        )
    if section in ("model", "data_preprocessor"):
        return "takes effect, with the weights of the checkpoint", logging.WARNING
    return "takes effect", logging.INFO


def _draws_by_worker(runner: Runner, difference: Difference) -> bool:
    """Whether what items draw depends on how many workers there are."""
    loader: Any = runner.train_dataloader
    if getattr(loader, "sample_rng", runner.sample_rng) == "worker":
        return True
    # In this process, items of torch's own loaders draw what torch lets them draw.
    return not isinstance(loader, DataLoader) and 0 in (difference.left, difference.right)


def _described(value: Any) -> Any:
    """An object as a config would show it, as far as it can be seen; else its type."""
    if isinstance(value, Mapping):
        return {str(key): _described(item) for key, item in dict(value).items()}
    if type(value) in (list, tuple):  # others may draw when they are iterated
        return [_described(item) for item in value[:100]]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, TorchDataLoader):
        names = ("batch_size", "drop_last", "num_workers")
        seen = {name: getattr(value, name) for name in names}
        batches: Any = value.batch_sampler
        sampler = value.sampler if batches is None else getattr(batches, "sampler", batches)
        shuffle = {"shuffle": getattr(sampler, "shuffle", None)}
        parts = {"dataset": _type_of(value.dataset), "sampler": _type_of(sampler)}
        return {"type": _type_of(value), **seen, **shuffle, **parts}
    return {"type": value.__qualname__ if isinstance(value, type) else _type_of(value)}


def _type_of(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _parameters(kind: type) -> list[str]:
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if "__init__" in vars(base) and base is not object:
            made_by = vars(base)["__init__"]
            found |= dict.fromkeys(list(inspect.signature(made_by).parameters)[1:])
    return list(found)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, list) and len({repr(item) for item in value}) == 1:
        value = value[0]  # alike in all groups
    return reprlib.repr(value)


_TAKES_OVER = {"torch.optim.adam.Adam": "torch.optim.adamw.AdamW"}


def _is_another_kind(optimizer: Any, then: str | None, groups: Sequence[Mapping[str, Any]]) -> bool:
    names = {f"{base.__module__}.{base.__qualname__}" for base in type(optimizer).__mro__}
    if then is not None and then not in names:
        return _TAKES_OVER.get(_type_of(optimizer)) != then
    ours = {key for key in optimizer.defaults if key not in _KERNELS}
    theirs = {key for group in groups for key in group if not key.startswith("initial_")}
    theirs -= {"params", "param_names", *_KERNELS}
    return bool(groups and ours - theirs and theirs - ours)


def _say(message: str, level: int = logging.INFO) -> None:
    print_log(f"changed since the checkpoint: {message}", logger="current", level=level)
