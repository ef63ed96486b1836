"""`check_config`: what is wrong with a config, all at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mainspring.check.calls import CallChecker
from mainspring.check.construction import prepare, try_parts
from mainspring.check.problem import Problem, Problems
from mainspring.check.sections import check_names, find_missing_files
from mainspring.config.config_dict import duplicate
from mainspring.config.provenance.places import Places
from mainspring.config.schema import role_of_section
from mainspring.registry.default_scope import DefaultScope

__all__ = ["Findings", "check_config", "examine"]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found.

    Attributes:
        problems: The problems, in the order of the files.
        calls: How many calls were compared with signatures.
        arguments: How many arguments they have.
        seconds: How long the check took, without the imports.
        import_seconds: How long it took to import what the config names.
    """

    problems: list[Problem]
    calls: int
    arguments: int
    seconds: float
    import_seconds: float

    @property
    def errors(self) -> int:
        """How many of the problems are errors."""
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def warnings(self) -> int:
        """How many of the problems are warnings."""
        return len(self.problems) - self.errors


def check_config(cfg: Any, *, imports: bool = True) -> list[Problem]:
    """Everything that is wrong with a config, without building anything.

    Args:
        cfg: The config of a run.
        imports: Whether to import what it names, in order to compare calls with signatures.

    Returns:
        The problems by file and line; empty if there are none. Nothing is raised for a wrong
        config.
    """
    return examine(cfg, imports=imports).problems


def examine(cfg: Any, *, imports: bool = True) -> Findings:
    """Check a config, and count what was compared.

    Args:
        cfg: The config of a run.
        imports: As for `check_config`.
    """
    start = time.perf_counter()
    held = getattr(cfg, "_cfg_dict", cfg) if not isinstance(cfg, dict) else cfg
    # A copy, in which arguments that are given by position get their names.
    values: dict[Any, Any] = duplicate(held, {}) if isinstance(held, dict) else {}
    problems = Problems(Places(cfg, values))
    calls = CallChecker(problems, imports=imports)
    imported = getattr(cfg, "_imported_names", ()) if hasattr(cfg, "_cfg_dict") else ()
    named = dict.get(values, "default_scope")
    scope = named if isinstance(named, str) and named else None
    if imports and scope is not None and calls.check_scope(scope):
        scope = None
    with DefaultScope.overwrite_default_scope(scope):
        for name, value in dict.items(values):
            role = role_of_section(str(name))
            if role is not None:
                calls.visit(value, (str(name),), role)
        calls.check_name(dict.get(values, "runner_type"), "RUNNERS", ("runner_type",))
        for name, value in dict.items(values):
            if role_of_section(str(name)) is None and name not in imported:
                calls.check_variable(str(name), value)
    check_names(cfg, values, problems)
    find_missing_files(values, problems)
    if imports:
        with calls.timing_imports():
            prepare()
        with DefaultScope.overwrite_default_scope(scope):
            try_parts(values, calls, problems)
    found = problems.in_order()
    seconds = time.perf_counter() - start - calls.import_seconds
    return Findings(found, calls.calls, calls.arguments, seconds, calls.import_seconds)
