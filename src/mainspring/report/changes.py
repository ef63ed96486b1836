"""What a config changes of what it builds on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.config import Config
from mainspring.config.diff import differences
from mainspring.config.printing.in_words import in_one_line

__all__ = ["changes_between", "changes_of"]

OF_THE_PLACE = ("work_dir", "resume", "load_from", "launcher")
"""Settings that differ from run to run of one config."""

_LIMIT = 160

Changes = list[tuple[str, str, str]]


def changes_of(cfg: Config) -> tuple[str, Changes]:
    """The differences of a config to its base.

    The base is the last of the files that it builds on; without one, the file itself, from which it
    differs by what the command line said.

    Args:
        cfg: The config of a run.

    Returns:
        The base's name, empty without any; and path, value in the base and value in the config of
        each difference.

    Raises:
        ConfigError: The base cannot be read by itself.
    """
    files = [source.absolute_path for source in cfg.sources if not source.is_string]
    base = files[-2] if len(files) > 1 else files[0] if files and cfg.overrides else None
    if base is None or not Path(base).is_file():
        return "", []
    read = Config.fromfile(base, import_custom_modules=False)
    return Path(base).name, changes_between(read._own_values(), cfg._own_values())


def changes_between(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> Changes:
    """Path, value on the left and value on the right of each difference; empty for none.

    Args:
        left: Values of one config.
        right: Values of another one.
    """
    changes: Changes = []
    for each in differences(left, right):
        one = "" if each.kind == "added" else in_one_line(each.left, _LIMIT)
        other = "" if each.kind == "removed" else in_one_line(each.right, _LIMIT)
        if each.path not in OF_THE_PLACE:
            changes.append((each.path, one, other))
    return changes
