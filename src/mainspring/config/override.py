"""Changes of a config in words of a command line: ``epochs=24 model.depth=50 ~val_cfg``."""

from __future__ import annotations

import ast
import contextlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.config.config_dict import ConfigDict, keeping_lazy
from mainspring.config.dict_action import DictAction
from mainspring.config.node import Node
from mainspring.config.printing.expression import evaluate_call
from mainspring.config.printing.parse import is_dump
from mainspring.config.provenance.marks import Spot
from mainspring.config.provenance.places import key_in, keys_of, note_change, value_at
from mainspring.config.schema import OLD_SECTIONS, RUNNER_SECTIONS, keys_of_section
from mainspring.config.sweep import picked
from mainspring.errors import (
    ConfigError,
    Location,
    OverrideError,
    close_names,
    did_you_mean,
    shown_path,
    suggestion,
)
from mainspring.registry.signatures import callee_of
from mainspring.walk import parts_of, paths_of

__all__ = [
    "DictAction",
    "Override",
    "apply_overrides",
    "check_not_resolved",
    "parse_override",
    "say_replaced",
]

_PATH = r"[^\W\d]\w*(\.\w+)*"
_OVERRIDE = re.compile(rf"~{_PATH}|\+?{_PATH}\+?=.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Override:
    """One change.

    Attributes:
        written: The word, as it was typed.
        action: What happens at the path; ``force`` also sets what is not there.
        path: Dotted path.
        value: The new value.
    """

    written: str
    action: Literal["set", "force", "append", "remove"]
    path: str
    value: Any = None

    @property
    def spot(self) -> Spot:
        """The place that it is for what it changes."""
        word = f"command line: {self.written}"
        return Spot(None, is_change=True, word=word, value=self.value)

    @property
    def sets_variable(self) -> bool:
        """Whether it gives a top-level variable a plain value, which takes effect in the file."""
        plain = not isinstance(self.value, dict)
        return self.action in ("set", "force") and "." not in self.path and plain


def parse_override(word: str) -> Override:
    """Read a change.

    Args:
        word: As for `Config.override`.

    Raises:
        ConfigError: It is no change, or its value cannot be read.
    """
    place = Location(f"command line: {word}", 0)
    if _OVERRIDE.fullmatch(word) is None:
        raise OverrideError(
            f"{word!r} is no change of the config",
            location=place,
            help="write key=value (without spaces, or in quotes: 'key=a b'), key+=value, "
            "+new.key=value or ~key",
        )
    if word.startswith("~"):
        return Override(word, "remove", word[1:])
    path, _, text = word.partition("=")
    try:
        value = parse_value(text)
    except ConfigError as error:
        error.location = error.location or place
        raise
    if path.startswith("+"):
        return Override(word, "force", path[1:], value)
    if path.endswith("+"):
        return Override(word, "append", path[:-1], value)
    return Override(word, "set", path, value)


def parse_value(text: str) -> Any:
    """The value that a text stands for: a call after ``@``, a dict in braces, else as `DictAction`.

    Raises:
        ConfigError: It cannot be read.
    """
    stripped = text.strip()
    if stripped.startswith("@"):
        return evaluate_call(stripped[1:])
    if stripped.startswith("{") or (stripped[:1] in ("[", "(") and "{" in stripped):
        try:
            return ast.literal_eval(stripped)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            raise OverrideError(
                f"{stripped!r} is no dict and no list of dicts of plain values",
                help="write {'key': value}, quotes included",
            ) from None
    return DictAction.parse_value(text)


def apply_overrides(cfg: ConfigDict, changes: Sequence[Override], used: set[str]) -> None:
    """Change a config that is complete.

    Args:
        cfg: The config; it is changed.
        changes: The changes, in their order.
        used: Variables that took effect while the files were read.

    Raises:
        ConfigError: A path does not exist; with the nearest one that does.
    """
    with keeping_lazy():
        for change in changes:
            if change.path not in used or change.path in dict.keys(cfg):
                try:
                    _apply(cfg, change, took_effect=change.path in used)
                except ConfigError as error:
                    error.location = error.location or change.spot.location
                    raise


def say_replaced(changes: Sequence[Override]) -> None:
    """Warn of changes that another one behind them replaces: ``epochs=3 epochs=4``.

    Args:
        changes: The changes of one command line, in their order.
    """
    for index, change in enumerate(changes):
        for later in changes[index + 1 :] if change.action != "remove" else ():
            is_within = f"{change.path}.".startswith(f"{later.path}.")
            if is_within and later.action != "append" and later != change:
                message = f"command line: {change.written} has no effect: {later.written} follows"
                warnings.warn(message, stacklevel=1)
                break


def check_not_resolved(cfg: ConfigDict, changes: Sequence[Override], text: str) -> None:
    """Refuse changes of variables of a dump, in which all that was computed from them is resolved.

    Args:
        cfg: What the file says; it is not changed.
        changes: The changes.
        text: The text of the file; one that is no dump is passed over.

    Raises:
        ConfigError: A change would have no effect; with the places that hold the value.
    """
    for change in changes if is_dump(text) else ():
        name = change.path
        if change.action != "set" or "." in name or not dict.__contains__(cfg, name):
            continue
        if name in RUNNER_SECTIONS or name in _READ_FROM_DUMPS:
            continue
        places = _holding(cfg, name, dict.__getitem__(cfg, name))
        if places:
            # Paths with names rather than positions: only importing the callables tells.
            bound = cfg.deepcopy()
            _named_paths(bound)
            places = _holding(bound, name, dict.__getitem__(cfg, name)) or places
            raise OverrideError(
                f"changing {name} would have no effect: the config is a dump, in which variables "
                f"are resolved; the value stands in {', '.join(places[:3])}",
                config_path=name,
                help=f"set it there: {places[0]}=...; +{change.written} sets the variable alone",
            )


_READ_FROM_DUMPS = ("custom_imports", "runner_type", "tta_model", "model_wrapper_cfg")


def _holding(cfg: ConfigDict, name: str, value: Any) -> list[str]:
    """The places in sections that hold a variable's value: of the same name, else all of them.

    Names such as ``max_epochs`` for ``epochs`` come first.
    """
    found = [
        shown_path(".".join(map(str, keys)))
        for keys, part in paths_of(cfg)
        if keys[0] in RUNNER_SECTIONS
        and type(part) is type(value)
        and not isinstance(part, dict)
        and part == value
    ]
    same = [path for path in found if path.rpartition(".")[2] == name]
    return same or sorted(found, key=lambda path: name not in path.rpartition(".")[2])


def _apply(cfg: ConfigDict, change: Override, *, took_effect: bool) -> None:
    names = keys_of(cfg, change.path)
    if change.action == "append" and change.path == "custom_hooks" and not _has(cfg, change.path):
        cfg[change.path] = []  # a section that is a list, empty where it is not given
    old = value_at(cfg, names)
    part: Any = None
    value: Any = cfg
    for depth, name in enumerate(names):
        part, here, is_last = value, ".".join(names[:depth]), depth + 1 == len(names)
        if not isinstance(part, dict | list):
            raise OverrideError(
                f"{here} is {part!r}, so it has no {names[-1]!r}",
                config_path=change.path,
                help=f"change it whole: {here}=...",
            )
        if not _has(part, name):
            adds = not is_last or change.action == "set"
            addable = change.action == "force" or (adds and _may_have(part, name, here, cfg))
            if isinstance(part, list) or not addable:
                raise _missing(cfg, change, part, name, here)
            if not is_last:
                part[name] = {}
        value = value_at(part, [name])
    key = key_in(part, names[-1])
    if change.action == "remove":
        del part[key]
    elif change.action != "append":
        part[key] = picked(value, change.value)
    elif isinstance(value, list | tuple):
        is_several = isinstance(change.value, list | tuple)
        part[key] = type(value)([*value, *(change.value if is_several else [change.value])])
    else:
        raise OverrideError(
            f"{change.path} is {value!r}, no list, so nothing can be appended to it",
            config_path=change.path,
            help=f"set it: {change.path}=...",
        )
    if not took_effect:  # then its place is where the file assigns it
        note_change(cfg, names, change.spot, change.action, old)


def _has(part: Any, name: str) -> bool:
    if isinstance(part, list):
        return name.isdecimal() and int(name) < len(part)
    if isinstance(part, Node) and not dict.__contains__(part, name):
        with keeping_lazy(False):
            part.bind()
    return dict.__contains__(part, key_in(part, name))


def _may_have(part: Any, name: str, here: str, cfg: ConfigDict) -> bool:
    """Whether a name that is not written is one that the part takes all the same."""
    if part is cfg:
        return name in RUNNER_SECTIONS
    return name in keys_of_section(here) or name in _parameters(part)


def _parameters(part: Any) -> list[str]:
    """The parameters of what a recorded call calls."""
    callee = None
    with contextlib.suppress(ImportError), keeping_lazy(False):
        callee = callee_of(part["type"]) if isinstance(part, Node) else None
    return list(callee.parameters) if callee is not None else []


def _missing(cfg: ConfigDict, change: Override, part: Any, name: str, here: str) -> OverrideError:
    if isinstance(part, list):
        return OverrideError(
            f"{here} has {len(part)} items, so there is no {name!r} in it",
            config_path=change.path,
            help=f"{here}+=... appends",
        )
    what = f"{here or 'the config'} has no {name!r}"
    parameters = _parameters(part)
    known = [*map(str, dict.keys(part)), *parameters, *keys_of_section(here)]
    names = list(dict.fromkeys(known))
    candidates = names if here else [*names, *RUNNER_SECTIONS]
    near = did_you_mean(name, [candidate for candidate in candidates if candidate != name])
    if not here and name in OLD_SECTIONS:
        return OverrideError(what, config_path=change.path, help=OLD_SECTIONS[name])
    if near is None and parameters:
        near = f"it has {', '.join(names)}"
    if near is None:
        by_name = {path.rpartition(".")[2]: path for path in _named_paths(cfg)}
        near = suggestion(by_name[known] for known in close_names(name, by_name, count=1))
    if change.action == "set" and not parameters:
        near = f"{near} " if near else ""
        near += f"+{change.written} sets it all the same"
    where = part.where_written if isinstance(part, Node) else None
    return OverrideError(what, location=where, config_path=change.path, help=near)


def _named_paths(values: Any) -> list[str]:
    """All paths of a config, once its positional arguments have their names."""
    for part in parts_of(values):
        if isinstance(part, Node):
            part.try_bind()  # only a message depends on it
    return [".".join(map(str, keys)) for keys, _ in paths_of(values)]
