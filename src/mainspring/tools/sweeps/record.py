"""What is known of one run of a sweep: a file in its work directory, and what its log says."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from mainspring import fileio
from mainspring.errors import ConfigError
from mainspring.json_text import json_text
from mainspring.tools.sweeps.choices import Choice
from mainspring.tools.sweeps.metrics import Metric
from mainspring.tools.sweeps.scalars import Scalars, best_of

__all__ = ["RECORD_FILE", "Record", "Run", "Status"]

RECORD_FILE = "sweep_run.json"
"""Name of the file in a run's work directory that says how the run went."""

OUTPUT_FILE = "output.log"
"""Name of the file in a run's work directory that holds what the run prints."""

Status: TypeAlias = Literal["waiting", "running", "finished", "failed", "pruned", "interrupted"]


@dataclass(slots=True)
class Record:
    """How a run went, as its file says it.

    Attributes:
        status: How far it came.
        exit_code: That of its process; negative for a signal.
        seconds: How long it took, in all its parts.
        words: The changes that make its config.
        choices: What it chose, by what is swept.
        digest: Hash of its config.
        ignored: Log directories in its work directory that belong to earlier runs.
        last: The last value of each metric.
        best: The best value of the metric that runs are compared by.
        best_step: The epoch or iteration of that.
    """

    status: Status = "waiting"
    exit_code: int | None = None
    seconds: float = 0.0
    words: list[str] = field(default_factory=list)
    choices: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    ignored: list[str] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_step: int | None = None

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """What the file in a folder says; ``None`` without a file that can be read."""
        try:
            content = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
            return cls(**content)
        except (OSError, ValueError, TypeError):
            return None


@dataclass(slots=True)
class Run:
    """One run of a sweep.

    Attributes:
        name: What it chose, for people.
        folder: Its work directory.
        words: The changes that make its config.
        choices: What it chose, by what is swept.
        digest: Hash of its config.
        continues: Whether it continues an earlier part of itself.
        record: How it went.
        scalars: What it has measured so far.
    """

    name: str
    folder: Path
    words: Sequence[str]
    choices: Mapping[str, Choice]
    digest: str
    continues: bool = False
    record: Record = field(init=False)
    scalars: Scalars = field(init=False)
    _began: float = 0.0

    def __post_init__(self) -> None:
        self.scalars = Scalars(self.folder)
        chosen = {name: choice.value for name, choice in self.choices.items()}
        self.record = Record(words=list(self.words), choices=chosen, digest=self.digest)

    @property
    def output(self) -> Path:
        """The file that holds what it prints."""
        return self.folder / OUTPUT_FILE

    def take_up(self) -> None:
        """Continue what an earlier sweep left in the work directory.

        Raises:
            ConfigError: That was a run of another config.
        """
        earlier = Record.read(self.folder)
        if earlier is None:
            return
        if earlier.digest != self.digest:
            raise ConfigError(
                f"{self.folder} holds a run of another config: it was started with "
                f"{' '.join(earlier.words) or 'no changes'}, and now it would be "
                f"{' '.join(self.words) or 'no changes'}"
                + (" of a config that was changed since" if earlier.words == [*self.words] else ""),
                help="give another --work-dir, or leave out --resume to begin anew",
            )
        self.continues = earlier.status != "waiting"
        self.record = earlier
        self.scalars = Scalars(self.folder, earlier.ignored)

    def begin(self) -> None:
        """Note that its process starts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.continues:
            self.record.ignored = sorted(p.name for p in self.folder.iterdir() if p.is_dir())
            self.scalars = Scalars(self.folder, self.record.ignored)
        self.record.status = "running"
        self._began = time.monotonic()
        self._write()

    def end(self, status: Status, exit_code: int | None, metric: Metric) -> None:
        """Note how it ended, and what it measured.

        Args:
            status: How far it came.
            exit_code: That of its process.
            metric: What runs are compared by.
        """
        scalars, record = self.scalars, self.record
        record.status, record.exit_code = status, exit_code
        record.seconds = round(record.seconds + time.monotonic() - self._began, 2)
        record.best = record.best_step = None
        scalars.update()
        record.last = {name: scalars.of(name)[-1].value for name in scalars.names}
        name = metric.name_in(scalars)
        if name is not None:
            values = scalars.of(name)
            record.last.setdefault(name, values[-1].value)
            best = best_of(values, maximize=metric.maximize)
            if best is not None:
                record.best, record.best_step = best.value, best.step
        self._write()

    def _write(self) -> None:
        text = json_text(self.record, indent=1)
        fileio.put_text(f"{text}\n", self.folder / RECORD_FILE)

    @property
    def exit_reason(self) -> str:
        """With which code or by which signal its process ended."""
        code = self.record.exit_code
        if code is None or code >= 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    @property
    def last_line(self) -> str:
        """The end of what it printed; empty where it printed nothing."""
        printed = self.output.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(printed) if line.strip()), "")
