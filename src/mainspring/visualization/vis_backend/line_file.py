"""A file that lines are appended to, also when the disk is full for a while."""

from __future__ import annotations

from mainspring.logging import warn

__all__ = ["LineFile"]

_MOST_WAITING = 1 << 20


class LineFile:
    """Hands each line to the operating system at once, and keeps those that it refuses.

    Lines that are refused are tried again with the next one, up to 1 MB of them; older ones than
    that are lost, which is said.

    Args:
        path: The file; opened once.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - kept open
        self._waiting = b""
        self._is_refused = False

    def write(self, line: str) -> None:
        """Append a line.

        Args:
            line: The line with its end.
        """
        self._waiting += line.encode()
        try:
            while self._waiting:
                self._waiting = self._waiting[self._file.write(self._waiting) :]
            self._is_refused = False
        except OSError as error:
            if not self._is_refused:
                self._is_refused = True
                self._warn(f"cannot be written now: {error}. Its lines wait in memory")
        if len(self._waiting) > _MOST_WAITING:
            lines = self._waiting.splitlines(keepends=True)
            self._waiting = b"".join(lines[len(lines) // 2 :])
            self._warn(f"still cannot be written: {len(lines) // 2} of its lines are lost")

    def _warn(self, message: str) -> None:
        warn(f"{self.path} {message}")

    def close(self) -> None:
        """Write what waits, if that is possible now, and close the file."""
        if not self._file.closed:
            self.write("")
            self._file.close()
