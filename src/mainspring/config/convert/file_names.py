"""The names of an old file: what it binds, imports, and reads again."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from mainspring.config.convert.calls import is_display
from mainspring.config.lint import Outline, imports_stdlib

__all__ = ["assigned_name", "bound_names", "constants", "displays", "imported_names", "read_names"]


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


def bound_names(tree: ast.Module) -> set[str]:
    """The names that a file binds other than by imports.

    Args:
        tree: The file.
    """
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    return names


def imported_names(outline: Outline) -> dict[str, tuple[str, str]]:
    """Module and name of what a file imports from outside of the standard library.

    Args:
        outline: The file.
    """
    names: dict[str, tuple[str, str]] = {}
    for node in outline.imports:
        if isinstance(node, ast.Import):
            if not imports_stdlib(node):
                for alias in node.names:
                    names[alias.asname or alias.name.partition(".")[0]] = (
                        (alias.name if alias.asname else alias.name.partition(".")[0]),
                        "",
                    )
        elif not node.level and not imports_stdlib(node) and node.lineno not in outline.base_lines:
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module or "", alias.name)
    return names


def constants(tree: ast.Module, inherited: Mapping[str, Any]) -> dict[str, str]:
    """The variables that hold one string throughout a file.

    Args:
        tree: The file.
        inherited: What it gets from its bases.
    """
    times: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            times[node.id] = times.get(node.id, 0) + 1
        elif isinstance(node, ast.arg):
            times[node.arg] = 2
    values = {name: value for name, value in inherited.items() if name not in times}
    for statement in tree.body:
        name, value = assigned_name(statement), getattr(statement, "value", None)
        if name is not None and times[name] == 1 and isinstance(value, ast.Constant):
            values[name] = value.value
    return {name: value for name, value in values.items() if isinstance(value, str)}


def displays(tree: ast.Module) -> dict[str, ast.expr]:
    """The variables that a file assigns once, as a written dict, with that dict.

    Args:
        tree: The file.
    """
    times: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            times[node.id] = times.get(node.id, 0) + 1
    found: dict[str, ast.expr] = {}
    for statement in tree.body:
        name, value = assigned_name(statement), getattr(statement, "value", None)
        if name is not None and times[name] == 1 and is_display(value):
            found[name] = statement.value  # type: ignore[attr-defined]  # - an assignment has one
    return found


def read_names(tree: ast.Module) -> set[str]:
    """Variables whose dicts the file itself reads: they must stay dicts.

    Args:
        tree: The file.
    """
    read: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg is None and isinstance(node.value, ast.Name):
            read.add(node.value.id)
        elif isinstance(node, ast.Dict):
            read.update(
                value.id
                for key, value in zip(node.keys, node.values, strict=True)
                if key is None and isinstance(value, ast.Name)
            )
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in (
                "dict",
                "len",
                "list",
                "sorted",
            ):
                read.update(arg.id for arg in node.args if isinstance(arg, ast.Name))
            elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                read.add(node.func.value.id)
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.Name):
            read.add(node.iter.id)
    return read
