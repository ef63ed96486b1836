"""`convert`: write a config and its bases as recorded files, and make sure that they are equal."""

from __future__ import annotations

import ast
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from mainspring.comparison import different
from mainspring.config.config_dict import ConfigDict, keeping_lazy
from mainspring.config.load import load_source
from mainspring.config.printing.plain import is_name
from mainspring.config.source import LoadedConfig, ReadOptions, Source
from mainspring.errors import ConfigError, ConfigKeyError
from mainspring.names import DataName, ForbiddenNameError, is_allowed
from mainspring.names.imports import import_modules_from_strings
from mainspring.tools.convert.apart import apart, sharing
from mainspring.tools.convert.equality import differences, public
from mainspring.tools.convert.file_names import bound_names
from mainspring.tools.convert.files import (
    OldFile,
    base_statement,
    new_paths,
    read_chain,
    staged_paths,
)
from mainspring.tools.convert.imports import Imports, assemble
from mainspring.tools.convert.inherit import changes_between
from mainspring.tools.convert.names import Names
from mainspring.tools.convert.printer import Printer
from mainspring.tools.convert.report import Attempt, ConversionReport, Remark
from mainspring.tools.convert.source import SourceRewriter, Style, new_imports
from mainspring.tools.convert.templates import TemplateError

__all__ = ["convert"]

Write = Callable[[Attempt], tuple[str, Sequence[str] | None]]
"""Gives the text of a new file, and the statements behind its imports that import its bases.

Those are ``None`` for a text that has all of its imports.
"""


_STYLES = (Style(), Style(repeats=True), Style(aliases=False))
"""What is tried in turn, the most readable first."""


class ExistingFileError(ConfigError, FileExistsError):
    """A new file would take the place of one that is there."""


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
    there = [
        paths[file.key]
        for file in files
        if os.path.exists(paths[file.key])
        and not (file.dialect == "recorded" and os.path.realpath(paths[file.key]) == file.key)
    ]
    if there and not force:
        raise ExistingFileError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already",
            help="name another place, or replace with --force",
        )
    report = ConversionReport()
    with keeping_lazy():
        scope = files[-1].loaded.values.get("default_scope")
        custom = files[-1].loaded.values.get("custom_imports")
    names = Names(scope if isinstance(scope, str) else None)
    _import_custom(files[-1], custom, report)
    texts: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        staged = staged_paths(paths, folder)
        made: dict[str, LoadedConfig] = {}
        for file in files:
            text, attempt = _FileConversion(file, names, staged, made, flat).best()
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


def _import_custom(file: OldFile, custom: Any, report: ConversionReport) -> None:
    """Import what the config asks for, so that its names are known."""
    modules = custom.get("imports", []) if isinstance(custom, dict) else []
    for module in [modules] if isinstance(modules, str) else modules:
        try:
            if isinstance(module, DataName) and not is_allowed(module):
                root = module.partition(".")[0]
                raise ForbiddenNameError("data imports nothing", help=f"allow it: --allow {root}")
            import_modules_from_strings(module)
        except ImportError as error:
            place = Attempt(file, Names()).place_of("custom_imports.imports")
            said = f"{module} cannot be imported, so its names are not known: {error}"
            report.remarks.append(Remark(place, said))


@dataclass
class _FileConversion:
    """Finds the way to write one file that keeps most of it and reads back equal."""

    file: OldFile
    names: Names
    paths: Mapping[str, str]
    made: Mapping[str, LoadedConfig]
    flat: bool

    @cached_property
    def final(self) -> dict[Any, Any]:
        return _own(self.file.loaded)

    def best(self) -> tuple[str, Attempt]:
        """The text of the new file, and what there is to say about it.

        Raises:
            ConfigError: No way works.
        """
        reason: str | None = None
        refused: Exception = ConfigError("there is no way to write it")
        for is_printed, write in self._ways():
            attempt = Attempt(self.file, self.names)
            try:
                body, bases = write(attempt)
                text = body if bases is None else assemble(body, attempt.imports, bases)
                wrong = self._differences(text, attempt)
                if wrong and not is_printed and sharing(_own(attempt.loaded)):
                    body = apart(body, attempt.loaded.namespace, attempt.imports)
                    text = assemble(body, attempt.imports, bases or ())
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
        """What is tried in turn, the most readable first, with whether it prints values."""
        dialect, has_bases = self.file.dialect, bool(self.file.bases)
        keeps_text = not (has_bases and self.flat)
        if dialect == "recorded" and keeps_text:
            yield False, self._kept
        if dialect in ("text", "new") and keeps_text:
            for style in _STYLES:
                yield False, partial(self._rewritten, style=style)
        if dialect != "recorded" and has_bases and not self.flat:
            yield True, self._changes
        yield True, self._printed

    def _differences(self, text: str, attempt: Attempt) -> list[str]:
        path = self.paths[self.file.key]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        attempt.loaded = load_source(Source.read(path), ReadOptions(outermost=path))
        new = _own(attempt.loaded)
        wrong = list(differences(self.final, new, self.names))
        return wrong or [path for path, *_ in different(sharing(self.final), sharing(new))]

    # The ways

    def _kept(self, attempt: Attempt) -> tuple[str, None]:
        text = self.file.source.text
        attempt.imports = Imports(bound_names(ast.parse(text)), {})
        return text, None

    def _rewritten(self, attempt: Attempt, style: Style) -> tuple[str, Sequence[str]]:
        self._inherit(attempt)
        for key in map(str, dict.keys(self.file.loaded.values)):
            if key == "_deprecation_" or (key.startswith("_") and key not in attempt.old):
                said = f"{key}: a private name is no part of a recorded config"
                attempt.remark(attempt.place_of(key).line, said)
        return SourceRewriter(attempt, self._base_lines, style).rewritten()

    def _changes(self, attempt: Attempt) -> tuple[str, Sequence[str]]:
        self._inherit(attempt)
        new_imports(attempt, set(self.final), {})
        lines = list(changes_between(attempt, self.final))
        return self._headed(lines), self._base_lines(attempt.imports)

    def _printed(self, attempt: Attempt) -> tuple[str, Sequence[str]]:
        for key in self.final:
            if not is_name(key):
                raise ConfigKeyError(f"the key {key!r} is no name of a variable")
        new_imports(attempt, set(self.final), {})
        printer = Printer(attempt)
        lines = printer.shared_lines(self.final)
        lines += [printer.assignment(key, value, (key,)) for key, value in self.final.items()]
        return self._headed(lines), ()

    def _headed(self, lines: list[str]) -> str:
        """The lines of a file, behind the comments that the old one begins with."""
        old = self.file.source.text.split("\n")
        comments = "\n".join(itertools.takewhile(lambda line: line.startswith("#"), old))
        return f"{comments}\n\n" * bool(comments) + "\n".join(lines)

    def _base_lines(self, imports: Imports) -> list[str]:
        own = self.paths[self.file.key]
        lines = (base_statement(base, own, self.paths, imports) for base in self.file.bases)
        return list(dict.fromkeys(lines))

    def _inherit(self, attempt: Attempt) -> None:
        """Look up what the file gets from its bases: the old values, and the new names."""
        old, new = dict[str, Any](), dict[str, Any]()
        for base in self.file.bases:
            before = load_source(Source.read(base.path), ReadOptions(outermost=base.path))
            after = before if base.is_external else self.made[os.path.realpath(base.path)]
            for into, loaded in ((old, before.values), (new, after.namespace)):
                for name, value in dict.items(loaded):
                    if base.names is None or name in base.names:
                        into[name if base.names is None else base.names[name]] = value
        attempt.old = old
        attempt.new = {name: value for name, value in new.items() if not name.startswith("_")}


def _told(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return error.message
    return str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"


def _own(loaded: LoadedConfig) -> dict[Any, Any]:
    values: ConfigDict = loaded.values
    return public({k: v for k, v in dict.items(values) if k not in loaded.imported_names})
