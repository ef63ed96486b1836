"""Things that a config says in two places, differently; and files that are not there."""

from __future__ import annotations

from collections.abc import Iterator

from mainspring.check.files import missing_files
from mainspring.check.intervals import interval_problems
from mainspring.check.metrics import metric_problems
from mainspring.check.problem import Problem
from mainspring.check.run import Run
from mainspring.check.schedules import schedule_problems

__all__ = ["Run", "contradictions"]


def contradictions(run: Run) -> Iterator[Problem]:
    """What a config says in two places, differently.

    Args:
        run: The run.
    """
    yield from interval_problems(run)
    yield from schedule_problems(run)
    yield from metric_problems(run)
    yield from missing_files(run)
