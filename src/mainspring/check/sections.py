"""Top-level names that no run reads: misspelt or old ones, and assignments without effect.

And checkpoints that a run loads and that are not there.
"""

from __future__ import annotations

import ast
import itertools
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mainspring.check.nearest import alike, nearest
from mainspring.check.problem import Problems, Severity
from mainspring.config.printing.parse import is_dump
from mainspring.config.provenance.places import value_at
from mainspring.config.schema import (
    NEAR,
    OLD_SECTIONS,
    OTHER_NAMES,
    RUNNER_SECTIONS,
    SECTIONS,
    TRIPLES,
    misspelt_sections,
)
from mainspring.config.source import Source
from mainspring.errors import Location, suggestion
from mainspring.walk import parts_of, paths_of

__all__ = ["check_names", "find_missing_files"]

_REMOTE = re.compile(r"[A-Za-z][\w+.-]+:")
"""``https://``, ``s3://``, ``torchvision://``, ``mmpretrain://``, ``open-mmlab:``, ...; a drive of
Windows has one letter."""

_PRETRAINED = ("Pretrained", "PretrainedInit")
_BASE_VALUE = re.compile(r"\{\{\s*_base_\.(\w+)")


def check_names(cfg: Any, values: Mapping[Any, Any], problems: Problems) -> None:
    """Find top-level names that have no effect on the run, though they look as if they had.

    Args:
        cfg: The config; one that comes from files is compared with their texts.
        values: Its values, not imported.
        problems: Where to report.
    """
    read_files: Sequence[Source] = cfg._sources if hasattr(cfg, "_cfg_dict") else ()
    imported = cfg._imported_names if read_files else ()
    sources = [source for source in read_files if source.format == ".py"]
    read = {name for source in sources for name in _uses(source.text).read}
    unread = [str(key) for key in values if str(key) not in read and key not in imported]
    meant = misspelt_sections(unread)
    for key in unread:
        if key in meant:
            message = f"{key} is no section, so it has no effect on the run"
            together = next((triple for triple in TRIPLES if meant[key] in triple), ())
            is_needed = meant[key] == "model" or any(name in values for name in together)
            is_missing = meant[key] not in values and is_needed
            severity: Severity = "error" if is_missing else "warning"
            problems.add(severity, message, (key,), f"did you mean {meant[key]!r}?")
        elif key in OLD_SECTIONS and any(name in values for name in RUNNER_SECTIONS):
            message = f"{key} has no effect: it is no section"
            problems.add("warning", message, (key,), OLD_SECTIONS[key])
    hooks = values.get("default_hooks")
    names = list(map(str, dict.keys(hooks))) if isinstance(hooks, dict) else []
    known = SECTIONS["default_hooks"].keys
    for key in names:
        hint = suggestion(nearest(key, [name for name in known if name not in names]))
        if key not in known and hint is not None:
            message = f"default_hooks has no hook {key!r}, so this one is added to the others"
            problems.add("warning", message, ("default_hooks", key), hint)
    if not any(is_dump(source.text) for source in sources):
        dead = (*_misspelt_variables(sources, values, read, meant), *_dead_assignments(sources))
        for name, place, why, advice in dead:
            problems.add("warning", f"{name} has no effect{why}", (name,), advice, location=place)
        for path, why, advice in _dead_changes(cfg, sources, values, read):
            message = f"{path} has no effect{why}"
            problems.add("warning", message, tuple(path.split(".")), advice)


def _dead_changes(
    cfg: Any, sources: Sequence[Source], values: Mapping[Any, Any], read: set[str]
) -> Iterator[tuple[str, str, str | None]]:
    """Changes of variables after the files were read, why they have no effect, and what to do."""
    sections = [value_at(values, [name]) for name in RUNNER_SECTIONS]
    changed: tuple[str, ...] = getattr(cfg, "_changed", ())
    for path in dict.fromkeys(changed):
        name, *inner = path.split(".")
        if name in (*RUNNER_SECTIONS, *OTHER_NAMES) or name not in values:
            continue
        used_at = next(_places_of_use(sources, name), None)
        if used_at is None:
            close = nearest(name, read.intersection(values))
            if not inner and any(alike(name, other) >= NEAR for other in close):
                yield path, ": nothing reads it", suggestion(close)
            continue
        holder = value_at(values, [name, *inner[:-1]]) if inner else None
        if holder is None or not any(part is holder for part in parts_of(sections)):
            advice = "change it where the run has it"
            if not inner:
                advice += f"; {path}=... with a plain value, without --cfg-options, takes effect"
            yield path, f" here: {used_at} has used its former value", advice


def _places_of_use(sources: Sequence[Source], name: str) -> Iterator[str]:
    """Where Python files read a variable."""
    for source in sources:
        if source.format == ".py":
            yield from (f"{source.path}:{line}" for line in _uses(source.text).read.get(name, ()))


_Dead = Iterator[tuple[str, Location, str, str | None]]
"""Variables, where they are assigned, why that has no effect, and what to do."""


def _misspelt_variables(
    sources: Sequence[Source], values: Mapping[Any, Any], read: set[str], known: Mapping[str, str]
) -> _Dead:
    """Variables that nobody reads and that have nearly the name of one that is read."""
    used = {name for name in read if name in values}
    for source in sources:
        for name, lines in _uses(source.text).assigned.items():
            plain = name not in read and name not in (*RUNNER_SECTIONS, *OTHER_NAMES, *known)
            close = [other for other in nearest(name, used) if alike(name, other) >= NEAR]
            if plain and name in values and not name.startswith("_") and close:
                place = Location(source.path, lines[-1], 1)
                yield name, place, ": nothing reads it", suggestion(close)


def _dead_assignments(sources: Sequence[Source]) -> _Dead:
    """Assignments that come too late, since a base has used the value, or are made again."""
    before: dict[str, tuple[str, int]] = {}
    for index, source in enumerate(sources):
        use = _uses(source.text)
        later = {name for other in sources[index + 1 :] for name in _uses(other.text).read}
        for name, lines in use.assigned.items():
            for line, following in itertools.pairwise(lines):
                if not any(line < at <= following for at in use.read.get(name, ())):
                    why = f" here: line {following} assigns it again"
                    yield name, Location(source.path, line, 1), why, "remove one of them"
            if name in before and name not in ("_base_", *RUNNER_SECTIONS, *OTHER_NAMES, *later):
                file, used_at = before[name]
                if not any(at >= lines[-1] for at in use.read.get(name, ())):
                    why = f" here: {file}:{used_at} has used its former value"
                    where = "takes effect where the base assigns it; or edit what the base computed"
                    advice = f"say it on the command line, {name}=..., which {where} from it"
                    yield name, Location(source.path, lines[-1], 1), why, advice
        for name, read_at in use.read.items():
            before.setdefault(name, (source.path, min(read_at)))


class _Uses:
    """The names of a file.

    Attributes:
        assigned: Lines of the plain statements at the top level that assign a name.
        read: Lines on which a name is read.
    """

    def __init__(self) -> None:
        self.assigned: dict[str, list[int]] = defaultdict(list)
        self.read: dict[str, list[int]] = defaultdict(list)


@lru_cache(maxsize=64)
def _uses(text: str) -> _Uses:
    found = _Uses()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        tree = ast.Module([], [])
    for statement in tree.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        for target in targets:
            if isinstance(target, ast.Name):
                found.assigned[target.id].append(statement.lineno)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.read[node.id].append(node.lineno)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.read[node.target.id].append(node.lineno)
        elif isinstance(node, ast.Attribute):  # a base's variable, as in `base.epochs`
            found.read[node.attr].append(node.lineno)
    for number, line in enumerate(text.split("\n"), 1):
        for name in _BASE_VALUE.findall(line):
            found.read[name].append(number)
    return found


def find_missing_files(values: dict[Any, Any], problems: Problems) -> None:
    """Find local checkpoints that are no files: of ``load_from``, ``resume`` and ``init_cfg``.

    Args:
        values: The whole config, not imported.
        problems: Where to report.
    """
    named: list[tuple[tuple[str, ...], Any, Severity]] = [
        ((name,), dict.get(values, name), "error") for name in ("load_from", "resume")
    ]
    for keys, part in paths_of(values):
        if isinstance(part, dict) and str(dict.get(part, "type")) in _PRETRAINED:
            # What weights begin with matters to a training alone.
            path = (*map(str, keys), "checkpoint")
            named.append((path, dict.get(part, "checkpoint"), "warning"))
    for path, file, severity in named:
        if not isinstance(file, str) or file in ("", "auto") or _REMOTE.match(file):
            continue
        why, advice = _why_no_file(file, dict.get(values, "work_dir"))
        if why is not None:
            said, unsure = f"{path[-1]} is {file!r}, which {why}", severity == "warning"
            problems.add(severity, said, path, advice, only_checked=unsure)


def _why_no_file(file: str, work_dir: Any) -> tuple[str | None, str | None]:
    """Why a checkpoint cannot be read, if so, and what to do."""
    places = [os.path.expanduser(file)]
    if isinstance(work_dir, str) and os.path.dirname(file) == "":
        places.append(os.path.join(work_dir, file))
    if os.path.isdir(places[0]):
        return "is a directory", "name one of its files; resume=True takes the work_dir's newest"
    if "\0" in file or any(map(os.path.exists, places)):
        return None, None
    folder = Path(file).parent
    try:
        hint = suggestion(nearest(Path(file).name, [entry.name for entry in folder.iterdir()]))
    except OSError:
        return "does not exist", f"there is no folder {str(folder)!r}"
    return "does not exist", hint and f"{hint} (in {folder})"
