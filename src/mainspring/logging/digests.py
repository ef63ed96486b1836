"""Files of digests: what `DigestHook` writes of a run, and how it is read again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.errors import ConfigError

__all__ = [
    "DIGEST_FORMAT",
    "KINDS",
    "Record",
    "RunDigests",
    "digest_file_name",
    "digest_files",
    "read_digests",
]

DIGEST_FORMAT = 1
"""Version of the files; a later one cannot be read."""

KINDS = (
    "generators",
    "batch",
    "values",
    "gradients",
    "settings",
    "optimizer",
    "weights",
    "averages",
)
"""What is recorded of an iteration, causes before effects."""

Record = dict[str, dict[str, str]]
"""Of one iteration and rank: kind, then name, then digest or number in hexadecimal."""

_PREFIX = "digests_rank"


def digest_file_name(rank: int) -> str:
    """Name of the file of a rank in its log directory."""
    return f"{_PREFIX}{rank}.jsonl"


@dataclass(slots=True)
class RunDigests:
    """What a run recorded, over all its starts.

    Attributes:
        path: As it was given.
        ranks: Records by rank, then by iteration. Iterations count from 1; that of 0 holds the
            weights that training began with.
        start: What the first start says about the run: seed, world size, interval and others.
        notes: What was damaged or is missing.
    """

    path: Path
    ranks: dict[int, dict[int, Record]] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The last iteration that was recorded."""
        return max((max(records, default=0) for records in self.ranks.values()), default=0)


def digest_files(path: str | Path) -> list[Path]:
    """The files of digests of a run.

    Args:
        path: Its work directory, or the log directory of one start.
    """
    for pattern in (f"{_PREFIX}*.jsonl", f"*/{_PREFIX}*.jsonl"):
        files = Path(path).glob(pattern)
        if found := [file for file in files if file.stem.removeprefix(_PREFIX).isdecimal()]:
            return found
    return []


def read_digests(path: str | Path) -> RunDigests:
    """Read the digests of a run.

    A start that continues after iteration k replaces what earlier ones recorded after k.

    Args:
        path: Its work directory, or the log directory of one start.

    Raises:
        FileNotFoundError: There are none.
        ConfigError: They are of a later version.
    """
    files = digest_files(path)
    if not files:
        raise FileNotFoundError(f"there are no digests in {str(path)!r}")
    run = RunDigests(Path(path))
    for file in sorted(files, key=_order):
        _read_file(file, run)
    return run


def _order(file: Path) -> tuple[int, int, str]:
    """By rank, then as the starts followed each other; the clock may have jumped between them."""
    with file.open("rb") as lines:
        header = _parsed(lines.readline()) or {}
    return _rank(file), header.get("earlier_starts", 0), file.parent.name


def _rank(file: Path) -> int:
    return int(file.stem.removeprefix(_PREFIX))


def _read_file(file: Path, run: RunDigests) -> None:
    records = run.ranks.setdefault(_rank(file), {})
    lines = file.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        content = _parsed(line)
        if content is None:
            damage = f"line {number} is damaged; it is left out"
            if number == len(lines):
                damage = "its last line is cut off, as when a run is killed; it is left out"
            run.notes.append(f"{file.parent.name}/{file.name}: {damage}")
        elif "digests" in content:
            _begin(content, file, run, records)
        else:
            iteration = content.pop("iteration")
            records.setdefault(iteration, {}).update(content)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The content of a line; ``None`` for one that is damaged."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    if "digests" in content:
        is_whole = all(isinstance(content.get(it, 0), int) for it in ("start", "earlier_starts"))
    else:
        kinds = [kind for key, kind in content.items() if key != "iteration"]
        is_whole = isinstance(content.get("iteration"), int) and all(
            isinstance(kind, dict) and all(isinstance(digest, str) for digest in kind.values())
            for kind in kinds
        )
    return content if is_whole else None


def _begin(header: dict[str, Any], file: Path, run: RunDigests, records: dict[int, Record]) -> None:
    if header["digests"] != DIGEST_FORMAT:
        raise ConfigError(
            f"{file} holds digests of version {header['digests']!r}, not {DIGEST_FORMAT}",
            help="read them with the version of mainspring that wrote them",
        )
    run.start = run.start or header
    begin = header.get("start", 0)
    for iteration in [iteration for iteration in records if iteration > begin]:
        del records[iteration]
