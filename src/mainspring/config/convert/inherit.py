"""Lines that change what a file inherits: ``edit(model).backbone.depth = 101``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.config.config_dict import DELETE_KEY
from mainspring.config.convert.calls import CallRewriter, entries_of, is_display
from mainspring.config.convert.compare import differences
from mainspring.config.convert.imports import Imports
from mainspring.config.convert.names import Names, lazy_import_parts
from mainspring.config.convert.printer import Printer, is_name
from mainspring.config.convert.text_edits import EditedText
from mainspring.config.lazy import LazyAttr, LazyObject

__all__ = ["BaseState", "changes_between", "merge_lines", "place"]

Key = str | int
_MISSING = object()
_METHODS = frozenset(("append", "extend", "insert", "pop", "update"))
"""What `edit` gives as methods, so that a key of that name is written as an item."""


def place(root: str, keys: Sequence[Key]) -> str:
    """``root.a.b[0]``, with items where a key is no name.

    Args:
        root: How the outermost part is written.
        keys: The keys from there.
    """
    text = root
    for key in keys:
        if is_name(key) and key not in _METHODS and not str(key).startswith("__"):
            text += f".{key}"
        else:
            text += f"[{key!r}]".replace("'", '"')
    return text


@dataclass(slots=True)
class BaseState:
    """What a file inherits, and which parts of it stand in several places.

    Attributes:
        old: The values that the old file gets from its bases.
        new: The names that the new file gets from its new bases.
        imports: Is given the words that the lines use.
        displays: Written dicts that stand for their variables wherever these are merged.
    """

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    imports: Imports
    displays: Mapping[str, ast.expr] = field(default_factory=dict)
    _parents: dict[int, int] = field(default_factory=dict)
    _copied: set[tuple[Key, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        seen: set[int] = set()
        for value in self.new.values():
            self._count(value, seen)

    def _count(self, value: Any, seen: set[int]) -> None:
        if not isinstance(value, dict | list | tuple):
            return
        self._parents[id(value)] = self._parents.get(id(value), 0) + 1
        if id(value) in seen:
            return
        seen.add(id(value))
        for item in dict.values(value) if isinstance(value, dict) else value:
            self._count(item, seen)

    def separate(self, root: str, keys: Sequence[Key]) -> Iterator[str]:
        """The lines after which a part can be changed without changing another place.

        Args:
            root: The variable.
            keys: The keys that lead to the part.
        """
        value = self.new.get(root)
        for length in range(len(keys) + 1):
            here = (root, *keys[:length])
            if here in self._copied:
                return
            if not isinstance(value, dict | list):
                return
            if self._parents.get(id(value), 0) > 1:
                self._copied.add(here)
                copied = f"{self.imports.word('copy')}({place(root, keys[:length])})"
                if length == 0:
                    yield f"{root} = {copied}"
                else:
                    yield f"{self.edited(root, keys[:length])} = {copied}"
                return
            if length < len(keys):
                value = _item(value, keys[length])

    def edited(self, root: str, keys: Sequence[Key]) -> str:
        """The left side of a line that changes a part.

        Args:
            root: The variable.
            keys: The keys that lead to the part.
        """
        return place(f"{self.imports.word('edit')}({root})", keys)


def _item(value: Any, key: Key) -> Any:
    if isinstance(value, dict):
        return dict.get(value, key)
    return value[key] if isinstance(key, int) and -len(value) <= key < len(value) else None


class UnmergeableError(Exception):
    """A dict is not written in a way that can be taken apart."""


def merge_lines(
    base: BaseState,
    file: EditedText,
    calls: CallRewriter,
    names: Names,
    root: str,
    node: ast.expr,
    keys: tuple[Key, ...] = (),
) -> Iterator[str]:
    """The lines that do what merging a written dict into an inherited one does.

    Args:
        base: What is inherited.
        file: The text that the dict is written in, its calls already changed.
        calls: What changed them.
        names: Says what types mean.
        root: The variable.
        node: The dict.
        keys: The keys that lead to it.

    Raises:
        UnmergeableError: The dict holds more than written entries.
    """
    entries = entries_of(node)
    if entries is None:
        raise UnmergeableError
    old: Any = base.old.get(root)
    for step in keys:
        old = _item(old, step)
    end = file.start(node)
    for key, value, where in entries:
        if key is None:
            yield from base.separate(root, keys)
            unpacked = file.changed(file.start(value), file.end(value))
            yield f"{base.edited(root, keys)}.update({unpacked})"
            end = file.end(value)
            continue
        start = file.start(where)
        comments, trailing = _comments(file, end, start)
        if trailing and key != DELETE_KEY:
            yield f"\0{trailing}"
        yield from comments
        end = file.end(where if isinstance(node, ast.Call) else value)
        if key == DELETE_KEY:
            continue
        yield from _entry(base, file, calls, names, root, (*keys, key), old, value, where)
    comments, trailing = _comments(file, end, file.end(node))
    if trailing:
        yield f"\0{trailing}"
    yield from comments


def _entry(
    base: BaseState,
    file: EditedText,
    calls: CallRewriter,
    names: Names,
    root: str,
    keys: tuple[Key, ...],
    old: dict[Any, Any],
    value: ast.expr,
    where: ast.AST,
) -> Iterator[str]:
    known, key = _item(old, keys[-1]), str(keys[-1])
    if isinstance(value, ast.Name) and isinstance(known, dict):
        value = base.displays.get(value.id, value)
    merges = isinstance(known, dict) and is_display(value) and not deletes(value)
    if merges and not _replaces(known, value):
        yield from merge_lines(base, file, calls, names, root, value, keys)
        return
    text = _value_text(file, where, value)
    if key == "type":
        above = tuple(map(str, (root, *keys[:-1])))
        meaning, written = calls.meaning_of(value, above)
        if meaning is not None:
            if _means(known, names, above) is meaning.target:
                return
            text = written or base.imports.name(meaning.module, meaning.name)
        elif isinstance(value, ast.Constant) and value.value == known:
            return
    yield from base.separate(root, keys[:-1])
    yield f"{base.edited(root, keys)} = {text}"


def _means(known: Any, names: Names, keys: tuple[str, ...]) -> Any:
    if isinstance(known, str):
        meaning = names.find(known, keys)
    elif isinstance(known, LazyObject | LazyAttr):
        parts = lazy_import_parts(known)
        meaning = None if parts is None else names.imported(*parts, keys)
    else:
        return known
    return _MISSING if meaning is None or meaning.target is None else meaning.target


def deletes(node: ast.expr) -> bool:
    """Whether a written dict says ``_delete_=True``.

    Args:
        node: The dict.
    """
    return any(
        key == DELETE_KEY and isinstance(value, ast.Constant) and value.value is True
        for key, value, _ in entries_of(node) or ()
    )


def _replaces(known: dict[Any, Any], node: ast.expr) -> bool:
    """Whether a written dict of another type leaves nothing of the inherited one."""
    written = {key: value for key, value, _ in entries_of(node) or ()}
    kind = written.get("type")
    if not isinstance(kind, ast.Constant) or kind.value == dict.get(known, "type"):
        return False
    return _covers(known, node)


def _covers(known: dict[Any, Any], node: ast.expr) -> bool:
    written = {key: value for key, value, _ in entries_of(node) or ()}
    if None in written:
        return False
    for key, value in dict.items(known):
        if key not in written:
            return False
        inner = written[key]
        if isinstance(value, dict) and is_display(inner) and not _covers(value, inner):
            return False
        if isinstance(value, dict) and not is_display(inner):
            return False
    return True


def _value_text(file: EditedText, where: ast.AST, value: ast.expr) -> str:
    """The text of an entry's value, such that it can stand in a line of its own."""
    start, end = file.start(value), file.end(value)
    if isinstance(where, ast.keyword):
        # The place of a value leaves out the brackets around it.
        start = file.text.index("=", file.start(where)) + 1
        end = file.end(where)
    text = file.changed(start, end).strip()
    if "\n" not in text:
        return text
    if not any(
        isinstance(inner, ast.JoinedStr | ast.Constant) and _is_long(inner)
        for inner in ast.walk(value)
    ):
        text = _dedented(text, _indent(file, start))
    bracketed = isinstance(value, ast.Call | ast.List | ast.Dict | ast.Set | ast.ListComp)
    return text if bracketed or text.startswith("(") else f"({text})"


def _is_long(node: Any) -> bool:
    return bool(node.lineno != node.end_lineno)


def _indent(file: EditedText, offset: int) -> int:
    line = file.text[file.line_start(offset) :]
    return len(line) - len(line.lstrip(" "))


def _dedented(text: str, width: int) -> str:
    first, *rest = text.split("\n")
    return "\n".join(
        [first, *(line[min(width, len(line) - len(line.lstrip(" "))) :] for line in rest)]
    )


def _comments(file: EditedText, start: int, end: int) -> tuple[list[str], str | None]:
    """The comments between two places: those on lines of their own, and one after the first."""
    own: list[str] = []
    trailing: str | None = None
    line = file.line_of(start)
    for comment in file.comments:
        if start <= comment.start < end:
            if comment.line == line and not own:
                trailing = comment.text
            else:
                own.append(comment.text)
    return own, trailing


def changes_between(
    base: BaseState, final: Mapping[str, Any], names: Names, printer: Printer
) -> Iterator[str]:
    """Lines that make the inherited values those of the file, with values printed.

    Args:
        base: What is inherited.
        final: The values of the file.
        names: Says what types mean.
        printer: Prints values.
    """
    for name, value in final.items():
        if name not in base.old:
            yield f"{name} = {printer.text(value, (name,), 0, len(name) + 3)}"
        else:
            yield from _changes(base, base.old[name], value, name, (), names, printer)
    for name in base.old:
        if name not in final and not str(name).startswith("_"):
            yield f"del {name}"


def _changes(
    base: BaseState,
    old: Any,
    new: Any,
    root: str,
    keys: tuple[Key, ...],
    names: Names,
    printer: Printer,
) -> Iterator[str]:
    path = tuple(map(str, (root, *keys)))
    if next(differences(old, new, names, path), None) is None:
        return
    is_same_kind = isinstance(old, dict) and isinstance(new, dict) and _shares(old, new)
    if not is_same_kind:
        yield from base.separate(root, keys[:-1]) if keys else ()
        left = base.edited(root, keys) if keys else root
        yield f"{left} = {printer.text(new, path, 0, len(left) + 3)}"
        return
    for key, value in dict.items(new):
        if not dict.__contains__(old, key):
            yield from base.separate(root, keys)
            left = base.edited(root, (*keys, key))
            yield f"{left} = {printer.text(value, (*path, str(key)), 0, len(left) + 3)}"
        elif key == "type":
            left, right = dict.__getitem__(old, key), value
            if next(differences({"type": left}, {"type": right}, names, path), None) is not None:
                yield from base.separate(root, keys)
                text = printer.type_text(value, path)
                yield f"{base.edited(root, (*keys, 'type'))} = {text}"
        else:
            inner = dict.__getitem__(old, key)
            yield from _changes(base, inner, value, root, (*keys, key), names, printer)
    for key in dict.keys(old):
        if not dict.__contains__(new, key):
            yield from base.separate(root, keys)
            yield f"del {base.edited(root, (*keys, key))}"


def _shares(old: dict[Any, Any], new: dict[Any, Any]) -> bool:
    """Whether a dict is better described by changes of another than by itself."""
    if dict.get(old, "type") == dict.get(new, "type"):
        return True
    return any(dict.__contains__(old, key) for key in dict.keys(new) if key != "type")
