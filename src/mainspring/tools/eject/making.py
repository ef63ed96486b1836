"""The parts of a script that make what is trained: data, model, optimizer, schedules."""

from __future__ import annotations

import fnmatch
import string
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mainspring.config.node import Node
from mainspring.dataset.collate import default_collate, pseudo_collate
from mainspring.errors import ConfigError
from mainspring.optim import AmpOptimWrapper
from mainspring.optim.scheduler import INF
from mainspring.registry import FUNCTIONS
from mainspring.tools.eject.expressions import Expressions, not_by_default
from mainspring.tools.eject.parts import Parts
from mainspring.tools.eject.schedules import rows_of, torchs_of

__all__ = ["SEEDED", "Making", "filled"]

_TEMPLATES = Path(__file__).with_name("templates")
SEEDED = {
    "torch": ("torch.default_generator.manual_seed(key)", "torch.{}_rng_state"),
    "python": (
        "random.setstate((3, (*twister_words(key, 0).tolist(), 0), None))",
        "random.{}state",
    ),
    "numpy": (
        'np.random.set_state(("MT19937", twister_words(key, 1), 0, 0, 0.0))',
        "np.random.{}_state",
    ),
}
"""How each generator is seeded for an item, and read or put back."""


def filled(name: str, **slots: str | list[str]) -> str:
    """A template with its slots filled; a list takes as many lines as it has."""
    lines = []
    for line in (_TEMPLATES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        slot = line.strip().removeprefix("$")
        if isinstance(found := slots.get(slot), list):
            lines += [line.replace(f"${slot}", each) for each in found]
        else:
            lines.append(string.Template(line).substitute(slots))
    return "\n".join(lines)


class Making:
    """Text of functions and lines, with the imports, constants and helpers that they need.

    Args:
        parts: The run.
        config: The config file, for the first line.
        target: Where the script goes.

    Attributes:
        after: Lines of the schedules, by what they come after.
    """

    def __init__(self, parts: Parts, config: str, target: Path) -> None:
        self.parts = parts
        self.config = config
        self.target = target
        self.write = Expressions()
        self.helpers: list[str] = []
        self.own_helpers: list[str] = []
        self.constants: list[str] = []
        self.draws = parts.drawn  # asked once: items that were kept draw no more
        self.by_epoch = parts.loop.by_epoch
        self.after: dict[str, list[str]] = {"iteration": [], "epoch": [], "validation": []}

    def _need(self, *helpers: str) -> None:
        self.helpers = list(dict.fromkeys([*self.helpers, *helpers]))

    # Data

    def _data_expression(self, section: Any) -> str:
        if isinstance(section, Node):
            section.try_bind()
        return self._part(section["dataset"], of_data=True)

    def _loaders(self) -> str:
        loader, sampler = self.parts.loader, self.parts.loader.sampler
        own = int(getattr(sampler, "seed", 0))
        seed = "SEED" if own == self.parts.runner.seed else own
        draws, endless = self.draws, self.parts.is_endless
        if draws:
            self._seeding()
        generator, order = [], "range(len(dataset))"
        if getattr(sampler, "shuffle", False):
            of_epoch = f"{seed}" if endless else f"{seed} + epoch"
            generator = [f"generator = torch.Generator().manual_seed({of_epoch})"]
            order = "torch.randperm(len(dataset), generator=generator).tolist()"
        text = filled(
            "stream" if endless else "batches",
            generator=generator,
            order=order,
            numbered=["order = [(epoch, index) for index in order]"] if draws else [],
            number="number" if draws else "_",
            index="(number, index)" if draws else "index",
            items="Items(dataset)" if draws else "dataset",
            settings=", ".join(self._loader_settings(loader)),
        )
        return text if self.by_epoch or endless else text + "\n" + filled("endless")

    def _loader_settings(self, loader: Any) -> list[str]:
        settings = [f"batch_size={loader.batch_size}"]
        if loader.num_workers:
            settings.append(f"num_workers={loader.num_workers}")
        if loader.drop_last:
            settings.append("drop_last=True")
        return settings + self._collate(loader)

    def _collate(self, loader: Any) -> list[str]:
        function = loader.collate_fn
        if function in (torch.utils.data.default_collate, default_collate):
            return []
        if function is pseudo_collate:
            if self.parts.is_supervised:
                return []  # Supervised stacks what it gets in lists
            self._need("listed")
            return ["collate_fn=listed"]
        found = getattr(function, "func", function)
        if found is not function or getattr(found, "__module__", "").startswith("mainspring"):
            raise ConfigError(
                f"the collate function {function!r} cannot be ejected",
                config_path="train_dataloader.collate_fn",
                help="write a function of your own",
            )
        named = FUNCTIONS.get(found) if isinstance(found, str) else found
        return [f"collate_fn={self.write.flat(named)}"]

    def _seeding(self) -> None:
        """Helpers that seed items: those of the generators that are drawn from."""
        self._need("mix")
        if self.draws - {"torch"}:
            self._need("twister_words")
        seeded = [SEEDED[name] for name in SEEDED if name in self.draws]
        seeds = [seed for seed, _ in seeded]
        states = ", ".join(f"{state.format('get')}()" for _, state in seeded)
        back = [f"{s.format('set')}(before[{n}])" for n, (_, s) in enumerate(seeded)]
        self.own_helpers.append(filled("items", states=states, seeds=seeds, back=back))

    # Model, optimizers, schedules

    def _make(self) -> list[str]:
        parts = self.parts
        section = parts.section("model")
        if isinstance(section, Node):
            section.try_bind()
        lines = []
        if parts.is_supervised:
            lines += [f"model = {self._part(section['net'])}", "model.to(DEVICE)"]
            lines.append(f"criterion = {self._part(section['loss'])}")
            if any(True for _ in getattr(parts.model.loss, "buffers", tuple)()):
                lines.append("criterion.to(DEVICE)")
        else:
            lines += [f"model = {self._part(section)}", "model.to(DEVICE)"]
        lines.append(f"dataset = {self._data_expression(parts.section('train_dataloader'))}")
        variables = {
            name: f"{name}_optimizer" if name.isidentifier() else f"optimizer{number or ''}"
            for number, name in enumerate(parts.wrappers)
        }
        for name, variable in variables.items():
            lines.append(f"{variable} = {self._optimizer(name)}")
        if parts.has_own_step:
            given = {name: self._updates(name, variable) for name, variable in variables.items()}
            several = ", ".join(f'"{name}": {updates}' for name, updates in given.items())
            lines.append(f"updates = {given.get('') or f'{{{several}}}'}")
        elif self._is_scaled:
            scale = parts.wrapper._scale_update_param
            given_scale = "" if scale is None else f", init_scale={scale}"
            lines.append(f"scaler = torch.amp.GradScaler(DEVICE{given_scale})")
        if parts.needs_initialising:
            lines.append("model.init_weights()")
        lines += self._weights()
        if parts.ema is not None:
            lines.append("averaged = copy.deepcopy(model)")
        for name, schedules in parts.schedules.items():
            lines += self._schedules(schedules, name, variables[name])
        return lines

    @property
    def _is_scaled(self) -> bool:
        wrapper = self.parts.wrapper
        return isinstance(wrapper, AmpOptimWrapper) and wrapper.loss_scaler.is_enabled()

    def _weights(self) -> list[str]:
        """Lines that load the weights to begin with."""
        path = self.parts.cfg.get("load_from")
        if not path:
            return []
        lines = [
            f"weights = torch.load({self.write.flat(str(path))}, map_location=DEVICE)",
            'weights = weights["state_dict"]',
        ]
        if self.parts.is_supervised:
            each = '{name.removeprefix("net."): tensor for name, tensor in weights.items()}'
            lines.append(f"weights = {each}")
        if self.parts.weights_fit:
            return [*lines, "model.load_state_dict(weights)"]
        self._need("fitting")
        return [*lines, "model.load_state_dict(fitting(weights, model), strict=False)"]

    def _part(self, section: Any, *, of_data: bool = False) -> str:
        if isinstance(section, Mapping) and not isinstance(section, Node):
            arguments = {key: section[key] for key in section if key != "type"}
            return self.write.call(self.parts.class_of(section, of_data), arguments)
        if isinstance(section, type) and not of_data:
            return self.write.call(section, {})
        return self.write.flat(section)

    def _updates(self, name: str, variable: str) -> str:
        """What the model's own step is given for an optimizer."""
        wrapper = self.parts.wrappers[name]
        self._need("Updates")
        if wrapper.clip_grad_kwargs is None:
            return f"Updates({variable})"
        self._need("ClippedUpdates")
        self.write.imports.setdefault("functools", set()).add("partial")
        return f"ClippedUpdates({variable}, partial({self._clipping(wrapper)}))"

    def _clipping(self, wrapper: Any) -> str:
        arguments = [f"{k}={self.write.flat(v)}" for k, v in wrapper.clip_grad_kwargs.items()]
        return ", ".join([f"nn.utils.{wrapper.clip_func.__name__}", *arguments])

    def _optimizer(self, name: str) -> str:
        parts = self.parts
        optimizer = parts.wrappers[name].optimizer
        kind = type(optimizer)
        groups = list(parts.parameter_groups(optimizer))
        (first, names), *others = groups
        given = {key: first[key] for key in ("lr",) if key in first} | not_by_default(kind, first)
        owner, module = "model", parts.network
        if name and all(each.startswith(f"{name}.") for each in names):
            owner, module = f"model.{name}", parts.network.get_submodule(name)
        prefix = f"{name}." if module is not parts.network else ""
        everything = {f"{prefix}{n}": p for n, p in module.named_parameters()}
        trained = [n for n, p in everything.items() if p.requires_grad]
        if others or names not in (list(everything), trained):
            return self._optimizer_of_groups(kind, groups, given, name)
        what = f"{owner}.parameters()"
        if names != list(everything):
            what = f"[p for p in {owner}.parameters() if p.requires_grad]"
        arguments = [f"{key}={self.write.flat(value)}" for key, value in given.items()]
        return f"{self.write.name(kind)}({', '.join([what, *arguments])})"

    def _optimizer_of_groups(
        self,
        kind: type,
        groups: list[tuple[dict[str, Any], list[str]]],
        given: dict[str, Any],
        name: str,
    ) -> str:
        """Parameters in groups: a table of the names of each."""
        usual = {**self.parts.wrappers[name].optimizer.defaults, **given}
        merged: dict[str, tuple[dict[str, Any], list[str]]] = {}
        for settings, names in groups:
            own = {k: v for k, v in settings.items() if k in usual and usual[k] != v}
            merged.setdefault(repr(own), (own, []))[1].extend(names)
        table = self._constant(name, "GROUPS")
        everything = [each for each, _ in self.parts.network.named_parameters()]
        rest = max(merged.values(), key=lambda group: len(group[1]))
        if sum(len(names) for _, names in merged.values()) < len(everything):
            rest = ({}, [])
        self.constants.append(f"{table} = [  # settings that differ, and names, of which one fits")
        for own, names in sorted(merged.values(), key=lambda group: group is rest):
            others = sorted(set(everything) - set(names))
            patterns = ["*"] if names is rest[1] else patterns_of(names, others)
            row = f"    ({self.write.flat(own)}, {self.write.flat(patterns)}),"
            self.constants += textwrap.wrap(row, 100, subsequent_indent="     ")
        self.constants.append("]")
        self._need("parameter_groups")
        arguments = ", ".join(f"{key}={self.write.flat(value)}" for key, value in given.items())
        return f"{self.write.name(kind)}(parameter_groups(model, {table}), {arguments})"

    def _constant(self, optimizer: str, what: str) -> str:
        return f"{optimizer.upper()}_{what}" if optimizer.isidentifier() else what

    def _schedules(self, schedules: list[Any], name: str, optimizer: str) -> list[str]:
        """Lines that make the schedules of an optimizer; those that step them go to `after`."""
        loop = self.parts.loop
        steps = {True: loop.max_epochs, False: loop.max_iters or float("inf")}
        torchs = {each: torchs_of(each, steps[each.by_epoch]) for each in schedules}
        in_table = [s for s in schedules if not s.need_val_args] if None in torchs.values() else []
        lines = self._table(in_table, name, optimizer) if in_table else []
        variable = f"{name}_schedule" if name.isidentifier() else "schedule"
        for schedule in schedules:
            if schedule in in_table:
                continue
            kind, arguments = torchs[schedule] or (None, {})
            words = "".join(f", {k}={self.write.flat(v)}" for k, v in arguments.items())
            lines.append(f"{variable} = {self.write.name(kind)}({optimizer}{words})")
            needs_metric = schedule.need_val_args
            found = f'found["{schedule.monitor}"]' if needs_metric else ""
            unit = "epoch" if schedule.by_epoch else "iteration"
            self.after["validation" if needs_metric else unit].append(f"{variable}.step({found})")
            variable = f"{variable.rstrip('0123456789')}{len(lines) + 1}"
        return lines

    def _table(self, schedules: list[Any], name: str, optimizer: str) -> list[str]:
        rows, units = [], set[str]()
        for schedule in schedules:
            unit = "epoch" if schedule.by_epoch else "iteration"
            units.add(unit)
            for begin, end, call in rows_of(schedule):
                self._need(call.partition("(")[0])
                until = "math.inf" if end >= INF else end
                rows.append(
                    f'    ("{unit}", "{schedule.param_name}", {begin}, {until},\n'
                    f"     lambda value, base, step: {call}),"
                )
        table = self._constant(name, "SCHEDULES")
        said = "# counted in, setting, begin, end, from one value to the next"
        self.constants += [f"{table} = [  {said}", *rows, "]"]
        self._need("follow_schedules")
        done = {"epoch": "epoch + 1", "iteration": "iteration + 1"}
        for unit in units:
            self.after[unit].append(
                f'follow_schedules({optimizer}, {table}, "{unit}", {done[unit]})'
            )
        return [f"follow_schedules({optimizer}, {table}, None, 0)"]


def patterns_of(names: list[str], others: list[str]) -> list[str]:
    """A few patterns that fit some names, and none of the others."""
    tries = set(names)
    for name in names:
        parts = name.split(".")
        for cut in range(1, len(parts)):
            tries |= {f"{'.'.join(parts[:cut])}.*", f"*.{'.'.join(parts[cut:])}"}
    fits = {
        each: set(fnmatch.filter(names, each))
        for each in sorted(tries, key=lambda each: (len(each), each))
        if not fnmatch.filter(others, each)
    }
    chosen, left = list[str](), set(names)
    while left:
        chosen.append(max(fits, key=lambda each: len(fits[each] & left)))
        left -= fits[chosen[-1]]
    return chosen
