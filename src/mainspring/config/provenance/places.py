"""Look up where the parts of a config are written, and mark what changes them afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.config.provenance.marks import Mark, Marked, Marks, Spot, current_session, marks_of
from mainspring.errors import Location
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedCall

__all__ = [
    "Places",
    "Step",
    "key_in",
    "keys_of",
    "locate",
    "name_positional",
    "nearest_spot",
    "note_change",
    "steps_to",
    "value_at",
]

_IMPORT_PLACE = re.compile(r"(?P<file>.+), line (?P<line>\d+)")


def keys_of(values: Any, path: str) -> list[str]:
    """The keys of a dotted path; a key of the config may have dots of its own.

    A number is a positional argument of a call, where it has such.

    Args:
        values: The config.
        path: Dotted path.
    """
    keys: list[str] = []
    part: Any = values
    rest = path.split(".")
    while rest:
        count = 1
        if isinstance(part, RecordedCall) and rest[0].isdecimal() and _value(part, POSITIONAL_KEY):
            keys.append(POSITIONAL_KEY)
            part = _value(part, POSITIONAL_KEY)
        if isinstance(part, dict) and _value(part, rest[0]) is None:
            joined = (n for n in range(2, len(rest) + 1) if ".".join(rest[:n]) in dict.keys(part))
            count = next(joined, 1)
        keys.append(".".join(rest[:count]))
        part, rest = _value(part, keys[-1]), rest[count:]
    return keys


def value_at(values: Any, names: Sequence[str]) -> Any:
    """A part of a config, without importing anything; ``None`` if it is not there."""
    for name in names:
        values = _value(values, name)
    return values


def _value(part: Any, name: str) -> Any:
    if isinstance(part, dict):
        return dict.get(part, key_in(part, name))
    if isinstance(part, list | tuple) and name.isdecimal() and int(name) < len(part):
        return part[int(name)]
    return None


def key_in(part: Any, name: str) -> Any:
    """The key of a dict, or the index of a list, that a name in a dotted path stands for."""
    if not isinstance(part, dict):
        return int(name)
    return int(name) if name.isdecimal() and not dict.__contains__(part, name) else name


def _item_spot(spots: Sequence[Spot], values: Sequence[Any], index: int) -> Spot | None:
    """The place of an item, among those of all that its list is made of."""
    value = values[index]
    if isinstance(value, dict):
        marks = marks_of(value)
        return marks.where if marks is not None else None
    if len(spots) == len(values) and spots[index].gives(value, surely=False):
        return spots[index]
    same = [spot for spot in spots if spot.gives(value, surely=True)]
    before = sum(type(other) is type(value) and other == value for other in values[:index])
    return same[min(before, len(same) - 1)] if same else None


@dataclass(slots=True, eq=False)
class Step:
    """A part of a config on the way to another one.

    Attributes:
        value: The part.
        mark: The mark of its key, if it has one.
        spot: Where its key is written, or the part itself, as an item of a list.
    """

    value: Any
    mark: Mark | None = None
    spot: Spot | None = None


def steps_to(values: Any, names: Sequence[str]) -> list[Step]:
    """The parts on the way to a path, as far as they are there.

    Args:
        values: The config, or a part of it.
        names: The keys of the path.
    """
    steps: list[Step] = []
    part: Any = values
    trail: tuple[Any, ...] = ()
    known: dict[tuple[Any, ...], list[Spot]] = {}
    for name in names:
        marks = marks_of(part) or Marks()
        if isinstance(part, dict) and dict.__contains__(part, key := key_in(part, name)):
            mark = marks.keys.get(key)
            step = Step(dict.__getitem__(part, key), mark, mark.place if mark else None)
            trail, known = (key,), marks.items
        elif isinstance(part, list | tuple) and name.isdecimal() and int(name) < len(part):
            spot = _item_spot(known.get(trail, []), part, int(name))
            trail = (*trail, int(name))
            step = Step(part[int(name)], None, known.get((*trail, _REPLACED), [spot])[0])
        else:
            break
        steps.append(step)
        part = step.value
    return steps


def locate(values: Any, path: str) -> Location | None:
    """Where a file writes the key of a dotted path; ``None`` when none does literally.

    Args:
        values: The config.
        path: Dotted path.
    """
    names = keys_of(values, path)
    steps = steps_to(values, names)
    spot = steps[-1].spot if len(steps) == len(names) else None
    return spot.location if spot is not None and spot.text is not None else None


def nearest_spot(steps: Sequence[Step], count: int) -> Spot | None:
    """The place of a path, or of the nearest call or key around it that has one.

    Args:
        steps: The parts on the way to it.
        count: How many keys the path has.
    """
    for depth in range(len(steps), 0, -1):
        step = steps[depth - 1]
        call = _call_spot(step.value)
        spot = (step.spot or call) if depth == count else (call or step.spot)
        if spot is not None:
            return spot
    return None


def _call_spot(value: Any) -> Spot | None:
    marks = marks_of(value) if isinstance(value, RecordedCall) else None
    return marks.where if marks is not None else None


class Places:
    """Where the values of a config are written.

    Args:
        cfg: The config.
        values: Its values, or a copy of them; for plain dicts nothing is found.
    """

    def __init__(self, cfg: Any, values: Any) -> None:
        self._values = values
        sources = getattr(cfg, "_sources", ()) if not isinstance(cfg, dict) else ()
        self._texts = {source.path: source.text for source in sources}

    def of(self, path: Sequence[str]) -> Location | None:
        """The place of a key, or of the nearest part around it that is written somewhere.

        Args:
            path: The keys from the top.
        """
        spot = nearest_spot(steps_to(self._values, path), len(path))
        return spot.location if spot is not None else None

    def of_call(self, path: Sequence[str]) -> Location | None:
        """The place of a call, rather than of the key that it is the value of.

        Args:
            path: The keys from the top.
        """
        steps = steps_to(self._values, path)
        call = _call_spot(steps[-1].value) if len(steps) == len(path) else None
        return call.location if call is not None else self.of(path)

    def of_import(self, value: Any) -> Location | None:
        """The place of an imported name in the import statement.

        Args:
            value: What stands for it.
        """
        match = _IMPORT_PLACE.fullmatch(str(getattr(value, "location", None)))
        if match is None:
            return None
        file, first = match["file"], int(match["line"])
        lines = self._texts.get(file, "").split("\n")[first - 1 : first + 40]
        name = re.compile(rf"\b{re.escape(str(value))}\b")
        found = ((n, hit) for n, line in enumerate(lines, first) if (hit := name.search(line)))
        line, hit = next(found, (first, None))
        return Location(file, line, hit.start() + 1 if hit else None)


def name_positional(call: Any, names: Sequence[str]) -> None:
    """Let arguments that get the names of parameters keep their places.

    Args:
        call: The recorded call, before they get them.
        names: The names.
    """
    marks, current = marks_of(call), current_session()
    given = dict.get(call, POSITIONAL_KEY)
    if marks is not None and isinstance(given, list):
        spots = current.items(given) if current else marks.items.pop((POSITIONAL_KEY,), [])
        for index, name in enumerate(names[: len(given)]):
            spot = _item_spot(spots, given, index)
            if spot is not None and name not in marks.keys:  # it may have been set meanwhile
                marks.set(name, Mark(spot))


_REPLACED = "replaced"
"""Behind the keys of an item of a list: by what it was replaced."""


def _replaced(marks: Marks, keys: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The marks of replaced items within a key, or within a list there, in their order."""
    within = len(keys)
    found = [t for t in marks.items if t[:within] == keys and t[-1] == _REPLACED]
    return sorted(found, key=lambda trail: str(trail[within]).zfill(9))


def note_change(values: Any, path: Sequence[str], spot: Spot, action: str, old: Any = None) -> None:
    """Mark what was changed after the files were read.

    Args:
        values: The config, changed.
        path: The keys.
        spot: The word of the command line, or what else changed it.
        action: ``set``, ``force``, ``append``, ``remove``, or ``inside`` for a part of it.
        old: The value that was there before.
    """
    holder, depth, part = values, 0, values
    for index, name in enumerate(path):
        if isinstance(part, Marked):
            holder, depth = part, index
        part = _value(part, name)
    marks = holder.__marks__ or Marks()
    object.__setattr__(holder, "__marks__", marks)
    key, is_whole = key_in(holder, path[depth]), depth + 1 == len(path)
    if is_whole and action == "remove":
        marks.keys.pop(key, None)
        if depth:
            note_change(values, path[:depth], spot, "inside")
    elif is_whole and action in ("set", "force"):
        marks.items.pop((key,), None)
        for trail in _replaced(marks, (key,)):
            del marks.items[trail]
        marks.set(key, Mark(spot), old)
    else:
        # An item of a list: what is known of the others stays.
        within = [int(name) if name.isdecimal() else name for name in path[depth + 1 :]]
        if action == "append":
            more = [Spot(None, word=spot.word, value=value) for value in part[len(old or ()) :]]
            marks.items[key,] = [*marks.items.get((key,), []), *more]
        elif action == "remove":
            parents, removed = (key, *within[:-1]), within[-1]
            for trail in _replaced(marks, parents):
                at = trail[len(parents)]
                if isinstance(at, int) and isinstance(removed, int) and at >= removed:
                    spots = marks.items.pop(trail)
                    if at > removed:  # the items behind it move up
                        marks.items[*parents, at - 1, *trail[len(parents) + 1 :]] = spots
        elif action != "inside":
            marks.items[key, *within, _REPLACED] = [spot]
        marks.set(key, Mark(spot, is_partial=key in marks.keys), dict.get(holder, key))
