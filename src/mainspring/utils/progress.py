"""Run a function over tasks while a progress bar shows how far it is."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import Any, TextIO, TypeVar

from mainspring.utils.progress_bar import ProgressBar

__all__ = [
    "track_iter_progress",
    "track_parallel_progress",
    "track_progress",
    "track_progress_rich",
]

T = TypeVar("T")
R = TypeVar("R")

Tasks = Sequence[T] | tuple[Iterable[T], int]


def _with_count(tasks: Any) -> tuple[Iterable[Any], int]:
    """Tasks and their number; a tuple holds both, as an iterator does not know its length."""
    if isinstance(tasks, tuple):
        if len(tasks) == 2 and isinstance(tasks[0], Iterable) and isinstance(tasks[1], int):
            return tasks
        raise TaskTupleError('a tuple of "tasks" must hold the tasks and their number')
    if isinstance(tasks, Sequence):
        return tasks, len(tasks)
    raise TypeError(f'"tasks" must be a tuple object or a sequence object, but got {type(tasks)}')


class TaskTupleError(TypeError, AssertionError):
    """A tuple of tasks does not hold an iterable and a number."""


def track_iter_progress(
    tasks: Tasks[T], bar_width: int = 50, file: TextIO | None = None
) -> Iterator[T]:
    """Iterate over tasks while a progress bar advances.

    Args:
        tasks: A sequence, or a tuple of an iterable and the number of its elements.
        bar_width: Width of the bar in characters.
        file: Where to write; standard output by default.

    Yields:
        The tasks.

    Raises:
        TypeError: If ``tasks`` is something else.
    """
    iterable, count = _with_count(tasks)
    bar = ProgressBar(count, bar_width, file=file)
    for task in iterable:
        yield task
        bar.update()
    bar.file.write("\n")


def track_progress(
    func: Callable[..., R],
    tasks: Tasks[Any],
    bar_width: int = 50,
    file: TextIO | None = None,
    **kwargs: Any,
) -> list[R]:
    """Call a function with each task, one after the other.

    Args:
        func: Function of a task.
        tasks: A sequence, or a tuple of an iterable and the number of its elements.
        bar_width: Width of the bar in characters.
        file: Where to write; standard output by default.
        **kwargs: Further arguments of the function.

    Returns:
        The results in the order of the tasks.
    """
    return [func(task, **kwargs) for task in track_iter_progress(tasks, bar_width, file)]


def track_parallel_progress(
    func: Callable[[Any], R],
    tasks: Tasks[Any],
    nproc: int,
    initializer: Callable[..., object] | None = None,
    initargs: tuple[Any, ...] | None = None,
    bar_width: int = 50,
    chunksize: int = 1,
    skip_first: bool = False,
    keep_order: bool = True,
    file: TextIO | None = None,
) -> list[R]:
    """Call a function with each task in several processes.

    Args:
        func: Function of a task; it must be importable by the processes.
        tasks: A sequence, or a tuple of an iterable and the number of its elements.
        nproc: Number of processes.
        initializer: Called once in each process.
        initargs: Its arguments.
        bar_width: Width of the bar in characters.
        chunksize: How many tasks a process takes at a time.
        skip_first: Whether the first chunk of each process, in which it warms up, stays out of
            the speed shown.
        keep_order: Whether results come in the order of the tasks or as they are finished.
        file: Where to write; standard output by default.

    Returns:
        The results.
    """
    iterable, count = _with_count(tasks)
    if initargs is not None and not isinstance(initargs, tuple):
        raise TypeError('"initargs" must be a tuple')
    warm_up = nproc * chunksize if skip_first else 0
    bar = ProgressBar(count - warm_up, bar_width, start=not skip_first, file=file)
    results: list[R] = []
    with multiprocessing.Pool(nproc, initializer, initargs or ()) as pool:
        run = pool.imap if keep_order else pool.imap_unordered
        for result in run(func, iterable, chunksize):
            results.append(result)
            if len(results) > warm_up:
                bar.update()
            elif len(results) == warm_up:
                bar.start()
    bar.file.write("\n")
    return results


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
