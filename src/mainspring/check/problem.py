"""`Problem`: one thing that is wrong with a config, where, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mainspring.config.provenance.places import Places
from mainspring.errors import Location, MainspringError

__all__ = ["Problem", "Problems", "Severity", "words_of"]

_UNEXPECTED = re.compile("unexpected keyword argument|has no argument")

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a config.

    Attributes:
        severity: ``"error"`` if the run would fail, ``"warning"`` if it would hardly do what is
            meant.
        message: What is wrong, with the offending value shown.
        location: Where it is written; ``None`` if no file says it.
        help: What to do instead, such as the nearest valid name.
        config_path: Dotted path in the config, such as ``model.backbone.depth``.
        only_checked: Whether a run does not say it beforehand: building the part says it, or no
            more speaks for it than an annotation of a project.
    """

    severity: Severity
    message: str
    location: Location | None = None
    help: str | None = None
    config_path: str | None = None
    only_checked: bool = False

    def __str__(self) -> str:
        return str(
            MainspringError(
                self.message, location=self.location, config_path=self.config_path, help=self.help
            )
        )


class Problems:
    """Collects problems, each once.

    Args:
        places: Where things are written.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self._found: dict[tuple[str, str], Problem] = {}

    def add(
        self,
        severity: Severity,
        message: str,
        path: Sequence[str],
        help: str | None = None,  # noqa: A002 - the word that compilers print
        *,
        location: Location | None = None,
        only_checked: bool = False,
    ) -> None:
        """Add a problem, unless the same one is known from another path to the same line.

        Args:
            severity: As for `Problem`, as are ``message``, ``help`` and ``only_checked``.
            message: What is wrong.
            path: The keys that lead to it; none for what is wrong with the whole.
            help: What to do instead.
            location: Where it is written, where that is not the place of the path.
            only_checked: Whether a run does not say it beforehand.
        """
        if location is None and path:
            location = self.places.of(path)
        dotted = ".".join(path) or None
        problem = Problem(severity, message, location, help, dotted, only_checked)
        place = problem.location or problem.config_path
        for key, known in self._found.items() if _UNEXPECTED.search(message) else ():
            same = known.config_path == problem.config_path and known.location == problem.location
            if same and known.severity == "warning":  # its words are the better ones
                self._found[key] = replace(known, severity=problem.severity)
                return
        self._found.setdefault((problem.message, str(place)), problem)

    @property
    def found(self) -> list[Problem]:
        """The problems, as they were found."""
        return list(self._found.values())

    def in_order(self) -> list[Problem]:
        """The problems by file, in the order in which files were first named, and by line."""
        places = (problem.location for problem in self.found)
        files = list(dict.fromkeys(place.file for place in places if place is not None))

        def key(problem: Problem) -> tuple[int, int, int]:
            place = problem.location
            if place is None:
                return len(files), 0, 0
            return files.index(place.file), place.line, place.column or 0

        return sorted(self.found, key=key)


def words_of(said: Any) -> tuple[str, str | None]:
    """What an error or a warning says, and its advice.

    Args:
        said: The error, or the text of the warning.
    """
    if message := getattr(said, "message", None):
        return message, getattr(said, "help", None)
    for note in getattr(said, "__notes__", ()):  # as of an argument that nothing takes
        if " has no argument " in note:
            wrong, _, hint = note.partition("; ")
            return wrong, hint or None
    first = f"KeyError: {said}" if isinstance(said, KeyError) else str(said).strip()
    return first.partition("\n")[0] or type(said).__name__, None
