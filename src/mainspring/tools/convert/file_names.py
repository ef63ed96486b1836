"""The names of an old file: what it binds, imports, and reads again."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping

from mainspring.config.recorded_python.lint import Outline, imports_stdlib

__all__ = ["assigned_name", "assigned_once", "bound_names", "imported_names", "read_names"]


def assigned_name(statement: ast.stmt) -> str | None:
    """The name that a statement assigns, if it assigns one.

    Args:
        statement: A statement.
    """
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target = statement.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def bound_names(tree: ast.Module) -> Counter[str]:
    """The names that a file binds or deletes other than by imports, with how often.

    Args:
        tree: The file.
    """
    names: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names[node.id] += 1
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names[node.name] += 1
        elif isinstance(node, ast.arg):
            names[node.arg] += 1
    return names


def imported_names(outline: Outline) -> dict[str, tuple[str, str]]:
    """Module and name of what a file imports from outside of the standard library.

    Args:
        outline: The file.
    """
    names: dict[str, tuple[str, str]] = {}
    for node in outline.imports:
        is_relative = isinstance(node, ast.ImportFrom) and node.level
        if is_relative or imports_stdlib(node) or node.lineno in outline.base_lines:
            continue
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                names[alias.asname or alias.name] = (node.module or "", alias.name)
            else:
                bound = alias.asname or alias.name.partition(".")[0]
                names[bound] = (alias.name if alias.asname else bound, "")
    return names


def assigned_once(tree: ast.Module, bound: Mapping[str, int]) -> dict[str, ast.expr]:
    """The variables that a file assigns once, at its outermost level, with what they are.

    Args:
        tree: The file.
        bound: How often it binds each name.
    """
    named = ((assigned_name(statement), statement) for statement in tree.body)
    return {name: it.value for name, it in named if name and bound[name] == 1}  # type: ignore[attr-defined]  # - an assignment has one


def read_names(tree: ast.Module) -> set[str]:
    """Variables whose dicts the file itself reads: they must stay dicts.

    Args:
        tree: The file.
    """
    read: list[ast.expr | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg is None:
            read.append(node.value)
        elif isinstance(node, ast.Dict):
            read += [it for key, it in zip(node.keys, node.values, strict=True) if key is None]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            read.append(node.func.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            read += node.args if node.func.id in ("dict", "len", "list", "sorted") else []
        elif isinstance(node, ast.For):
            read.append(node.iter)
    return {node.id for node in read if isinstance(node, ast.Name)}
