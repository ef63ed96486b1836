"""Proves on a user's own config what holds: short trainings in a scratch folder, compared."""

from mainspring.tools.verify.checks import CHECKS, DEFAULT_ITERATIONS, chosen_checks, verify
from mainspring.tools.verify.findings import (
    Finding,
    Outcome,
    finding_details,
    finding_line,
)
from mainspring.tools.verify.trials import Trials

__all__ = [
    "CHECKS",
    "DEFAULT_ITERATIONS",
    "Finding",
    "Outcome",
    "Trials",
    "chosen_checks",
    "finding_details",
    "finding_line",
    "verify",
]
