"""Lines that change what a file inherits: ``edit(model).backbone.depth = 101``."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.config.config_dict import DELETE_KEY
from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.printing.plain import is_name
from mainspring.names import origin_of
from mainspring.tools.convert.calls import CallRewriter, entries_of, is_display
from mainspring.tools.convert.equality import differences
from mainspring.tools.convert.names import lazy_import_parts
from mainspring.tools.convert.printer import Printer
from mainspring.tools.convert.report import Attempt
from mainspring.tools.convert.text_edits import EditedText
from mainspring.walk import parts_of

__all__ = ["Inherited", "Merging", "UnmergeableError", "changes_between", "deletes", "place"]

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


class Inherited:
    """What a file inherits, and which parts of it stand in several places.

    Args:
        attempt: What the file is; is given the words that the lines use.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.old, self.new = attempt.old, attempt.new
        self._imports = attempt.imports
        self._copied: set[tuple[Key, ...]] = set()
        # Of what is no container, nothing is asked.
        self._places = Counter(map(id, parts_of(dict(self.new))))

    def separate(self, root: str, keys: Sequence[Key]) -> Iterator[str]:
        """The lines after which a part can be changed without changing another place.

        Args:
            root: The variable.
            keys: The keys that lead to the part.
        """
        value = self.new.get(root)
        for length in range(len(keys) + 1):
            here = (root, *keys[:length])
            if here in self._copied or not isinstance(value, dict | list):
                return
            if self._places[id(value)] > 1:
                self._copied.add(here)
                copied = f"{self._imports.word('copy')}({place(root, keys[:length])})"
                yield f"{self.edited(root, keys[:length]) if length else root} = {copied}"
                return
            value = part_of(value, keys[length : length + 1])

    def edited(self, root: str, keys: Sequence[Key]) -> str:
        """The left side of a line that changes a part.

        Args:
            root: The variable.
            keys: The keys that lead to the part.
        """
        return place(f"{self._imports.word('edit')}({root})", keys)


def part_of(value: Any, keys: Iterable[Key]) -> Any:
    """What keys lead to; ``None`` where nothing stands there.

    Args:
        value: A part of a config.
        keys: Keys and indices.
    """
    for key in keys:
        if isinstance(value, dict):
            value = dict.get(value, key)
        elif isinstance(value, list | tuple) and isinstance(key, int):
            value = value[key] if -len(value) <= key < len(value) else None
        else:
            return None
    return value


class UnmergeableError(Exception):
    """A dict is not written in a way that can be taken apart."""


@dataclass(frozen=True, slots=True)
class Merging:
    """Writes lines that do what merging a written dict into an inherited one does.

    Attributes:
        attempt: What the file is.
        base: What it inherits.
        file: The text that the dict is written in, its calls already changed.
        calls: What changed them.
        displays: Written dicts that stand for their variables wherever these are merged.
    """

    attempt: Attempt
    base: Inherited
    file: EditedText
    calls: CallRewriter
    displays: Mapping[str, ast.expr]

    def lines(
        self, root: str, node: ast.expr, keys: tuple[Key, ...] = (), before: Iterable[str] = ()
    ) -> list[str]:
        """The lines, with each comment that belongs behind one put there.

        Args:
            root: The variable.
            node: The dict.
            keys: The keys that lead to it.
            before: The lines that they follow, which the result begins with.

        Raises:
            UnmergeableError: The dict holds more than written entries.
        """
        found = list(before)
        entries = entries_of(node)
        if entries is None:
            raise UnmergeableError
        file, base = self.file, self.base
        old = part_of(base.old.get(root), keys)
        end = file.start(node)
        for key, value, where in entries:
            if key is None:
                found += base.separate(root, keys)
                found.append(f"{base.edited(root, keys)}.update({file.text_of(value)})")
                end = file.end(value)
                continue
            self._add_comments(found, end, file.start(where), trailing=key != DELETE_KEY)
            end = file.end(where if isinstance(node, ast.Call) else value)
            if key == DELETE_KEY:
                continue
            known = part_of(old, [key])
            if isinstance(value, ast.Name) and isinstance(known, dict):
                value = self.displays.get(value.id, value)
            if isinstance(known, dict) and _merges(known, value):
                found = self.lines(root, value, (*keys, key), found)
                continue
            text = self._new_text(root, keys, key, known, value, where)
            if text is not None:
                found += base.separate(root, keys)
                found.append(f"{base.edited(root, (*keys, key))} = {text}")
        self._add_comments(found, end, file.end(node))
        return found

    def _new_text(
        self,
        root: str,
        keys: tuple[Key, ...],
        key: str,
        known: Any,
        value: ast.expr,
        where: ast.AST,
    ) -> str | None:
        """The text of an entry's value; ``None`` for a type that is the inherited one."""
        if key != "type":
            return _value_text(self.file, where, value)
        above = tuple(map(str, (root, *keys)))
        meaning, written = self.calls.meaning_of(value, above)
        if meaning is None:
            is_same = isinstance(value, ast.Constant) and value.value == known
            return None if is_same else _value_text(self.file, where, value)
        inherited: Any = known
        if isinstance(known, str):
            inherited = getattr(self.attempt.names.find(known, above), "target", None)
        elif isinstance(known, LazyObject | LazyAttr):
            parts = lazy_import_parts(known)
            names, origin = self.attempt.names, origin_of(known)
            inherited = None if parts is None else names.imported(*parts, above, origin).target
        if inherited is not None and inherited is meaning.target:
            return None
        return written or self.attempt.imports.name(meaning.module, meaning.name)

    def _add_comments(
        self, found: list[str], start: int, end: int, *, trailing: bool = True
    ) -> None:
        """The comments between two places: one behind the last line, others on lines of their own.

        Args:
            found: The lines.
            start: The one place.
            end: The other.
            trailing: Whether what stands behind the first of them is kept.
        """
        line = self.file.line_of(start)
        within = [comment for comment in self.file.comments if start <= comment.start < end]
        if within and within[0].line == line:
            text = within.pop(0).text
            if trailing and found and not found[-1].startswith("#"):
                found[-1] += f"  {text}"
            elif trailing:
                found.append(text)
        found += [comment.text for comment in within]


def _written(node: ast.AST) -> dict[str | None, ast.expr]:
    return {key: value for key, value, _ in entries_of(node) or ()}


def deletes(node: ast.expr) -> bool:
    """Whether a written dict says ``_delete_=True``.

    Args:
        node: The dict.
    """
    return getattr(_written(node).get(DELETE_KEY), "value", None) is True


def _merges(known: dict[Any, Any], node: ast.expr) -> bool:
    """Whether a value is a written dict of which something of the inherited one is left."""
    kind = _written(node).get("type")
    is_other = isinstance(kind, ast.Constant) and kind.value != dict.get(known, "type")
    return is_display(node) and not deletes(node) and not (is_other and _covers(known, node))


def _covers(known: Any, node: ast.expr | None) -> bool:
    if node is None or not isinstance(known, dict):
        return node is not None
    written = _written(node)
    is_whole = is_display(node) and None not in written
    return is_whole and all(_covers(it, written.get(key)) for key, it in dict.items(known))


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
    strings = (n for n in ast.walk(value) if isinstance(n, ast.JoinedStr | ast.Constant))
    if not any(node.lineno != node.end_lineno for node in strings):
        line = file.text[file.line_start(start) :]
        width = len(line) - len(line.lstrip(" "))
        first, *rest = text.split("\n")
        cut = (line[min(width, len(line) - len(line.lstrip(" "))) :] for line in rest)
        text = "\n".join([first, *cut])
    bracketed = isinstance(value, ast.Call | ast.List | ast.Dict | ast.Set | ast.ListComp)
    return text if bracketed or text.startswith("(") else f"({text})"


def changes_between(attempt: Attempt, final: Mapping[str, Any]) -> Iterator[str]:
    """Lines that make the inherited values those of the file, with values printed.

    Args:
        attempt: What the file is, and what it inherits.
        final: The values of the file.
    """
    base, printer = Inherited(attempt), Printer(attempt)

    def changes(old: Any, new: Any, root: str, keys: tuple[Key, ...]) -> Iterator[str]:
        path = tuple(map(str, (root, *keys)))
        if next(differences(old, new, attempt.names, path), None) is None:
            return
        if not (isinstance(old, dict) and isinstance(new, dict) and _shares(old, new)):
            yield from base.separate(root, keys[:-1]) if keys else ()
            left = base.edited(root, keys) if keys else root
            yield printer.assignment(left, new, path)
            return
        for key, value in dict.items(new):
            left = base.edited(root, (*keys, key))
            known = dict.get(old, key, _MISSING)
            if known is not _MISSING and key != "type":
                yield from changes(known, value, root, (*keys, key))
            elif known is _MISSING:
                yield from base.separate(root, keys)
                yield printer.assignment(left, value, (*path, str(key)))
            elif any(differences({"type": known}, {"type": value}, attempt.names, path)):
                yield from base.separate(root, keys)
                yield f"{left} = {printer.type_text(value, path)}"
        for key in dict.keys(old):
            if not dict.__contains__(new, key):
                yield from base.separate(root, keys)
                yield f"del {base.edited(root, (*keys, key))}"

    for name, value in final.items():
        if name in base.old:
            yield from changes(base.old[name], value, name, ())
        else:
            yield printer.assignment(name, value, (name,))
    for name in base.old:
        if name not in final and not str(name).startswith("_"):
            yield f"del {name}"


def _shares(old: dict[Any, Any], new: dict[Any, Any]) -> bool:
    """Whether a dict is better described by changes of another than by itself."""
    same = (dict.keys(old) & dict.keys(new)) - {"type"}
    return bool(same) or dict.get(old, "type") == dict.get(new, "type")
