"""What a conversion did, and what it left as it was."""

from __future__ import annotations

from dataclasses import dataclass, field

from mainspring.errors import Location

__all__ = ["ConversionReport", "Remark"]


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
class ConversionReport:
    """The result of `mainspring.config.convert.convert`.

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

    def __str__(self) -> str:
        lines = [str(remark) for remark in self.remarks]
        lines += [f"wrote {path}" for path in self.written]
        kept = f", {self.kept} kept as dicts" if self.kept else ""
        lines.append(f"{self.calls} calls{kept}; the new config equals the old one")
        return "\n".join(lines)
