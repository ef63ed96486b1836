"""Recorded configs: Python files whose imports are not carried out and whose calls are recorded.

A file runs with its own ``__import__``, so nothing outside of it is patched: other configs are
read, pure modules of the standard library are imported, and every other name becomes a `Reference`.
Calling one gives a `Node`. MMEngine's new-style files, with ``with read_base():``, are a subset.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, GeneratorType, MethodType
from typing import Any

from mainspring.config import words
from mainspring.config.config_dict import ConfigDict, keeping_lazy
from mainspring.config.errors import (
    ConfigKeyError,
    ConfigParsingError,
    MissingConfigError,
)
from mainspring.config.external import resolve_base
from mainspring.config.lazy import is_lazy
from mainspring.config.lint import (
    PURE_MODULES,
    Outline,
    check_recorded,
    check_statements,
    imports_stdlib,
    is_stdlib,
)
from mainspring.config.namespace import Namespace
from mainspring.config.private_modules import (
    open_for_reading,
    operating_system,
    recording_functools,
)
from mainspring.config.recording import CONFIG_MODULE, not_recording, recording, refuse
from mainspring.config.reference import Reference
from mainspring.config.root import unpack_runner
from mainspring.config.run_source import compiled, executed, parsed
from mainspring.config.source import FileReader, LoadedConfig, ReadOptions, Source
from mainspring.config.sweep import choice, loguniform, sweep, uniform
from mainspring.config.text import bases_of_python, is_machinery
from mainspring.errors import ConfigError, Location, did_you_mean
from mainspring.utils import get_installed_path, is_installed

__all__ = ["deciding_line", "load_recorded"]


_WORDS: dict[str, dict[str, Any]] = {
    "mainspring.config": {
        name: getattr(words, name)
        for name in (
            *("ByEpoch", "ByIteration", "L", "available", "copy", "eager", "edit", "env"),
            *("include", "later"),
        )
    }
    | {
        "Factory": words.Factory,
        "read_base": words.read_base,
        "sweep": sweep,
        "choice": choice,
        "uniform": uniform,
        "loguniform": loguniform,
    },
    "mainspring.runner": {"ByEpoch": words.ByEpoch, "ByIteration": words.ByIteration},
    "mmengine.config": {"read_base": words.read_base},
}
"""Names that are there while a config is read, by the module that it imports them from."""


def deciding_line(source: Source) -> int | None:
    """The line that makes a Python file a recorded one; ``None`` for a file of the text dialect.

    A file with ``_base_ =`` is of the text dialect unless it imports from mainspring. Otherwise
    ``with read_base():``, a relative import or an import of a module outside of the standard
    library decides.

    Raises:
        SyntaxError: If it is not valid Python.
    """
    outline = _outline(source)[1]
    if outline.base is not None and not outline.base_blocks and not _imports_us(outline):
        return None
    lines = [node.lineno for node in outline.imports if not imports_stdlib(node)]
    return min([*lines, *outline.base_lines], default=None)


def _imports_us(outline: Outline) -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and not node.level
        and (node.module or "").partition(".")[0] == "mainspring"
        for node in outline.imports
    )


@lru_cache(maxsize=64)
def _outline(source: Source) -> tuple[ast.Module, Outline]:
    tree = parsed(source, source.text)
    return tree, Outline(tree)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is the same whenever a file of this text is read.

    Attributes:
        code: The file without its ``_base_`` statement.
        ours: Whether it is of the recorded format proper.
        bases: What ``_base_`` names.
        bases_location: Where.
        base_lines: The lines that import from configs.
        eager_lines: The lines whose imports happen for real.
        imported_names: The names that it binds by importing modules.
        assigned_names: The names that it assigns.
    """

    code: CodeType
    ours: bool
    bases: list[str]
    bases_location: Location | None
    base_lines: set[int]
    eager_lines: set[int]
    imported_names: set[str]
    assigned_names: set[str]


@lru_cache(maxsize=256)
def _prepared(source: Source, _absolute_path: str) -> _Prepared:
    """Prepare a file; where it lies is asked for since a relative path may lead elsewhere later."""
    tree, outline = _outline(source)
    ours = outline.is_ours()
    check_statements(outline, source, ours=ours)
    if ours:
        check_recorded(outline, source)
    body, written, location = bases_of_python(tree, source)
    return _Prepared(
        compiled(body, source),
        ours,
        written,
        location,
        outline.base_lines,
        outline.eager_lines,
        outline.imported_names(),
        outline.assigned,
    )


def load_recorded(
    source: Source, options: ReadOptions, read_file: FileReader, stack: tuple[str, ...]
) -> LoadedConfig:
    """Read a recorded or new-style file and its bases.

    Args:
        source: The file.
        options: Values that the command line gives to variables, and the function to call.
        read_file: Reads a base.
        stack: The files that are being read, this one last.

    Raises:
        ConfigError: The file or a base cannot be read, or does what a config may not do.
    """
    file = _prepared(source, source.absolute_path)
    importer = _Importer(source, file, read_file, stack)
    names = Namespace(importer.globals, options)
    with not_recording():
        for entry in file.bases:
            path, scope = resolve_base(entry, source.path, file.bases_location)
            names.take_over(importer.read(path, file.bases_location, scope).namespace)
    asked: dict[str, Any] = {}
    with keeping_lazy(), recording(source), words.asked_variables(asked):
        executed(file.code, source, importer.globals, names)
    return _result(source, file, importer, asked, options)


def _result(
    source: Source,
    file: _Prepared,
    importer: _Importer,
    asked: dict[str, Any],
    options: ReadOptions,
) -> LoadedConfig:
    bound = {
        name: value
        for name, value in importer.globals.items()
        if not (name.startswith("__") or name == "_base_")
    }
    if file.ours and options.is_outermost(source):
        bound = unpack_runner(bound, source, options)
    imported = file.imported_names | (importer.imported_names - file.assigned_names)
    values = ConfigDict()
    for key, value in bound.items():
        dropped = file.ours and (key.startswith("_") or key in imported)
        if not (dropped or is_machinery(value) or _is_word(value)):
            values[key] = value
    if file.ours:
        for key, value in dict.items(values):
            _refuse_unfinished(value, key, source)
    # What a file does not bind itself belongs to the file that it was imported from.
    origins: dict[str, tuple[str, ...]] = dict.fromkeys(values, (source.absolute_path,))
    for base in importer.bases.values():
        for key in set(base.origins).intersection(values):
            if dict.get(base.values, key) is dict.get(values, key):
                origins[key] = base.origins[key]
    bases = importer.bases.values()
    return LoadedConfig(
        values=values,
        text=source.text,
        sources=(*(s for base in bases for s in base.sources), source),
        env_variables={
            **{name: value for base in bases for name, value in base.env_variables.items()},
            **asked,
        },
        imported_names=imported,
        origins=origins,
        namespace={**bound, **dict(dict.items(values))},
    )


def _refuse_unfinished(value: Any, path: str, source: Source) -> None:
    """Refuse values that look like a part of the run and are none."""
    if isinstance(value, words.Unfinished):
        raise ConfigError(
            f"{value!r} describes nothing yet",
            location=value.where,
            config_path=path,
            help=f"call it in turn, with the other arguments: {value!r}()",
        )
    if isinstance(value, GeneratorType):
        raise ConfigError(
            "a generator is used up when it is read once, so it cannot be part of a config",
            location=source.location(value.gi_code.co_firstlineno),
            config_path=path,
            help="make a list: [... for ...]",
        )
    if type(value).__module__ == CONFIG_MODULE and not isinstance(value, _WRITTEN_AS_PLAIN):
        name = path.partition(".")[0]
        raise ConfigError(
            f"{path} is an object of the class {type(value).__name__}, which the config file "
            "defines, so it cannot be written down with the config",
            location=_assignment(name, source),
            config_path=path,
            help=f"define the class in a module and import it; or name the variable _{name}, if "
            "only the file itself uses it",
        )
    if isinstance(value, dict):
        for key, item in dict.items(value):
            if item is not value:
                _refuse_unfinished(item, f"{path}.{key}", source)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _refuse_unfinished(item, f"{path}.{index}", source)


_WRITTEN_AS_PLAIN = (dict, list, tuple, str, bytes, int, float, complex, set, frozenset, type)
"""Objects of classes derived from these are written down as these."""


def _assignment(name: str, source: Source) -> Location | None:
    """Where a file last assigns a variable; ``None`` if it does so in no plain statement."""
    found = None
    for statement in _outline(source)[0].body:
        targets = statement.targets if isinstance(statement, ast.Assign) else ()
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = source.location(statement.lineno)
    return found


def _is_word(value: Any) -> bool:
    if isinstance(value, _Names | MethodType):
        return True
    return any(value is word for table in _WORDS.values() for word in table.values())


class _Importer:
    """The ``__import__`` of one config file, and what else it finds among its builtins."""

    def __init__(
        self,
        source: Source,
        file: _Prepared,
        read_file: FileReader,
        stack: tuple[str, ...],
    ) -> None:
        self.source = source
        self.base_lines = file.base_lines
        self.eager_lines = file.eager_lines
        self.read_file = read_file
        self.stack = stack
        self.ours = file.ours
        self.bases: dict[str, LoadedConfig] = {}
        self.imported_names: set[str] = set()
        private = {**vars(builtins), "__import__": self}
        if self.ours:
            private["isinstance"] = _checking_classes(isinstance)
            private["issubclass"] = _checking_classes(issubclass)
            private["open"] = open_for_reading
        self.globals: dict[str, Any] = {"__builtins__": private}

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        line = sys._getframe(1).f_lineno
        fromlist = fromlist or ()
        with not_recording():
            if level or line in self.base_lines:
                return self._config(name, fromlist, level, self.source.location(line))
            if line in self.eager_lines:
                return builtins.__import__(name, globals, locals, fromlist, level)
            if is_stdlib(name):
                module = self._stdlib(name, globals, locals, fromlist)
                if module is not None:
                    return module
        package = name.partition(".")[0]
        place = f"{self.source.path}, line {line}"
        if not fromlist:
            return Reference(package, None, place)
        names: dict[str, Any] = {inner: Reference(name, inner, place) for inner in fromlist}
        names.update((n, word) for n, word in self._words(name).items() if n in names)
        return _Names(names, None)

    def _words(self, module: str) -> dict[str, Any]:
        found = _WORDS.get(module, {})
        if not found and "read_base" in module:
            return {}
        if module in ("mainspring", "mmengine") or module.startswith(("mainspring.", "mmengine.")):
            found = {"read_base": words.read_base, **found}
        if "include" in found:
            found = {**found, "include": self._include}
        return found

    def _stdlib(
        self,
        name: str,
        globals: Mapping[str, Any] | None,  # noqa: A002 - the signature of __import__
        locals: Mapping[str, Any] | None,  # noqa: A002 - the signature of __import__
        fromlist: Sequence[str],
    ) -> Any:
        """A module of the standard library; ``None`` for one that is only named."""
        package = name.partition(".")[0]
        if self.ours and package not in PURE_MODULES:
            return None
        if self.ours and name == "os":
            return operating_system
        module = builtins.__import__(name, globals, locals, fromlist)
        if self.ours and name == "functools":
            return recording_functools
        return operating_system if self.ours and package == "os" and not fromlist else module

    def read(self, path: str, location: Location | None, scope: str | None = None) -> LoadedConfig:
        """Read a base, once for this file."""
        if path not in self.bases:
            self.bases[path] = self.read_file(
                path, named_at=location, stack=self.stack, scope=scope
            )
        return self.bases[path]

    def _include(self, path: str) -> Any:
        """`include`, for this file."""
        location = self.source.location(sys._getframe(1).f_lineno)
        with not_recording():
            found, scope = resolve_base(path, self.source.path, location)
            loaded = self.read(found, location, scope)
        self.globals.update(_public(loaded.namespace))
        self.imported_names.update(loaded.imported_names)
        return _Names(loaded.namespace, location)

    def _config(self, name: str, fromlist: Sequence[str], level: int, location: Location) -> _Names:
        if not name:
            # `from . import base`: the configs themselves, as modules.
            folder = self._path("x", level, location)
            paths = {
                inner: os.path.join(os.path.dirname(folder), f"{inner}.py") for inner in fromlist
            }
            return _Names(
                {k: _Names(self.read(p, location).namespace, location) for k, p in paths.items()},
                location,
            )
        path = self._path(name, level, location)
        try:
            loaded = self.read(path, location)
        except MissingConfigError as error:
            if error.location is not location:
                raise
            raise MissingBaseError(
                error.message, location=error.location, help=error.help
            ) from None
        wanted = loaded.namespace if "*" in fromlist else fromlist
        self.imported_names.update(name for name in wanted if name in loaded.imported_names)
        names = loaded.namespace
        return _Names(_public(names) if self.ours and "*" in fromlist else names, location)

    def _path(self, name: str, level: int, location: Location) -> str:
        parts = name.split(".") if name else []
        if level:
            folder = os.path.dirname(self.source.path)
            return os.path.normpath(
                os.path.join(folder, *[os.pardir] * (level - 1), *parts) + ".py"
            )
        package, *inner = parts
        if not is_installed(package):
            path, _ = resolve_base(f"{package}::{'/'.join(inner)}.py", self.source.path, location)
            return path
        plain = os.path.join(get_installed_path(package), *inner) + ".py"
        if os.path.isfile(plain):
            return plain
        # OpenMMLab's packages install `package.configs.x` as `.mim/configs/x`.
        below = inner[1:] if inner[:1] == ["configs"] else inner
        path, _ = resolve_base(f"{package}::{'/'.join(below)}.py", self.source.path, location)
        return path


class MissingBaseError(MissingConfigError, ConfigParsingError):
    """A file that ``with read_base():`` imports from is not there."""

    __str__ = ConfigError.__str__


class _Names:
    """What an import statement takes names from."""

    def __init__(self, names: Mapping[str, Any], location: Location | None) -> None:
        self.__dict__.update({"_names": names, "_location": location, "__all__": list(names)})

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__["_names"]
        if name in names:
            return names[name]
        location = self.__dict__["_location"]
        if location is None or name.startswith("__"):
            raise AttributeError(name)
        raise ConfigKeyError(
            f"the base has no variable {name!r}",
            location=location,
            help=did_you_mean(name, names),
        )


def _public(names: Mapping[str, Any]) -> dict[str, Any]:
    """What the star takes: as in Python, no private names."""
    return {name: value for name, value in names.items() if not name.startswith("_")}


def _checking_classes(function: Any) -> Any:
    """`isinstance` or `issubclass` that refuses classes that are not imported."""

    def check(value: Any, classes: Any) -> bool:
        for one in classes if isinstance(classes, tuple) else (classes,):
            if is_lazy(one) or is_lazy(value):
                refuse(
                    f"{function.__name__}() with {one!s} in a config: neither the object nor the "
                    "class is there yet",
                    "compare the type of the recorded call: model.type",
                )
        return bool(function(value, classes))

    return check
