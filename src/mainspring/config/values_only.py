"""Python files that data may have as its base: those that state values, as MMEngine's often do.

They are assignments of literals, of ``dict(...)`` and of variables assigned before, so nothing of
the machine can be reached while they run. Anything else is a program, which data never runs.
"""

from __future__ import annotations

import ast

from mainspring.config.marks import BASE_VALUE_FUNCTION
from mainspring.config.source import Source
from mainspring.errors import ConfigParsingError

__all__ = ["check_values_only"]

_CALLED = frozenset((BASE_VALUE_FUNCTION, "dict", "float", "list", "set", "tuple"))
_PLAIN = (
    *(ast.Constant, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.Slice, ast.Subscript, ast.keyword),
    *(ast.BinOp, ast.UnaryOp, ast.unaryop, ast.Load, ast.Store),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod),
)


def check_values_only(tree: ast.Module, source: Source) -> None:
    """Refuse a base of data that is a program.

    Args:
        tree: The file, its templates filled.
        source: The file.

    Raises:
        ConfigParsingError: It does more than state values.
    """
    assigned: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            is_plain = len(names) == len(statement.targets) and _CALLED.isdisjoint(names)
            is_plain = is_plain and not any(name.startswith("__") for name in names)
            value: ast.expr = statement.value
        else:
            names, is_plain = [], isinstance(statement, ast.Expr)
            value = statement.value if isinstance(statement, ast.Expr) else ast.Constant(None)
        if not is_plain or not _states_value(value, assigned):
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
