"""A progress bar of plain text, and functions over tasks while it shows how far they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.pool import Pool
from shutil import get_terminal_size
from typing import Any, TextIO, TypeVar

from mainspring.errors import ArgumentTypeError, ArgumentValueError
from mainspring.utils.timer import Timer

__all__ = [
    "ProgressBar",
    "init_pool",
    "track_iter_progress",
    "track_parallel_progress",
    "track_progress",
]

T = TypeVar("T")
R = TypeVar("R")

Tasks = Sequence[T] | tuple[Iterable[T], int]


class ProgressBar:
    """A progress bar of plain text, written over itself with a carriage return.

    Args:
        task_num: Number of steps; with 0 only the finished ones are counted.
        bar_width: Width of the bar in characters.
        start: Whether to start, and draw, at once.
        file: Where to write; standard output by default.
    """

    def __init__(
        self,
        task_num: int = 0,
        bar_width: int = 50,
        start: bool = True,
        file: TextIO | None = None,
    ) -> None:
        self.task_num = task_num
        self.bar_width = bar_width
        self.completed = 0
        self.file = sys.stdout if file is None else file
        self.timer = Timer(start=False)
        if start:
            self.start()

    @property
    def terminal_width(self) -> int:
        """Width of the terminal in characters."""
        return get_terminal_size().columns

    def start(self) -> None:
        """Draw the empty bar and start the clock."""
        if self.task_num > 0:
            self._draw(f"[{' ' * self.bar_width}] 0/{self.task_num}, elapsed: 0s, ETA:")
        else:
            self._draw("completed: 0, elapsed: 0s")
        self.timer = Timer()

    def update(self, num_tasks: int = 1) -> None:
        """Count finished steps and draw again.

        Args:
            num_tasks: How many steps were finished, at least 1.
        """
        if num_tasks <= 0:
            raise ArgumentValueError(f"num_tasks must be at least 1, but is {num_tasks}")
        self.completed += num_tasks
        elapsed = self.timer.since_start()
        rate = self.completed / elapsed if elapsed > 0 else float("inf")
        shown = int(elapsed + 0.5)
        if self.task_num > 0:
            self._draw(self._bar_line(elapsed, rate, shown))
        else:
            self._draw(f"completed: {self.completed}, elapsed: {shown}s, {rate:.1f} tasks/s")

    def _draw(self, text: str) -> None:
        print(text, end="", file=self.file, flush=True)

    def _bar_line(self, elapsed: float, rate: float, shown: int) -> str:
        done = self.completed / self.task_num
        eta = int(elapsed * (1 - done) / done + 0.5)
        text = (
            f"] {self.completed}/{self.task_num}, {rate:.1f} task/s, "
            f"elapsed: {shown}s, ETA: {eta:5}s"
        )
        terminal = self.terminal_width
        width = max(2, min(self.bar_width, terminal - len(text) - 2, int(terminal * 0.6)))
        return "\r[" + (">" * int(width * done)).ljust(width) + text


def init_pool(
    process_num: int,
    initializer: Callable[..., Any] | None = None,
    initargs: tuple[Any, ...] | None = None,
) -> Pool:
    """A pool of processes.

    Args:
        process_num: Number of processes.
        initializer: What each of them calls first.
        initargs: Its arguments.

    Raises:
        TypeError: `initargs` is no tuple.
    """
    if initargs is not None and not isinstance(initargs, tuple):
        raise TypeError(f'"initargs" must be a tuple, but is {initargs!r}')
    return Pool(process_num, initializer, initargs or ())


def _with_count(tasks: Any) -> tuple[Iterable[Any], int]:
    """Tasks and their number; a tuple holds both, as an iterator does not know its length."""
    if isinstance(tasks, tuple):
        if len(tasks) == 2 and isinstance(tasks[0], Iterable) and isinstance(tasks[1], int):
            return tasks
        raise ArgumentTypeError('a tuple of "tasks" must hold the tasks and their number')
    if isinstance(tasks, Sequence):
        return tasks, len(tasks)
    raise TypeError(f'"tasks" must be a tuple object or a sequence object, but got {type(tasks)}')


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
    warm_up = nproc * chunksize if skip_first else 0
    bar = ProgressBar(count - warm_up, bar_width, start=not skip_first, file=file)
    results: list[R] = []
    with init_pool(nproc, initializer, initargs) as pool:
        run = pool.imap if keep_order else pool.imap_unordered
        for result in run(func, iterable, chunksize):
            results.append(result)
            if len(results) > warm_up:
                bar.update()
            elif len(results) == warm_up:
                bar.start()
    bar.file.write("\n")
    return results
