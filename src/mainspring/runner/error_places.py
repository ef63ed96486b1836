"""Tell where in the config an error came from: its path, its file and its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mainspring.errors import Location, MainspringError
from mainspring.logging import MMLogger
from mainspring.logging.print_log import receiving_messages

__all__ = ["building", "path_of", "place_of"]

_PLACED = "__mainspring_placed__"


@contextmanager
def building(cfg: Any, section: str) -> Iterator[None]:
    """While a part is built, add to any error which section of the config describes the part.

    Args:
        cfg: The whole config of the run.
        section: Its section, such as ``model`` or ``val_dataloader``.
    """

    def say(said: object, level: int, extra: Mapping[str, object] | None) -> None:
        if isinstance(said, MainspringError) and said.location is None:
            said.location = place_of(cfg, said.config_path or "")
        MMLogger.get_current_instance().log(level, said, extra=extra)

    try:
        with receiving_messages(say):
            yield
    except Exception as error:
        if not hasattr(error, _PLACED):
            _add_place(error, cfg, section)
        raise


def _add_place(error: Exception, cfg: Any, section: str) -> None:
    setattr(error, _PLACED, True)
    spec = getattr(error, "__mainspring_spec__", None)
    described = _section_of(cfg, section)
    within = path_of(described, spec) if spec is not None else None
    path = section if not within else f"{section}.{within}"
    if isinstance(error, MainspringError):
        if error.config_path is None:
            error.config_path = path
        if error.location is None:
            error.location = place_of(cfg, error.config_path) or place_of(cfg, path)
        return
    location = place_of(cfg, path)
    error.add_note(f"while building {path}" + (f" ({location})" if location else ""))


def _section_of(cfg: Any, section: str) -> Any:
    value = cfg
    for part in section.split("."):
        value = value.get(part) if hasattr(value, "get") else None
        if value is None:
            return None
    return value


def path_of(tree: Any, wanted: Any) -> str | None:
    """Dotted path of a dict inside nested dicts and lists: by identity, else by equality.

    Returns:
        The path, empty for the tree itself; ``None`` when it is not inside.
    """
    same = _search(tree, lambda value: value is wanted)
    return same if same is not None else _search(tree, lambda value: _equal(value, wanted))


def _equal(left: Any, right: Any) -> bool:
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
        return False
    try:
        return bool(left == right)
    except (RuntimeError, ValueError, TypeError):
        return False


def _search(tree: Any, matches: Any) -> str | None:
    if matches(tree):
        return ""
    if isinstance(tree, Mapping):
        items = list(tree.items())
    elif isinstance(tree, list | tuple):
        items = [(str(index), value) for index, value in enumerate(tree)]
    else:
        return None
    for key, value in items:
        below = _search(value, matches)
        if below is not None:
            return f"{key}.{below}" if below else str(key)
    return None


def place_of(cfg: Any, path: str) -> Location | None:
    """The place of a config path, or of the nearest part around it that is written somewhere.

    Args:
        cfg: The whole config of the run.
        path: Dotted path.
    """
    nearest = getattr(cfg, "nearest_place", None) or getattr(cfg, "locate", None)
    while nearest is not None and path:
        found: Location | None = nearest(path)
        if found is not None:
            return found
        path = path.rpartition(".")[0]
    return None
