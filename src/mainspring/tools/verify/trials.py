"""Carries out trials in processes of their own; the side of `mainspring verify`."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Self

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


class _Host:
    """An interpreter that forks a process for each trial; what it says can be waited for.

    Args:
        command: Starts it.

    Attributes:
        child: The process of the trial that goes on; 0 without one.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.child = 0
        # Unbuffered, so that what was not read yet is what select sees.
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            list(command), stdin=pipe, stdout=pipe, bufsize=0, start_new_session=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked, self._answers = self._process.stdin, self._process.stdout

    def fileno(self) -> int:
        """Where it answers."""
        return self._answers.fileno()

    def begin(self, job: Job) -> None:
        """Have a trial carried out."""
        self._asked.write(f"{json.dumps(asdict(job))}\n".encode())

    def answer(self, word: str) -> int:
        """The number that it says after a word.

        Raises:
            TrialFailedError: It has ended.
        """
        said, _, value = self._answers.readline().decode().partition(" ")
        if said != word:
            raise TrialFailedError("the process that starts trials has ended")
        return int(value)

    def close(self) -> None:
        """End it, and the trial that goes on."""
        if self.child:
            kill_group(self.child)
        kill_group(self._process.pid)
        self._process.communicate()


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
        self._hosts = [_Host(command) for _ in range(2)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End everything that was started."""
        for host in self._hosts:
            host.close()

    def run(self, *jobs: Job, second: bool = False) -> None:
        """Carry out one trial in an interpreter of its own, or two at the same time.

        Args:
            *jobs: One or two jobs; the first goes to the first interpreter.
            second: Let it go to the second one.

        Raises:
            NotApplicableError: A trial cannot be made.
            TrialFailedError: A trial failed; another one that runs beside it is ended.
        """
        by_host = dict(zip(self._hosts[int(second) :], jobs, strict=False))
        for host, job in by_host.items():
            host.begin(job)
        for host in by_host:
            host.child = host.answer("started")
        codes: dict[_Host, int] = {}
        end = time.monotonic() + (math.inf if self._timeout is None else self._timeout)
        hangs = False
        while running := [host for host in by_host if host.child]:
            wait = None if hangs or end == math.inf else max(end - time.monotonic(), 0)
            ready, _, _ = select.select(running, [], [], wait)
            for host in ready:
                codes[host], host.child = host.answer("ended"), 0
            failed = any(codes.values()) and not all(by_host[host].kill for host in codes)
            if not ready:
                hangs = True
                for host in running:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(host.child, SAYS_WHERE)
                # Either they say it within this time, or the process cannot even do that.
                time.sleep(0.5)
            for host in running if hangs or failed else ():
                if host.child:
                    kill_group(host.child)
        if hangs:
            headline = f"no end within {self._timeout:g} s"
            raise TrialFailedError(f"{headline}\n{_last_words(jobs)}", headline)
        for host, job in by_host.items():
            _raise_problem(job, codes[host])


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


def _last_words(jobs: Sequence[Job]) -> str:
    """Where each of the trials that took part stood when it was ended."""
    lines: list[str] = []
    for job in jobs:
        shown = [line for line in _said(Path(job.folder)).splitlines() if line.strip()]
        starts = [number for number, line in enumerate(shown) if line.startswith(_STACK)]
        most = _LAST_LINES // len(jobs)
        # A stack begins with the innermost call; of other output the end tells more.
        part = shown[starts[-1] :][:most] if starts else shown[-most:]
        lines += [f"rank {job.rank}:"] if len(jobs) > 1 else []
        lines += [f"  {line}" for line in part]
    return "\n".join(lines)
