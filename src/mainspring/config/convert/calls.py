"""Write the dicts of an old file as calls, in its own text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.config.config_dict import DELETE_KEY
from mainspring.config.convert.forms import Form, choose_form, stays_description
from mainspring.config.convert.imports import Imports
from mainspring.config.convert.names import Meaning, Names
from mainspring.config.convert.printer import is_name
from mainspring.config.convert.text_edits import EditedText

__all__ = ["CallRewriter", "chain_of", "entries_of", "is_display"]

_COMMA_AFTER = re.compile(r"[ \t]*,[ \t]*")
_COMMA_BEFORE = re.compile(r",\s*$")

Entry = tuple[str | None, ast.expr, ast.AST]


def is_display(node: ast.AST | None) -> bool:
    """Whether an expression is ``dict(...)`` or ``{...}`` with entries that are all written there.

    Args:
        node: The expression.
    """
    return node is not None and entries_of(node) is not None


def entries_of(node: ast.AST) -> list[Entry] | None:
    """The entries of a dict that is written out.

    Args:
        node: An expression.

    Returns:
        Key, value and place of each; the key ``None`` stands for ``**value``. ``None`` for other
        expressions.
    """
    if isinstance(node, ast.Call) and _is_dict(node.func) and not node.args:
        return [(keyword.arg, keyword.value, keyword) for keyword in node.keywords]
    if isinstance(node, ast.Dict):
        entries: list[Entry] = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                entries.append((None, value, value))
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                entries.append((key.value, value, key))
            else:
                return None
        return entries
    return None


def _is_dict(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "dict"


def chain_of(node: ast.AST) -> tuple[str, list[str | int]] | None:
    """The name and the keys of an expression such as ``model.heads[0]['x']``.

    Args:
        node: The expression.
    """
    keys: list[str | int] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Attribute):
            keys.insert(0, node.attr)
        elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str | int):
            keys.insert(0, node.slice.value)
        else:
            return None
        node = node.value
    return (node.id, keys) if isinstance(node, ast.Name) else None


class CallRewriter:
    """Changes ``dict(type='X', ...)`` to ``X(...)`` wherever it stands in a file.

    Args:
        file: The text.
        names: Says what types mean.
        imports: Is given what the text uses.
        imported: Names that the file or its bases import: module and name of each.
        constants: Variables that hold the same string throughout the file, with the string.
        on_type: Called for each dict with a type: its line, and why it stays a dict or ``None``.
        remark: Called with a line and what to say about it.
    """

    def __init__(
        self,
        file: EditedText,
        names: Names,
        imports: Imports,
        imported: Mapping[str, tuple[str, str]],
        constants: Mapping[str, str],
        on_type: Callable[[int, str | None], None],
        remark: Callable[[int, str], None],
    ) -> None:
        self._file = file
        self._names = names
        self._imports = imports
        self._imported = imported
        self._constants = constants
        self._on_type = on_type
        self._remark = remark

    def visit(
        self,
        node: ast.AST,
        keys: tuple[str, ...] = (),
        parent: Meaning | None = None,
        argument: str | None = None,
        *,
        plain: bool = False,
    ) -> None:
        """Change an expression or statement and what is inside of it.

        Args:
            node: The expression or statement.
            keys: The keys that lead to it.
            parent: What it is an argument of.
            argument: Of which name.
            plain: Whether it must stay a dict if it is one.
        """
        entries = entries_of(node)
        if entries is not None:
            meaning = self._dict(node, entries, keys, parent, argument, plain)
            for key, value, _ in entries:
                inner = keys if key is None else (*keys, key)
                self.visit(value, inner, meaning, key, plain=key is None)
            return
        if isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                self.visit(item, keys, parent, argument)
            return
        if isinstance(node, ast.Call):
            is_dict = _is_dict(node.func)
            self.visit(node.func, keys, plain=True)
            for value in node.args:
                self.visit(value, keys, plain=is_dict)
            for keyword in node.keywords:
                inner = (*keys, keyword.arg) if keyword.arg and is_dict else keys
                self.visit(keyword.value, inner, plain=keyword.arg is None)
            return
        as_value = isinstance(
            node, ast.Attribute | ast.Subscript | ast.Compare | ast.BinOp | ast.Starred
        )
        for child in ast.iter_child_nodes(node):
            self.visit(child, keys, plain=as_value)

    # One dict

    def _dict(
        self,
        node: ast.AST,
        entries: Sequence[Entry],
        keys: tuple[str, ...],
        parent: Meaning | None,
        argument: str | None,
        plain: bool,
    ) -> Meaning | None:
        kind = next((value for key, value, _ in entries if key == "type"), None)
        if kind is None:
            self._by_epoch(node, entries, keys)
            return None
        line = node.lineno  # type: ignore[attr-defined]  # - every expression has one
        meaning, written = self.meaning_of(kind, keys)
        if meaning is None:
            self._on_type(line, written)
            return None
        self._on_type(line, None)
        arguments = [key for key, _, _ in entries if key not in ("type", DELETE_KEY)]
        is_open = None in arguments
        form = choose_form(meaning, [k for k in arguments if k is not None], is_open=is_open)
        if plain or stays_description(parent, argument):
            form = Form.DICT
        name = written or self._imports.name(meaning.module, meaning.name)
        if form is Form.DICT:
            if written is None:
                self._file.change(self._file.start(kind), self._file.end(kind), name)
            return meaning
        if form is Form.LATE:
            name = f"{self._imports.word('later')}({name})"
        self._as_call(node, entries, name)
        return meaning

    def meaning_of(
        self, kind: ast.expr, keys: tuple[str, ...]
    ) -> tuple[Meaning | None, str | None]:
        """What a type means, and how the file writes it already, or why it has no meaning.

        Args:
            kind: The expression after ``type=``.
            keys: The keys that lead to the dict.
        """
        if isinstance(kind, ast.Constant) and isinstance(kind.value, str):
            meaning = self._names.find(kind.value, keys)
            return meaning, None if meaning else self._names.why[kind.value]
        if isinstance(kind, ast.Name) and kind.id in self._constants:
            name = self._constants[kind.id]
            meaning = self._names.find(name, keys)
            if meaning is not None:
                self._remark(kind.lineno, f"{kind.id} does not choose the class here any more")
            return meaning, None if meaning else self._names.why[name]
        chain = chain_of(kind)
        if chain is None or chain[0] not in self._imported:
            return None, "its type is computed"
        module, name = self._imported[chain[0]]
        path = [name, *map(str, chain[1])] if name else [str(key) for key in chain[1]]
        written = self._file.changed(self._file.start(kind), self._file.end(kind))
        return self._names.imported(module, ".".join(path), keys), written

    def _as_call(self, node: ast.AST, entries: Sequence[Entry], name: str) -> None:
        file = self._file
        if isinstance(node, ast.Call):
            file.change(file.start(node.func), file.end(node.func), name)
        else:
            file.change(file.start(node), file.start(node) + 1, f"{name}(")
            file.change(file.end(node) - 1, file.end(node), ")")
        for key, value, place in entries:
            start = file.start(place)
            end = file.end(place if isinstance(node, ast.Call) else value)
            if key == "type":
                self._remove(start, end)
            elif key is not None and isinstance(node, ast.Dict):
                colon = file.text.index(":", file.end(place))
                file.change(start, colon + 1, f"{key}=")
                gap = re.compile(r"[ \t]*").match(file.text, colon + 1)
                if gap is not None and gap.end() > colon + 1:
                    file.change(colon + 1, gap.end(), "")

    def remove_entry(self, node: ast.AST, key: str) -> None:
        """Leave an entry of a written dict out.

        Args:
            node: The dict.
            key: The key of the entry.
        """
        for name, value, place in entries_of(node) or ():
            if name == key:
                end = self._file.end(place if isinstance(node, ast.Call) else value)
                self._remove(self._file.start(place), end)

    def _remove(self, start: int, end: int) -> None:
        file = self._file
        after = _COMMA_AFTER.match(file.text, end)
        if after is not None:
            end = after.end()
            first = file.line_start(start)
            if file.text[end : end + 1] == "\n" and not file.text[first:start].strip():
                start, end = first, end + 1
        else:
            before = _COMMA_BEFORE.search(file.text, 0, start)
            if before is not None:
                start = before.start()
        file.change(start, end, "")

    def _by_epoch(self, node: ast.AST, entries: Sequence[Entry], keys: tuple[str, ...]) -> None:
        """``train_cfg = dict(by_epoch=True, max_epochs=12)`` as ``ByEpoch(max_epochs=12)``."""
        if keys != ("train_cfg",) or not isinstance(node, ast.Call):
            return
        values: dict[Any, ast.expr] = {key: value for key, value, _ in entries}
        by_epoch = values.pop("by_epoch", None)
        if not isinstance(by_epoch, ast.Constant) or not isinstance(by_epoch.value, bool):
            return
        length, default = ("max_epochs", 1) if by_epoch.value else ("max_iters", 1000)
        if length not in values or not set(values) <= {length, "val_begin", "val_interval"}:
            return
        for key, usual in (("val_begin", 1), ("val_interval", default)):
            # What equals the default would not be in the config any more.
            value = values.get(key)
            if value is not None and not (
                isinstance(value, ast.Constant) and is_name(key) and value.value != usual
            ):
                return
        word = "ByEpoch" if by_epoch.value else "ByIteration"
        self._file.change(
            self._file.start(node.func),
            self._file.end(node.func),
            self._imports.name("mainspring.runner", word),
        )
        self.remove_entry(node, "by_epoch")
