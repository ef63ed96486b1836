"""Where a value of a config was written: file, line and column of a dotted path.

Nothing is recorded while a config is read. The text is parsed again when somebody asks, which is
when an error is printed. Assignments, ``dict(...)`` and ``{...}`` displays, lists, ``update`` and
``merge`` calls, names of the same file and values of the bases are followed; a value that a
function computes is found at the assignment only.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.config.source import Source
from mainspring.config.template import ENVIRONMENT
from mainspring.errors import Location

__all__ = ["locate", "locate_in_source"]

_FOLLOW_LIMIT = 50
"""How many names are followed for one path: a file can define two names by each other."""


def locate(sources: Sequence[Source], path: str) -> Location | None:
    """Where a dotted path of a config was written last.

    Args:
        sources: The files of the config, bases before those that build on them.
        path: Dotted path, such as ``model.backbone.depth`` or ``custom_hooks.0.type``.

    Returns:
        The place of the key; ``None`` when no file writes it literally.
    """
    parts = path.split(".")
    for index in range(len(sources) - 1, -1, -1):
        found = locate_in_source(sources[index], parts, sources[:index])
        if found is not None:
            return found
    return None


def locate_in_source(
    source: Source, parts: Sequence[str], bases: Sequence[Source] = ()
) -> Location | None:
    """Where a path was written in one file.

    Args:
        source: The file.
        parts: The path's keys.
        bases: Files that values of ``_base_`` come from.

    Returns:
        The place of the key; ``None`` when the file does not write it literally.
    """
    try:
        if source.format == ".py":
            found = _PythonFile(source, bases).find(list(parts))
        elif source.format == ".json":
            found = _in_json(source, parts)
        elif source.format == ".toml":
            found = _in_toml(source, parts)
        else:
            found = _in_yaml(source, parts)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return found


def _blank(match: re.Match[str]) -> str:
    return "0".ljust(len(match.group()))


@dataclass(frozen=True, slots=True)
class _Write:
    """One place of a Python file that writes a path."""

    path: tuple[str, ...]
    value: ast.expr | None
    node: ast.expr


class _PythonFile:
    """The assignments of one Python file."""

    def __init__(self, source: Source, bases: Sequence[Source]) -> None:
        self.source = source
        self.bases = bases
        self.tree = _parse(ENVIRONMENT.sub(_blank, source.text))
        self.writes = list(self._writes(self.tree.body))
        self.followed = 0

    def find(self, parts: list[str]) -> Location | None:
        return self._find(parts, len(self.writes))

    def _find(self, parts: list[str], before: int) -> Location | None:
        """The last write of a path among the first so many."""
        for index in range(before - 1, -1, -1):
            write = self.writes[index]
            rest = _rest(write.path, parts)
            if rest is None:
                continue
            if not rest:
                return self._place(write.node)
            found = self._inside(write.value, rest, index) if write.value is not None else None
            if found is not None:
                return found
        return None

    def _inside(self, value: ast.expr, parts: list[str], before: int) -> Location | None:
        """The place of a path inside of the value that an expression writes."""
        self.followed += 1
        if self.followed > _FOLLOW_LIMIT:
            return None
        if isinstance(value, ast.Set):
            # `{{_base_.model}}` is, to Python, a set in a set.
            inner = value.elts[0]
            return self._inside(inner, parts, before) if len(value.elts) == 1 else None
        dotted = _dotted(value)
        if dotted is not None:
            if dotted[0] == "_base_":
                return locate(self.bases, ".".join([*dotted[1:], *parts]))
            return self._find([*dotted, *parts], before)
        for key, node, item in _entries(value):
            if key is None:
                found = self._inside(item, parts, before)
            elif key != parts[0]:
                continue
            elif len(parts) == 1:
                found = self._place(node)
            else:
                found = self._inside(item, parts[1:], before)
            if found is not None:
                return found
        return None

    def _place(self, node: ast.expr | ast.keyword) -> Location:
        line = self.source.text.split("\n")[node.lineno - 1]
        # `ast` counts bytes; people count characters.
        column = len(line.encode()[: node.col_offset].decode(errors="ignore"))
        return self.source.location(node.lineno, column + 1)

    def _writes(self, statements: Sequence[ast.stmt]) -> Iterator[_Write]:
        for statement in statements:
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    yield from _targets(target, statement.value)
            elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
                yield from _targets(statement.target, statement.value)
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                yield from _call_writes(statement.value)
            elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                for name in ("body", "orelse", "finalbody"):
                    yield from self._writes(getattr(statement, name, []))


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        # The reader of the file has already warned.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _rest(written: tuple[str, ...], wanted: list[str]) -> list[str] | None:
    """What is left of a path below the one that is written; ``None`` if it is not below."""
    if len(written) > len(wanted) or list(written) != wanted[: len(written)]:
        return None
    return wanted[len(written) :]


def _targets(target: ast.expr, value: ast.expr | None) -> Iterator[_Write]:
    if isinstance(target, ast.Tuple | ast.List):
        values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        for index, inner in enumerate(target.elts):
            yield from _targets(inner, values[index] if index < len(values) else None)
        return
    path = _dotted(target)
    if path is not None:
        yield _Write(tuple(path), value, target)


def _call_writes(call: ast.Call) -> Iterator[_Write]:
    """``model.update(...)``, ``model.merge(...)`` and ``model.setdefault("key", ...)``."""
    if not isinstance(call.func, ast.Attribute):
        return
    path = _dotted(call.func.value)
    if path is None:
        return
    if call.func.attr in ("update", "merge"):
        for arg in call.args:
            yield _Write(tuple(path), arg, arg)
        if call.keywords:
            keywords = ast.Call(ast.Name("dict", ast.Load()), [], call.keywords)
            yield _Write(tuple(path), ast.copy_location(keywords, call), call)
    elif call.func.attr == "setdefault" and len(call.args) == 2:
        key = call.args[0]
        if isinstance(key, ast.Constant):
            yield _Write((*path, str(key.value)), call.args[1], key)


def _dotted(node: ast.expr) -> list[str] | None:
    """The path that ``model.backbone["depth"]`` reads or writes; ``None`` for other expressions."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            parts.append(str(node.slice.value))
            node = node.value
        elif isinstance(node, ast.Name):
            return [node.id, *reversed(parts)]
        else:
            return None


def _entries(
    value: ast.expr,
) -> Iterator[tuple[str | None, ast.expr | ast.keyword, ast.expr]]:
    """What an expression puts under which key; the key is ``None`` for what is unpacked into it.

    The last of several entries for one key comes first, since that is the one that counts.
    """
    if isinstance(value, ast.Dict):
        for key, item in reversed(list(zip(value.keys, value.values, strict=True))):
            if key is None:
                yield None, item, item
            elif isinstance(key, ast.Constant):
                yield str(key.value), key, item
    elif isinstance(value, ast.Call):
        for keyword in reversed(value.keywords):
            yield keyword.arg, keyword, keyword.value
        if isinstance(value.func, ast.Attribute):
            # `base.copy()` has the keys of `base`.
            yield None, value.func.value, value.func.value
        for arg in value.args:
            yield None, arg, arg
    elif isinstance(value, ast.List | ast.Tuple):
        for index, item in enumerate(value.elts):
            yield str(index), item, item
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        for side in (value.right, value.left):
            yield None, side, side


def _in_json(source: Source, parts: Sequence[str]) -> Location | None:
    # JSON reads as a Python display in which `true` and `null` are names.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(f"({ENVIRONMENT.sub(_blank, source.text)}\n)", mode="eval")
    finder = _PythonFile(Source(source.path, "", ".py"), ())
    finder.source = Source(source.path, f"({source.text}", ".json")
    found = finder._inside(tree.body, list(parts), 0)
    if found is None or found.column is None:
        return found
    return source.location(found.line, found.column - (1 if found.line == 1 else 0))


def _in_yaml(source: Source, parts: Sequence[str]) -> Location | None:
    import yaml

    try:
        node: Any = yaml.compose(source.text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    place: Any = None
    for part in parts:
        if isinstance(node, yaml.MappingNode):
            entries = [(key, value) for key, value in node.value if key.value == part]
            if not entries:
                return None
            place, node = entries[-1]
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal():
            if int(part) >= len(node.value):
                return None
            place = node = node.value[int(part)]
        else:
            return None
    mark = None if place is None else place.start_mark
    return None if mark is None else source.location(mark.line + 1, mark.column + 1)


_TOML_TABLE = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_TOML_KEY = re.compile(r"\s*([\w.\-\"']+)\s*=")


def _in_toml(source: Source, parts: Sequence[str]) -> Location | None:
    """By lines: tables and keys, not what is inside of inline tables and lists."""
    table: list[str] = []
    found: Location | None = None
    for number, line in enumerate(source.text.split("\n"), start=1):
        header, entry = _TOML_TABLE.match(line), _TOML_KEY.match(line)
        match = header or entry
        if match is None:
            continue
        keys = [key.strip().strip("\"'") for key in match.group(1).split(".")]
        if header:
            table = keys
        if (table if header else [*table, *keys]) == list(parts):
            found = source.location(number, match.start(1) + 1)
    return found
