"""Read a Python config before it runs, and refuse what could not mean what it seems to mean.

Nothing is rewritten here; what runs is the file that was written, with the calls that set marks.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import os
import sys
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import TypeGuard

from mainspring.config.printing.plain import builtin_of
from mainspring.config.provenance.marks import BASE_VALUE_FUNCTION
from mainspring.config.recorded_python.run_source import parsed
from mainspring.config.schema import TRIPLES
from mainspring.config.source import Source
from mainspring.errors import ConfigError, ConfigParsingError, IllegalImportError
from mainspring.names.gate import CALCULATES

__all__ = [
    "BASE_KEY",
    "PURE_MODULES",
    "Outline",
    "base_statement",
    "check",
    "check_values_only",
    "imports_stdlib",
    "is_stdlib",
    "outline_of",
    "sets_base",
]

BASE_KEY = "_base_"

PURE_MODULES = CALCULATES - {"random", "time"} | {
    *("__future__", "operator", "os", "pathlib", "types", "typing_extensions", "warnings")
}
"""Modules of the standard library that a recorded config imports for real."""


def is_stdlib(module: str) -> bool:
    """Whether a module, by its dotted name, belongs to the standard library."""
    return module.partition(".")[0] in sys.stdlib_module_names


def imports_stdlib(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import statement names nothing outside of the standard library."""
    if isinstance(node, ast.ImportFrom):
        return not node.level and is_stdlib(node.module or "")
    return all(is_stdlib(alias.name) for alias in node.names)


def base_statement(tree: ast.Module) -> ast.Assign | ast.AnnAssign | None:
    """The first statement at the top level of a Python file that sets ``_base_``."""
    return next((node for node in tree.body if sets_base(node)), None)


def sets_base(node: ast.AST) -> TypeGuard[ast.Assign | ast.AnnAssign]:
    """Whether a statement sets ``_base_``."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target] if node.value is not None else []
    elif isinstance(node, ast.Assign):
        targets = node.targets
    return [target.id for target in targets if isinstance(target, ast.Name)] == [BASE_KEY]


class Outline:
    """What a config file is made of, found in one walk over it.

    Args:
        tree: The file.

    Attributes:
        tree: The file.
        nodes: All nodes of the tree.
        calls: The calls among them.
        base: The statement that sets ``_base_``, if there is one.
        base_blocks: The blocks ``with read_base():``.
        base_lines: The lines of the statements in them.
        eager_lines: The lines of the statements in blocks ``with eager():``.
        assigned: The variables that the file assigns, outside of functions.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.nodes = list(ast.walk(tree))
        self.calls = [node for node in self.nodes if isinstance(node, ast.Call)]
        self.base = base_statement(tree)
        self.base_blocks = self._blocks("read_base")
        self.base_lines = _lines_in(self.base_blocks)
        self.eager_lines = _lines_in(self._blocks("eager"))
        self.assigned = set(_assigned(tree.body))

    def _blocks(self, word: str) -> list[ast.With]:
        """The blocks ``with word():``."""

        def opens(item: ast.withitem) -> bool:
            function = getattr(item.context_expr, "func", None)
            return word in (getattr(function, "attr", None), getattr(function, "id", None))

        blocks = (node for node in self.nodes if isinstance(node, ast.With))
        return [block for block in blocks if any(map(opens, block.items))]

    @cached_property
    def only_calls_type(self) -> bool:
        """Whether the file uses ``type`` for nothing but to ask for the type of one value."""
        asked = {id(call.func) for call in self.calls if len(call.args) == 1}
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
        statements = (node for node in self.imports if isinstance(node, ast.ImportFrom))
        modules = (node.module or "" for node in statements if not node.level)
        return any(module.partition(".")[0] == "mainspring" for module in modules)

    @cached_property
    def imports(self) -> list[ast.Import | ast.ImportFrom]:
        """The import statements."""
        return [node for node in self.nodes if _is_import(node)]

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
        for call in self.calls:
            is_partial = ast.unparse(call.func) in ("partial", "functools.partial")
            called = [call.func, *(call.args if is_partial else ())]
            if any(_root(part) in names for part in called):
                return True
        return False

    @cached_property
    def imported_names(self) -> set[str]:
        """The names that the file binds by importing modules, not configs."""
        names: set[str] = set()
        for node in self.imports:
            of_config = getattr(node, "level", 0) or node.lineno in self.base_lines
            names |= set() if of_config else _bound(node)
        return names - self.assigned

    @cached_property
    def recorded_names(self) -> set[str]:
        """Names that stand for something that is not imported while the file is read."""
        names: set[str] = set()
        for node in self.imports:
            modules = _modules(node)
            of_config = modules[0] in ("mainspring.config", "mmengine.config")
            is_pure = all(module.partition(".")[0] in PURE_MODULES for module in modules)
            is_here = getattr(node, "level", 0) or of_config or is_pure
            names |= set() if is_here or node.lineno in self.eager_lines else _bound(node)
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


def _bound(node: ast.Import | ast.ImportFrom) -> set[str]:
    """The names that an import statement binds."""
    is_from = isinstance(node, ast.ImportFrom)
    return {a.asname or (a.name if is_from else a.name.partition(".")[0]) for a in node.names}


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The modules that an import statement names."""
    names = [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else names


def _lines_in(blocks: list[ast.With]) -> set[int]:
    return {statement.lineno for block in blocks for statement in block.body}


def check(outline: Outline, source: Source) -> None:
    """Refuse what has no meaning in new-style and recorded files, before anything runs.

    Args:
        outline: The file.
        source: Its text and path. One of the recorded format may also inherit with ``_base_``, and
            may do nothing that recording would silently change.

    Raises:
        ConfigError: With the line, and what to write instead.
    """
    refusals = itertools.chain(
        _of_bases(outline, source),
        *(_of_values(node, outline, source) for node in outline.nodes),
        *(_of_records(node, outline, source) for node in outline.nodes if outline.is_ours),
    )
    for error in refusals:
        raise error


def _of_bases(outline: Outline, source: Source) -> Iterator[ConfigParsingError]:
    base, blocks = outline.base, outline.base_blocks
    if base is not None and (blocks or not outline.is_ours):
        line = blocks[0].lineno if blocks else base.lineno
        yield ConfigParsingError(
            f"the file inherits in two ways: _base_ (line {base.lineno}) and imports (line {line})",
            location=source.place_of(base),
            help="keep one: `_base_ = [...]`, or `with read_base():` with imports of the bases",
        )
    for statement in (statement for block in blocks for statement in block.body):
        if not isinstance(statement, ast.ImportFrom):
            yield IllegalImportError(
                "only `from base import name` may stand in `with read_base():`",
                location=source.place_of(statement),
                help="move the line out of the block",
            )
    for statement in outline.imports:
        is_real = statement.lineno in outline.base_lines | outline.eager_lines
        is_real = is_real or bool(getattr(statement, "level", 0))
        for module in () if is_real else _modules(statement):
            if not _takes_config(statement, module, outline, source):
                continue
            package, name = module, ", ".join(alias.name for alias in statement.names)
            if isinstance(statement, ast.Import):
                package, name = (module, "*") if "." in module else ("", module)
            yield IllegalImportError(
                f"{module} beside this file is a config, and `{ast.unparse(statement)}` would run "
                "it as a module, with all of its calls, while the parts of this run are built",
                location=source.place_of(statement),
                help=f"write `from .{package} import {name}`",
            )


def _of_values(node: ast.AST, outline: Outline, source: Source) -> Iterator[ConfigParsingError]:
    if isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
        for operand in (node.left, *node.comparators):
            is_name = isinstance(operand, ast.Name | ast.Attribute)
            if is_name and _root(operand) in outline.recorded_names:
                yield ConfigParsingError(
                    f"{ast.unparse(operand)} is not imported while the config is read, so `is` "
                    "compares something else",
                    location=source.place_of(operand),
                    help="import it within `with eager():` to have its value while the config is "
                    "read",
                )
    elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*" and not node.level:
        allowed = outline.base_lines | outline.eager_lines
        if node.lineno not in allowed:
            yield ConfigParsingError(
                f"`from {node.module} import *` outside of `with read_base():`",
                location=source.place_of(node),
                help="name what you import; the star is for configs beside this one, as in "
                "`from .base import *`",
            )


def _takes_config(
    statement: ast.Import | ast.ImportFrom, module: str, outline: Outline, source: Source
) -> bool:
    """Whether an import takes variables of a file beside this one that describes a run."""
    path = os.path.join(os.path.dirname(source.path), *module.split(".")) + ".py"
    if source.is_string or is_stdlib(module) or not os.path.isfile(path):
        return False
    try:
        assigned = outline_of(Source.read(path)).assigned
    except (ConfigError, SyntaxError, ValueError):
        return False
    taken = {alias.name for alias in statement.names}
    if isinstance(statement, ast.Import):
        taken = {node.attr for node in outline.nodes if isinstance(node, ast.Attribute)}
    is_config = not assigned.isdisjoint(itertools.chain(*TRIPLES))
    return is_config and ("*" in taken or not taken.isdisjoint(assigned))


def _of_records(node: ast.AST, outline: Outline, source: Source) -> Iterator[ConfigParsingError]:
    names, place = outline.recorded_names, source.place_of(node)
    if isinstance(node, ast.Try):
        if any(_is_import(part) and not imports_stdlib(part) for part in node.body):
            yield ConfigParsingError(
                "an import in try: recorded imports never fail, so its except would never run",
                location=place,
                help='test `if available("package"):` instead',
            )
    elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            if _root(base) in names:
                yield ConfigParsingError(
                    f"the class {node.name} derives from {ast.unparse(base)}, an imported name",
                    location=source.place_of(base),
                    help="define the class in a module and import it",
                )
        for decorator in node.decorator_list:
            if _root(decorator) in names:
                yield ConfigParsingError(
                    f"the decorator {ast.unparse(decorator)} would be recorded, not called",
                    location=source.place_of(decorator),
                    help=f"move {node.name} into a module",
                )
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = ast.unparse(node.value.func)
        if _root(node.value.func) in names and not function.startswith("edit("):
            yield ConfigParsingError(
                f"{function}(...) is recorded, not called, and nothing keeps the record",
                location=place,
                help="assign it to a variable, or do it in a module that custom_imports imports",
            )
    elif isinstance(node, ast.Global):
        yield ConfigParsingError(
            f"`global {', '.join(node.names)}`: functions of a config return values",
            location=place,
            help="return the value and assign it at the top level",
        )
    elif isinstance(node, ast.Delete):
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in names:
                yield ConfigParsingError(
                    f"`del {target.id}` of an imported name",
                    location=place,
                    help="leave the line out: imported names are no part of the config",
                )


def _is_import(node: ast.AST) -> TypeGuard[ast.Import | ast.ImportFrom]:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _root(node: ast.AST) -> str | None:
    """The name that an expression such as ``nn.functional.relu`` begins with."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


# Files that data may have as its bases

_CALLED = frozenset((BASE_VALUE_FUNCTION, "dict", "float", "list", "set", "tuple"))
_PLAIN = (
    *(ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.Slice, ast.Subscript, ast.keyword),
    *(ast.BinOp, ast.UnaryOp, ast.unaryop, ast.Load, ast.Store),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod),
)


def check_values_only(tree: ast.Module, source: Source) -> None:
    """Refuse a base of data that is a program; those that state values may be, as MMEngine's are.

    They are assignments of literals, of ``dict(...)`` and of variables assigned before, so nothing
    of the machine can be reached while they run. Data never runs a program.

    Args:
        tree: The file, its templates filled.
        source: The file.

    Raises:
        ConfigParsingError: It does more than state values.
    """
    assigned: set[str] = set()
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        value = statement.value if isinstance(statement, ast.Assign | ast.Expr) else None
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        is_plain = len(names) == len(targets) and _CALLED.isdisjoint(names)
        is_plain = is_plain and not any(name.startswith("__") for name in names)
        if not is_plain or value is None or not _states_value(value, assigned):
            raise ConfigParsingError(
                f"{source.path!r} is a program ({ast.unparse(statement):.40}), and data has no "
                "program as its base",
                location=source.place_of(statement),
                help="only literals, dict(...) and variables may stand in it; or make the config "
                "that builds on it a Python file",
            )
        assigned.update(names)


def _states_value(node: ast.AST, assigned: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in assigned
    inner = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in _CALLED:
            return False
        inner = [*node.args, *node.keywords]
    elif not isinstance(node, _PLAIN):
        return False
    return all(_states_value(part, assigned) for part in inner)
