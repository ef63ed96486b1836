"""What a start of a run notes for its report, beside its log: ``report.json``."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.replacing import replacing

__all__ = ["RECORD", "Shown", "StartRecord", "Table"]

RECORD = "report.json"


@dataclass
class Table:
    """Numbers by class that an evaluation gave.

    Attributes:
        title: What it shows.
        columns: Names of the columns; those of the predicted classes in a confusion matrix.
        rows: Names of the rows.
        values: A list for each row.
        is_confusion: Whether it counts how often samples of the row's class were taken for the
            column's.
    """

    title: str
    columns: list[str]
    rows: list[str]
    values: list[list[float | None]]
    is_confusion: bool = False


@dataclass
class Shown:
    """A sample as a page shows it: an image, a text or values by name.

    Attributes:
        image: A PNG file in base64, or empty.
        text: A text, or empty.
        row: Names and values.
        target: What is right, or empty.
        predicted: What was predicted, or empty.
        loss: Its loss, if that is known.
        is_right: Whether the prediction is right, if that can be told.
    """

    image: str = ""
    text: str = ""
    row: dict[str, str] = field(default_factory=dict)
    target: str = ""
    predicted: str = ""
    loss: float | None = None
    is_right: bool | None = None


@dataclass
class StartRecord:
    """What one start of a run notes for its report; ``run.json`` beside it says how it went.

    Attributes:
        state: ``"running"``, ``"finished"``, ``"stopped"`` (by a signal) or ``"crashed"``.
        reason: What stopped it, or the error in one line.
        updated: When this was noted, in seconds since 1970.
        begins_at: Finished iterations when it began; above 0 for a run that goes on.
        iteration: Finished iterations.
        device: Where the model is.
        parameters: Number of its parameters.
        best: Best scores: ``metric``, ``score`` and ``file`` of each.
        world_size: Number of processes.
        batch_size: Samples of a training batch of this process; ``None`` if it is not known.
        seconds: Seconds of this start: ``total``, ``data``, ``step``, ``validation``, ``saving``.
        memory: Most memory in use in MB: ``host``, and ``device`` if there is one.
        warnings: How often each warning was logged.
        base: What the config differs from, and is shown against.
        changes: The differences: path, value there, value here.
        tables: Of the last evaluation.
        samples: Of the last evaluation, see `mainspring.report.samples`.
        top_losses: The samples with the highest losses in the last evaluation.
        evaluated_at: Iteration of the last evaluation.
    """

    state: str = "running"
    reason: str = ""
    updated: float = 0.0
    begins_at: int = 0
    iteration: int = 0
    device: str = ""
    parameters: int = 0
    best: list[dict[str, Any]] = field(default_factory=list)
    world_size: int = 1
    batch_size: int | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    base: str = ""
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    samples: list[Shown] = field(default_factory=list)
    top_losses: list[Shown] = field(default_factory=list)
    evaluated_at: int = 0

    def write(self, log_dir: str | Path) -> None:
        """Write it into the log directory of the start.

        Args:
            log_dir: The directory.
        """
        with replacing(Path(log_dir) / RECORD) as file:
            file.write(json.dumps(dataclasses.asdict(self)).encode())

    @classmethod
    def read(cls, log_dir: str | Path) -> StartRecord | None:
        """Read it; ``None`` where there is none that can be read.

        Args:
            log_dir: Log directory of the start.
        """
        try:
            content = json.loads((Path(log_dir) / RECORD).read_text(encoding="utf-8"))
            known = {item.name for item in dataclasses.fields(cls)}
            record = cls(**{name: content[name] for name in known & content.keys()})
            tables: Any = record.tables
            record.tables = [Table(**table) for table in tables]
            for name in ("samples", "top_losses"):
                setattr(record, name, [Shown(**item) for item in getattr(record, name)])
        except (OSError, ValueError, TypeError, AttributeError):
            return None
        return record
