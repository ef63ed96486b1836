"""Check a config before anything runs: every name, every call, and what contradicts itself."""

from mainspring.check.checker import Findings, check_config, examine
from mainspring.check.problem import Problem
from mainspring.check.report import report_as_json, report_as_text, unreadable_as_json

__all__ = [
    "Findings",
    "Problem",
    "check_config",
    "examine",
    "report_as_json",
    "report_as_text",
    "unreadable_as_json",
]
