"""Write checkpoints while training goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from mainspring.checkpoint.snapshot import Snapshots

__all__ = ["CheckpointWriter"]


class CheckpointWriter:
    """Writes one checkpoint at a time in a thread of its own.

    Whoever trains waits only until the checkpoint is copied in the host's memory, and, if the one
    before is still being written, for that. The thread is no daemon: a program that ends waits for
    it.
    """

    def __init__(self) -> None:
        self._snapshots = Snapshots()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def reserve(self, part: Any) -> None:
        """Take the memory for copies in the background.

        Args:
            part: What checkpoints will consist of.
        """
        self._snapshots.reserve(part)

    def start(
        self, checkpoint: Mapping[str, Any], write: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """Copy a checkpoint and begin to write it.

        Args:
            checkpoint: What to write; may change as soon as this returns.
            write: Called in the thread with the copy.
        """
        self._join()
        copied = self._snapshots.take(checkpoint)

        def run() -> None:
            try:
                write(copied)
            except BaseException as error:  # noqa: BLE001 - whoever waits is told
                self._failure = error

        self._thread = threading.Thread(target=run, name="mainspring checkpoint writer")
        self._thread.start()

    def wait(self) -> BaseException | None:
        """Wait until nothing is being written.

        Returns:
            Why the last one could not be written, once; ``None`` if it could.
        """
        self._join()
        failure, self._failure = self._failure, None
        return failure

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
