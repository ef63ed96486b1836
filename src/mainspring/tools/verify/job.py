"""What a trial is asked to do: one line of JSON to the process that does it."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["OUTPUT", "PROBLEM", "SAYS_WHERE", "Job", "JobKind", "NotApplicableError"]

OUTPUT = "output.txt"
"""What a trial printed, in its folder."""

PROBLEM = "problem.json"
"""Why a trial failed, or cannot be made: ``text``, ``headline`` and ``is_failure``."""

SAYS_WHERE = signal.SIGUSR2
"""Signal upon which a trial prints where each of its threads is."""

JobKind = Literal["train", "workers", "accumulation", "ranks"]


class NotApplicableError(Exception):
    """A check cannot be made on this config; the message says why."""


@dataclass(frozen=True, slots=True)
class Job:
    """A trial.

    Attributes:
        kind: What to do.
        folder: Where the results go, created by the trial; also its output and its error.
        work_dir: Work directory of the run.
        iterations: Iterations after which it ends.
        request: What names the config; handed to the function that reads it.
        resume: Checkpoint to continue from; ``None`` starts from the beginning.
        kill: Whether the process kills itself with SIGKILL at the end.
        save_and_load: Whether to compare a model with one that is loaded from a file.
        rank: Number of this process.
        world_size: Number of processes; 0 trains in one without a process group.
        port: Port on which the processes meet.
        device: Value of ``CUDA_VISIBLE_DEVICES``; ``None`` leaves it.
    """

    kind: JobKind
    folder: str
    work_dir: str
    iterations: int
    request: Mapping[str, Any] = field(default_factory=dict)
    resume: str | None = None
    kill: bool = False
    save_and_load: bool = False
    rank: int = 0
    world_size: int = 0
    port: int = 0
    device: str | None = None
