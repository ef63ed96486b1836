"""`convert`: write a config and its bases as recorded files, and make sure that they are equal."""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mainspring.config.config_dict import ConfigDict, keeping_lazy
from mainspring.config.convert.assembly import assemble
from mainspring.config.convert.chain import OldFile, read_chain
from mainspring.config.convert.compare import differences, public
from mainspring.config.convert.imports import Imports
from mainspring.config.convert.inherit import BaseState, changes_between
from mainspring.config.convert.layout import base_statement, new_paths, staged_paths
from mainspring.config.convert.names import Names
from mainspring.config.convert.printer import Printer, is_name
from mainspring.config.convert.report import ConversionReport, Remark
from mainspring.config.convert.source import SourceRewriter, Style, new_imports
from mainspring.config.convert.templates import TemplateError
from mainspring.config.errors import ConfigKeyError
from mainspring.config.load import load_source
from mainspring.config.locate import locate
from mainspring.config.source import LoadedConfig, ReadOptions, Source
from mainspring.errors import ConfigError, Location
from mainspring.utils import import_modules_from_strings

__all__ = ["convert"]

Write = Callable[["_Attempt"], str]


_STYLES = (
    Style(),
    Style(repeats=True),
    Style(aliases=False),
    Style(edits=False, aliases=False),
)
"""What is tried in turn, the most readable first."""


class ExistingFileError(ConfigError, FileExistsError):
    """A new file would take the place of one that is there."""

    __str__ = ConfigError.__str__


def convert(
    old: str | Path, new: str | Path, *, flat: bool = False, force: bool = False
) -> ConversionReport:
    """Write a config as a recorded one, with its bases, and compare the two.

    Dicts with a ``type`` become calls, bases become relative imports, what a child merges becomes
    `mainspring.config.edit` lines, templates become variables and `mainspring.config.env`. Where a
    file's own text cannot be kept, its values are printed instead.

    Args:
        old: A config of any format.
        new: The new config, a ``.py`` file, or a directory for it and its bases. The bases keep
            their places relative to the config.
        flat: Whether to write one file without bases.
        force: Whether files that are there may be replaced.

    Returns:
        What was written, and what a person should look at.

    Raises:
        ConfigError: The old config cannot be read, a file is there already (`FileExistsError`), or
            the config cannot be written.
    """
    files = read_chain(str(old))
    if flat and files[-1].bases:
        files = files[-1:]
    paths = new_paths(files, str(new))
    if not force:
        _refuse_existing(files, paths)
    report = ConversionReport()
    names = Names(_scope(files[-1]))
    _import_custom(files[-1], report)
    with tempfile.TemporaryDirectory() as folder:
        staged = staged_paths(paths, folder)
        texts: dict[str, str] = {}
        made: dict[str, LoadedConfig] = {}
        for file in files:
            conversion = _FileConversion(file, names, staged, made, flat)
            text, attempt = conversion.best()
            texts[file.key], made[file.key] = text, attempt.loaded
            report.calls += attempt.calls
            report.kept += attempt.kept
            report.remarks += sorted(attempt.remarks, key=lambda r: (r.where.file, r.where.line))
    for file in files:
        path = paths[file.key]
        if not (os.path.exists(path) and Path(path).read_text(encoding="utf-8") == texts[file.key]):
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            Path(path).write_text(texts[file.key], encoding="utf-8")
        report.written.append(path)
    return report


def _refuse_existing(files: Sequence[OldFile], paths: Mapping[str, str]) -> None:
    there = [
        paths[file.key]
        for file in files
        if os.path.exists(paths[file.key])
        and not (file.dialect == "recorded" and os.path.realpath(paths[file.key]) == file.key)
    ]
    if there:
        raise ExistingFileError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already",
            help="name another place, or replace with --force",
        )


def _scope(file: OldFile) -> str | None:
    with keeping_lazy():
        scope = file.loaded.values.get("default_scope")
    return scope if isinstance(scope, str) else None


def _import_custom(file: OldFile, report: ConversionReport) -> None:
    """Import what the config asks for, so that its names are known."""
    with keeping_lazy():
        wanted = file.loaded.values.get("custom_imports")
    modules = wanted.get("imports", []) if isinstance(wanted, dict) else []
    for module in [modules] if isinstance(modules, str) else modules:
        try:
            import_modules_from_strings(module)
        except ImportError as error:
            place = locate(file.loaded.sources, "custom_imports.imports")
            where = place or Location(file.source.path, 1)
            report.remarks.append(
                Remark(where, f"{module} cannot be imported, so its names are not known: {error}")
            )


@dataclass(slots=True)
class _Attempt:
    """One way to write a file, and what it says about it."""

    file: OldFile
    remarks: list[Remark] = field(default_factory=list)
    calls: int = 0
    kept: int = 0
    loaded: LoadedConfig = field(init=False)

    def on_line(self, line: int, reason: str | None) -> None:
        """Note what became of a dict with a type."""
        if reason is None:
            self.calls += 1
        else:
            self.kept += 1
            self.remark(line, f"kept as a dict: {reason}")

    def on_path(self, path: str, reason: str | None) -> None:
        """The same for a dict whose place in the file has to be found."""
        if reason is None:
            self.calls += 1
            return
        self.kept += 1
        sources = self.file.loaded.sources
        where = locate(sources, f"{path}.type") or locate(sources, path)
        where = where or Location(self.file.source.path, 1)
        remark = Remark(where, f"kept as a dict: {reason}")
        if remark not in self.remarks:
            self.remarks.append(remark)

    def remark(self, line: int, text: str) -> None:
        """Note something about a line."""
        self.remarks.append(Remark(Location(self.file.source.path, line), text))


@dataclass(slots=True)
class _FileConversion:
    """Finds the way to write one file that keeps most of it and reads back equal."""

    file: OldFile
    names: Names
    paths: Mapping[str, str]
    made: Mapping[str, LoadedConfig]
    flat: bool

    def best(self) -> tuple[str, _Attempt]:
        """The text of the new file, and what there is to say about it.

        Raises:
            ConfigError: No way works.
        """
        reason: str | None = None
        refused: Exception = ConfigError("there is no way to write it")
        for is_printed, write in self._ways():
            attempt = _Attempt(self.file)
            try:
                text = write(attempt)
                wrong = self._differences(text, attempt)
                if wrong:
                    raise ConfigError(f"{', '.join(wrong[:3])} would differ")
            except Exception as error:  # noqa: BLE001 - old text may do anything when it is recorded
                refused = error
                reason = reason or _told(error)
            else:
                if is_printed and reason is not None:
                    attempt.remark(1, f"its values are printed, not its text: {reason}")
                return text, attempt
        raise ConfigError(
            f"{self.file.source.path} cannot be written as a recorded config: {_told(refused)}",
            config_path=getattr(refused, "config_path", None),
            help=getattr(refused, "help", None),
        ) from refused

    def _ways(self) -> Iterator[tuple[bool, Write]]:
        file = self.file
        is_alone = not file.bases
        if file.dialect == "recorded" and (is_alone or not self.flat):
            yield False, lambda _: file.source.text
        if file.dialect in ("text", "new") and (is_alone or not self.flat):
            for style in _STYLES:
                yield False, partial(self._rewritten, style=style)
        if file.bases and not self.flat and file.dialect != "recorded":
            yield True, self._changes
        yield True, self._printed

    def _differences(self, text: str, attempt: _Attempt) -> list[str]:
        path = self.paths[self.file.key]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        attempt.loaded = load_source(Source.read(path), ReadOptions(outermost=path))
        old, new = (_own(loaded) for loaded in (self.file.loaded, attempt.loaded))
        return list(differences(old, new, self.names))

    # The ways

    def _rewritten(self, attempt: _Attempt, style: Style) -> str:
        old, new = self._inherited()
        for key in dict.keys(self.file.loaded.values):
            if key == "_deprecation_" or (str(key).startswith("_") and key not in old):
                place = locate(self.file.loaded.sources, str(key))
                line = place.line if place is not None else 1
                attempt.remark(line, f"{key}: a private name is no part of a recorded config")
        return SourceRewriter(
            self.file,
            self.names,
            old,
            new,
            self._base_lines,
            style,
            attempt.on_line,
            attempt.remark,
        ).rewritten()

    def _changes(self, attempt: _Attempt) -> str:
        old, new = self._inherited()
        final = _own(self.file.loaded)
        imports = new_imports(set(final), new, {})
        printer = Printer(self.names, imports, attempt.on_path)
        base = BaseState(old, new, imports)
        lines = list(changes_between(base, final, self.names, printer))
        bases = self._base_lines(imports)
        return assemble(_header(self.file) + "\n".join(lines), imports, bases)

    def _printed(self, attempt: _Attempt) -> str:
        final = _own(self.file.loaded)
        for key in final:
            if not is_name(key):
                raise ConfigKeyError(f"the key {key!r} is no name of a variable")
        imports = new_imports(set(final), {}, {})
        printer = Printer(self.names, imports, attempt.on_path)
        lines = [
            f"{key} = {printer.text(value, (key,), 0, len(key) + 3)}"
            for key, value in final.items()
        ]
        return assemble(_header(self.file) + "\n".join(lines), imports, [])

    # Bases

    def _base_lines(self, imports: Imports) -> list[str]:
        if self.file.dialect == "new":
            tree = ast.parse(self.file.source.text)
            return [
                ast.unparse(node)
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) and node.level
            ]
        own = self.paths[self.file.key]
        return [
            base_statement(
                base,
                own,
                None if base.is_external else self.paths[os.path.realpath(base.path)],
                imports,
            )
            for base in self.file.bases
        ]

    def _inherited(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the file gets from its bases: the old values, and the new names."""
        old: dict[str, Any] = {}
        new: dict[str, Any] = {}
        wanted = _wanted_names(self.file)
        for base in self.file.bases:
            source = Source.read(base.path)
            before = load_source(source, ReadOptions(outermost=base.path))
            after = before if base.is_external else self.made[os.path.realpath(base.path)]
            names = wanted.get(base.written)
            for into, loaded in ((old, before.values), (new, after.namespace)):
                for name, value in dict.items(loaded):
                    if names is None or name in names:
                        into[name if names is None else names[name]] = value
        return old, {name: value for name, value in new.items() if not name.startswith("_")}


def _told(error: Exception) -> str:
    if isinstance(error, ConfigError | TemplateError):
        return error.message if isinstance(error, ConfigError) else str(error)
    return f"{type(error).__name__}: {error}"


def _wanted_names(file: OldFile) -> dict[str, dict[str, str] | None]:
    """The names that a new-style file imports from each base, and what it calls them."""
    wanted: dict[str, dict[str, str] | None] = {}
    if file.dialect != "new":
        return wanted
    for node in ast.walk(ast.parse(file.source.text)):
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            written = "." * node.level + node.module
            if any(alias.name == "*" for alias in node.names):
                wanted[written] = None
            elif wanted.get(written, {}) is not None:
                known = wanted.setdefault(written, {})
                assert known is not None
                known.update({alias.name: alias.asname or alias.name for alias in node.names})
    return wanted


def _own(loaded: LoadedConfig) -> dict[Any, Any]:
    values: ConfigDict = loaded.values
    return public({k: v for k, v in dict.items(values) if k not in loaded.imported_names})


def _header(file: OldFile) -> str:
    """The comments that a file begins with."""
    lines: list[str] = []
    for line in file.source.text.split("\n"):
        if not line.startswith("#"):
            break
        lines.append(line)
    return "\n".join([*lines, "", ""]) if lines else ""
