"""Single names of many of MMEngine's modules."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import files
from typing import Any


def package2module(package: str) -> str:
    """Name of the module that a distribution installs.

    Raises:
        ValueError: It installs none, or is not installed.
    """
    for file in files(package) or ():
        if file.parts[-1] == "__init__.py" and len(file.parts) == 2:
            return file.parts[0]
    raise ValueError(f"can not infer the module name of {package}")


def _minimal_ext_cmd(cmd: list[str]) -> bytes:
    """What a command prints, in English."""
    return subprocess.run(
        cmd, check=True, capture_output=True, env={"LANGUAGE": "C", "LANG": "C", "LC_ALL": "C"}
    ).stdout


def _tasks_with_index(tasks: Iterable[Any]) -> Iterator[tuple[Any, int]]:
    for index, task in enumerate(tasks):
        yield task, index


class _Worker:
    """Calls a function with a task of `_tasks_with_index`, and gives the index back."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, task: tuple[Any, int]) -> tuple[int, Any]:
        return task[1], self.func(task[0])
