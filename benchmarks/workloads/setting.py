"""What a sample is told about itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Setting:
    """Which sample is measured.

    Attributes:
        mode: ``"defaults"``, ``"lean"``, or what else the workload knows.
        variant: Another way to use the engine.
        work_dir: An empty directory, shared by the phases of a sample.
        quick: Whether to measure shortly, to see that everything works.
        phase: Which of the workload's phases, each a process of its own.
        started: The time (`time.time`) at which the process was started.
    """

    mode: str
    variant: str
    work_dir: Path
    quick: bool = False
    phase: str = ""
    started: float = 0.0
