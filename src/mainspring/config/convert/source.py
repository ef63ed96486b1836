"""Write one old Python file as a recorded one, keeping its own text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.config.config_dict import DELETE_KEY
from mainspring.config.convert.assembly import assemble
from mainspring.config.convert.calls import CallRewriter, chain_of, entries_of, is_display
from mainspring.config.convert.chain import OldFile
from mainspring.config.convert.file_names import (
    assigned_name,
    bound_names,
    constants,
    displays,
    imported_names,
    read_names,
)
from mainspring.config.convert.imports import Imports
from mainspring.config.convert.inherit import (
    BaseState,
    Key,
    UnmergeableError,
    deletes,
    merge_lines,
    place,
)
from mainspring.config.convert.names import Names, find_import
from mainspring.config.convert.templates import TemplateError, without_templates
from mainspring.config.convert.text_edits import EditedText
from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.lint import Outline, imports_stdlib
from mainspring.config.text import BASE_KEY

__all__ = ["SourceRewriter", "Style", "new_imports"]

_ALIAS = "mmengine"
_MERGING = ("update", "merge")
"""Methods of a config's dicts that merge, which those of `edit` do not."""
_WORDS = ("L", "available", "copy", "eager", "edit", "env", "include", "later", "read_base")


@dataclass(frozen=True, slots=True)
class Style:
    """How much of a file is changed.

    Attributes:
        edits: Whether assignments to inherited parts go through `edit`.
        aliases: Whether another name for a dict becomes a copy.
        repeats: Whether a dict that is merged in several places is written in each of them.
    """

    edits: bool = True
    aliases: bool = True
    repeats: bool = False


def bound_by(names: Mapping[str, Any]) -> dict[str, str]:
    """The dotted paths of the imported names among others.

    Args:
        names: The names of a config.
    """
    words = {
        name: f"mainspring.config.{name}"
        for name, value in names.items()
        if name in _WORDS and not isinstance(value, dict | list | str | int | float | None)
    }
    return {**words, **{n: dotted_path(v) for n, v in names.items() if is_lazy(v)}}


def new_imports(
    names_used: set[str], inherited: Mapping[str, Any], own: Mapping[str, str]
) -> Imports:
    """The book of imports of a new file.

    Args:
        names_used: Names that the file binds.
        inherited: The names that its bases give it.
        own: What the file itself imports, by local name.
    """
    bound = {**bound_by(inherited), **own}
    taken = {*names_used, *inherited} - set(bound)
    return Imports(taken, bound)


class SourceRewriter:
    """Rewrites one file.

    Args:
        file: The old file.
        names: Says what types mean.
        old: What the old file inherits.
        new: The names that the new bases give.
        base_lines: The statements that import the new bases.
        style: How much is changed.
        on_type: Called for each dict with a type: its line, and why it stays a dict or ``None``.
        remark: Called with a line and what to say about it.

    Raises:
        TemplateError: The file cannot be rewritten.
    """

    def __init__(
        self,
        file: OldFile,
        names: Names,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        base_lines: Callable[[Imports], list[str]],
        style: Style,
        on_type: Callable[[int, str | None], None],
        remark: Callable[[int, str], None],
    ) -> None:
        self.old_file = file
        self.names = names
        self.style = style
        self.base_lines = base_lines
        waiting: list[str] = []

        def word(name: str) -> str:
            waiting.append(name)
            return name

        self.text = EditedText(without_templates(file.source, word, remark))
        tree = self.text.tree
        outline = Outline(tree)
        self.imported = imported_names(outline)
        own = {
            local: f"{module}.{name}" if name else module
            for local, (module, name) in self.imported.items()
        }
        self.imports = new_imports(bound_names(tree), new, own)
        for name in waiting:
            if self.imports.word(name) != name:
                raise TemplateError(f"the name {name} is taken")
        inherited = {name: _split(path) for name, path in bound_by(new).items() if name not in own}
        self.base = BaseState(old, new, self.imports, displays(tree) if style.repeats else {})
        self.calls = CallRewriter(
            self.text,
            names,
            self.imports,
            {**inherited, **self.imported},
            constants(tree, old),
            on_type,
            remark,
        )
        self.outline = outline
        self.assigned: set[str] = set()
        self.plain = read_names(tree)
        self.notes: list[str | None] = []
        self.shadowed: set[str] = set()

    def rewritten(self) -> str:
        """The text of the new file."""
        for statement in self.text.tree.body:
            self._base_values(statement)
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
            elif isinstance(statement, ast.With) and statement in self.outline.base_blocks:
                self._base_block(statement)
            elif assigned_name(statement) == BASE_KEY:
                self._base_list(statement)
            else:
                self._statement(statement)
        bases = self.base_lines(self.imports) if self.old_file.dialect == "text" else []
        if len(self.notes) == len(bases):
            pairs = zip(bases, self.notes, strict=True)
            bases = [f"{line}  {note}" if note else line for line, note in pairs]
        for name in sorted(self.shadowed):
            is_part = isinstance(self.base.old.get(name), dict | list)
            copied = f"{self.imports.word('copy')}({name})" if is_part else name
            bases.append(f"_base_{name} = {copied}")
        return assemble(self.text.result(), self.imports, bases)

    # Statements

    def _statement(self, statement: ast.stmt) -> None:
        name = assigned_name(statement)
        value: ast.expr | None = getattr(statement, "value", None)
        if (
            name is not None
            and value is not None
            and isinstance(statement, ast.Assign | ast.AnnAssign)
        ):
            self.calls.visit(value, (name,), plain=name in self.plain)
            self._assignment(statement, name, value)
            self.assigned.add(name)
            return
        self.calls.visit(statement)
        if not (self.style.edits and self._update(statement)):
            self._inherited_part(statement)

    def _assignment(self, statement: ast.stmt, name: str, value: ast.expr) -> None:
        file = self.text
        if self.old_file.dialect == "text":
            self._remove_marks(value)
        if isinstance(value, ast.Name) and isinstance(self.base.old.get(name), dict):
            value = self.base.displays.get(value.id, value)
        if isinstance(value, ast.Name) and self.style.aliases:
            if _holds_dict(self.old_file.loaded.values, name):
                copied = f"{self.imports.word('copy')}({value.id})"
                file.change(file.start(value), file.end(value), copied)
            return
        inherits = self.old_file.dialect == "text" and name in self.base.old
        if not (inherits and is_display(value) and isinstance(self.base.old[name], dict)):
            return
        if deletes(value):
            return
        try:
            lines = _joined(merge_lines(self.base, file, self.calls, self.names, name, value))
        except UnmergeableError as error:
            raise TemplateError(f"{name} is merged from {ast.unparse(value)[:40]}") from error
        start, end = file.start(statement), file.end(statement)
        if lines:
            file.change(start, end, "\n".join(lines))
        else:
            self._drop(statement)

    def _remove_marks(self, value: ast.AST) -> None:
        """Leave ``_delete_`` out of all dicts in an expression."""
        for inner in ast.walk(value):
            for key, flag, _ in entries_of(inner) or ():
                if key == DELETE_KEY and isinstance(flag, ast.Constant):
                    self.calls.remove_entry(inner, key)

    def _drop(self, statement: ast.stmt, said: Collection[str] = ()) -> None:
        """Leave a statement out, but not the comments in it that are not said elsewhere."""
        file = self.text
        start, end = file.start(statement), file.end(statement)
        rest = file.text[end : file.line_end(end)].strip()
        if rest and rest in said:
            end = file.line_end(end)
        comments = [c.text for c in file.comments if start <= c.start < end and c.text not in said]
        if file.text[end : end + 1] == "\n" and not comments:
            end += 1
            if file.text[:start].endswith("\n\n") and file.text[end : end + 1] == "\n":
                end += 1
        file.change(start, end, "\n".join(comments))

    # Parts of the bases

    def _base_values(self, statement: ast.stmt) -> None:
        """``_base_.x`` as the variable that the bases give."""
        for node, parent in _chains(statement):
            chain = chain_of(node)
            if chain is None or chain[0] != BASE_KEY or not chain[1]:
                continue
            root, *keys = chain[1]
            if not isinstance(root, str) or root.startswith("_"):
                raise TemplateError(f"_base_.{root} is a private name")
            file = self.text
            value, rest = self.base.old.get(root), list(keys)
            walked: list[Key] = []
            while rest and isinstance(value, dict | list | tuple):
                inner = _step(value, rest[0])
                if inner is None:
                    break
                walked.append(rest.pop(0))
                value = inner
            text = place(root, keys)
            is_stored = isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
            called = isinstance(parent, ast.Call) and parent.func is node
            if root in self.assigned:
                if is_stored or called:
                    raise TemplateError(f"_base_.{root} is changed after {root} is assigned")
                self.shadowed.add(root)
                text = place(f"_base_{root}", keys)
            if is_stored or called:
                changed = walked if called else keys[:-1]
                for line in self.base.separate(root, changed):
                    self._before(statement, line)
                text = self.base.edited(root, keys)
            elif isinstance(value, dict | list) and not rest:
                text = f"{self.imports.word('copy')}({text})"
            file.change(file.start(node), file.end(node), text)

    def _inherited_part(self, statement: ast.stmt) -> None:
        """``model.depth = 3`` of an inherited model through `edit`."""
        targets: Sequence[ast.expr] = ()
        if isinstance(statement, ast.Assign | ast.Delete):
            targets = statement.targets
        elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
            targets = [statement.target]
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            targets = [statement.value.func]
        for target in targets:
            chain = chain_of(target)
            if chain is None or not chain[1] or not self._is_inherited(chain[0]):
                continue
            root, keys = chain
            for line in self.base.separate(root, keys[:-1]):
                self._before(statement, line)
            if self.style.edits and keys[-1] not in _MERGING:
                self.text.change(
                    self.text.start(target), self.text.end(target), self._through_edit(root, keys)
                )

    def _is_inherited(self, name: str) -> bool:
        if self.old_file.dialect == "text" or name in self.assigned:
            return False
        return isinstance(self.base.new.get(name), dict | list)

    def _through_edit(self, root: str, keys: Sequence[Key]) -> str:
        return place(f"{self.imports.word('edit')}({root})", keys[:-1]) + (
            f".{keys[-1]}" if str(keys[-1]).isidentifier() else f"[{keys[-1]!r}]"
        )

    def _update(self, statement: ast.stmt) -> bool:
        """``model.update(dict(...))`` of an inherited model, leaf by leaf, if it is that."""
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
            return False
        call = statement.value
        chain = chain_of(call.func)
        if chain is None or not chain[1] or not self._is_inherited(chain[0]):
            return False
        root, (*keys, method) = chain
        if method not in _MERGING or len(call.args) + bool(call.keywords) != 1:
            return False
        written = call.args[0] if call.args else _as_dict(call)
        old = self.base.old.get(root)
        for key in keys:
            old = None if old is None else _step(old, key)
        if not isinstance(old, dict) or not is_display(written):
            return False
        if method == "merge":
            self._remove_marks(call)
        file = self.text
        try:
            lines = _joined(
                merge_lines(self.base, file, self.calls, self.names, root, written, tuple(keys))
            )
        except UnmergeableError:
            return False
        if lines:
            file.change(file.start(statement), file.end(statement), "\n".join(lines))
        return bool(lines)

    def _before(self, statement: ast.stmt, line: str) -> None:
        start = self.text.start(statement)
        indent = " " * (start - self.text.line_start(start))
        self.text.change(start, start, f"{line}\n{indent}")

    # Imports

    def _base_list(self, statement: ast.stmt) -> None:
        """Leave ``_base_`` out, and remember the comments behind its entries."""
        file, value = self.text, getattr(statement, "value", None)
        entries = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
        behind = {entry.end_lineno: entry for entry in entries if isinstance(entry, ast.expr)}
        notes = {
            id(behind[comment.line]): comment.text
            for comment in file.comments
            if comment.line in behind and comment.start > file.start(statement)
        }
        self.notes = [notes.get(id(entry)) for entry in entries]
        self._drop(statement, set(notes.values()))

    def _base_block(self, block: ast.With) -> None:
        """``with read_base():`` around relative imports is not needed."""
        file = self.text
        if any(not (isinstance(s, ast.ImportFrom) and s.level) for s in block.body):
            return
        first = file.line_start(file.start(block.body[0]))
        lines = file.text[first : file.end(block)].split("\n")
        indent = block.body[0].col_offset
        inner = "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines)
        file.change(file.start(block), file.end(block), inner)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        file = self.text
        if isinstance(statement, ast.Import) or statement.level or imports_stdlib(statement):
            return
        module = statement.module or ""
        names = [alias for alias in statement.names if alias.name != "read_base"]
        blocks = self.outline.base_blocks
        needs_block = any(
            not (isinstance(s, ast.ImportFrom) and s.level) for block in blocks for s in block.body
        )
        if not names and not needs_block:
            self._drop(statement)
            return
        if module.partition(".")[0] != _ALIAS or not names:
            return
        modules = {find_import(module, alias.name) for alias in names}
        found = {own for own, target in modules if target is not None}
        if len(found) == 1 and all(target is not None for _, target in modules):
            start = file.text.index(module, file.start(statement))
            file.change(start, start + len(module), found.pop())


def _joined(lines: Any) -> list[str]:
    """Lines, with each comment that belongs behind a line put there."""
    result: list[str] = []
    for line in lines:
        if line.startswith("\0") and result and not result[-1].startswith("#"):
            result[-1] += f"  {line[1:]}"
        else:
            result.append(line.lstrip("\0"))
    return result


def _as_dict(call: ast.Call) -> ast.Call:
    """``dict(a=1)`` for ``model.update(a=1)``."""
    name = ast.copy_location(ast.Name("dict", ast.Load()), call.func)
    return ast.copy_location(ast.Call(name, [], call.keywords), call)


def _split(path: str) -> tuple[str, str]:
    module, _, name = path.rpartition(".")
    return module, name


def _chains(statement: ast.AST) -> list[tuple[ast.AST, ast.AST]]:
    """The longest attribute chains of a statement, each with what it stands in."""
    found: list[tuple[ast.AST, ast.AST]] = []

    def walk(node: ast.AST, parent: ast.AST) -> None:
        if isinstance(node, ast.Attribute | ast.Subscript) and chain_of(node) is not None:
            found.append((node, parent))
            return
        for child in ast.iter_child_nodes(node):
            walk(child, node)

    walk(statement, statement)
    return found


def _step(value: Any, key: Key) -> Any:
    if isinstance(value, dict):
        return dict.get(value, key)
    if isinstance(value, list | tuple) and isinstance(key, int) and -len(value) <= key < len(value):
        return value[key]
    return None


def _holds_dict(values: Any, name: str) -> bool:
    value = dict.get(values, name)
    if isinstance(value, list | tuple):
        return any(isinstance(item, dict) for item in value)
    return isinstance(value, dict)
