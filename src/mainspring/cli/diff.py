"""`mainspring diff A B`: how two configs differ, value by value."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import add_allow_option, add_verb, aside, read_config, tell
from mainspring.cli.show import config_of_checkpoint, is_checkpoint
from mainspring.errors import shown_path

if TYPE_CHECKING:
    from mainspring.config import Config
    from mainspring.config.diff import Difference
    from mainspring.errors import Location

__all__ = ["add_parser", "run"]

_DIFFERENT = 1
_LIMIT = 100


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "diff",
        run,
        short="print how two configs differ",
        long="Print the values in which two configs differ, bases included. "
        "Exit with 1 if they do.",
        changes=argparse.SUPPRESS,
        refusal=(
            "diff takes two configs as they are, but got {!r}",
            "save the changed config first: mainspring show CONFIG key=value > other.py",
        ),
        config={"metavar": "A", "help": "config file, or a checkpoint: .pth"},
        other={"metavar": "B", "help": "another one"},
    )
    add_allow_option(parser)


def run(options: argparse.Namespace) -> None:
    """Compare two configs.

    Raises:
        ConfigError: One cannot be read, or words are left that change a config.
        SystemExit: They differ; the code is 1.
    """
    from mainspring.config.diff import differences

    with aside(options):
        one, other = _read(options.config), _read(options.other)
        found = list(differences(one._own_values(), other._own_values()))
    tell(options, _as_json(found, one, other), _as_text(found, one, other))
    if found:
        raise SystemExit(_DIFFERENT)


def _read(path: str) -> Config:
    if not is_checkpoint(path):
        return read_config(path, running=False)
    from mainspring.config import Config
    from mainspring.config.printing.parse import parse_dump
    from mainspring.config.source import Source

    text = config_of_checkpoint(path)
    cfg = Config(parse_dump(text, path))
    cfg._sources = (Source(path, text, ".py"),)
    return cfg


def _as_text(found: list[Difference], one: Config, other: Config) -> str:
    from mainspring.cli.printing import in_one_line, paint

    lines = []
    marks = {"changed": "~", "added": "+", "removed": "-"}
    width = max((len(difference.path) for difference in found), default=0)
    for difference in found:
        left = in_one_line(difference.left, _LIMIT) if difference.kind != "added" else ""
        right = in_one_line(difference.right, _LIMIT) if difference.kind != "removed" else ""
        values = " -> ".join(filter(None, (left, right)))
        mark = paint(f"{marks[difference.kind]} {difference.path:<{width}}", difference.kind)
        places = [f"{it.file}:{it.line}" for it in _places(difference, one, other) if it]
        shown = "   " + paint(f"({' | '.join(places)})", "place") if places else ""
        lines.append(f"{mark}  {values}{shown}")
    return "\n".join(lines) or "no differences"


def _places(
    difference: Difference, one: Config, other: Config
) -> tuple[Location | None, Location | None]:
    left, right = difference.left_path, difference.right_path
    return (
        one.nearest_place(left) if left is not None else None,
        other.nearest_place(right) if right is not None else None,
    )


def _as_json(found: list[Difference], one: Config, other: Config) -> list[dict[str, Any]]:
    rows = []
    for difference in found:
        row: dict[str, Any] = {"path": difference.path, "kind": difference.kind}
        values = (difference.left, difference.right)
        paths = (difference.left_path, difference.right_path)
        places = _places(difference, one, other)
        for side, value, path, place in zip("ab", values, paths, places, strict=True):
            if path is not None:
                row[side] = _jsonable(value)
                row[f"{side}_path"] = shown_path(path)
                row[f"{side}_place"] = str(place) if place else None
        rows.append(row)
    return rows


def _jsonable(value: Any) -> Any:
    """Numbers, strings and lists of them as they are, other values as they are printed."""
    from mainspring.cli.printing import in_one_line

    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and all(not isinstance(item, dict | tuple) for item in value):
        return [_jsonable(item) for item in value]
    return in_one_line(value)
