"""`mainspring diff A B`: how two configs differ, value by value."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mainspring.cli.show import config_of_checkpoint, is_checkpoint, read_without_running

if TYPE_CHECKING:
    from mainspring.config import Config
    from mainspring.config.compare import Difference
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
    parser.add_argument("overrides", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Compare two configs.

    Raises:
        ConfigError: One cannot be read, or words are left that change a config.
        SystemExit: They differ; the code is 1.
    """
    from mainspring.config.compare import differences
    from mainspring.errors import ConfigError

    if options.overrides:
        raise ConfigError(
            f"diff takes two configs as they are, but got {options.overrides[0]!r}",
            help="save the changed config first: mainspring show CONFIG key=value > other.py",
        )
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
        return read_without_running(path)
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
        arrow = " -> " if left and right else ""
        mark = paint(f"{marks[difference.kind]} {difference.path:<{width}}", difference.kind)
        places = [_place(place) for place in _places(difference, one, other)]
        shown = paint(f"({' | '.join(place for place in places if place)})", "place")
        print(f"{mark}  {left}{arrow}{right}{f'   {shown}' if any(places) else ''}")


def _places(
    difference: Difference, one: Config, other: Config
) -> tuple[Location | None, Location | None]:
    from mainspring.config.locate import locate_in_config

    left, right = difference.left_path, difference.right_path
    return (
        locate_in_config(one, left) if left is not None else None,
        locate_in_config(other, right) if right is not None else None,
    )


def _place(location: Location | None) -> str:
    return f"{location.file}:{location.line}" if location is not None else ""


def _as_json(found: list[Difference], one: Config, other: Config) -> str:
    import json

    rows = []
    for difference in found:
        left, right = _places(difference, one, other)
        row: dict[str, Any] = {"path": difference.path, "kind": difference.kind}
        if difference.kind != "added":
            row |= {"a": _jsonable(difference.left), "a_path": difference.left_path}
            row["a_place"] = str(left) if left else None
        if difference.kind != "removed":
            row |= {"b": _jsonable(difference.right), "b_path": difference.right_path}
            row["b_place"] = str(right) if right else None
        rows.append(row)
    return json.dumps(rows, indent=2)


def _jsonable(value: Any) -> Any:
    """Numbers, strings and lists of them as they are, other values as they are printed."""
    from mainspring.cli.printing import in_one_line

    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list) and all(not isinstance(item, dict | tuple) for item in value):
        return [_jsonable(item) for item in value]
    return in_one_line(value)
