"""Names of `mmengine.config` that some projects use: rewriting of files, configs of packages."""

from __future__ import annotations

import ast
import os
import re
import sys
from typing import Any

from mainspring.config.config_dict import ConfigDict
from mainspring.config.lazy import LazyObject, dotted_path, is_lazy
from mainspring.config.model_index import indexed_models
from mainspring.config.recorded_python.lint import is_stdlib
from mainspring.errors import ConfigParsingError, MissingConfigError
from mainspring.names.openmmlab import MODULE2PACKAGE

PYTHON_ROOT_DIR = os.path.dirname(os.path.dirname(sys.executable))
SYSTEM_PYTHON_PREFIX = os.path.abspath(getattr(sys, "base_prefix", sys.prefix))


_is_builtin_module = is_stdlib


class RemoveAssignFromAST(ast.NodeTransformer):
    """Removes the assignments to one name.

    Args:
        key: The name.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
        """The assignment, unless it is to the name."""
        target = node.targets[0]
        return None if isinstance(target, ast.Name) and target.id == self.key else node


class ImportTransformer(ast.NodeTransformer):
    """Turns the imports of a config file into assignments of `LazyObject`, to be executed.

    Args:
        global_dict: Variables with which the file will be executed; ``LazyObject`` is added, and so
            are the variables of bases that are imported.
        base_dict: Variables of each base by its name, without the leading dots' meaning.
        filename: The file, for what is said of lazy objects.
    """

    def __init__(
        self,
        global_dict: dict[str, Any],
        base_dict: dict[str, Any] | None = None,
        filename: str | None = None,
    ) -> None:
        self.base_dict, self.global_dict = base_dict or {}, global_dict
        self.filename = filename
        self.imported_obj: set[str] = set()
        self.global_dict.setdefault("LazyObject", LazyObject)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        """The imports of one module, as assignments."""
        module = "." * node.level + (node.module or "")
        base = self.base_dict.get(module)
        is_builtin = is_stdlib(module)
        if any(alias.name == "*" for alias in node.names) and (is_builtin or base is None):
            raise ConfigParsingError(
                f"from {module} import *: only a base gives all it has; name what is imported"
            )
        if is_builtin:
            self.imported_obj.update(alias.asname or alias.name for alias in node.names)
            return node
        if base is not None:
            for alias in node.names:
                name = alias.name
                self.global_dict.update(base if name == "*" else {alias.asname or name: base[name]})
            return None
        return [self._lazy(alias, repr(module), repr(alias.name), node) for alias in node.names]

    def visit_Import(self, node: ast.Import) -> Any:
        """An import of a module, as an assignment."""
        if all(is_stdlib(alias.name) for alias in node.names):
            self.imported_obj.update(alias.asname or alias.name for alias in node.names)
            return node
        if len(node.names) > 1:
            raise ConfigParsingError("import one module in each statement")
        return self._lazy(node.names[0], repr(node.names[0].name), "None", node)

    def _lazy(self, alias: ast.alias, module: str, name: str, node: ast.stmt) -> ast.Assign:
        bound = alias.asname or alias.name.partition(".")[0]
        self.imported_obj.add(bound)
        place = f"{self.filename}, line {node.lineno}"
        text = f"{bound} = LazyObject({module}, {name}, {place!r})"
        assignment = ast.parse(text).body[0]
        assert isinstance(assignment, ast.Assign)
        return ast.fix_missing_locations(ast.copy_location(assignment, node))


def _gather_abs_import_lazyobj(
    tree: ast.Module, filename: str | None = None
) -> tuple[ast.Module, set[str]]:
    """The same for absolute imports alone; and the names that they bind."""
    transformer = ImportTransformer({}, filename=filename)
    body: list[ast.stmt] = []
    for node in tree.body:
        absolute = isinstance(node, ast.Import) or (
            isinstance(node, ast.ImportFrom) and not node.level
        )
        made = transformer.visit(node) if absolute else node
        body += made if isinstance(made, list) else [made]
    tree.body = body
    return tree, transformer.imported_obj


def _lazy2string(cfg_dict: Any, dict_type: type | None = None) -> Any:
    """A config with lazy objects as their dotted names."""
    if isinstance(cfg_dict, dict):
        kind: Any = dict_type or type(cfg_dict)
        return kind({key: _lazy2string(value, dict_type) for key, value in dict.items(cfg_dict)})
    if isinstance(cfg_dict, tuple | list):
        return type(cfg_dict)(_lazy2string(value, dict_type) for value in cfg_dict)
    return dotted_path(cfg_dict) if is_lazy(cfg_dict) else cfg_dict


def _get_package_and_cfg_path(cfg_path: str) -> tuple[str, str]:
    """``"mmdet::a/b.py"`` as ``("mmdet", "a/b.py")``."""
    if re.fullmatch(r"\w+::[^:]+", cfg_path) is None:
        raise ValueError(f"{cfg_path!r} names no config of a package: write package::path")
    package, _, inner = cfg_path.partition("::")
    if package not in MODULE2PACKAGE:
        raise ValueError(f"{package!r} is no package of OpenMMLab: {', '.join(MODULE2PACKAGE)}")
    return package, inner


def _get_cfg_metainfo(package_path: str, cfg_path: str) -> dict[str, Any]:
    """The entry of a config in the metafiles of a package."""
    for entry in indexed_models(os.path.join(package_path, ".mim")):
        if os.path.normpath(entry.get("Config", "")).endswith(os.path.normpath(cfg_path)):
            return ConfigDict(entry)
    raise MissingConfigError(f"no metafile of {package_path} knows {cfg_path}")


def _get_external_cfg_path(package_path: str, cfg_file: str) -> str:
    """Path of a config in a package."""
    name = cfg_file.removesuffix(".py") + ".py"
    entry = _get_cfg_metainfo(package_path, name)
    return _existing(os.path.join(package_path, ".mim", entry["Config"]))


def _get_external_cfg_base_path(package_path: str, cfg_name: str) -> str:
    """Path of a base of configs in a package."""
    return _existing(os.path.join(package_path, ".mim", "configs", cfg_name))


def _existing(path: str) -> str:
    if not os.path.isfile(path):
        raise MissingConfigError(f"{path} is not there")
    return path
