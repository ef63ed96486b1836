"""Choices of a sweep as words of a command line, as labels for people and as names of folders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.node import Node
from mainspring.config.override import parse_override
from mainspring.config.sweep import Range, Sweep
from mainspring.errors import ConfigError, Location

__all__ = [
    "Axis",
    "Choice",
    "axis_of_sweep",
    "axis_of_word",
    "folder_names",
    "label_of",
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
    choices = [
        Choice(_text_of(value) or f"sweep[{index}]", label_of(value), _jsonable(value))
        for index, value in enumerate(sweep.choices)
    ]
    return Axis(name, tuple(paths), _distinct(name, choices, sweep.where), None, sweep.where)


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
        return Axis(path, (path,), (), _range(word, kind, texts))
    if len(texts) < 2 and not call:
        return None
    if len(texts) < 2:
        raise ConfigError(f"{word!r} sweeps a single value", help=f"write {path}={inner}")
    values = [parse_override(f"{path}={part}").value for part in texts]
    choices = [
        Choice(part, label_of(value), _jsonable(value))
        for part, value in zip(texts, values, strict=True)
    ]
    return Axis(path, (path,), _distinct(path, choices, None))


def _range(word: str, kind: str, texts: Sequence[str]) -> Range:
    try:
        low, high = map(float, texts)
    except ValueError:
        low = high = 0.0
    if not low < high or (kind == "loguniform" and low <= 0):
        raise ConfigError(
            f"{word!r} names no range", help=f"give two numbers, the less one first: {kind}(1e-5,1)"
        )
    return Range(low, high, kind == "loguniform")


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


def _distinct(name: str, choices: Sequence[Choice], where: Location | None) -> tuple[Choice, ...]:
    """The choices, each with a label of its own.

    Raises:
        ConfigError: A value stands twice among them.
    """
    seen: dict[str, Choice] = {}
    for choice in choices:
        if choice.text in seen:
            raise ConfigError(
                f"{choice.label} stands twice among the values of {name}",
                location=where,
                help="leave one out: it would be the same run twice",
            )
        seen[choice.text] = choice
    labels = [choice.label for choice in choices]
    return tuple(
        choice
        if labels.count(choice.label) == 1
        else Choice(choice.text, f"{choice.label}#{index}", choice.value)
        for index, choice in enumerate(choices)
    )


def _text_of(value: Any) -> str | None:
    """A value as the command line says it; ``None`` if it cannot."""
    text = _written(value)
    if text is None or isinstance(value, dict):
        return None  # dicts take effect in the complete config only, not where they are assigned
    try:
        read = parse_override(f"x={text}").value
    except ConfigError:
        return None
    return text if repr(read) == repr(value) else None


def _written(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        parts = [_written(item) for item in value]
        if any(part is None for part in parts) or type(value) not in (list, tuple):
            return None
        inside = ",".join(part for part in parts if part is not None)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    return value if type(value) is str else None


def label_of(value: Any) -> str:
    """What people read for a value: short, in one line.

    Args:
        value: A value of a config.
    """
    text = _label(value)
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 3]}..."


def _label(value: Any) -> str:
    if isinstance(value, Node):
        return f"{_name(dict.get(value, 'type'))}({_arguments(value)})"
    if isinstance(value, dict):
        if dict.__contains__(value, "type"):
            return f"{_name(dict.get(value, 'type'))}({_arguments(value)})"
        return f"dict({_arguments(value)})"
    if isinstance(value, list | tuple):
        inside = ", ".join(map(_label, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, LazyObject | LazyAttr) or hasattr(value, "__qualname__"):
        return _name(value)
    return " ".join(str(value).split()) if isinstance(value, str) else repr(value)


def _name(target: Any) -> str:
    name = str(target) if not hasattr(target, "__qualname__") else target.__qualname__
    return name.rpartition(".")[2]


def _arguments(part: dict[Any, Any]) -> str:
    pairs = [(key, value) for key, value in dict.items(part) if key != "type"]
    positional = [item for key, value in pairs if key == "_args_" for item in value]
    named = [f"{key}={_label(value)}" for key, value in pairs if key != "_args_"]
    return ", ".join([*map(_label, positional), *named])


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
            others = (o for o in known if o != name)
            unique = not any(o == tail or o.endswith(f".{tail}") for o in others)
            if unique and not tail[:1].isdigit():
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
    short = short_names(name for run in runs for name in run)
    names = [
        _folder_name(
            ",".join(f"{short[name]}={choice.label}" for name, choice in run.items()),
            ",".join(f"{name}={choice.text}" for name, choice in run.items()),
        )
        for run in runs
    ]
    return [
        name if names.count(name) == 1 else f"{name}-{_hash(repr(list(run.items())))}"
        for name, run in zip(names, runs, strict=True)
    ]


def _folder_name(name: str, exact: str) -> str:
    safe = re.sub(r"[^\w.,=+\-()\[\]]+", "", name.replace(" ", ""), flags=re.ASCII)
    safe = re.sub(r"[()\[\]]", "_", safe)
    if len(safe) > _LONGEST_NAME or len(safe) != len(name.replace(" ", "")) or "..." in name:
        return f"{safe[: _LONGEST_NAME - 9]}-{_hash(exact)}"
    return safe


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
