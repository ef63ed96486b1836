"""What a conversion did, and what it left as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.config.provenance.places import locate
from mainspring.config.source import LoadedConfig
from mainspring.errors import Location
from mainspring.tools.convert.files import OldFile
from mainspring.tools.convert.imports import Imports
from mainspring.tools.convert.names import Names

__all__ = ["Attempt", "ConversionReport", "Remark"]


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in an old file that did not become what it could have been.

    Attributes:
        where: The line of the old file.
        text: What happened to it.
    """

    where: Location
    text: str

    def __str__(self) -> str:
        return f"{Location(self.where.file, self.where.line)}: {self.text}"


@dataclass(slots=True)
class Attempt:
    """One way to write a file, and what it says about it.

    Attributes:
        file: The old file.
        names: Says what types mean.
        old: The values that the old file gets from its bases.
        new: The names that the new file gets from its new bases.
        imports: What the new file imports; is given what its text uses.
        loaded: What the new file yields.
        remarks: What a person should look at.
        calls: How many dicts became calls.
        kept: How many dicts with a ``type`` stayed dicts.
    """

    file: OldFile
    names: Names
    old: Mapping[str, Any] = field(default_factory=dict)
    new: Mapping[str, Any] = field(default_factory=dict)
    imports: Imports = field(init=False)
    loaded: LoadedConfig = field(init=False)
    remarks: list[Remark] = field(default_factory=list)
    calls: int = 0
    kept: int = 0

    def place_of(self, *paths: str) -> Location:
        """Where the first of some paths is written that is written somewhere; else the first line.

        Args:
            *paths: Dotted paths.
        """
        places = (locate(self.file.loaded.values, path) for path in paths)
        return next(filter(None, places), Location(self.file.source.path, 1))

    def on_type(self, where: int | str, reason: str | None) -> None:
        """Note what became of a dict with a type.

        Args:
            where: Its line, or the dotted path that leads to it.
            reason: Why it stays a dict; ``None`` where it does not.
        """
        if reason is None:
            self.calls += 1
            return
        self.kept += 1
        self.remark(where, f"kept as a dict: {reason}")

    def remark(self, where: int | str, text: str) -> None:
        """Note something.

        Args:
            where: A line, or a dotted path.
            text: What to say about it.
        """
        if isinstance(where, int):
            place = Location(self.file.source.path, where)
        else:
            place = self.place_of(f"{where}.type", where)
        remark = Remark(place, text)
        if isinstance(where, int) or remark not in self.remarks:
            self.remarks.append(remark)


@dataclass(slots=True)
class ConversionReport:
    """The result of `mainspring.tools.convert.convert`.

    Attributes:
        written: Paths of the new files, bases before those that build on them.
        remarks: What a person should look at, in the order of the files and lines.
        calls: How many dicts became calls, in all files.
        kept: How many dicts with a ``type`` stayed dicts.
    """

    written: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    calls: int = 0
    kept: int = 0

    def as_json(self) -> dict[str, Any]:
        """The report as a dict that JSON can hold."""
        remarks = [
            {"file": each.where.file, "line": each.where.line, "text": each.text}
            for each in self.remarks
        ]
        return {"written": self.written, "remarks": remarks, "calls": self.calls, "kept": self.kept}

    def __str__(self) -> str:
        lines = [str(remark) for remark in self.remarks]
        lines += [f"wrote {path}" for path in self.written]
        kept = f", {self.kept} kept as dicts" if self.kept else ""
        lines.append(f"{self.calls} calls{kept}; the new config equals the old one")
        return "\n".join(lines)
