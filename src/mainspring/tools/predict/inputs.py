"""From the words of a command line to single inputs."""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from mainspring.errors import MissingConfigError

__all__ = ["Input", "inputs_of", "is_image"]

_IMAGES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Input:
    """One input.

    Attributes:
        name: What it is called in tables, such as ``cats/1.png`` or ``notes.txt:3``.
        source: The path of a file; what a line holds, a text or values by name; or the error of a
            file whose lines cannot be read.
        is_file: Whether `source` is a path.
    """

    name: str
    source: Any
    is_file: bool = False


def is_image(path: str | Path) -> bool:
    """Whether a file has the name of an image."""
    return Path(path).suffix.lower() in _IMAGES


def inputs_of(words: Sequence[str], stdin: TextIO) -> Iterator[Input]:
    """The inputs that words stand for, in order.

    A folder stands for the files in it and below it, without hidden ones; a pattern for what it
    matches; ``-`` for the lines of standard input. A line of a ``.txt`` or ``.jsonl`` file, and a
    row of a ``.csv`` file, is an input of its own; every other file is one.

    Args:
        words: Paths, patterns, ``-``.
        stdin: Standard input.

    Raises:
        MissingConfigError: Nothing has such a name; before any input is given.
    """
    found = [(word, _files(word)) for word in words]
    return (item for word, files in found for item in _read(word, files, stdin))


def _files(word: str) -> list[Path]:
    path = Path(word)
    if word == "-" or path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        files = [f for f in files if not any(p.startswith(".") for p in f.relative_to(path).parts)]
    else:
        files = [Path(name) for name in sorted(glob.glob(word, recursive=True))]
        files = [file for file in files if file.is_file()]
    if not files:
        raise MissingConfigError(
            f"no file has the name {word!r}" if not path.is_dir() else f"no file is in {word!r}",
            help="give files, folders, patterns in quotes, or - for the lines of standard input",
        )
    return files


def _read(word: str, files: Iterable[Path], stdin: TextIO) -> Iterator[Input]:
    if word == "-":
        yield from _lines("stdin", stdin)
        return
    for file in files:
        if file.suffix in (".txt", ".jsonl", ".csv"):
            read = _rows if file.suffix == ".csv" else _lines
            try:
                with file.open(encoding="utf-8", newline="") as opened:
                    yield from read(str(file), opened)
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                yield Input(str(file), error)
        else:
            yield Input(str(file), str(file), is_file=True)


def _rows(name: str, lines: Iterable[str]) -> Iterator[Input]:
    """The rows by the names in the first one; as lists, where that is a row of numbers as well."""
    heads: list[str] = []
    for number, cells in enumerate(filter(None, csv.reader(lines)), 1):
        values = [_number(cell) for cell in cells]
        if number == 1 and not all(isinstance(value, float) for value in values):
            heads = cells
            if len(set(heads)) < len(heads):
                raise csv.Error(f"its first row, the names of columns, has one twice: {heads}")
            continue
        values += [None] * (len(heads) - len(values))
        named = {head: value for head, value in zip(heads, values, strict=False) if head}
        yield Input(f"{name}:{number}", named if heads else values)


def _lines(name: str, lines: Iterable[str]) -> Iterator[Input]:
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n")
        if text.strip():
            value: Any = text
            with suppress(ValueError):  # it may hold JSON
                value = json.loads(text)
            yield Input(f"{name}:{number}", value)


def _number(cell: Any) -> Any:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return cell
