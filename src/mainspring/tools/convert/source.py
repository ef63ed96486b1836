"""Write one old Python file as a recorded one, keeping its own text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mainspring.config.config_dict import DELETE_KEY
from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.recorded_python.lint import BASE_KEY, Outline, imports_stdlib
from mainspring.tools.convert.calls import CallRewriter, chain_of, entries_of, is_display
from mainspring.tools.convert.file_names import (
    assigned_name,
    assigned_once,
    bound_names,
    imported_names,
    read_names,
)
from mainspring.tools.convert.imports import Imports
from mainspring.tools.convert.inherit import (
    Inherited,
    Key,
    Merging,
    UnmergeableError,
    deletes,
    part_of,
    place,
)
from mainspring.tools.convert.names import find_import
from mainspring.tools.convert.report import Attempt
from mainspring.tools.convert.templates import TemplateError, without_templates
from mainspring.tools.convert.text_edits import EditedText

__all__ = ["SourceRewriter", "Style", "new_imports"]

_ALIAS = "mmengine"
_MERGING = ("update", "merge")
"""Methods of a config's dicts that merge, which those of `edit` do not."""
_WORDS = ("L", "available", "copy", "eager", "edit", "env", "include", "later", "read_base")


@dataclass(frozen=True, slots=True)
class Style:
    """How much of a file is changed.

    Attributes:
        aliases: Whether another name for a dict becomes a copy.
        repeats: Whether a dict that is merged in several places is written in each of them.
    """

    aliases: bool = True
    repeats: bool = False


def new_imports(attempt: Attempt, bound: set[str], own: Mapping[str, str]) -> dict[str, str]:
    """Begin the book of imports of a new file.

    Args:
        attempt: What the file is; is given the book.
        bound: Names that the file binds.
        own: What the file itself imports: dotted paths by local name.

    Returns:
        The dotted paths of the imported names that its bases give it.
    """
    inherited = {name: dotted_path(value) for name, value in attempt.new.items() if is_lazy(value)}
    for name, value in attempt.new.items():
        if name in _WORDS and not isinstance(value, dict | list | str | int | float | None):
            inherited.setdefault(name, f"mainspring.config.{name}")
    known = {**inherited, **own}
    attempt.imports = Imports({*bound, *attempt.new} - set(known), known)
    return inherited


class SourceRewriter:
    """Rewrites one file.

    Args:
        attempt: What the file is; is given what the new one uses, and what there is to say.
        base_lines: Gives the statements that import the new bases.
        style: How much is changed.

    Raises:
        TemplateError: The file cannot be rewritten.
    """

    def __init__(
        self, attempt: Attempt, base_lines: Callable[[Imports], list[str]], style: Style
    ) -> None:
        self.attempt = attempt
        self.is_text = attempt.file.dialect == "text"
        self.style = style
        self.base_lines = base_lines
        plain, words = without_templates(attempt.file.source, attempt.remark)
        self.text = EditedText(plain)
        tree = self.text.tree
        self.outline = Outline(tree)
        imported = imported_names(self.outline)
        own = {local: ".".join(filter(None, parts)) for local, parts in imported.items()}
        bound = bound_names(tree)
        once = assigned_once(tree, bound)
        inherited = new_imports(attempt, set(bound), own)
        for name in words:
            if attempt.imports.word(name) != name:
                raise TemplateError(f"the name {name} is taken")
        constants = {name: value for name, value in attempt.old.items() if name not in bound}
        constants |= {name: it.value for name, it in once.items() if isinstance(it, ast.Constant)}
        self.base = Inherited(attempt)
        for name, path in inherited.items():
            module, _, local = path.rpartition(".")
            imported.setdefault(name, (module, local))
        texts = {name: value for name, value in constants.items() if isinstance(value, str)}
        self.calls = CallRewriter(self.text, attempt, imported, texts)
        displays = {name: it for name, it in once.items() if style.repeats and is_display(it)}
        self.merging = Merging(attempt, self.base, self.text, self.calls, displays)
        self.assigned: set[str] = set()
        self.plain = read_names(tree)
        self.notes: list[str | None] = []
        self.shadowed: set[str] = set()

    def rewritten(self) -> tuple[str, list[str]]:
        """The text of the new file without new imports, and the statements that import bases."""
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
        imports = self.attempt.imports
        bases = self.base_lines(imports) if self.is_text else []
        if len(self.notes) == len(bases):
            pairs = zip(bases, self.notes, strict=True)
            bases = [f"{line}  {note}" if note else line for line, note in pairs]
        for name in sorted(self.shadowed):
            is_part = isinstance(self.base.old.get(name), dict | list)
            copied = f"{imports.word('copy')}({name})" if is_part else name
            bases.append(f"_base_{name} = {copied}")
        return self.text.result(), bases

    # Statements

    def _statement(self, statement: ast.stmt) -> None:
        name = assigned_name(statement)
        value: ast.expr | None = getattr(statement, "value", None)
        if name is not None and value is not None:
            self.calls.visit(value, (name,), plain=name in self.plain)
            self._assignment(statement, name, value)
            self.assigned.add(name)
            return
        self.calls.visit(statement)
        if not self._update(statement):
            self._inherited_part(statement)

    def _assignment(self, statement: ast.stmt, name: str, value: ast.expr) -> None:
        file = self.text
        known = self.base.old.get(name)
        if self.is_text:
            self._remove_marks(value)
        if isinstance(value, ast.Name) and isinstance(known, dict):
            value = self.merging.displays.get(value.id, value)
        if isinstance(value, ast.Name) and self.style.aliases:
            held = dict.get(self.attempt.file.loaded.values, name)
            inside = held if isinstance(held, list | tuple) else [held]
            if any(isinstance(item, dict) for item in inside):
                copied = f"{self.attempt.imports.word('copy')}({value.id})"
                file.replace(value, copied)
            return
        is_merged = self.is_text and isinstance(known, dict) and is_display(value)
        if not is_merged or deletes(value):
            return
        try:
            lines = self.merging.lines(name, value)
        except UnmergeableError as error:
            raise TemplateError(f"{name} is merged from {ast.unparse(value)[:40]}") from error
        if lines:
            file.replace(statement, "\n".join(lines))
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
        for node, parent in _chains(statement, statement):
            chain = chain_of(node)
            if chain is None or chain[0] != BASE_KEY or not chain[1]:
                continue
            root, *keys = chain[1]
            if not isinstance(root, str) or root.startswith("_"):
                raise TemplateError(f"_base_.{root} is a private name")
            file = self.text
            value, walked = self.base.old.get(root), list[Key]()
            for key in keys:
                if (inner := part_of(value, [key])) is None:
                    break
                walked.append(key)
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
            elif isinstance(value, dict | list) and walked == keys:
                text = f"{self.attempt.imports.word('copy')}({text})"
            file.replace(node, text)

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
            if keys[-1] not in _MERGING:
                key = f".{keys[-1]}" if str(keys[-1]).isidentifier() else f"[{keys[-1]!r}]"
                through = self.base.edited(root, keys[:-1]) + key
                self.text.replace(target, through)

    def _is_inherited(self, name: str) -> bool:
        is_own = self.is_text or name in self.assigned
        return not is_own and isinstance(self.base.new.get(name), dict | list)

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
        written = call.args[0] if call.args else call
        if not call.args:  # ``update(a=1)`` as ``dict(a=1)``
            named = ast.copy_location(ast.Name("dict", ast.Load()), call.func)
            written = ast.copy_location(ast.Call(named, [], call.keywords), call)
        old = part_of(self.base.old.get(root), keys)
        if not isinstance(old, dict) or not is_display(written):
            return False
        if method == "merge":
            self._remove_marks(call)
        try:
            lines = self.merging.lines(root, written, tuple(keys))
        except UnmergeableError:
            return False
        if lines:
            self.text.replace(statement, "\n".join(lines))
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
        if _is_needed(block):
            return
        first = file.line_start(file.start(block.body[0]))
        lines = file.text[first : file.end(block)].split("\n")
        indent = block.body[0].col_offset
        inner = "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines)
        file.replace(block, inner)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        file = self.text
        if isinstance(statement, ast.Import) or statement.level or imports_stdlib(statement):
            return
        module = statement.module or ""
        names = [alias for alias in statement.names if alias.name != "read_base"]
        if not names and not any(map(_is_needed, self.outline.base_blocks)):
            self._drop(statement)
            return
        if module.partition(".")[0] != _ALIAS or not names:
            return
        modules = {find_import(module, alias.name) for alias in names}
        found = {own for own, target in modules if target is not None}
        if len(found) == 1 and all(target is not None for _, target in modules):
            start = file.text.index(module, file.start(statement))
            file.change(start, start + len(module), found.pop())


def _chains(node: ast.AST, parent: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The longest attribute chains in a node, each with what it stands in."""
    if isinstance(node, ast.Attribute | ast.Subscript) and chain_of(node) is not None:
        yield node, parent
        return
    for child in ast.iter_child_nodes(node):
        yield from _chains(child, node)


def _is_needed(block: ast.With) -> bool:
    """Whether ``with read_base():`` stands around more than relative imports."""
    return not all(isinstance(each, ast.ImportFrom) and each.level for each in block.body)
