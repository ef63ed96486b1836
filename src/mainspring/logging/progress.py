"""A progress display on the terminal, with log lines appearing above it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from mainspring.dist import is_main_process
from mainspring.logging.logger import run_handlers

__all__ = ["ProgressDisplay"]


class ProgressDisplay:
    """One bar with what is going on, how far it is, and when it will end.

    Off a terminal, and on ranks other than 0, every method does nothing.

    Args:
        enabled: Whether to show it; ``None`` shows it on a terminal.
    """

    def __init__(self, enabled: bool | None = None) -> None:
        on_terminal = sys.stdout.isatty() if enabled is None else enabled
        self.enabled = bool(on_terminal) and is_main_process()
        self._progress: Any = None
        self._task: Any = None
        self._rerouted: list[tuple[logging.Handler, Any]] = []

    def start(self, total: int, description: str, completed: int = 0) -> None:
        """Show the bar.

        Args:
            total: Steps in all.
            description: What is going on.
            completed: Steps that are done.
        """
        if not self.enabled:
            return
        self.stop()
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("<"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            transient=True,
            refresh_per_second=10,
        )
        self._task = self._progress.add_task(description, total=total, completed=completed, text="")
        self._progress.start()
        self._reroute_log_lines()

    def update(self, completed: int, text: str = "") -> None:
        """Move the bar.

        Args:
            completed: Steps that are done.
            text: What to show beside it, such as the loss.
        """
        if self._progress is not None:
            self._progress.update(self._task, completed=completed, text=text)

    def stop(self) -> None:
        """Remove the bar."""
        if self._progress is None:
            return
        self._progress.stop()
        self._progress = None
        for handler, emit in self._rerouted:
            handler.emit = emit  # type: ignore[method-assign]  # - put back what was replaced below
        self._rerouted.clear()

    def _reroute_log_lines(self) -> None:
        """Let rich print log lines while the bar is on the screen, so that neither tears."""
        console = self._progress.console
        for handler in run_handlers():
            self._rerouted.append((handler, handler.emit))

            def emit(record: logging.LogRecord, handler: logging.Handler = handler) -> None:
                from rich.text import Text

                console.print(Text.from_ansi(handler.format(record)), soft_wrap=True)

            handler.emit = emit  # type: ignore[method-assign]  # - only while the bar is shown
