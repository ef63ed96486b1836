"""`mainspring exec SCRIPT`: run a program that was written for MMEngine, as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["add_parser", "run"]

_IMPORTABLE = Path(__file__).parents[1] / "compat" / "mmengine" / "importable"


def add_parser(verbs: Any) -> None:
    """Add the verb to the command; `main` hands it all further words as they are."""
    verbs.add_parser(
        "exec",
        help="run a program written for MMEngine, as it is",
        usage="mainspring exec [-m MODULE | -c CODE | SCRIPT] [WORD ...]",
        description="Run Python with these words, where `import mmengine` gives mainspring. "
        "Arguments and exit code are the program's own.",
    )


def run(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> NoReturn:
    """Become a Python that runs these words, and in which ``import mmengine`` gives mainspring.

    Args:
        words: What follows ``python`` on the command line.
        environment: Environment variables, to which the path of the alias is added.
    """
    if not words:
        print("mainspring exec: give a script, -m MODULE or -c CODE", file=sys.stderr)
        raise SystemExit(2)
    paths = [str(_IMPORTABLE), *filter(None, [environment.get("PYTHONPATH")])]
    python = [sys.executable, *subprocess._args_from_interpreter_flags(), *words]  # type: ignore[attr-defined]  # - typeshed leaves it out
    sys.stdout.flush()
    os.execve(python[0], python, {**environment, "PYTHONPATH": os.pathsep.join(paths)})
