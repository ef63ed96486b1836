"""Choices of a sweep as words of a command line, as labels for people and as names of folders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.comparison import in_short
from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.override import parse_override
from mainspring.config.sweep import Range, Sweep
from mainspring.errors import ConfigError, Location
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = [
    "Axis",
    "Choice",
    "axis_of_sweep",
    "axis_of_word",
    "folder_names",
    "label_of",
    "run_names",
    "short_names",
]

_LONGEST_NAME = 96
_LONGEST_LABEL = 48
_CALL = re.compile(r"\s*(sweep|choice|uniform|loguniform)\((.*)\)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of what is swept.

    Attributes:
        text: What the command line says after the equals sign to choose it.
        label: What people read.
        value: The value as JSON can hold it.
    """

    text: str
    label: str
    value: Any


@dataclass(frozen=True, slots=True)
class Axis:
    """What is swept.

    Attributes:
        name: Its variable or dotted path.
        paths: Everything in the config that takes the value.
        choices: The values; empty for a range.
        range: The range, if it is one.
        where: Where it is written; ``None`` for the command line.
    """

    name: str
    paths: tuple[str, ...]
    choices: tuple[Choice, ...]
    range: Range | None = None
    where: Location | None = None

    def words(self, choice: Choice) -> list[str]:
        """The words of a command line that choose a value."""
        return [f"{path}={choice.text}" for path in self.paths]

    def at(self, number: float) -> Choice:
        """A value of the range."""
        return Choice(repr(number), f"{number:.4g}", number)


def axis_of_sweep(name: str, paths: Sequence[str], sweep: Sweep) -> Axis:
    """What a config sweeps.

    Args:
        name: Its variable or dotted path.
        paths: Everything in the config that takes the value.
        sweep: The values.

    Raises:
        ConfigError: A value stands twice among them.
    """
    if isinstance(sweep, Range):
        return Axis(name, tuple(paths), (), sweep, sweep.where)
    texts = [_text_of(value) or f"sweep[{index}]" for index, value in enumerate(sweep.choices)]
    choices = _distinct(name, texts, sweep.choices, sweep.where)
    return Axis(name, tuple(paths), choices, None, sweep.where)


def axis_of_word(word: str) -> Axis | None:
    """What a word such as ``lr=1e-3,1e-4`` or ``lr=loguniform(1e-5,1e-2)`` sweeps.

    Args:
        word: A word of the command line.

    Returns:
        The axis; ``None`` for a single value, which is a change for all runs.

    Raises:
        ConfigError: It cannot be understood.
    """
    change = parse_override(word)
    path, _, text = word.partition("=")
    if change.action != "set":
        return None
    call = _CALL.fullmatch(text)
    kind, inner = (call.group(1), call.group(2)) if call else ("sweep", text)
    texts = [part for part in _split(inner) if part]
    if kind in ("uniform", "loguniform"):
        try:
            low, high = map(float, texts)
        except ValueError:
            low = high = 0.0
        if not low < high or (kind == "loguniform" and low <= 0):
            raise ConfigError(
                f"{word!r} names no range",
                help=f"give two numbers, the less one first: {kind}(1e-5,1)",
            )
        return Axis(path, (path,), (), Range(low, high, kind == "loguniform"))
    if len(texts) < 2 and not call:
        return None
    if len(texts) < 2:
        raise ConfigError(f"{word!r} sweeps a single value", help=f"write {path}={inner}")
    values = [parse_override(f"{path}={part}").value for part in texts]
    return Axis(path, (path,), _distinct(path, texts, values, None))


def _split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets and no quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char if char in text[at + 1 :] else ""
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def _distinct(
    name: str, texts: Sequence[str], values: Sequence[Any], where: Location | None
) -> tuple[Choice, ...]:
    """The choices, each with a label of its own.

    Raises:
        ConfigError: A value stands twice among them.
    """
    labels = [label_of(value) for value in values]
    choices = []
    for index, (text, label, value) in enumerate(zip(texts, labels, values, strict=True)):
        if text in texts[:index]:
            raise ConfigError(
                f"{label} stands twice among the values of {name}",
                location=where,
                help="leave one out: it would be the same run twice",
            )
        own = label if labels.count(label) == 1 else f"{label}#{index}"
        choices.append(Choice(text, own, _jsonable(value)))
    return tuple(choices)


def _text_of(value: Any) -> str | None:
    """A value as the command line says it; ``None`` if it cannot."""
    # Dicts take effect in the complete config only, not where they are assigned.
    if not isinstance(value, str | int | float | list | tuple | None):
        return None
    text = value if isinstance(value, str) else re.sub(r"['\"]|(?<=,) ", "", repr(value))
    try:
        read = parse_override(f"x={text}").value
    except ConfigError:
        return None
    return text if repr(read) == repr(value) else None


def label_of(value: Any) -> str:
    """What people read for a value: short, in one line.

    Args:
        value: A value of a config.
    """
    return in_short(_label(value), _LONGEST_LABEL)


def _label(value: Any) -> str:
    if isinstance(value, dict):
        items = dict(dict.items(value))
        called = _name(items.pop("type")) if "type" in items else "dict"
        parts = [_label(item) for item in items.pop(POSITIONAL_KEY, ())]
        parts += [f"{key}={_label(item)}" for key, item in items.items()]
        return f"{called}({', '.join(parts)})"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_label, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, LazyObject | LazyAttr) or hasattr(value, "__qualname__"):
        return _name(value)
    return " ".join(value.split()) if isinstance(value, str) else repr(value)


def _name(target: Any) -> str:
    name = str(target) if not hasattr(target, "__qualname__") else target.__qualname__
    return name.rpartition(".")[2]


def _jsonable(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return label_of(value)


# Names


def short_names(names: Iterable[str]) -> dict[str, str]:
    """The last part of each dotted path, or as many parts as tell them apart.

    Args:
        names: Dotted paths.
    """
    known = list(dict.fromkeys(names))
    short: dict[str, str] = {}
    for name in known:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            short[name] = tail = ".".join(parts[-count:])
            others = (f".{other}".endswith(f".{tail}") for other in known if other != name)
            if not any(others) and not tail[:1].isdigit():
                break
    return short


def folder_names(runs: Sequence[Mapping[str, Choice]]) -> list[str]:
    """A name for the folder of each run, made of what it chooses.

    Args:
        runs: The choices of each run by axis.

    Returns:
        Names that every file system takes; what is cut off or replaced in one is told apart by a
        short hash.
    """
    names = []
    for run, shown in zip(runs, run_names(runs), strict=True):
        name = shown.replace(", ", ",").replace(" ", "")
        safe = re.sub(r"[^\w.,=+\-()\[\]]+", "", name, flags=re.ASCII)
        if len(safe) > _LONGEST_NAME or len(safe) != len(name) or "..." in name:
            exact = ",".join(f"{name}={choice.text}" for name, choice in run.items())
            safe = f"{safe[: _LONGEST_NAME - 9]}-{_hash(exact)}"
        names.append(re.sub(r"[()\[\]]", "_", safe))
    return [
        name if names.count(name) == 1 else f"{name}-{_hash(repr(list(run.items())))}"
        for name, run in zip(names, runs, strict=True)
    ]


def run_names(runs: Sequence[Mapping[str, Choice]]) -> list[str]:
    """What each run chooses, for people.

    Args:
        runs: The choices of each run by axis.
    """
    short = short_names(name for run in runs for name in run)
    return [", ".join(f"{short[name]}={it.label}" for name, it in run.items()) for run in runs]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
