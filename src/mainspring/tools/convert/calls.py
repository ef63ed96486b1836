"""Write the dicts of an old file as calls, in its own text."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.config.config_dict import DELETE_KEY
from mainspring.tools.convert.names import Form, Meaning
from mainspring.tools.convert.report import Attempt
from mainspring.tools.convert.text_edits import EditedText

__all__ = ["CallRewriter", "chain_of", "entries_of", "is_display"]

_COMMA_AFTER = re.compile(r"[ \t]*,[ \t]*")
_COMMA_BEFORE = re.compile(r",\s*$")

_READ = (ast.Attribute, ast.Subscript, ast.Compare, ast.BinOp, ast.Starred)
"""What reads the dicts that it holds."""

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
    if isinstance(node, ast.Call) and _calls_dict(node) and not node.args:
        return [(keyword.arg, keyword.value, keyword) for keyword in node.keywords]
    if not isinstance(node, ast.Dict):
        return None
    entries: list[Entry] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            entries.append((None, value, value))
        elif isinstance(key, ast.Constant) and isinstance(key.value, str):
            entries.append((key.value, value, key))
        else:
            return None
    return entries


def _calls_dict(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "dict"


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


@dataclass(frozen=True, slots=True)
class CallRewriter:
    """Changes ``dict(type='X', ...)`` to ``X(...)`` wherever it stands in a file.

    Attributes:
        file: The text.
        attempt: What the file is; is given what the text uses, and what became of each type.
        imported: Names that the file or its bases import: module and name of each.
        constants: Variables that hold the same string throughout the file, with the string.
    """

    file: EditedText
    attempt: Attempt
    imported: Mapping[str, tuple[str, str]]
    constants: Mapping[str, str]

    def visit(
        self, node: ast.AST, keys: tuple[str, ...] = (), *, plain: bool = False, spec: bool = False
    ) -> None:
        """Change an expression or statement and what is inside of it.

        Args:
            node: The expression or statement.
            keys: The keys that lead to it.
            plain: Whether it must stay a dict if it is one.
            spec: The same of the dicts in a list.
        """
        entries = entries_of(node)
        if entries is not None:
            meaning = self._dict(node, entries, keys, plain or spec)
            for key, value, _ in entries:
                inner = keys if key is None else (*keys, key)
                is_spec = meaning is not None and meaning.keeps_dict(key)
                self.visit(value, inner, plain=key is None, spec=is_spec)
        elif isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                self.visit(item, keys, spec=spec)
        elif isinstance(node, ast.Call):
            is_dict = _calls_dict(node)
            self.visit(node.func, keys, plain=True)
            for value in node.args:
                self.visit(value, keys, plain=is_dict)
            for keyword in node.keywords:
                inner = (*keys, keyword.arg) if keyword.arg and is_dict else keys
                self.visit(keyword.value, inner, plain=keyword.arg is None)
        else:
            for child in ast.iter_child_nodes(node):
                self.visit(child, keys, plain=isinstance(node, _READ))

    def _dict(
        self, node: ast.AST, entries: Sequence[Entry], keys: tuple[str, ...], plain: bool
    ) -> Meaning | None:
        kind = next((value for key, value, _ in entries if key == "type"), None)
        if kind is None:
            self._by_epoch(node, entries, keys)
            return None
        meaning, written = self.meaning_of(kind, keys)
        line: int = node.lineno  # type: ignore[attr-defined]  # - every expression has one
        self.attempt.on_type(line, None if meaning else written)
        if meaning is None:
            return None
        arguments = [key for key, _, _ in entries if key not in ("type", DELETE_KEY)]
        form = meaning.form([k for k in arguments if k is not None], is_open=None in arguments)
        if plain:
            form = Form.DICT
        name = written or self.attempt.imports.name(meaning.module, meaning.name)
        if form is Form.DICT:
            if written is None:
                self.file.replace(kind, name)
            return meaning
        if form is Form.LATE:
            name = f"{self.attempt.imports.word('later')}({name})"
        file = self.file
        if isinstance(node, ast.Call):
            file.replace(node.func, name)
        else:
            file.change(file.start(node), file.start(node) + 1, f"{name}(")
            file.change(file.end(node) - 1, file.end(node), ")")
        self.remove_entry(node, "type")
        for key, _, place in entries if isinstance(node, ast.Dict) else ():
            if key not in (None, "type"):
                colon = file.text.index(":", file.end(place))
                blanks = len(file.text[colon + 1 :]) - len(file.text[colon + 1 :].lstrip(" \t"))
                file.change(file.start(place), colon + 1 + blanks, f"{key}=")
        return meaning

    def meaning_of(
        self, kind: ast.expr, keys: tuple[str, ...]
    ) -> tuple[Meaning | None, str | None]:
        """What a type means, and how the file writes it already, or why it has no meaning.

        Args:
            kind: The expression after ``type=``.
            keys: The keys that lead to the dict.
        """
        names = self.attempt.names
        constant = self.constants.get(kind.id) if isinstance(kind, ast.Name) else None
        name = kind.value if isinstance(kind, ast.Constant) else constant
        if isinstance(name, str):
            meaning = names.find(name, keys)
            if meaning is not None and constant is not None:
                said = f"{ast.unparse(kind)} does not choose the class here any more"
                self.attempt.remark(kind.lineno, said)
            return meaning, None if meaning else names.why[name]
        chain = chain_of(kind)
        if chain is None or chain[0] not in self.imported:
            return None, "its type is computed"
        module, outer = self.imported[chain[0]]
        path = ".".join([outer] * bool(outer) + [str(key) for key in chain[1]])
        written = self.file.text_of(kind)
        return names.imported(module, path, keys), written

    def remove_entry(self, node: ast.AST, key: str) -> None:
        """Leave an entry of a written dict out.

        Args:
            node: The dict.
            key: The key of the entry.
        """
        file = self.file
        for name, value, place in entries_of(node) or ():
            if name != key:
                continue
            start = file.start(place)
            end = file.end(place if isinstance(node, ast.Call) else value)
            after = _COMMA_AFTER.match(file.text, end)
            before = _COMMA_BEFORE.search(file.text, 0, start)
            if after is not None:
                end = after.end()
                first = file.line_start(start)
                if file.text[end : end + 1] == "\n" and not file.text[first:start].strip():
                    start, end = first, end + 1
            elif before is not None:
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
            if value is not None and not (isinstance(value, ast.Constant) and value.value != usual):
                return
        word = "ByEpoch" if by_epoch.value else "ByIteration"
        name = self.attempt.imports.name("mainspring.runner", word)
        self.file.replace(node.func, name)
        self.remove_entry(node, "by_epoch")
