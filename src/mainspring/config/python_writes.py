"""What the statements of a Python config file write, in their order."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

__all__ = [
    "Scope",
    "Write",
    "dotted",
    "function_writes",
    "is_recorded",
    "last_name",
    "returned",
    "writes_of",
]

_LIST_CHANGES = ("append", "extend", "insert", "pop", "remove", "clear", "reverse", "sort")


@dataclass(frozen=True, slots=True)
class Write:
    """One statement that writes a path, or part of one.

    Attributes:
        path: The keys; an index of a list may be negative, or ``*`` for all.
        value: What is written; ``None`` if that is not known.
        node: Its place.
        certain: Whether the statement is always reached.
        merges: Whether what is not written keeps its value.
        change: How a list is changed, for ``pipeline.append(...)`` and the like.
        position: Where in the list, if the statement says that.
        imported: File and name in it that an import from another config binds; no file where that
            is not known, no name for the file itself.
    """

    path: tuple[str, ...]
    value: ast.expr | None
    node: Any
    certain: bool = True
    merges: bool = False
    change: str | None = None
    position: ast.expr | None = None
    imported: tuple[str | None, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The writes that a line can see: those of the file, and of the function that it is in."""

    writes: list[Write]


def writes_of(statements: Sequence[ast.stmt]) -> Iterator[Write]:
    """The writes of some statements, functions left out.

    Args:
        statements: The statements.
    """
    yield from _Reader().read(statements)


def function_writes(function: ast.FunctionDef, call: ast.Call | None) -> Iterator[Write]:
    """The writes of a function: its parameters, then its body.

    Args:
        function: The function.
        call: The call that gives values to the parameters; ``None`` for their defaults only.
    """
    arguments = function.args
    names = [*arguments.posonlyargs, *arguments.args]
    first = len(names) - len(arguments.defaults)
    for name, default in zip(names[first:], arguments.defaults, strict=True):
        yield Write((name.arg,), default, name)
    for name, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if keyword_default is not None:
            yield Write((name.arg,), keyword_default, name)
    if call is not None:
        for name, value in zip(names, call.args, strict=False):
            yield Write((name.arg,), value, value)
        known = {name.arg for name in (*names, *arguments.kwonlyargs)}
        others = [word for word in call.keywords if word.arg not in known]
        for word in call.keywords:
            if word.arg in known:
                yield Write((word.arg,), word.value, word)
        if arguments.kwarg is not None:
            collected = ast.Call(ast.Name("dict", ast.Load()), [], others)
            yield Write((arguments.kwarg.arg,), ast.copy_location(collected, call), call)
    yield from _Reader().read(function.body)


def dotted(node: ast.expr | None) -> list[str] | None:
    """The path that ``edit(model).backbone["depth"]`` names; ``None`` for other expressions."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Subscript):
            key = _key(node.slice)
            if key is None:
                return None
            parts.append(key)
            node = node.value
        elif isinstance(node, ast.Call) and len(node.args) == 1 and last_name(node.func) == "edit":
            node = node.args[0]
        elif isinstance(node, ast.Name):
            return [node.id, *reversed(parts)]
        else:
            return None


def _key(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _key(node.operand)
        return None if inner is None else f"-{inner}"
    return None


class _Reader:
    """Reads statements, and remembers the names that stand for parts of other values."""

    def __init__(self) -> None:
        self.parts: dict[str, list[tuple[str, ...]]] = {}

    def read(
        self, statements: Sequence[ast.stmt], *, certain: bool = True, in_base: bool = False
    ) -> Iterator[Write]:
        for statement in statements:
            for write in self._of(statement, in_base):
                yield from self._also_by_other_names(
                    write if certain else replace(write, certain=False)
                )
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if isinstance(statement, ast.For):
                self._note_loop(statement)
            is_block = isinstance(statement, ast.With)
            base = in_base or "read_base" in _called(statement)
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(statement, name, [])
                yield from self.read(inner, certain=certain and is_block, in_base=base)
            for case in getattr(statement, "cases", []):
                yield from self.read(case.body, certain=False)

    def _of(self, statement: ast.stmt, in_base: bool) -> Iterator[Write]:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                yield from self._targets(target, statement.value)
        elif isinstance(statement, ast.AnnAssign):
            yield from self._targets(statement.target, statement.value)
        elif isinstance(statement, ast.AugAssign):
            path = dotted(statement.target)
            if path is not None:
                change = "+=" if isinstance(statement.op, ast.Add) else None
                yield Write(
                    tuple(path), statement.value, statement.target, merges=True, change=change
                )
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            yield from _call_writes(statement.value)
        elif isinstance(statement, ast.Delete):
            for target in statement.targets:
                if isinstance(target, ast.Subscript):
                    path = dotted(target.value)
                    if path is not None:
                        yield Write(tuple(path), None, target, True, True, "pop", target.slice)
        elif isinstance(statement, ast.For):
            for name in ast.walk(statement.target):
                if isinstance(name, ast.Name):
                    yield Write((name.id,), None, name, certain=False)
        elif isinstance(statement, ast.ImportFrom) and (statement.level or in_base):
            yield from _imports(statement)

    def _targets(self, target: ast.expr, value: ast.expr | None) -> Iterator[Write]:
        if isinstance(target, ast.Tuple | ast.List):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            for index, inner in enumerate(target.elts):
                yield from self._targets(inner, values[index] if index < len(values) else None)
            return
        path = dotted(target)
        if path is None:
            return
        yield Write(tuple(path), value, target)
        if len(path) == 1:
            self.parts.pop(path[0], None)
            of = dotted(value)
            if of is not None and of[0] != "_base_" and of != path:
                self.parts[path[0]] = [tuple(of)]

    def _note_loop(self, loop: ast.For) -> None:
        """``for hook in hooks`` and ``for loader in (train_dataloader, val_dataloader)``."""
        if not isinstance(loop.target, ast.Name):
            return
        if isinstance(loop.iter, ast.Tuple | ast.List):
            paths = [dotted(item) for item in loop.iter.elts]
            self.parts[loop.target.id] = [tuple(path) for path in paths if path is not None]
        else:
            path = dotted(loop.iter)
            if path is not None:
                self.parts[loop.target.id] = [(*path, "*")]

    def _also_by_other_names(self, write: Write) -> Iterator[Write]:
        """The write, and the same one by the paths that its name stands for."""
        yield write
        if write.path[:1] == ("_base_",) and len(write.path) > 1:
            yield replace(write, path=write.path[1:])
        inside = len(write.path) > 1 or write.merges
        for path in self.parts.get(write.path[0], ()) if inside and write.path else ():
            yield replace(write, path=(*path, *write.path[1:]))


def _called(block: ast.stmt) -> set[str | None]:
    """The names of what a ``with`` statement calls."""
    functions = (item.context_expr for item in block.items) if isinstance(block, ast.With) else ()
    return {last_name(call.func) for call in functions if isinstance(call, ast.Call)}


def _call_writes(call: ast.Call) -> Iterator[Write]:
    """``model.update(...)``, ``model.setdefault("key", ...)``, ``pipeline.append(...)``."""
    if not isinstance(call.func, ast.Attribute):
        return
    written = dotted(call.func.value)
    if written is None:
        return
    path, method = tuple(written), call.func.attr
    if method in ("update", "merge"):
        for arg in call.args:
            yield Write(path, arg, arg, merges=True)
        if call.keywords:
            keywords = ast.Call(ast.Name("dict", ast.Load()), [], call.keywords)
            yield Write(path, ast.copy_location(keywords, call), call, merges=True)
    elif method == "setdefault" and len(call.args) == 2:
        key = call.args[0]
        if isinstance(key, ast.Constant):
            yield Write((*path, str(key.value)), call.args[1], key, merges=True)
    elif method in _LIST_CHANGES:
        first = call.args[0] if call.args else None
        value, position = first, None
        if method == "insert":
            value, position = call.args[-1] if call.args else None, first
        elif method == "pop":
            value, position = None, first
        yield Write(path, value, call, merges=True, change=method, position=position)


def _imports(statement: ast.ImportFrom) -> Iterator[Write]:
    folders = [os.pardir] * (statement.level - 1)
    parts = statement.module.split(".") if statement.module else []
    for alias in statement.names:
        if alias.name == "*":
            continue
        bound = (alias.asname or alias.name,)
        imported: tuple[str | None, str | None]
        if not statement.level:
            imported = (None, alias.name)
        elif parts:
            imported = (f"{os.path.join(*folders, *parts)}.py", alias.name)
        else:
            imported = (f"{os.path.join(*folders, alias.name)}.py", None)
        yield Write(bound, None, alias, imported=imported)


def is_recorded(tree: ast.Module) -> bool:
    """Whether assignments of the file replace what its bases say, rather than merge with it."""
    inherits = any(write.path == ("_base_",) for write in writes_of(tree.body))
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules.append("." if node.level else node.module or "")
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    packages = {module.partition(".")[0] for module in modules}
    if inherits:
        return "mainspring" in packages
    return any(package not in sys.stdlib_module_names for package in packages)


def last_name(function: ast.expr) -> str | None:
    """The name of what is called, without the module."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)


def returned(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """What a function returns, by its own return statements."""
    queue: list[ast.AST] = list(function.body)
    while queue:
        node = queue.pop(0)
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            queue[:0] = ast.iter_child_nodes(node)
