"""A progress display on the terminal, with log lines appearing above it."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from mainspring.dist import is_main_process
from mainspring.logging.logger import terminal_handlers
from mainspring.output import is_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["ProgressDisplay"]

_REFRESHES_PER_SECOND = 4
_LEAST_BAR, _LONGEST_BAR = 10, 30


class ProgressDisplay:
    """One line with what is going on, how far it is, and when it will end.

    Off a terminal, and on ranks other than 0, its methods do nothing.

    Args:
        enabled: Whether to show it; ``None`` shows it if standard output is a terminal.
    """

    def __init__(self, enabled: bool | None = None) -> None:
        self._enabled = enabled
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._put_back: list[Callable[[], None]] = []

    @property
    def enabled(self) -> bool:
        """Whether `start` shows anything."""
        wanted = is_terminal() if self._enabled is None else self._enabled
        return wanted and is_main_process()

    def start(self, total: int, description: str, completed: int = 0) -> None:
        """Show the display, in place of one that is shown.

        Args:
            total: Steps in all; 0 if that is not known.
            description: What is going on.
            completed: Steps that are done.
        """
        self.stop()
        if not self.enabled:
            return
        from rich import progress

        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(_LEAST_BAR),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[text]}", markup=False),
            transient=True,
            refresh_per_second=_REFRESHES_PER_SECOND,
        )
        self._task = self._progress.add_task(
            description, total=total or None, completed=completed, text=""
        )
        self._progress.start()
        # A run that ends in an error must not leave the terminal without a cursor.
        atexit.register(self.stop)
        for handler in terminal_handlers():
            self._put_back.append(_print_above(handler, self._progress.console))

    def update(
        self,
        completed: int | None = None,
        text: Sequence[str] | str = (),
        description: str | None = None,
    ) -> None:
        """Move the display on.

        Args:
            completed: Steps that are done; by default as many as before.
            text: What to show beside it, such as the loss. Of several texts, those for which there
                is no room are left out, the last first.
            description: What is going on now, if that has changed.
        """
        if self._progress is None or self._task is None:
            return
        task = self._progress.tasks[self._task]
        # A bar that begins at another place each time would be hard to look at.
        said = (description or "").ljust(len(task.description))
        total = "?" if task.total is None else str(int(task.total))
        room = self._progress.console.width - len(said) - 2 * len(total) - 4
        texts = [text] if isinstance(text, str) else list(text)
        while texts and len("  ".join(texts)) > room - _LEAST_BAR:
            texts.pop()
        shown = "  ".join(texts)
        bar: Any = self._progress.columns[1]
        bar.bar_width = max(_LEAST_BAR, min(_LONGEST_BAR, room - len(shown)))
        self._progress.update(self._task, completed=completed, text=shown, description=said)

    def stop(self) -> None:
        """Take the display away."""
        if self._progress is None:
            return
        while self._put_back:
            self._put_back.pop()()
        self._progress.stop()
        self._progress = None
        atexit.unregister(self.stop)


def _print_above(handler: logging.Handler, console: Console) -> Callable[[], None]:
    """Let a handler print above the live display; returns what undoes it."""
    from rich.text import Text

    def emit(record: logging.LogRecord) -> None:
        console.print(Text.from_ansi(handler.format(record)), soft_wrap=True, highlight=False)

    handler.emit = emit  # type: ignore[method-assign]  # - while the display is live

    def undo() -> None:
        del handler.emit

    return undo
