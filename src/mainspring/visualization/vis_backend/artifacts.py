"""Files of a run that a tracker keeps as well."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from mainspring.utils import scandir

__all__ = ["Suffixes", "find_artifacts", "work_dir_of"]

Suffixes = tuple[str, ...] | str


def find_artifacts(
    directory: str | None, suffixes: Suffixes, *, recursive: bool
) -> Iterator[tuple[str, str]]:
    """Files to keep: the path of each, and its directory relative to `directory`.

    Args:
        directory: Where to look; nothing is found where it does not exist.
        suffixes: Endings of the wanted names.
        recursive: Whether to look into the directories below, too.
    """
    if not directory or not os.path.isdir(directory):
        return
    for name in sorted(scandir(directory, suffixes, recursive)):
        yield os.path.join(directory, name), os.path.dirname(name)


def work_dir_of(config: Any) -> str | None:
    """The work directory that a config names, if it does."""
    work_dir = None if config is None else config.get("work_dir")
    return None if work_dir is None else str(work_dir)
