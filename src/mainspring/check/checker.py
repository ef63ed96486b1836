"""`check_config` and `quick_check`: what is wrong with a config, all at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mainspring.check.calls import CallChecker
from mainspring.check.contradictions import Run, contradictions
from mainspring.check.places import Places
from mainspring.check.problem import Problem, Problems
from mainspring.check.roles import SECTION_ROLES
from mainspring.check.sections import section_problems
from mainspring.check.values import value_problems
from mainspring.config.section_names import RUNNER_SECTIONS
from mainspring.registry.default_scope import DefaultScope

__all__ = ["Findings", "check_config", "examine", "quick_check"]


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


def quick_check(cfg: Any) -> list[Problem]:
    """What certainly fails: recorded calls of what is not there, or with wrong arguments or values.

    A config that MMEngine accepts has no such problem. It costs a millisecond or two once
    what the config names is imported.

    Args:
        cfg: The config of a run.
    """
    values = _values(cfg)
    problems = Problems()
    calls = CallChecker(problems, Places(cfg), quick=True)
    with DefaultScope.overwrite_default_scope(_scope(values)):
        for name in RUNNER_SECTIONS:
            if dict.__contains__(values, name):
                calls.check_section(name, dict.__getitem__(values, name))
    for problem in value_problems(Run(values, calls.arguments_of, calls.targets, calls.places)):
        problems.add(problem)
    return problems.in_order()


def examine(cfg: Any, *, imports: bool = True) -> Findings:
    """Check a config, and count what was compared.

    Args:
        cfg: The config of a run.
        imports: As for `check_config`.
    """
    start = time.perf_counter()
    values = _values(cfg)
    problems, places = Problems(), Places(cfg)
    calls = CallChecker(problems, places, imports=imports)
    imported = getattr(cfg, "_imported_names", ()) if hasattr(cfg, "_cfg_dict") else ()
    scope = _scope(values)
    if imports and scope is not None and calls.check_scope(scope):
        scope = None
    with DefaultScope.overwrite_default_scope(scope):
        for name, value in dict.items(values):
            if name in RUNNER_SECTIONS or name in SECTION_ROLES:
                calls.check_section(str(name), value)
        calls.check_name(dict.get(values, "runner_type"), "RUNNERS", ("runner_type",))
        for name, value in dict.items(values):
            known = name in RUNNER_SECTIONS or name in SECTION_ROLES
            if not known and name not in imported:
                calls.check_variable(str(name), value)
    run = Run(values, calls.arguments_of, calls.targets, places)
    for problem in [*section_problems(run), *value_problems(run), *contradictions(run)]:
        problems.add(problem)
    found = problems.in_order()
    seconds = time.perf_counter() - start - calls.import_seconds
    return Findings(found, calls.calls, calls.arguments, seconds, calls.import_seconds)


def _values(cfg: Any) -> dict[Any, Any]:
    values = getattr(cfg, "_cfg_dict", cfg) if not isinstance(cfg, dict) else cfg
    return values if isinstance(values, dict) else {}


def _scope(values: dict[Any, Any]) -> str | None:
    scope = dict.get(values, "default_scope")
    return scope if isinstance(scope, str) and scope else None
