"""Run a function over tasks while a coloured bar shows how far it is."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sized
from typing import Any, TypeVar

__all__ = ["track_progress_rich"]

R = TypeVar("R")


def track_progress_rich(
    func: Callable[..., R],
    tasks: Iterable[Any] = (),
    task_num: int | None = None,
    nproc: int = 1,
    chunksize: int = 1,
    description: str = "Processing",
    color: str = "blue",
) -> list[R]:
    """Call a function with each task while a coloured bar advances, in one process or several.

    Args:
        func: Function to call: a tuple or list is its positional arguments, anything else its one
            argument.
        tasks: The tasks; empty for a function without arguments.
        task_num: Number of tasks where they have no length, or of calls without arguments.
        nproc: Number of processes; with 1 the calls are made in this one.
        chunksize: How many tasks a process takes at a time.
        description: Text beside the bar.
        color: Colour of the bar.

    Returns:
        The results in the order of the tasks.

    Raises:
        TypeError: If ``func`` cannot be called or ``tasks`` cannot be iterated.
        ValueError: If the numbers contradict each other.
    """
    if not callable(func):
        raise TypeError(f"func must be a callable object, but is {func!r}")
    if not isinstance(tasks, Iterable):
        raise TypeError(f"tasks must be an iterable object, but got {type(tasks)}")
    if nproc <= 0:
        raise ValueError(f"nproc must be a positive number, but is {nproc}")
    if isinstance(tasks, Sized):
        if len(tasks) == 0:
            if task_num is None:
                raise ValueError("If tasks is an empty iterable, task_num must be set")
            tasks = [()] * task_num
        elif task_num not in (None, len(tasks)):
            raise ValueError(f"task_num is {task_num}, but there are {len(tasks)} tasks")
        task_num = len(tasks)

    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(complete_style=color),
        TimeRemainingColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
    )
    call = _Call(func)
    with progress:
        if nproc == 1:
            finished = map(call, tasks)
            return list(progress.track(finished, task_num, description=description))
        with multiprocessing.Pool(nproc) as pool:
            results = pool.imap(call, tasks, chunksize)
            return list(progress.track(results, task_num, description=description))


class _Call:
    """A function of a task's arguments; a class because processes need to pickle it."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func

    def __call__(self, task: Any) -> Any:
        arguments = task if isinstance(task, tuple | list) else (task,)
        return self.func(*arguments)
