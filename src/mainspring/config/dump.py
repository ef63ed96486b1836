"""Print a config as Python that reads back as an equal config.

The text is a sequence of assignments with sorted keys, ``dict(...)`` where all keys are names and
``{...}`` elsewhere. What Python has no literal for is printed as its dotted path in a string, which
a registry can build; objects that have no path are named in angle brackets. Nothing makes it fail.
"""

from __future__ import annotations

import enum
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path

__all__ = ["dump_data", "format_config", "plain"]

WIDTH = 88
_SHADOWING = frozenset({"dict", "float", "globals", "set", "frozenset", "range", "complex"})
"""Names that the printed text itself uses."""
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def format_config(values: Mapping[Any, Any]) -> str:
    """The text of a config.

    Args:
        values: The config; names that are not imported yet stay so.

    Returns:
        Lines of Python, the last one ended.
    """
    printer = _Printer()
    keys = _sorted(dict.keys(values) if isinstance(values, dict) else values)
    names = [key for key in keys if _is_name(key) and key not in _SHADOWING]
    shadowing = [key for key in keys if _is_name(key) and key in _SHADOWING]
    others = {key: _raw(values, key) for key in keys if not _is_name(key)}
    lines = [f"{key} = {printer.text(_raw(values, key), 0, len(key) + 3)}" for key in names]
    if others:
        lines.append(f"globals().update({printer.text(others, 0, 17)})")
    if shadowing:
        # One assignment: all values are computed before the first name changes its meaning.
        targets = ", ".join(shadowing)
        texts = [printer.text(_raw(values, key), 4, 0) for key in shadowing]
        lines.append(f"{targets} = (\n" + "".join(f"    {text},\n" for text in texts) + ")")
        if len(shadowing) == 1:
            lines[-1] = f"{targets} = {texts[0]}"
    return "".join(f"{line}\n" for line in lines)


def _raw(values: Mapping[Any, Any], key: Any) -> Any:
    return dict.__getitem__(values, key) if isinstance(values, dict) else values[key]


def _is_name(key: Any) -> bool:
    if not isinstance(key, str) or not key.isidentifier() or keyword.iskeyword(key):
        return False
    # Python normalises the names that it reads.
    return key.isascii() or unicodedata.normalize("NFKC", key) == key


def _sorted(keys: Iterable[Any]) -> list[Any]:
    return sorted(keys, key=lambda key: (not isinstance(key, str), str(key)))


class _Printer:
    """Prints values; remembers the one-line form of each container while it works."""

    def __init__(self) -> None:
        self._flat: dict[int, str] = {}

    def text(self, value: Any, indent: int, used: int) -> str:
        """The text of a value.

        Args:
            value: The value.
            indent: Column at which the statement or item that holds it begins.
            used: Characters before the value on its line, beyond the indent.
        """
        flat = self.flat(value)
        if indent + used + len(flat) < WIDTH or not _is_container(value) or not len(value):
            return flat
        inner = indent + 4
        if isinstance(value, dict):
            opening, entries, closing = self._dict_lines(value, inner)
        else:
            opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
            entries = self._item_lines(value, inner)
        pad = " " * inner
        return (
            f"{opening}\n"
            + "".join(f"{pad}{entry},\n" for entry in entries)
            + " " * indent
            + closing
        )

    def _dict_lines(self, value: dict[Any, Any], indent: int) -> tuple[str, list[str], str]:
        keys = _sorted(dict.keys(value))
        raw = dict.__getitem__
        if all(_is_name(key) for key in keys):
            lines = [f"{k}={self.text(raw(value, k), indent, len(k) + 2)}" for k in keys]
            return "dict(", lines, ")"
        lines = []
        for key in keys:
            written = self.flat(key)
            lines.append(f"{written}: {self.text(raw(value, key), indent, len(written) + 3)}")
        return "{", lines, "}"

    def _item_lines(self, items: list[Any] | tuple[Any, ...], indent: int) -> list[str]:
        if not all(isinstance(item, int | float | complex) for item in items):
            return [self.text(item, indent, 1) for item in items]
        lines: list[str] = []
        for item in items:
            written = self.flat(item)
            if lines and indent + len(lines[-1]) + len(written) + 3 < WIDTH:
                lines[-1] += f", {written}"
            else:
                lines.append(written)
        return lines

    def flat(self, value: Any) -> str:
        """The text of a value in one line."""
        if not _is_container(value):
            return _leaf(value)
        known = self._flat.get(id(value))
        if known is None:
            known = self._flat[id(value)] = "..."
            known = self._flat[id(value)] = self._flat_container(value)
        return known

    def _flat_container(self, value: Any) -> str:
        if isinstance(value, dict):
            keys = _sorted(dict.keys(value))
            raw = dict.__getitem__
            if all(_is_name(key) for key in keys):
                return f"dict({', '.join(f'{k}={self.flat(raw(value, k))}' for k in keys)})"
            entries = (f"{self.flat(key)}: {self.flat(raw(value, key))}" for key in keys)
            return f"{{{', '.join(entries)}}}"
        items = ", ".join(self.flat(item) for item in value)
        if isinstance(value, list):
            return f"[{items}]"
        return f"({items},)" if len(value) == 1 else f"({items})"


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def _leaf(value: Any) -> str:
    plain_value = plain(value)
    if isinstance(plain_value, str):
        # Two braces would be a template when the text is read again.
        return str.__repr__(plain_value).replace("{{", "{\\x7b")
    if isinstance(plain_value, float):
        return _float(plain_value)
    if isinstance(plain_value, complex):
        return _complex(plain_value)
    if isinstance(plain_value, set | frozenset):
        return _set(plain_value)
    return repr(plain_value)


def _float(value: float) -> str:
    text = float.__repr__(value)
    return text if text.lstrip("-")[0].isdigit() else f"float({text!r})"


def _complex(value: complex) -> str:
    text = repr(value)
    return text if "inf" not in text and "nan" not in text else f"complex({text!r})"


def _set(value: set[Any] | frozenset[Any]) -> str:
    printer = _Printer()
    items = ", ".join(sorted(printer.flat(item) for item in value))
    if isinstance(value, frozenset):
        return f"frozenset({{{items}}})" if value else "frozenset()"
    return f"{{{items}}}" if value else "set()"


def plain(value: Any) -> Any:
    """A value that has a literal in Python: the value itself, or a string that stands for it.

    Args:
        value: Any value that holds no others.

    Returns:
        Numbers, strings, bytes, sets, ranges and ``None`` as they are, without their subclasses;
        dotted paths for classes, functions and names that are not imported yet; for other objects
        their class in angle brackets.
    """
    if value is None or type(value) in (bool, int, float, complex, str, bytes):
        return value
    if isinstance(value, LazyObject | LazyAttr):
        return dotted_path(value)
    if isinstance(value, enum.Enum):
        return f"{_path_of(type(value))}.{value.name}"
    kinds: tuple[Any, ...] = (int, float, complex, str, bytes)
    for kind in kinds:
        if isinstance(value, kind):
            return kind(value)
    if type(value) in (set, frozenset, range):
        return value
    if isinstance(value, PurePath):
        return str(value)
    path = _path_of(value)
    if path is not None:
        return path
    return _described(value)


def _path_of(value: Any) -> str | None:
    """The dotted path of a class, function or method."""
    name = getattr(value, "__qualname__", None)
    if not isinstance(name, str):
        return None
    module = getattr(value, "__module__", None)
    if module is None:
        owner = getattr(value, "__self__", None)
        module = getattr(type(owner), "__module__", None) if owner is not None else None
    return f"{module}.{name}" if isinstance(module, str) else name


def _described(value: Any) -> Any:
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy" and getattr(value, "ndim", None) == 0:
        return value.item()
    if kind.__module__ == "datetime":
        return str(value)
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a config is printed in logs, which must not fail
        text = ""
    # torch prints `torch.float32` for a dtype and so on: a path that can be imported.
    return text if _DOTTED.fullmatch(text) else f"<{kind.__module__}.{kind.__qualname__} object>"


def dump_data(values: dict[Any, Any], extension: str) -> str:
    """The text of a config in a data format.

    Args:
        values: The config.
        extension: ``.json``, ``.yaml`` or ``.yml``.
    """
    if extension == ".json":
        import json

        return json.dumps(_plain_tree(values, _json_leaf))
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # - chosen at run time
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(
        tuple,
        lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:python/tuple", data),
    )
    return str(yaml.dump(_plain_tree(values, _yaml_leaf), Dumper=Dumper))


def _plain_tree(value: Any, leaf: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        items = dict.items(value)
        return {_key(key): _plain_tree(item, leaf) for key, item in items}
    if isinstance(value, list):
        return [_plain_tree(item, leaf) for item in value]
    if isinstance(value, tuple):
        return tuple(_plain_tree(item, leaf) for item in value)
    return leaf(value)


def _key(key: Any) -> Any:
    return key if key is None or isinstance(key, str | int | float | bool) else str(key)


def _json_leaf(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, set | frozenset | range):
        return list(value)
    return value if not isinstance(value, complex | bytes) else str(value)


def _yaml_leaf(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, range | frozenset):
        return list(value)
    return value if not isinstance(value, complex) else str(value)
