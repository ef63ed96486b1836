"""Tell where in the config an error came from: its path, its file and its line."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mainspring.errors import Location, MainspringError
from mainspring.logging import MMLogger
from mainspring.logging.print_log import receiving_messages
from mainspring.walk import paths_of

__all__ = ["building", "give_place", "path_of", "place_of"]

_PLACED = "__mainspring_placed__"


@contextmanager
def building(cfg: Any, section: str) -> Iterator[None]:
    """While a part is built, add to any error which section of the config describes the part.

    Args:
        cfg: The whole config of the run.
        section: Its section, such as ``model`` or ``val_dataloader``.
    """

    def say(said: object, level: int, extra: Mapping[str, object] | None) -> None:
        give_place(said, cfg)
        MMLogger.get_current_instance().log(level, said, extra=extra)

    try:
        with receiving_messages(say):
            yield
    except Exception as error:
        if not hasattr(error, _PLACED):
            setattr(error, _PLACED, True)
            described: Any = cfg
            for part in section.split("."):
                described = described.get(part) if hasattr(described, "get") else None
            spec = getattr(error, "__mainspring_spec__", None)
            within = path_of(described, spec) if spec is not None else None
            path = f"{section}.{within}" if within else section
            if isinstance(error, MainspringError):
                error.config_path = error.config_path or path
                if error.location is None:
                    error.location = place_of(cfg, error.config_path) or place_of(cfg, path)
            else:
                location = place_of(cfg, path)
                error.add_note(f"while building {path}" + (f" ({location})" if location else ""))
        raise


def give_place(said: object, cfg: Any) -> None:
    """Give an error or warning of ours the place of the config path that it names.

    Args:
        said: Anything; only what has a config path and no place yet gets one.
        cfg: The whole config of the run.
    """
    if isinstance(said, MainspringError) and said.location is None:
        said.location = place_of(cfg, said.config_path or "")


def path_of(tree: Any, wanted: Any) -> str | None:
    """Dotted path of a dict inside nested dicts and lists: by identity, else by equality.

    Returns:
        The path, empty for the tree itself; ``None`` when it is not inside.
    """
    for is_it in (operator.is_, _equal):
        for path, value in [((), tree), *paths_of(tree)]:
            if is_it(value, wanted):
                return ".".join(map(str, path))
    return None


def _equal(left: Any, right: Any) -> bool:
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
        return False
    try:
        return bool(left == right)
    except (RuntimeError, ValueError, TypeError):
        return False


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
