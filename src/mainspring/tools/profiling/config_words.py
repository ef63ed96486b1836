"""Changes of a config in words that the command line takes as they are."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from mainspring.config.printing.plain import path_of
from mainspring.errors import ConfigError
from mainspring.runner.building.default_hooks import DEFAULT_HOOKS

__all__ = ["applicable"]


def applicable(cfg: Any, words: Iterable[str]) -> list[str]:
    """The words that make changes to a config, where a setting may not be written in it yet.

    Args:
        cfg: The config.
        words: Changes, each as ``path=value``.

    Returns:
        The same, with ``+`` before what the config does not have, and with the type of a default
        hook that it does not mention.
    """
    changed = copy.deepcopy(cfg)
    found = []
    for word in words:
        wanted = [word]
        section, _, path = word.partition(".")
        hook = path.partition(".")[0]
        if section == "default_hooks" and hook not in (changed.get(section) or {}):
            kind = DEFAULT_HOOKS.get(hook, {}).get("type")
            name = kind if isinstance(kind, str) else path_of(kind)
            wanted = [f"{section}.{hook}.type={name}", word] if name else [word]
        for change in wanted:
            for spelling in (change, f"+{change}"):
                with suppress(ConfigError):
                    changed.override([spelling])
                    break
            else:  # made by the config's own code, which cannot be changed from outside
                spelling = change
            found.append(spelling)
    return found
