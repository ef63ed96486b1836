"""The parts of a script that make what is trained: data, model, optimizer, schedules."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mainspring.config.node import Node
from mainspring.dataset.collate import pseudo_collate
from mainspring.errors import ConfigError
from mainspring.optim import AmpOptimWrapper
from mainspring.registry import FUNCTIONS
from mainspring.tools.eject.expressions import Expressions
from mainspring.tools.eject.parts import Parts

__all__ = ["Making"]

_ITEMS = '''
class Items(Dataset):
    """A data set whose items draw random numbers of their own, and leave those of others alone.

    What an item draws follows from seed, epoch and index: workers and order do not matter.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, place: tuple[int, int]) -> Any:
        epoch, index = place
        key = mix(mix(SEED, epoch), index)
        before = {states}
        {seeds}
        item = self.dataset[index]
        {back}
        return item
'''


class Making:
    """Text of functions and lines, with the imports, constants and helpers that they need.

    Args:
        parts: The run.
        config: The config file, for the first line.
        target: Where the script goes.
    """

    def __init__(self, parts: Parts, config: str, target: Path) -> None:
        self.parts = parts
        self.config = config
        self.target = target
        self.write = Expressions()
        self.helpers: list[str] = []
        self.own_helpers: list[str] = []
        self.constants: list[str] = []
        self.standard: set[str] = {"import torch"}
        self.dataset = parts.loader.dataset
        self.draws = parts.draws_from(self.dataset)
        self.sample = self.dataset[0]
        self.by_epoch = parts.loop.by_epoch

    def _need(self, *helpers: str) -> None:
        self.helpers += [name for name in helpers if name not in self.helpers]

    # Data

    def _data_expression(self, section: Any) -> str:
        loader = section
        if isinstance(loader, Node):
            loader.try_bind()
        described = loader["dataset"]
        if isinstance(described, Mapping) and not isinstance(described, Node):
            arguments = {key: described[key] for key in described if key != "type"}
            return self.write.call(self.parts.class_of(described, True), arguments)
        return self.write.value(described)

    def _loaders(self) -> str:
        loader, sampler = self.parts.loader, self.parts.loader.sampler
        self.write.imports.setdefault("torch.utils.data", set()).add("DataLoader")
        shuffled = getattr(sampler, "shuffle", False)
        seed = "SEED" if sampler_seed(sampler) == self.parts.runner.seed else sampler_seed(sampler)
        settings = [f"batch_size={loader.batch_size}"]
        if loader.num_workers:
            settings.append(f"num_workers={loader.num_workers}")
        if loader.drop_last:
            settings.append("drop_last=True")
        settings += [*self._collate(loader), "generator=torch.Generator()"]
        items = "dataset"
        if self.draws:
            self._seeding()
            items = "Items(dataset)"
        if self.parts.is_endless:
            self.standard.add("import itertools")
            order = (
                "torch.randperm(len(dataset), generator=generator).tolist()"
                if shuffled
                else "range(len(dataset))"
            )
            pair = "(number, index)" if self.draws else "index"
            generator = (
                f"    generator = torch.Generator().manual_seed({seed})\n" if shuffled else ""
            )
            counted = "for number in itertools.count():" if self.draws else "while True:"
            self.write.imports.setdefault("collections.abc", set()).add("Iterator")
            return (
                "def visits(dataset: Any) -> Iterator[Any]:\n"
                '    """One stream of items, pass after pass; a batch may lie in two of them."""\n'
                f"{generator}    {counted}\n        for index in {order}:\n"
                f"            yield {pair}\n\n\n"
                "def training_batches(dataset: Any) -> DataLoader:\n"
                '    """The batches, without end."""\n'
                "    # A generator of its own: loading leaves the global one alone.\n"
                f"    return DataLoader({items}, sampler=visits(dataset), {', '.join(settings)})"
            )
        lines = [
            "def training_batches(dataset: Any, epoch: int) -> DataLoader:",
            '    """The batches of an epoch, whose order follows from its number."""',
        ]
        if shuffled:
            lines += [
                f"    generator = torch.Generator().manual_seed({seed} + epoch)",
                "    order = torch.randperm(len(dataset), generator=generator).tolist()",
            ]
        else:
            lines.append("    order = range(len(dataset))")
        if self.draws:
            lines.append("    order = [(epoch, index) for index in order]")
        lines += [
            "    # A generator of its own: loading leaves the global one alone.",
            f"    return DataLoader({items}, sampler=order, {', '.join(settings)})",
        ]
        self.write.imports.setdefault("typing", set()).add("Any")
        if self.by_epoch:
            return "\n".join(lines)
        self.standard.add("import itertools")
        self.write.imports.setdefault("collections.abc", set()).add("Iterator")
        return "\n".join(lines) + (
            "\n\n\ndef endless(dataset: Any) -> Iterator[Any]:\n"
            '    """The batches of one epoch after another."""\n'
            "    for epoch in itertools.count():\n"
            "        yield from training_batches(dataset, epoch)"
        )

    def _collate(self, loader: Any) -> list[str]:
        function = loader.collate_fn
        if function is torch.utils.data.default_collate:
            return []
        if function is pseudo_collate:
            if self.parts.is_supervised:
                return []  # Supervised stacks what it gets in lists
            self._need("listed")
            self.write.imports.setdefault("typing", set()).add("Any")
            return ["collate_fn=listed"]
        found = getattr(function, "func", function)
        if found is not function or getattr(found, "__module__", "").startswith("mainspring"):
            raise ConfigError(
                f"the collate function {function!r} cannot be ejected",
                config_path="train_dataloader.collate_fn",
                help="write a function of your own",
            )
        named = FUNCTIONS.get(found) if isinstance(found, str) else found
        return [f"collate_fn={self.write.value(named)}"]

    def _seeding(self) -> None:
        """Helpers that seed items: those of the generators that are drawn from."""
        self._need("mix")
        seeds, states = [], []
        if "torch" in self.draws:
            seeds.append("torch.default_generator.manual_seed(key)")
            states.append(("torch.get_rng_state()", "torch.set_rng_state"))
        if "python" in self.draws:
            seeds.append("random.setstate((3, (*twister_words(key, 0).tolist(), 0), None))")
            states.append(("random.getstate()", "random.setstate"))
        if "numpy" in self.draws:
            seeds.append('np.random.set_state(("MT19937", twister_words(key, 1), 0, 0, 0.0))')
            states.append(("np.random.get_state()", "np.random.set_state"))
        if self.draws - {"torch"}:
            self._need("twister_words")
        self.write.imports.setdefault("torch.utils.data", set()).add("Dataset")
        self.write.imports.setdefault("typing", set()).add("Any")
        self.own_helpers.append(
            _ITEMS.format(
                states=", ".join(state for state, _ in states),
                seeds="\n        ".join(seeds),
                back="\n        ".join(
                    f"{put}(before[{number}])" for number, (_, put) in enumerate(states)
                ),
            ).replace("before = torch.get_rng_state()\n", "before = [torch.get_rng_state()]\n")
        )

    # Model, optimizer, schedules

    def _make(self) -> list[str]:
        parts = self.parts
        section = parts.section("model")
        if isinstance(section, Node):
            section.try_bind()
        lines = []
        if parts.is_supervised:
            lines.append(f"model = {self._part(section['net'])}.to(DEVICE)")
            lines.append(f"criterion = {self._part(section['loss'])}")
        else:
            lines.append(f"model = {self._part(section)}.to(DEVICE)")
        lines.append(f"dataset = {self._data_expression(parts.section('train_dataloader'))}")
        lines.append(f"optimizer = {self._optimizer()}")
        if isinstance(parts.wrapper, AmpOptimWrapper) and parts.wrapper.loss_scaler.is_enabled():
            scale = parts.wrapper._scale_update_param
            given = "" if scale is None else f", init_scale={scale}"
            lines.append(f"scaler = torch.amp.GradScaler(DEVICE{given})")
        if parts.runner.val_loop is not None:
            lines.append("val_batches = validation_batches()")
        if parts.needs_initialising:
            lines.append("model.init_weights()")
        if parts.ema is not None:
            self.standard.add("import copy")
            lines.append("averaged = copy.deepcopy(model)")
        if parts.schedules:
            self._schedules()
            lines.append("follow_schedules(optimizer, None, 0)")
        return lines

    def _part(self, section: Any) -> str:
        if isinstance(section, Mapping) and not isinstance(section, Node):
            arguments = {key: section[key] for key in section if key != "type"}
            return self.write.call(self.parts.class_of(section, False), arguments)
        if isinstance(section, type):
            return self.write.call(section, {})
        return self.write.value(section)

    def _optimizer(self) -> str:
        optimizer = self.parts.wrapper.optimizer
        kind = type(optimizer)
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(kind).parameters.items()
            if parameter.default is not parameter.empty
        }
        groups = list(self.parts.parameter_groups())
        (first, names), *others = groups
        given = {
            key: first.get(key, value)
            for key, value in first.items()
            if key in inspect.signature(kind).parameters and defaults.get(key, ...) != value
        }
        everything = [name for name, _ in self.parts.network.named_parameters()]
        if others or (names != everything and not self._are_trained(names)):
            return self._optimizer_of_groups(kind, groups, given)
        what = "model.parameters()"
        if names != everything:
            what = "[p for p in model.parameters() if p.requires_grad]"
        arguments = ", ".join(f"{key}={self.write.value(value)}" for key, value in given.items())
        return f"{self.write.name(kind)}({what}{', ' if arguments else ''}{arguments})"

    def _are_trained(self, names: list[str]) -> bool:
        return names == [n for n, p in self.parts.network.named_parameters() if p.requires_grad]

    def _optimizer_of_groups(
        self, kind: type, groups: list[tuple[dict[str, Any], list[str]]], given: dict[str, Any]
    ) -> str:
        """Parameters in groups: a table of the names of each."""
        merged: dict[str, tuple[dict[str, Any], list[str]]] = {}
        for settings, names in groups:
            own = {key: value for key, value in settings.items() if given.get(key) != value}
            own = {
                key: own[key] for key in own if key in ("lr", "weight_decay", "momentum", "betas")
            }
            merged.setdefault(repr(own), (own, []))[1].extend(names)
        rows = [
            f"    ({self.write.value(own)}, {' '.join(names)!r}.split()),"
            for own, names in merged.values()
        ]
        self.constants += [
            "GROUPS = [  # settings that differ, and whose they are",
            *_wrapped(rows),
            "]",
        ]
        self._need("parameter_groups")
        self.write.imports.setdefault("typing", set()).add("Any")
        arguments = ", ".join(f"{key}={self.write.value(value)}" for key, value in given.items())
        return f"{self.write.name(kind)}(parameter_groups(model, GROUPS), {arguments})"

    def _schedules(self) -> None:
        rows = []
        for schedule in self.parts.schedules:
            name, call = _curve_of(schedule)
            self._need(name)
            self.standard.add("import math") if name == "cosine" else None
            unit = "epoch" if schedule.by_epoch else "iteration"
            end = "math.inf" if schedule.end >= 2**31 else schedule.end
            self.standard.add("import math") if end == "math.inf" else None
            rows.append(
                f'    ("{unit}", "{schedule.param_name}", {schedule.begin}, {end},\n'
                f"     lambda value, base, step: {call}),"
            )
        self.constants += [
            "SCHEDULES = [  # counted in, setting, begin, end, from one value to the next"
        ]
        self.constants += [*rows, "]"]
        self._need("follow_schedules")
        if "multi_step" in self.helpers:
            self.write.imports.setdefault("collections.abc", set()).add("Mapping")


def sampler_seed(sampler: Any) -> int:
    """The seed of a sampler's orders."""
    return int(getattr(sampler, "seed", 0))


def _wrapped(rows: list[str]) -> list[str]:
    lines = []
    for row in rows:
        lines += textwrap.wrap(row, 96, subsequent_indent="     ", break_long_words=False)
    return lines


def _curve_of(schedule: Any) -> tuple[str, str]:
    """The curve that a schedule follows, and its call."""
    kinds = {kind.__name__ for kind in type(schedule).__mro__}
    s = schedule
    if "ConstantParamScheduler" in kinds:
        return "constant", f"constant(value, step, factor={s.factor!r}, total={s.total_iters})"
    if "CosineAnnealingParamScheduler" in kinds:
        minimum = s.eta_min if s.eta_min_ratio is None else f"base * {s.eta_min_ratio!r}"
        return "cosine", f"cosine(value, base, step, period={s.T_max}, minimum={minimum})"
    if "ExponentialParamScheduler" in kinds:
        return "exponential", f"exponential(value, step, gamma={s.gamma!r})"
    if "LinearParamScheduler" in kinds:
        words = f"start={s.start_factor!r}, end={s.end_factor!r}, total={s.total_iters}, base=base"
        return "linear", f"linear(value, step, {words})"
    if "MultiStepParamScheduler" in kinds:
        return "multi_step", (
            f"multi_step(value, step, milestones={dict(s.milestones)}, gamma={s.gamma!r})"
        )
    if "PolyParamScheduler" in kinds:
        minimum = s.eta_min
        return (
            "poly",
            f"poly(value, step, power={s.power!r}, minimum={minimum}, total={s.total_iters})",
        )
    return "step_decay", f"step_decay(value, step, step_size={s.step_size}, gamma={s.gamma!r})"
