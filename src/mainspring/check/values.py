"""Values that the engine itself reads and that cannot be: numbers out of range, wrong types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mainspring.check.annotations import shown_value
from mainspring.check.intervals import hooks_of
from mainspring.check.nearest import nearest, suggestion
from mainspring.check.problem import Problem, Severity
from mainspring.check.run import Run
from mainspring.check.run_length import type_name

__all__ = ["value_problems"]

Path = tuple[str, ...]

_PLAIN = (bool, int, float, str, list, tuple)
_LENGTHS = ("max_epochs", "max_iters")
_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
_LEAST_OF_LOADERS = {"batch_size": 1, "num_workers": 0, "prefetch_factor": 1, "timeout": 0}
_POSITIVE_INTERVALS = (
    "LoggerHook",
    "DigestHook",
    "DivergenceHook",
    "NaiveVisualizationHook",
)
_LEVELS = ("CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET")
_LAUNCHERS = ("none", "pytorch", "slurm", "mpi")
_DICTS = ("default_hooks", "env_cfg", "randomness", "auto_scale_lr")


def value_problems(run: Run) -> Iterator[Problem]:
    """Values that are no such values, in the sections that the engine reads itself.

    Args:
        run: The run.
    """
    yield from _shapes(run)
    yield from _hooks(run)
    yield from _loaders(run)
    yield from _train_cfg(run)
    yield from _environment(run)


@dataclass(frozen=True, slots=True)
class _Section:
    """Arguments of one place of the config, and how to report one of them."""

    run: Run
    path: Path
    arguments: dict[Any, Any]

    def plain(self, name: str) -> Any:
        """A literal value; ``None`` for what is absent or no literal."""
        value = self.arguments.get(name)
        return value if type(value) in _PLAIN else None

    def problem(
        self, name: str, what: str, help_line: str | None, severity: Severity = "error"
    ) -> Problem:
        """A value and what is wrong with it."""
        message = f"{name} is {shown_value(self.arguments.get(name))}{what}"
        return self.run.problem(severity, message, (*self.path, name), help=help_line)

    def below(self, name: str, least: int) -> Iterator[Problem]:
        """A number that is too small; what is no number is left to the signature."""
        value = self.plain(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value < least:
            yield self.problem(name, "", f"give at least {least}")


def _top(run: Run) -> _Section:
    return _Section(run, (), run.values)


def _shapes(run: Run) -> Iterator[Problem]:
    """Sections that are no dict or no list where nothing else can be."""
    top = _top(run)
    for name in _DICTS:
        if top.plain(name) is not None:
            yield top.problem(name, ", but it is a dict of settings", f"write {name} = dict(...)")
    for name in ("train_cfg", "val_cfg", "test_cfg"):
        if top.plain(name) is not None:
            yield top.problem(
                name, ", but it is a dict of settings or a loop", f"write {name} = dict(...)"
            )


def _hooks(run: Run) -> Iterator[Problem]:
    custom = run.section("custom_hooks")
    if isinstance(custom, dict) or (custom is not None and type(custom) in (bool, int, float, str)):
        yield _top(run).problem(
            "custom_hooks", ", but it is a list of hooks", "write custom_hooks = [...]"
        )
    for path, hook in hooks_of(run):
        if type(hook) in _PLAIN or (hook is None and path[0] == "custom_hooks"):
            yield run.problem(
                "error",
                f"{'.'.join(path)} is {shown_value(hook)}, which is no hook",
                path,
                help=f"write dict(type={hook!r})" if isinstance(hook, str) else "give a dict",
            )
            continue
        section = _Section(run, path, run.arguments_of(hook))
        kind = type_name(hook) if isinstance(hook, dict) else None
        if kind in _POSITIVE_INTERVALS:
            yield from section.below("interval", 1)
        elif kind == "CheckpointHook" and section.plain("interval") == 0:
            yield section.problem(
                "interval",
                ", so none is saved at an interval",
                "give the number of epochs or iterations between two, or -1 for none",
                "warning",
            )


def _loaders(run: Run) -> Iterator[Problem]:
    for name in _LOADERS:
        section = run.section(name)
        if not isinstance(section, dict):
            continue
        arguments = run.arguments_of(section)
        several = "dataset" not in arguments and not dict.__contains__(section, "type")
        parts: list[tuple[Path, Any]] = [((name,), section)]
        if several:
            parts = [((name, str(key)), item) for key, item in dict.items(section)]
        for path, part in parts:
            loader = _Section(run, path, run.arguments_of(part))
            for argument, least in _LEAST_OF_LOADERS.items():
                yield from loader.below(argument, least)


def _train_cfg(run: Run) -> Iterator[Problem]:
    section = run.section("train_cfg")
    if not isinstance(section, dict):
        return
    arguments = run.arguments_of(section)
    typed = dict.__contains__(section, "type")
    train = _Section(run, ("train_cfg",), arguments)
    if not typed and all(arguments.get(name) is not None for name in _LENGTHS):
        yield run.problem(
            "error",
            "train_cfg gives both max_epochs and max_iters",
            ("train_cfg", "max_iters"),
            help="leave one out",
        )
    if not typed or type_name(section) in _TRAIN_LOOPS:
        for name in _LENGTHS:
            if not (typed and isinstance(train.plain(name), str | list | tuple)):
                yield from _length(train, name)
    if run.section("val_dataloader") is not None:
        value = train.plain("val_interval")
        if value == 0 and value is not False:
            yield train.problem("val_interval", "", "give at least 1")
        elif not typed and isinstance(value, str | list | tuple):
            yield train.problem("val_interval", "", "give a whole number")
    by_epoch = train.plain("by_epoch")
    if not typed and isinstance(by_epoch, str | list | tuple):
        yield train.problem("by_epoch", ", which counts as True", "give True or False", "warning")


_TRAIN_LOOPS = ("ByEpoch", "ByIteration", "EpochBasedTrainLoop", "IterBasedTrainLoop")


def _length(train: _Section, name: str) -> Iterator[Problem]:
    value = train.plain(name)
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or (isinstance(value, float) and not value.is_integer()):
        yield train.problem(name, "", "give a whole number")
    elif value < 1:
        yield train.problem(
            name, ", so nothing would be trained", "give a whole number of at least 1"
        )


def _environment(run: Run) -> Iterator[Problem]:
    top = _top(run)
    randomness = _Section(run, ("randomness",), run.arguments_of(run.section("randomness")))
    seed = randomness.plain("seed")
    if seed is not None and not isinstance(seed, int):
        yield randomness.problem("seed", "", "give a whole number, or None for one drawn at random")
    yield from _choice(randomness, "sample_rng", ("sample", "worker"))
    environment = run.arguments_of(run.section("env_cfg"))
    for name, known in _PARTS_OF_ENVIRONMENT.items():
        for key in map(str, run.arguments_of(environment.get(name))):
            hint = suggestion(nearest(key, known))
            if key not in known and (hint is not None or name == "mp_cfg"):
                yield run.problem(
                    "error",
                    f"env_cfg.{name} has no setting {key!r}",
                    ("env_cfg", name, key),
                    help=hint or f"it has {', '.join(known)}",
                )
    scale = _Section(run, ("auto_scale_lr",), run.arguments_of(run.section("auto_scale_lr")))
    yield from scale.below("base_batch_size", 1)
    if isinstance(scale.plain("base_batch_size"), str | list | tuple):
        yield scale.problem("base_batch_size", "", "give a whole number")
    yield from _choice(top, "launcher", _LAUNCHERS)
    level = top.plain("log_level")
    if isinstance(level, str) and level.upper() not in _LEVELS:
        yield top.problem(
            "log_level", "", suggestion(nearest(level, _LEVELS)) or f"it is {_or(_LEVELS)}"
        )
    resume = run.section("resume")
    if isinstance(resume, dict | list | tuple | float):
        yield top.problem("resume", "", "give True, False or the file of a checkpoint")
    load_from = run.section("load_from")
    if type(load_from) in (bool, int, float, list, tuple) and load_from:
        yield top.problem("load_from", "", "give the file of a checkpoint")


_PARTS_OF_ENVIRONMENT = {
    "mp_cfg": ("mp_start_method", "opencv_num_threads"),
    "dist_cfg": ("backend", "timeout", "init_backend"),
}


def _choice(section: _Section, name: str, choices: tuple[str, ...]) -> Iterator[Problem]:
    value = section.plain(name)
    if value is None or value in choices:
        return
    hint = suggestion(nearest(value, choices)) if isinstance(value, str) else None
    yield section.problem(name, "", hint or f"it is {_or(choices)}")


def _or(choices: tuple[str, ...]) -> str:
    return " or ".join(map(repr, choices))
