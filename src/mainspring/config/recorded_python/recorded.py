"""Recorded configs: Python files whose imports are not carried out and whose calls are recorded.

A file runs with its own ``__import__``, so nothing outside of it is patched: other configs are
read, pure modules of the standard library are imported, and every other name becomes a `Reference`.
Calling one gives a `Node`. MMEngine's new-style files, with ``with read_base():``, are a subset.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MethodType
from typing import Any

from mainspring import config
from mainspring.config import words
from mainspring.config.config_dict import ConfigDict, duplicate, keeping_lazy
from mainspring.config.edit import Editor
from mainspring.config.external import resolve_base
from mainspring.config.lazy import is_lazy
from mainspring.config.provenance.marking import Marker
from mainspring.config.provenance.marks import key_marks, overlay, session
from mainspring.config.recorded_python.lint import (
    PURE_MODULES,
    Outline,
    check,
    imports_stdlib,
    is_stdlib,
    outline_of,
)
from mainspring.config.recorded_python.outcome import (
    refuse_dead_changes,
    refuse_unfinished,
    unpack_runner,
)
from mainspring.config.recorded_python.recording import (
    RefusedError,
    calling_place,
    calling_token,
    not_recording,
    recording,
)
from mainspring.config.recorded_python.reference import Reference, constant_or_name
from mainspring.config.recorded_python.run_source import Namespace, executed
from mainspring.config.recorded_python.surroundings import (
    ASKING,
    asking_type,
    operating_system,
    recording_dataclasses,
    recording_functools,
    without_effects,
)
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.config.source import FileReader, LoadedConfig, ReadOptions, Source
from mainspring.config.text_dialect.text import Program, is_machinery, program_of
from mainspring.errors import (
    ConfigKeyError,
    ConfigParsingError,
    Location,
    MissingConfigError,
    did_you_mean,
)
from mainspring.names.packages import get_installed_path, is_installed

__all__ = ["deciding_line", "load_recorded"]


_WORDS: dict[str, dict[str, Any]] = {
    "mainspring.config": {
        name: getattr(config, name)
        for name in config.__all__
        if name not in ("Config", "ConfigDict", "DictAction", "Node", "allow_packages")
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
    outline = outline_of(source)
    if outline.base is not None and not outline.base_blocks and not outline.imports_us:
        return None
    lines = [node.lineno for node in outline.imports if not imports_stdlib(node)]
    return min([*lines, *outline.base_lines], default=None)


@lru_cache(maxsize=256)
def _prepared(source: Source, absolute_path: str) -> Program:
    """Prepare a file; where it lies is asked for since a relative path may lead elsewhere later."""
    outline = outline_of(source)
    check(outline, source)
    # Annotations stay texts: `ResNet | None` in a signature is a value to nobody.
    flags = __future__.annotations.compiler_flag
    return program_of(source, absolute_path, source.text, (), flags)


def load_recorded(source: Source, options: ReadOptions, read_file: FileReader) -> LoadedConfig:
    """Read a recorded or new-style file and its bases.

    Args:
        source: The file.
        options: Values that the command line gives to variables, and the function to call.
        read_file: Reads a base.

    Raises:
        ConfigError: The file or a base cannot be read, or does what a config may not do.
    """
    program = _prepared(source, source.absolute_path)
    file = outline_of(source)
    importer = _Importer(source, program, read_file)
    names = Namespace(importer.globals, options)
    with not_recording():
        for entry, place in program.bases:
            path, scope = resolve_base(entry, source.path, place)
            loaded = importer.read(path, place, scope)
            names.take_over(loaded.namespace)
            importer.marker.take_over(loaded.marks)
    asked: dict[str, Any] = {}
    with session() as current, current.sharing(file.is_ours):
        with (
            keeping_lazy(),
            recording(source),
            without_effects(file.is_ours and file.has_effects),
            words.asked_variables(asked),
        ):
            executed(program.code, source, importer.globals, names)
        return _result(source, file, importer, asked, options)


def _result(
    source: Source, file: Outline, importer: _Importer, asked: dict[str, Any], options: ReadOptions
) -> LoadedConfig:
    bound = {
        name: value
        for name, value in importer.globals.items()
        if not (name.startswith("__") or name == "_base_")
    }
    importer.marker.give_marks(bound)
    if file.is_ours and options.is_outermost(source):
        bound = unpack_runner(bound, source, options)
    imported = file.imported_names | (importer.imported_names - file.assigned)
    values = ConfigDict()
    for key, value in bound.items():
        dropped = file.is_ours and (key.startswith("_") or key in imported)
        if dropped and key in RUNNER_SECTIONS and is_lazy(value) and options.is_outermost(source):
            raise _imported_section_error(key, source, file)
        if not (dropped or is_machinery(value) or _is_word(value)):
            values[key] = value
            overlay(values, key, bound)
    if file.is_ours:
        for key, value in dict.items(values):
            refuse_unfinished(value, key, source)
        refuse_dead_changes(importer.globals, source)
    # What a file does not bind itself belongs to the file that it was imported from.
    namespace = {**bound, **dict(dict.items(values))}
    origins: dict[str, tuple[str, ...]] = dict.fromkeys(values, (source.absolute_path,))
    bases = importer.bases.values()
    for base in bases:
        for key in set(base.origins).intersection(values):
            if base.namespace[key] is namespace[key]:
                origins[key] = base.origins[key]
    return LoadedConfig.of(
        source,
        bases,
        duplicate(values, {}) if file.is_ours else values,
        env_variables=asked,
        imported_names=imported,
        origins=origins,
        namespace=namespace,
        marks=key_marks(bound),
    )


def _imported_section_error(key: str, source: Source, file: Outline) -> RefusedError:
    names = ((node, name) for node in file.imports for name in node.names)
    lines = (node.lineno for node, name in names if key in (name.name, name.asname))
    return RefusedError(
        f"{key} is imported, and an imported name is no section of the config",
        location=source.location(next(lines, 1)),
        config_path=key,
        help=f"`from .base import {key}` takes it from a config beside this one; else assign it: "
        f"{key} = ...",
    )


def _is_word(value: Any) -> bool:
    if isinstance(value, _Names | MethodType | Editor):
        return True
    return any(value is word for table in _WORDS.values() for word in table.values())


class _Importer:
    """The ``__import__`` of one config file, and what else it finds among its builtins."""

    def __init__(self, source: Source, program: Program, read_file: FileReader) -> None:
        self.source = source
        self.file = file = outline_of(source)
        self.read_file = read_file
        self.bases: dict[str, LoadedConfig] = {}
        self.imported_names: set[str] = set()
        self.globals: dict[str, Any] = {}
        self.marker = Marker(program.sites, self.globals, program.text)
        private = {**vars(builtins), **self.marker.words, **ASKING, "__import__": self}
        if file.only_calls_type:
            private["type"] = asking_type
        self.globals["__builtins__"] = private

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        line = sys._getframe(1).f_lineno
        if isinstance(fromlist, list):  # Python's own C code needs a module, as for `strptime`
            return builtins.__import__(name, globals, locals, fromlist, level)
        fromlist = fromlist or ()
        package, ours = name.partition(".")[0], self.file.is_ours
        with not_recording():
            if level or line in self.file.base_lines:
                return self._config(name, fromlist, level, self._import_place(line))
            if line in self.file.eager_lines:
                return builtins.__import__(name, globals, locals, fromlist, level)
            if is_stdlib(name) and (not ours or package in PURE_MODULES):
                if ours and package == "os" and (name == "os" or not fromlist):
                    return operating_system
                if name == "dataclasses":
                    return recording_dataclasses
                module = builtins.__import__(name, globals, locals, fromlist)
                return recording_functools if ours and name == "functools" else module
        place = f"{self.source.path}, line {line}"
        if not fromlist:
            return Reference(package, None, place)
        names: dict[str, Any] = {
            inner: constant_or_name(Reference(name, inner, place)) for inner in fromlist
        }
        names.update((n, word) for n, word in self._words(name).items() if n in names)
        return _Names(names, None)

    def _import_place(self, line: int, name: str | None = None) -> Location:
        """Where an import statement names its module, or a name that it takes from there."""
        for node in outline_of(self.source).imports:
            if node.lineno != line or not isinstance(node, ast.ImportFrom):
                continue
            for alias in node.names:
                if alias.name == name or not (name or node.module):
                    return self.source.place_of(alias)
            return self.source.location(line, node.col_offset + len("from ") + 1)
        return self.source.location(line)

    def _words(self, module: str) -> dict[str, Any]:
        found = _WORDS.get(module, {})
        if not found and "read_base" in module:
            return {}
        if module.partition(".")[0] in ("mainspring", "mmengine"):
            found = {"read_base": words.read_base, **found}
        if "include" in found:
            found = {**found, "include": self._include}
        return found

    def read(self, path: str, location: Location | None, scope: str | None = None) -> LoadedConfig:
        """Read a base, once for this file."""
        if path not in self.bases:
            with session() as current, current.sharing(False):
                self.bases[path] = self.read_file(path, location, scope)
        return self.bases[path]

    def _include(self, path: str) -> Any:
        """`include`, for this file."""
        location = calling_place() or self.source.location(sys._getframe(1).f_lineno)
        with not_recording():
            found, scope = resolve_base(path, self.source.path, location)
            loaded = self.read(found, location, scope)
        self.globals.update(_public(loaded.namespace))
        self.marker.take_over(loaded.marks)
        self.imported_names.update(loaded.imported_names)
        return _Names(loaded.namespace, lambda _: calling_token() or location)

    def _config(self, name: str, fromlist: Sequence[str], level: int, location: Location) -> _Names:
        if not name:
            # `from . import base`: the configs themselves, as modules.
            place = lambda _: calling_token() or location  # noqa: E731 - two names of one import
            paths = {inner: self._path(inner, level, location) for inner in fromlist}
            loaded_configs = {inner: self.read(path, location) for inner, path in paths.items()}
            modules = {k: _Names(one.namespace, place) for k, one in loaded_configs.items()}
            return _Names(modules, place)
        path = self._path(name, level, location)
        try:
            loaded = self.read(path, location)
        except MissingConfigError as error:
            if error.location is not location:
                raise
            raise MissingBaseError(
                error.message, location=error.location, help=error.help
            ) from None
        names, takes_all = loaded.namespace, "*" in fromlist
        self.imported_names |= loaded.imported_names.intersection(names if takes_all else fromlist)
        self.marker.imported = loaded.marks
        public = _public(names) if self.file.is_ours and takes_all else names
        return _Names(public, lambda name: self._import_place(location.line, name))

    def _path(self, name: str, level: int, location: Location) -> str:
        package, *inner = name.split(".")
        if level:
            above = [os.path.dirname(self.source.path), *[os.pardir] * (level - 1)]
            return os.path.normpath(os.path.join(*above, package, *inner) + ".py")
        if is_installed(package):
            plain = os.path.join(get_installed_path(package), *inner) + ".py"
            if os.path.isfile(plain):
                return plain
            # OpenMMLab's packages install `package.configs.x` as `.mim/configs/x`.
            inner = inner[1:] if inner[:1] == ["configs"] else inner
        path, _ = resolve_base(f"{package}::{'/'.join(inner)}.py", self.source.path, location)
        return path


class MissingBaseError(MissingConfigError, ConfigParsingError):
    """A file that ``with read_base():`` imports from is not there."""


class _Names:
    """What an import statement takes names from."""

    def __init__(self, names: Mapping[str, Any], place: Callable[[str], Location] | None) -> None:
        self.__dict__.update({"_names": names, "_place": place, "__all__": list(names)})

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__["_names"]
        if name in names:
            return names[name]
        place = self.__dict__["_place"]
        if place is None or name.startswith("__"):
            raise AttributeError(name)
        raise ConfigKeyError(
            f"the base has no variable {name!r}",
            location=place(name),
            help=did_you_mean(name, names),
        )


def _public(names: Mapping[str, Any]) -> dict[str, Any]:
    """What the star takes: as in Python, no private names."""
    return {name: value for name, value in names.items() if not name.startswith("_")}
