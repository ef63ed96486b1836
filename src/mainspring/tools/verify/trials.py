"""Carries out trials in processes of their own; the side of `mainspring verify`."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Self

from mainspring.tools.process_groups import kill_group
from mainspring.tools.verify.job import OUTPUT, PROBLEM, SAYS_WHERE, Job, NotApplicableError

__all__ = ["TrialFailedError", "Trials"]

_TAIL = 2000
_LAST_LINES = 8
_STACK = ("Current thread", "Thread 0x")
"""How the stacks begin that a process prints; that of the main thread comes last."""


class TrialFailedError(Exception):
    """A trial failed.

    Args:
        text: What the trial said, in several lines.
        headline: The error alone; by default the first line of the text.
    """

    def __init__(self, text: str, headline: str | None = None) -> None:
        super().__init__(text)
        self.headline = headline or text.partition("\n")[0]


class Trials:
    """Two interpreters, each started anew, which fork a process for each trial.

    What is to be the same twice is tried in both, so that nothing that they happen to share, such
    as the order of hashes, makes it so.

    Args:
        command: Starts a process that calls `mainspring.tools.verify.host.serve`.
        timeout: Seconds after which a trial counts as hanging and is ended; ``None`` for never.
    """

    def __init__(self, command: Sequence[str], timeout: float | None = None) -> None:
        self._timeout = timeout
        self._hosts: list[subprocess.Popen[bytes]] = []
        self._running: dict[int, int] = {}
        for _ in range(2):
            self._hosts.append(
                subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    # Unbuffered, so that what was not read yet is what select sees.
                    bufsize=0,
                    start_new_session=True,
                )
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        self._kill_running()
        for host in self._hosts:
            kill_group(host.pid)
            host.communicate()

    def run(self, *jobs: Job, second: bool = False) -> None:
        """Carry out one trial in an interpreter of its own, or two at the same time.

        Args:
            *jobs: One or two jobs; the first goes to the first interpreter.
            second: Let it go to the second one.

        Raises:
            NotApplicableError: A trial cannot be made.
            TrialFailedError: A trial failed; another one that runs beside it is ended.
        """
        by_host = dict(enumerate(jobs, int(second)))
        for index, job in by_host.items():
            _pipe(self._hosts[index].stdin).write(f"{json.dumps(asdict(job))}\n".encode())
        for index in by_host:
            self._running[index] = int(self._answer(index, "started"))
        codes = self._wait_for(by_host)
        if codes is None:
            headline = f"no end within {self._timeout:g} s"
            raise TrialFailedError(f"{headline}\n{_last_words(by_host)}", headline)
        for index, job in by_host.items():
            _raise_problem(job, codes[index])

    def _wait_for(self, jobs: dict[int, Job]) -> dict[int, int] | None:
        """The exit codes, ``None`` if one hangs; once one trial fails, the others are killed."""
        codes: dict[int, int] = {}
        end = None if self._timeout is None else time.monotonic() + self._timeout
        hangs = False
        while len(codes) < len(jobs):
            outputs = {
                _pipe(self._hosts[index].stdout): index for index in jobs if index not in codes
            }
            left = None if end is None or hangs else max(end - time.monotonic(), 0)
            ready, _, _ = select.select(list(outputs), [], [], left)
            if not ready:
                hangs = True
                for child in self._running.values():
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(child, SAYS_WHERE)
                # Either they say it within this time, or the process cannot even do that.
                time.sleep(0.5)
                self._kill_running()
            for output in ready:
                index = outputs[output]
                codes[index] = int(self._answer(index, "ended"))
                del self._running[index]
            if any(codes.values()) and not all(jobs[index].kill for index in codes):
                self._kill_running()
        return None if hangs else codes

    def _kill_running(self) -> None:
        for child in self._running.values():
            kill_group(child)

    def _answer(self, index: int, word: str) -> str:
        line = _pipe(self._hosts[index].stdout).readline().decode()
        said, _, value = line.partition(" ")
        if said != word:
            raise TrialFailedError("the process that starts trials has ended")
        return value


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError
    return stream


def _raise_problem(job: Job, code: int) -> None:
    problem = Path(job.folder, PROBLEM)
    if problem.exists():
        told = json.loads(problem.read_text(encoding="utf-8"))
        if told["is_failure"]:
            raise TrialFailedError(told["text"], told["headline"])
        raise NotApplicableError(told["text"])
    if code and not (job.kill and code == -signal.SIGKILL):
        end = _said(Path(job.folder))[-_TAIL:]
        raise TrialFailedError(f"the process ended with {code}\n{end}".rstrip())


def _said(folder: Path) -> str:
    """What a trial printed."""
    output = folder / OUTPUT
    return output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""


def _last_words(jobs: dict[int, Job]) -> str:
    """Where each of the trials that took part stood when it was ended."""
    lines: list[str] = []
    for job in jobs.values():
        shown = [line for line in _said(Path(job.folder)).splitlines() if line.strip()]
        starts = [number for number, line in enumerate(shown) if line.startswith(_STACK)]
        most = _LAST_LINES // len(jobs)
        # A stack begins with the innermost call; of other output the end tells more.
        part = shown[starts[-1] :][:most] if starts else shown[-most:]
        lines += [f"rank {job.rank}:"] if len(jobs) > 1 else []
        lines += [f"  {line}" for line in part]
    return "\n".join(lines)
