"""Construct the parts of a run that are ours or torch's, so that what they refuse is known at once.

The builders are those of the runner; data set and parameters are stand-ins, and so is a model in
which something is of a project's own. What is not ours is not constructed.
"""

from __future__ import annotations

import copy
import inspect
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from mainspring.check.annotations import annotation_of, shown_annotation, shown_value, violates
from mainspring.check.calls import CallChecker, arguments_of
from mainspring.check.problem import Problems, words_of
from mainspring.check.references import find_name
from mainspring.config.config_dict import duplicate
from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.provenance.places import key_in, value_at
from mainspring.config.schema import RUNNER_SECTIONS, misspelt_sections
from mainspring.errors import MainspringError
from mainspring.walk import items_of

__all__ = ["prepare", "try_parts"]

Path = tuple[str, ...]

_REFUSALS = (MainspringError, ValueError, TypeError, AssertionError, KeyError, ArithmeticError)
_OURS = ("mainspring", "torch")
_CUSTOM_KEYS = "custom_keys"
"""Rules that only the real model's parameters can be compared with."""

_CONSTRUCTORS = "OPTIM_WRAPPER_CONSTRUCTORS"
_PLAIN = (bool, int, float, str, list, tuple)
_ALWAYS = (True, False, "forward", "loss", "step")
"""Values of ``compile`` that need no look at the model."""

_MANY = 2**31
"""As many batches, epochs or samples as no run asks for."""

_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def prepare() -> None:
    """Import what constructing takes."""
    import mainspring.runner  # noqa: F401 - importing it is the point
    from mainspring.fast.eager_optimizers import spare_compiler

    spare_compiler()


def try_parts(values: dict[Any, Any], calls: CallChecker, problems: Problems) -> None:
    """Construct what can be constructed in milliseconds, and see whether it agrees.

    Args:
        values: The whole config, not imported.
        calls: What knows what is called; parts in which it found errors are passed over.
        problems: Where to report.
    """
    from mainspring.rng.states import quiet_generators

    with quiet_generators():
        _Trial(values, calls, problems).run()


class _Trial:
    """One config's parts, constructed one after the other."""

    def __init__(self, values: dict[Any, Any], calls: CallChecker, problems: Problems) -> None:
        from mainspring.runner.building.misfits import Parts

        self.values = values
        self.calls = calls
        self.problems = problems
        self.parts = Parts()
        self._has_model = False

    def run(self) -> None:
        """Construct the parts, in the order in which a run needs them."""
        from mainspring.logging.logger import level_number
        from mainspring.runner.building import build, build_optimization, environment, request
        from mainspring.runner.building.misfits import misfits
        from mainspring.runner.building.sections import (
            check_triples,
            require,
            with_default_loops,
            work_dir_of,
        )
        from mainspring.runner.loops import BaseLoop

        sections = {str(name): value for name, value in dict.items(self.values)}
        for key, name in misspelt_sections(sections).items():
            sections.setdefault(name, sections[key])
        given = dict(sections)
        with_default_loops(sections)
        launcher = sections.get("launcher") or "none"
        sections["env_cfg"] = sections.get("env_cfg") or {}
        plain: dict[str, Callable[[Any], Any]] = {
            "randomness": environment.Randomness.from_section,
            "env_cfg": lambda spec: environment.check_environment(spec, launcher),
            "work_dir": lambda path: work_dir_of(path, None),
            "auto_scale_lr": build_optimization.check_lr_scaling,
            "log_level": level_number,
        }
        for name, look in plain.items():
            self._try((name,), sections.get(name), look)
        self._try((), {}, lambda _: environment.check_wrapping(sections))
        asked: Any = (sections.get("resume"), sections.get("load_from"))
        self._try((), {}, lambda _: request.resume_request(*asked))
        run = _StandIn()
        loop = sections.get("train_cfg")
        self.parts.trains = sections.get("train_dataloader") is not None or loop is not None
        self.parts.validates = sections.get("val_dataloader") is not None
        if loop is not None:
            make_loop = partial(build.build_train_loop, run, dataloader=run.loader)
            made = self._try(("train_cfg",), loop, make_loop)
            self.parts.train_loop = made if isinstance(made, BaseLoop) else None
        make = partial(build.build_log_processor, by_epoch=self.parts.by_epoch)
        processor = self._try(("log_processor",), sections.get("log_processor"), make)
        self.parts.log_processor = processor
        unruled = self._hooks(sections, self.parts.by_epoch)
        self._loaders(sections)
        self._evaluation(sections, run)
        self._visualizer(sections)
        self._optimization(sections)
        for fails, found in misfits(self.parts):
            self._add("error" if fails else "warning", found, str(found.config_path).split("."))
        if any(name in given for name in RUNNER_SECTIONS):
            self._try((), {}, lambda _: require(given, "model"))
        self._try((), {}, lambda _: check_triples(given, given))
        self._types(given)
        for path, error in unruled.items():
            if not self._has(path, "error"):
                argument = "save_best" if path[-1] == "checkpoint" else "monitor"
                self._add("error", error, (*path, argument))

    def _types(self, sections: dict[str, Any]) -> None:
        """See whether plain values of sections are what the runner takes."""
        from mainspring.runner import Runner

        for name, parameter in inspect.signature(Runner).parameters.items():
            value, annotation = sections.get(name), annotation_of(Runner, parameter)
            if type(value) in _PLAIN and violates(value, annotation):
                said = f"{name} is {shown_value(value)}, but a run takes "
                self._add("error", said + shown_annotation(annotation), (name,))

    def _hooks(self, sections: dict[str, Any], by_epoch: bool | None) -> dict[Path, Exception]:
        """Construct the hooks.

        Returns:
            What is wrong with hooks whose metric's name does not tell which values are better: an
            evaluator that does not know the name is the better answer.
        """
        from torch import nn

        from mainspring.hooks import EMAHook, HookDispatch
        from mainspring.hooks.dispatch import check_hook
        from mainspring.hooks.metric_rule import UnknownRuleError
        from mainspring.runner.building.default_hooks import DEFAULT_HOOKS, hooks_of

        unruled: dict[Path, Exception] = {}
        changes, custom = sections.get("default_hooks"), sections.get("custom_hooks")
        described = self._try((), {}, lambda _: hooks_of(changes, custom, by_epoch)) or {}
        for dotted, hook in described.items():
            path = tuple(dotted.split("."))
            written = len(path) == 1 or path[1] not in DEFAULT_HOOKS or path[1] in (changes or {})

            def register(spec: Any, path: Path = path) -> Any:
                dispatch = HookDispatch()
                try:
                    dispatch.register(spec)
                except UnknownRuleError as error:
                    dispatch.register({**spec, "rule": "greater"})
                    unruled[path] = error
                hook = dispatch.hooks[0]
                if isinstance(hook, EMAHook):
                    hook.average_of(nn.Linear(1, 1))
                return hook

            made = self._try(path, hook, register) if written else None
            if made is not None:
                self.parts.hooks[dotted] = made
            kind: Any = self.calls.targets.get(id(hook))
            if isinstance(kind, type) and getattr(kind, "__new__", None) is object.__new__:
                self._try(path, hook, check_hook, prepared=object.__new__(kind))
        return unruled

    def _loaders(self, sections: dict[str, Any]) -> None:
        from mainspring.dataset.loader.combined_loader import CombinedLoader, several_loaders

        def combine(spec: Any) -> Any:
            several = several_loaders(spec)
            if several is None:
                return None
            names = several.loaders
            by_name = isinstance(names, Mapping)
            made: Any = {name: [None] for name in names} if by_name else [[None] for _ in names]
            return CombinedLoader(made, **several.options)

        for name in _LOADERS:
            path: Path = (name,)
            section = inner = sections.get(name)
            if isinstance(section, dict) and dict.__contains__(section, "loaders"):
                inner, path = dict.__getitem__(section, "loaders"), (name, "loaders")
                self._try((name,), section, combine, prepared=section)
            if inner is section and several_loaders(section) is None:
                self._loader(path, section)
                continue
            for key, item in items_of(inner):
                self._loader((*path, str(key)), item)

    def _loader(self, path: Path, section: Any) -> None:
        from torch.utils.data import IterableDataset

        from mainspring.dataset import TokenBudgetBatchSampler, build_dataloader
        from mainspring.dataset.any_loader import refuse_no_loader

        if not isinstance(section, dict):
            if isinstance(section, _PLAIN):
                self._try(path, section, partial(refuse_no_loader, ".".join(path)))
            return
        kept = _copied(section)
        if "dataset" in arguments_of(section):
            dataset = self.calls.targets.get(id(arguments_of(section)["dataset"]))
            streams = isinstance(dataset, type) and issubclass(dataset, IterableDataset)
            stream: Any = type("Stream", (IterableDataset,), {"__iter__": lambda _: iter(())})
            kept["dataset"] = stream() if streams else range(_MANY)
        for part, written in arguments_of(section).items():
            # Such a sampler asks the data set, which is none here.
            asks = self.calls.targets.get(id(written)) is TokenBudgetBatchSampler
            if part == "dataset" or (self._is_ours(written) and not asks):
                continue
            if part not in ("collate_fn", "worker_init_fn") and not asks:
                return
            kept.pop(part)
        self._try(path, section, build_dataloader, prepared=kept)

    def _evaluation(self, sections: dict[str, Any], run: _StandIn) -> None:
        from mainspring.runner.building import build
        from mainspring.runner.building.misfits import metric_names

        for mode, loop in (("val", "ValLoop"), ("test", "TestLoop")):
            evaluator = sections.get(f"{mode}_evaluator")
            made = self._try((f"{mode}_evaluator",), evaluator, build.build_evaluator)
            section = sections.get(f"{mode}_cfg")

            def make_loop(spec: Any, kind: str = loop) -> Any:
                return build.build_evaluation_loop(run, spec, run.loader, None, kind)

            ready = self._try((f"{mode}_cfg",), section, make_loop)
            known = section is None or ready is not None
            if mode == "val" and known and not getattr(ready, "compute_loss", False):
                loader = sections.get("val_dataloader")
                single = isinstance(loader, dict) and (
                    dict.__contains__(loader, "type") or dict.__contains__(loader, "dataset")
                )
                self.parts.metrics = metric_names(made) if single else None

    def _visualizer(self, sections: dict[str, Any]) -> None:
        from mainspring.registry import VISUALIZERS

        def make(spec: Any) -> Any:
            named: Any = spec["type"]
            kind: Any = VISUALIZERS.get(named) if isinstance(named, str) else named
            return kind(**{str(key): spec[key] for key in spec if key != "type"})

        section = sections.get("visualizer")
        if isinstance(section, dict) and self._is_ours(section):
            kept = _copied(section)
            for name, value in (("type", "Visualizer"), ("name", "trial"), ("save_dir", "trial")):
                kept.setdefault(name, value)
            self._try(("visualizer",), section, make, prepared=kept)

    def _optimization(self, sections: dict[str, Any]) -> None:
        import torch

        from mainspring.optim import OptimWrapper, OptimWrapperDict
        from mainspring.runner.building import build, build_optimization

        section, preprocessor = sections.get("model"), sections.get("data_preprocessor")
        model: Any = None
        if self._is_ours(preprocessor):
            make_model = partial(build.build_model, data_preprocessor=preprocessor)
            with torch.device("meta"):
                model = self._try(("model",), section, make_model)
        self._has_model = model is not None
        if model is None:
            model = torch.nn.ParameterDict({"stand_in": torch.nn.Parameter(torch.zeros(1))})
            model.get_submodule = lambda _: model  # whatever modules the real one has
        written = sections.get("optim_wrapper")
        constructor = arguments_of(written).get("constructor")
        if isinstance(constructor, str) and not _is_ours(find_name(constructor, _CONSTRUCTORS)[0]):
            written = None
        make_wrapper = partial(build_optimization.build_optimizer_wrapper, model)
        wrapper = self._try(("optim_wrapper",), written, make_wrapper)
        loop, section = self.parts.train_loop, sections.get("param_scheduler")
        if wrapper is None and written is not None and self._is_ours(written):
            return
        if wrapper is None:
            wrapper = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1, momentum=0.5)
            if _is_by_name(section):
                wrapper = OptimWrapperDict(**dict.fromkeys(section or (), OptimWrapper(wrapper)))
        by_epoch = self.parts.by_epoch is not False
        known: Any = {"by_epoch": by_epoch, "epoch_length": 100}
        known |= {"max_epochs": _MANY, "max_iters": _MANY}
        if loop is not None:
            length = "max_epochs" if by_epoch else "max_iters"
            known[length] = getattr(loop, length)

        def build_one(spec: Any) -> Any:
            return build_optimization.build_schedulers(spec, copy.copy(wrapper), **known)

        entries = enumerate(section) if isinstance(section, list | tuple) else [(None, section)]
        for index, entry in entries:
            path: Path = ("param_scheduler", *([] if index is None else [str(index)]))
            made = self._try(path, entry, build_one)
            for scheduler in made.values() if isinstance(made, dict) else [made or []]:
                for one in scheduler:
                    self.parts.schedulers[".".join(path)] = one
        if self._has_model:
            self._options_of_model(sections, model, wrapper)

    def _options_of_model(self, sections: dict[str, Any], model: Any, wrapper: Any) -> None:
        """What changes or compiles modules by their names; the model is of no use afterwards."""
        from mainspring.model.activation_checkpointing import turn_on_activation_checkpointing
        from mainspring.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval
        from mainspring.runner.building.model_setup import compile_step

        turn_on: dict[str, Callable[[Any], Any]] = {
            "activation_checkpointing": partial(turn_on_activation_checkpointing, model),
            "efficient_conv_bn_eval": partial(turn_on_efficient_conv_bn_eval, model),
            "compile": lambda options: compile_step(model, {"compile": options}, wrapper),
        }
        for name, make in turn_on.items():
            if sections.get(name) not in _ALWAYS:
                self._try((name,), sections.get(name), make)

    # Trying one part

    def _try(self, path: Path, spec: Any, make: Callable[[Any], Any], prepared: Any = None) -> Any:
        """What a part's description makes; ``None`` if it is not tried, or refused."""
        from mainspring.logging.print_log import receiving_messages

        is_made = spec is not None and (prepared is not None or self._is_ours(spec))
        if not is_made or self._has(path, "error"):
            return None
        described = spec if prepared is None else prepared
        if isinstance(described, LazyObject | LazyAttr):
            described = self.calls.resolved(described)
        said: list[tuple[Any, int]] = []
        with (
            receiving_messages(lambda message, level, _: said.append((message, level))),
            warnings.catch_warnings(action="ignore"),
        ):
            try:
                made = make(_copied(described))
            except _REFUSALS as error:
                at = self._path_in(path, error)
                culprit = self._culprit(described, make, error) if at == path else ()
                self._add("error", error, (*at, *culprit))
                return None
            except Exception:  # noqa: BLE001 - what a stand-in cannot do says nothing of the config
                return None
        for message, level in said:
            named = str(getattr(message, "config_path", ""))
            unsure = not self._has_model and _CUSTOM_KEYS in named
            at = self._path_in(path, message)
            at = (*at, *_named_in(str(message), _leaves(described))) if at == path else at
            if level >= logging.WARNING and not unsure and not self._has(at, "warning"):
                self._add("warning", message, at)
        return made

    def _path_in(self, path: Path, said: Any) -> Path:
        """The path that an error names, where it is one of this part."""
        named = getattr(said, "config_path", None)
        return path if named is None else tuple(named.split("."))

    def _culprit(self, described: Any, make: Callable[[Any], Any], error: Exception) -> Path:
        """The argument without which the part is not refused, or which the message names."""
        candidates = list(_leaves(described))
        text = str(error)
        for path in candidates:
            try:
                make(_copied(described, without=path))
            except Exception as other:  # noqa: BLE001 - refused in another way, too
                if type(other) is not type(error):
                    continue
                changed = str(other) != text
            else:
                return path
            if changed and _named_in(text, [path]):
                return path
        return _named_in(text, candidates)

    def _has(self, path: Path, severity: str) -> bool:
        dotted = ".".join(path)
        return bool(dotted) and any(
            problem.severity == severity and f"{problem.config_path}.".startswith(f"{dotted}.")
            for problem in self.problems.found
        )

    def _is_ours(self, spec: Any) -> bool:
        """Whether all that is called in a part is ours or torch's, to be constructed here."""
        if isinstance(spec, LazyObject | LazyAttr):
            return _is_ours(self.calls.resolved(spec))
        is_typed = isinstance(spec, dict) and dict.__contains__(spec, "type")
        calls = is_typed and id(spec) not in self.calls.settings
        if calls and not _is_ours(self.calls.targets.get(id(spec))):
            return False
        return all(self._is_ours(item) for _, item in items_of(spec))

    def _add(self, severity: Any, said: Any, path: Any) -> None:
        dotted = ".".join(path)
        known = (one for one in self.problems.found if one.severity == severity == "error")
        if dotted and any(problem.config_path == dotted for problem in known):
            return  # one mistake
        message, advice = words_of(said)
        self.problems.add(severity, message, path, advice, only_checked=True)


def _is_ours(target: Any) -> bool:
    module = getattr(target, "__module__", None) or ""
    return module.partition(".")[0] in _OURS


def _is_by_name(schedules: Any) -> bool:
    """Whether schedules are written for several optimizers, by the names of these."""
    if not schedules or not isinstance(schedules, dict) or "type" in schedules:
        return False
    return all(
        isinstance(name, str) and isinstance(item, dict | list | tuple)
        for name, item in schedules.items()
    )


def _copied(spec: Any, without: Path = ()) -> Any:
    """A copy of the dicts and lists of a description, without the key at a path."""
    new = duplicate(spec, {})
    holder = value_at(new, without[:-1]) if without else None
    if isinstance(holder, dict):
        dict.pop(holder, key_in(holder, without[-1]), None)
    return new


def _leaves(spec: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all keys, inner ones first."""
    for key, value in items_of(spec):
        here = (*path, str(key))
        yield from _leaves(value, here)
        if isinstance(spec, dict) and key not in ("type", "_scope_", "dataset"):
            yield here


def _named_in(text: str, paths: Iterable[Path]) -> Path:
    """The path whose argument a text names first; that of the part itself if it names none."""
    places = {path: re.search(rf"\b{re.escape(path[-1])}\b", text) for path in paths}
    found = {path: place.start() for path, place in places.items() if place}
    return min(found, key=found.__getitem__, default=())


class _Batches(list[Any]):
    """A loader of more batches than any run asks for."""

    sample_rng = "sample"

    def __len__(self) -> int:
        return _MANY


class _StandIn:
    """What a loop needs of a runner while it is constructed."""

    def __init__(self) -> None:
        self.loader = _Batches([None])
        self.visualizer = self
        self.model = SimpleNamespace(val_step=None, test_step=None)

    def ready_dataloader(self, loader: Any, _section: str = "") -> Any:
        """The loader as it is."""
        return loader

    def ready_evaluator(self, evaluator: Any, _mode: str) -> Any:
        """The evaluator as it is."""
        return evaluator
