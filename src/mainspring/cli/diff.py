"""`mainspring diff A B`: how two configs differ, value by value."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import (
    add_allow_option,
    add_format_option,
    aside,
    read_config,
    refuse_overrides,
)
from mainspring.cli.show import config_of_checkpoint, is_checkpoint
from mainspring.json_text import json_text

if TYPE_CHECKING:
    from mainspring.config import Config
    from mainspring.config.diff import Difference
    from mainspring.errors import Location

__all__ = ["add_parser", "run"]

_DIFFERENT = 1
_LIMIT = 100


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "diff",
        help="print how two configs differ",
        description="Print the values in which two configs differ, bases included. "
        "Exit with 1 if they do.",
    )
    parser.add_argument("config", metavar="A", help="config file, or a checkpoint: .pth")
    parser.add_argument("other", metavar="B", help="another one")
    words = parser.add_argument("overrides", nargs="*", help=argparse.SUPPRESS)
    words.required = False
    add_format_option(parser)
    add_allow_option(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Compare two configs.

    Raises:
        ConfigError: One cannot be read, or words are left that change a config.
        SystemExit: They differ; the code is 1.
    """
    from mainspring.config.diff import differences

    refuse_overrides(
        options,
        "diff takes two configs as they are",
        "save the changed config first: mainspring show CONFIG key=value > other.py",
    )
    with aside(options):
        one, other = _read(options.config), _read(options.other)
        found = list(differences(one._own_values(), other._own_values()))
    if options.format == "json":
        print(_as_json(found, one, other))
    elif found:
        _print_table(found, one, other)
    else:
        print("no differences")
    if found:
        raise SystemExit(_DIFFERENT)


def _read(path: str) -> Config:
    if not is_checkpoint(path):
        return read_config(path, running=False)
    from mainspring.config import Config
    from mainspring.config.parse import parse_dump
    from mainspring.config.source import Source

    text = config_of_checkpoint(path)
    cfg = Config(parse_dump(text, path))
    cfg._sources = (Source(path, text, ".py"),)
    return cfg


def _print_table(found: list[Difference], one: Config, other: Config) -> None:
    from mainspring.cli.printing import in_one_line, paint

    marks = {"changed": "~", "added": "+", "removed": "-"}
    width = max(len(difference.path) for difference in found)
    for difference in found:
        left = in_one_line(difference.left, _LIMIT) if difference.kind != "added" else ""
        right = in_one_line(difference.right, _LIMIT) if difference.kind != "removed" else ""
        values = " -> ".join(filter(None, (left, right)))
        mark = paint(f"{marks[difference.kind]} {difference.path:<{width}}", difference.kind)
        places = [f"{it.file}:{it.line}" for it in _places(difference, one, other) if it]
        shown = "   " + paint(f"({' | '.join(places)})", "place") if places else ""
        print(f"{mark}  {values}{shown}")


def _places(
    difference: Difference, one: Config, other: Config
) -> tuple[Location | None, Location | None]:
    left, right = difference.left_path, difference.right_path
    return (
        one.nearest_place(left) if left is not None else None,
        other.nearest_place(right) if right is not None else None,
    )


def _as_json(found: list[Difference], one: Config, other: Config) -> str:
    from mainspring.config.diff import shown_path

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
    return json_text(rows, indent=2)


def _jsonable(value: Any) -> Any:
    """Numbers, strings and lists of them as they are, other values as they are printed."""
    from mainspring.cli.printing import in_one_line

    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and all(not isinstance(item, dict | tuple) for item in value):
        return [_jsonable(item) for item in value]
    return in_one_line(value)
