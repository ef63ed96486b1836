"""Changes of a config in words that the command line takes as they are."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from mainspring.errors import ConfigError
from mainspring.runner.default_hooks import DEFAULT_HOOKS

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
        for candidate in (*_type_of_default_hook(changed, word), word):
            for spelling in (candidate, f"+{candidate}"):
                try:
                    changed.override([spelling])
                except ConfigError:
                    continue
                found.append(spelling)
                break
            else:
                # A part that was made by the config's own code cannot be changed from outside.
                found.append(candidate)
    return found


def _type_of_default_hook(cfg: Any, word: str) -> list[str]:
    section, _, rest = word.partition(".")
    name = rest.partition(".")[0]
    if section != "default_hooks" or name in (cfg.get(section) or {}):
        return []
    kind = DEFAULT_HOOKS.get(name, {}).get("type")
    if isinstance(kind, type):
        kind = f"{kind.__module__}.{kind.__qualname__}"
    return [f"{section}.{name}.type={kind}"] if kind else []
