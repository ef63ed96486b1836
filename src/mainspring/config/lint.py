"""Read a recorded config before it runs, and refuse what could not mean what it seems to mean.

Nothing is rewritten here; what runs is the file that was written, with the calls that set marks.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from functools import cached_property, lru_cache

from mainspring.config.run_source import parsed
from mainspring.config.source import Source
from mainspring.config.text import base_statement
from mainspring.config.values import builtin_of
from mainspring.errors import ConfigParsingError, IllegalImportError

__all__ = [
    "PURE_MODULES",
    "Outline",
    "check_recorded",
    "check_statements",
    "imports_stdlib",
    "is_stdlib",
    "outline_of",
]

PURE_MODULES = frozenset(
    (
        *("__future__", "abc", "base64", "bisect", "cmath", "collections", "copy", "dataclasses"),
        *("datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq"),
        *("itertools", "json", "math", "numbers", "operator", "os", "pathlib", "re"),
        *("statistics", "string", "struct", "textwrap", "types", "typing", "typing_extensions"),
        *("uuid", "warnings", "zlib"),
    )
)
"""Modules of the standard library that a recorded config imports for real."""


def is_stdlib(module: str) -> bool:
    """Whether a module, by its dotted name, belongs to the standard library."""
    return module.partition(".")[0] in sys.stdlib_module_names


def imports_stdlib(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import statement names nothing outside of the standard library."""
    if isinstance(node, ast.ImportFrom):
        return not node.level and is_stdlib(node.module or "")
    return all(is_stdlib(alias.name) for alias in node.names)


class Outline:
    """What a config file is made of, found in one walk over it.

    Args:
        tree: The file.

    Attributes:
        tree: The file.
        nodes: All nodes of the tree.
        base: The statement that sets ``_base_``, if there is one.
        base_blocks: The blocks ``with read_base():``.
        base_lines: The lines of the statements in them.
        eager_lines: The lines of the statements in blocks ``with eager():``.
        assigned: The variables that the file assigns, outside of functions.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = list(ast.walk(tree))
        self.base = base_statement(tree)
        self.base_blocks = self._blocks("read_base")
        self.base_lines = _lines_in(self.base_blocks)
        self.eager_lines = _lines_in(self._blocks("eager"))
        self.assigned = set(_assigned(tree.body))

    def _blocks(self, word: str) -> list[ast.With]:
        return [
            node
            for node in self.nodes
            if isinstance(node, ast.With) and any(_calls(item, word) for item in node.items)
        ]

    @cached_property
    def only_calls_type(self) -> bool:
        """Whether the file uses ``type`` for nothing but to ask for the type of one value."""
        asked = {
            id(node.func)
            for node in self.nodes
            if isinstance(node, ast.Call) and len(node.args) == 1
        }
        names = (node for node in self.nodes if isinstance(node, ast.Name) and node.id == "type")
        return all(id(node) in asked for node in names)

    @cached_property
    def has_effects(self) -> bool:
        """Whether the file has anything real that can touch files, beside pure modules."""
        if self.eager_lines:
            return True
        if any("pathlib" in ast.unparse(node) for node in self.imports):
            return True
        names = {node.id for node in self.nodes if isinstance(node, ast.Name)}
        return any(hasattr(builtins, name) and builtin_of(name) is None for name in names)

    @property
    def imports_us(self) -> bool:
        """Whether the file takes names from this package."""
        return any(
            isinstance(node, ast.ImportFrom)
            and not node.level
            and (node.module or "").partition(".")[0] == "mainspring"
            for node in self.imports
        )

    @cached_property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        """The import statements."""
        return [node for node in self.nodes if isinstance(node, ast.Import | ast.ImportFrom)]

    @cached_property
    def is_ours(self) -> bool:
        """Whether a file is of the recorded format proper, rather than of MMEngine's new style.

        It is when it imports from mainspring, or calls something that it imports from outside of
        the standard library, which the new style does not allow.
        """
        names: set[str] = set()
        for node in self.imports:
            if isinstance(node, ast.ImportFrom) and node.level:
                if node.lineno not in self.base_lines:
                    return True
                continue
            if any(module.partition(".")[0] == "mainspring" for module in _modules(node)):
                return [alias.name for alias in node.names] != ["read_base"]
            if not imports_stdlib(node):
                names |= _bound(node)
        names.discard("read_base")
        return any(isinstance(node, ast.Call) and _records(node, names) for node in self.nodes)

    @cached_property
    def imported_names(self) -> set[str]:
        """The names that the file binds by importing modules, not configs."""
        names: set[str] = set()
        for node in self.imports:
            is_base = isinstance(node, ast.ImportFrom) and (
                node.level or node.lineno in self.base_lines
            )
            names |= set() if is_base else _bound(node)
        return names - self.assigned

    def recorded_names(self) -> set[str]:
        """Names that stand for something that is not imported while the file is read."""
        names: set[str] = set()
        for node in self.imports:
            if node.lineno in self.eager_lines:
                continue
            of_config = isinstance(node, ast.ImportFrom) and (
                node.level or node.module in ("mainspring.config", "mmengine.config")
            )
            if not (of_config or _imports_pure(node)):
                names |= _bound(node)
        return names


@lru_cache(maxsize=64)
def outline_of(source: Source) -> Outline:
    """The outline of a file.

    Args:
        source: The file.

    Raises:
        SyntaxError: It is not valid Python.
    """
    return Outline(parsed(source, source.text))


def _assigned(statements: list[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _assigned(getattr(statement, name, []))
        for target in getattr(statement, "targets", [getattr(statement, "target", None)]):
            if target is not None:
                yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def _records(call: ast.Call, names: set[str]) -> bool:
    """Whether an imported name is called, or a partial call of it is made."""
    is_partial = ast.unparse(call.func) in ("partial", "functools.partial")
    return _root(call.func) in names or (
        is_partial and any(_root(arg) in names for arg in call.args)
    )


def _bound(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The names that an import statement binds."""
    is_from = isinstance(node, ast.ImportFrom)
    return {a.asname or (a.name if is_from else a.name.partition(".")[0]) for a in node.names}


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that an import statement names."""
    names = [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else names


def _imports_pure(node: ast.Import | ast.ImportFrom) -> bool:
    return all(module.partition(".")[0] in PURE_MODULES for module in _modules(node))


def _lines_in(blocks: list[ast.With]) -> set[int]:
    return {statement.lineno for block in blocks for statement in block.body}


def _calls(item: ast.withitem, word: str) -> bool:
    call = item.context_expr
    if not isinstance(call, ast.Call):
        return False
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    return name == word


def check_statements(outline: Outline, source: Source) -> None:
    """Refuse what has no meaning in new-style and recorded files, before anything runs.

    Args:
        outline: The file.
        source: Its text and path. One of the recorded format may also inherit with ``_base_``.
    """
    base, blocks = outline.base, outline.base_blocks
    if base is not None and (blocks or not outline.is_ours):
        line = blocks[0].lineno if blocks else base.lineno
        raise ConfigParsingError(
            f"the file inherits in two ways: _base_ (line {base.lineno}) and imports (line {line})",
            location=source.location(base.lineno, base.col_offset + 1),
            help="keep one: `_base_ = [...]`, or `with read_base():` with imports of the bases",
        )
    for block in blocks:
        for statement in block.body:
            if not isinstance(statement, ast.ImportFrom):
                raise IllegalImportError(
                    "only `from base import name` may stand in `with read_base():`",
                    location=source.location(statement.lineno, statement.col_offset + 1),
                    help="move the line out of the block",
                )
    names = outline.recorded_names()
    for compared in (node for node in outline.nodes if isinstance(node, ast.Compare)):
        if not any(isinstance(operator, ast.Is | ast.IsNot) for operator in compared.ops):
            continue
        for operand in (compared.left, *compared.comparators):
            if isinstance(operand, ast.Name | ast.Attribute) and _root(operand) in names:
                raise ConfigParsingError(
                    f"{ast.unparse(operand)} is not imported while the config is read, so `is` "
                    "compares something else",
                    location=source.location(operand.lineno, operand.col_offset + 1),
                    help="import it within `with eager():` to have its value while the config is "
                    "read",
                )
    allowed = outline.base_lines | outline.eager_lines
    for node in outline.imports:
        if not isinstance(node, ast.ImportFrom) or node.level or node.lineno in allowed:
            continue
        if any(alias.name == "*" for alias in node.names):
            raise ConfigParsingError(
                f"`from {node.module} import *` outside of `with read_base():`",
                location=source.location(node.lineno, node.col_offset + 1),
                help="name what you import; the star is for configs beside this one, as in "
                "`from .base import *`",
            )


def check_recorded(outline: Outline, source: Source) -> None:
    """Refuse what recording would silently change: a file of the recorded format only.

    Raises:
        ConfigError: With the line, and what to write instead.
    """
    names = outline.recorded_names()
    for node in outline.nodes:
        for message, help_line, place in _refusals(node, names):
            raise ConfigParsingError(
                message,
                location=source.location(
                    getattr(place, "lineno", 1), getattr(place, "col_offset", 0) + 1
                ),
                help=help_line,
            )


def _refusals(node: ast.AST, names: set[str]) -> Iterator[tuple[str, str, ast.AST]]:
    if isinstance(node, ast.Try) and any(_imports_others(part) for part in node.body):
        yield (
            "an import in try: recorded imports never fail, so its except would never run",
            'test `if available("package"):` instead',
            node,
        )
    elif isinstance(node, ast.ClassDef):
        for base in node.bases:
            if _root(base) in names:
                yield (
                    f"the class {node.name} derives from {ast.unparse(base)}, an imported name",
                    "define the class in a module and import it",
                    base,
                )
        yield from _decorators(node, names)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from _decorators(node, names)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = ast.unparse(node.value.func)
        if _root(node.value.func) in names and not function.startswith("edit("):
            yield (
                f"{function}(...) is recorded, not called, and nothing keeps the record",
                "assign it to a variable, or do it in a module that custom_imports imports",
                node,
            )
    elif isinstance(node, ast.Global):
        yield (
            f"`global {', '.join(node.names)}`: functions of a config return values",
            "return the value and assign it at the top level",
            node,
        )
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in names:
                yield (
                    f"`del {target.id}` of an imported name",
                    "leave the line out: imported names are no part of the config",
                    node,
                )


def _decorators(
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, names: set[str]
) -> Iterator[tuple[str, str, ast.AST]]:
    for decorator in node.decorator_list:
        if _root(decorator) in names:
            yield (
                f"the decorator {ast.unparse(decorator)} would be recorded, not called",
                f"move {node.name} into a module",
                decorator,
            )


def _imports_others(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) and not imports_stdlib(node)


def _root(node: ast.AST) -> str | None:
    """The name that an expression such as ``nn.functional.relu`` begins with."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None
