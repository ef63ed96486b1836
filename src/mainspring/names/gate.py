"""Which name may become which object, by who wrote the name.

=========  ===============================  ====================================================
origin     written                          may name
=========  ===============================  ====================================================
program    by an import of a Python file    everything but functions of the standard library that
                                            do more than calculate
person     as a string in a program, or on  classes, and functions of packages other than torch,
           the command line                 NumPy and this one; of the standard library what only
                                            calculates
data       in YAML, JSON, TOML or a dump    what is registered, what is of a kind that
                                            `mainspring.names.kinds` knows, and classes of the
                                            project itself
=========  ===============================  ====================================================

Whatever belongs to a package that the person allowed may be named by all. What a name stands for
is known when its module is imported: one that is installed or on Python's path, of the standard
library only one that does nothing on import.
"""

from __future__ import annotations

import enum
import functools
import importlib.util
import operator
import os
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from mainspring.errors import ConfigError, ConfigImportError
from mainspring.names.imports import import_object
from mainspring.names.kinds import is_for_data, package_of
from mainspring.walk import parts_of, paths_of

__all__ = [
    "CALCULATES",
    "DataName",
    "ForbiddenNameError",
    "Origin",
    "allow_packages",
    "holds_data_names",
    "import_named",
    "is_allowed",
    "is_of_stdlib",
    "origin_of",
    "refuse_trust",
    "with_names_marked",
]

Origin = Literal["program", "person", "data"]

_allowed: set[str] = set()
CALCULATES = frozenset(
    (
        *("abc", "base64", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime"),
        *("decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json"),
        *("math", "numbers", "random", "re", "statistics", "string", "struct", "textwrap", "time"),
        *("typing", "uuid", "zlib"),
    )
)
"""Modules of the standard library that only calculate; no other is imported for a string."""
_STDLIB_FOLDERS = frozenset(
    os.path.join(os.path.dirname(os.path.realpath(os.__file__)), *inner)
    for inner in ((), ("lib-dynload",))
)
_HARMLESS = CALCULATES | {"builtins", "pathlib"}
_EVERYWHERE = frozenset(("mainspring", "numpy", "torch"))
"""Packages that each config can reach, with functions that run code or touch files."""
_NAME_KEYS = frozenset(
    (
        *("type", "constructor", "runner_type", "auto_wrap_policy", "param_init_fn"),
        *("collate_fn", "worker_init_fn"),
    )
)
"""Keys of configs whose strings are names."""


class ForbiddenNameError(ConfigImportError):
    """A config names what configs may not reach."""


class DataName(str):
    """A name that a file of data gives; it stays one wherever it is copied and merged to."""

    __slots__ = ()


def origin_of(name: Any) -> Origin:
    """Who wrote a name: a string, or what stands for an imported one."""
    if isinstance(name, str):
        return "data" if isinstance(name, DataName) else "person"
    origin: Origin = getattr(name, "__dict__", {}).get("_origin", "program")
    return origin


def with_names_marked(value: Any) -> Any:
    """Mark the names in what a file of data holds, so that they are resolved as such.

    Args:
        value: The content of a file; dicts and lists are changed in place.
    """
    if isinstance(value, dict):
        for key, item in dict.items(value):
            if key in _NAME_KEYS and isinstance(item, str) and _is_path(item):
                marked: Any = DataName(item)
            elif key == "custom_imports" and isinstance(item, dict):
                marked = with_names_marked({**item, "imports": _marked(item.get("imports"))})
            elif key == "compile" and isinstance(item, dict) and "options" in item:
                # Settings of torch's compilers name programs to run.
                marked = {**item, "options": _marked(item["options"])}
            else:
                marked = with_names_marked(item)
            if marked is not item:
                dict.__setitem__(value, key, marked)
    elif isinstance(value, list):
        value[:] = [with_names_marked(item) for item in value]
    elif type(value) is tuple:
        items = tuple(with_names_marked(item) for item in value)
        return value if all(map(operator.is_, items, value)) else items
    return value


def holds_data_names(value: Any) -> bool:
    """Whether a value, or one inside of it, is a name that data gave."""
    return any(isinstance(part, DataName) for part in parts_of(value))


def _is_path(name: str) -> bool:
    parts = name.replace(":", ".").split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts)


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return DataName(value)
    if isinstance(value, dict):
        return {name: _marked(item) for name, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list | tuple) else value


def allow_packages(*names: str) -> None:
    """Allow the functions and all classes of packages in data and pickles, in this process.

    A project says it once, for all of its runs, in its ``pyproject.toml``: ``allow = ["timm"]``
    under ``[tool.mainspring]``. Data cannot say it.

    Args:
        *names: Top-level packages, such as ``"timm"``.
    """
    _allowed.update(name.partition(".")[0] for name in names)


def is_allowed(package: str) -> bool:
    """Whether the person allowed a package.

    Args:
        package: Its name, or the dotted name of something in it.
    """
    root = package.partition(".")[0]
    return root in _allowed or root in _allowed_by_project(Path.cwd())


@functools.lru_cache(maxsize=8)
def _allowed_by_project(folder: Path) -> frozenset[str]:
    """What the nearest ``pyproject.toml``, from the working directory upwards, allows."""
    for path in (folder / "pyproject.toml", *(up / "pyproject.toml" for up in folder.parents)):
        if path.is_file():
            try:
                table = tomllib.loads(path.read_text(encoding="utf-8"))["tool"]["mainspring"]
                names = table.get("allow", [])
            except (KeyError, TypeError):
                return frozenset()
            except (OSError, ValueError) as error:
                raise ConfigError(f"{path} cannot be read: {error}") from error
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ConfigError(
                    f"{path}: tool.mainspring.allow is {names!r}", help='write allow = ["timm"]'
                )
            return frozenset(names)
    return frozenset()


def is_of_stdlib(module: str) -> bool:
    """Whether a module, by its dotted name, is one of Python's that does more than calculate."""
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return root not in _HARMLESS
    try:  # no list names all of Python's packages, as that of its own tests
        spec = importlib.util.find_spec(root) if root.isidentifier() else None
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = {os.path.dirname(place) for place in spec.submodule_search_locations or ()}
    places.add(os.path.dirname(spec.origin or ""))
    return not _STDLIB_FOLDERS.isdisjoint(map(os.path.realpath, filter(None, places)))


def _check_importable(module: str, origin: Origin) -> None:
    """Refuse to import a module for a name, before it is imported.

    Args:
        module: Dotted name of a module, or of something in it.
        origin: Who wrote the name.

    Raises:
        ForbiddenNameError: It is of the standard library, or leads out of what a config describes.
    """
    root, *rest = module.replace(":", ".").split(".")
    if any(part.startswith("__") and part.endswith("__") for part in rest):
        raise _forbidden(
            module, "names with double underscores lead out of what a config describes"
        )
    if origin != "program" and is_of_stdlib(root) and not is_allowed(root):
        raise _forbidden(module, f"the module {root} is no part of a run")


def import_named(path: str, origin: Origin) -> Any:
    """Import what a name stands for, if its writer may name such an object.

    Args:
        path: ``package.module.Class`` or ``package.module:Class``; attributes of classes, too.
        origin: Who wrote the name.

    Raises:
        ObjectNotFoundError: Nothing has this path.
        ForbiddenNameError: It is of no kind that its writer may name.
        Exception: Whatever a module on the path raises while it is imported.
    """
    _check_importable(path, origin)
    if origin == "program":
        found = import_object(path)
        if not isinstance(found, type | ModuleType) and callable(found):
            package = package_of(found)
            is_harmless = package in CALCULATES or is_for_data(found)
            if package in sys.stdlib_module_names and not is_harmless:
                raise _forbidden(path, f"that is a function of Python's module {package}")
        return found

    def check(step: Any) -> None:
        if isinstance(step, ModuleType):
            _check_importable(step.__name__, origin)
        elif not isinstance(step, type | enum.Enum):
            raise _forbidden(path, "it leads through an object that is neither module nor class")

    found = import_object(path, check)
    package = package_of(found)
    if _may_name(origin, found, package):
        return found
    raise _of_no_kind(found, path, package, origin)


def _may_name(origin: Origin, found: Any, package: str) -> bool:
    if isinstance(found, ModuleType):
        return False
    if is_for_data(found) or is_allowed(package):
        return True
    if origin == "data":
        return isinstance(found, type) and not _is_installed(package)
    if package in sys.stdlib_module_names:
        return package in CALCULATES
    return isinstance(found, type) or package not in {*_EVERYWHERE, ""}


def _is_installed(package: str) -> bool:
    """Whether a package is one of Python's own, or installed, rather than one of the project."""
    if package in {*sys.stdlib_module_names, *_EVERYWHERE, ""}:
        return True
    module = sys.modules.get(package)
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    system = [os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)]
    for place in filter(None, places):
        real = Path(os.path.realpath(place))
        is_of_python = any(real.is_relative_to(path) for path in system)
        if is_of_python or not {"site-packages", "dist-packages"}.isdisjoint(real.parts):
            return True
    return False


_TRUST = ("trust", "trust_remote_code", "trust_repo", "allow_pickle", "skip_validation")
_CAUTION = ("weights_only", "safe_serialization", "use_safetensors")


def refuse_trust(arguments: dict[Any, Any]) -> None:
    """Refuse arguments in data that decide to trust a file: that is for a person.

    Args:
        arguments: Arguments of a call that a file of data describes.

    Raises:
        ForbiddenNameError: One of them has code from elsewhere run.
    """
    for path, value in paths_of(arguments):
        name = str(path[-1])
        trusts = (name in _TRUST or name.startswith("trust_")) and bool(value)
        if trusts or (name in _CAUTION and not value):
            raise ForbiddenNameError(
                f"a file of data says {name}={value!r}, and data does not decide what to trust",
                config_path=name,
                help="say it in a config that is a program (.py), or on the command line",
            )


def _of_no_kind(found: Any, path: str, package: str, origin: Origin) -> ForbiddenNameError:
    if isinstance(found, ModuleType):
        return _forbidden(path, "that is a module")
    kind = "class" if isinstance(found, type) else "function"
    what = f"{kind} of {package}" if package else kind
    if package in sys.stdlib_module_names:
        return _forbidden(path, f"that is a {what}, no part of a run")
    writer = "data" if origin == "data" else "a string"
    reason = "is not registered"
    if isinstance(found, type):
        reason += " and is of no kind that data may name: module, data set, metric, hook ..."
    return ForbiddenNameError(
        f"{writer} cannot name {path!r}: it is a {what} that {reason}",
        help=f"register it, or allow all of {package}: --allow {package}, or allow = "
        f'["{package}"] under [tool.mainspring] in pyproject.toml',
    )


def _forbidden(path: str, reason: str) -> ForbiddenNameError:
    return ForbiddenNameError(
        f"a config cannot name {path!r}: {reason}",
        help="do it in a function of a module of yours, and name that",
    )
