"""The description of a run as the checks of contradictions read it: nothing is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mainspring.check.places import Places
from mainspring.check.problem import Problem, Severity
from mainspring.check.run_length import RunLength, run_length

__all__ = ["Run"]


class Run:
    """The description of a run.

    Args:
        values: The whole config, not imported.
        arguments_of: Function from a call or dict to its arguments by name.
        targets: What each call or dict calls, by its identity.
        places: Where things are written.

    Attributes:
        length: How long the run is.
    """

    def __init__(
        self,
        values: Mapping[Any, Any],
        arguments_of: Callable[[Any], dict[Any, Any]],
        targets: Mapping[int, Any],
        places: Places,
    ) -> None:
        self.values: dict[Any, Any] = dict(dict.items(values)) if isinstance(values, dict) else {}
        self.places = places
        self.arguments_of = arguments_of
        self._targets = targets
        train_cfg = self.section("train_cfg")
        self.length: RunLength = run_length(
            train_cfg, arguments_of(train_cfg), self.target_of(train_cfg)
        )

    def section(self, name: str) -> Any:
        """A section; ``None`` where it is absent."""
        return self.values.get(name)

    def target_of(self, spec: Any) -> Any:
        """What a call or dict calls; ``None`` if that is unknown."""
        return self._targets.get(id(spec))

    def argument(self, spec: Any, name: str) -> Any:
        """An argument of a call or dict; ``None`` if it does not give it."""
        return self.arguments_of(spec).get(name)

    def problem(
        self,
        severity: Severity,
        message: str,
        path: tuple[str, ...],
        *,
        help: str | None = None,  # noqa: A002 - the word that compilers print
    ) -> Problem:
        """A problem with its place.

        Args:
            severity: ``"error"`` or ``"warning"``.
            message: What is wrong.
            path: The keys from the top.
            help: What to do.
        """
        return Problem(severity, message, self.places.of(path), help, ".".join(path))
