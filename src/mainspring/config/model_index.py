"""The index of an installed package's models: ``model-index.yml`` and the metafiles it names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

__all__ = ["indexed_models"]


def indexed_models(folder: str) -> Iterator[dict[str, Any]]:
    """The models of an index, each with ``Name``, ``Config``, ``Weights`` and more.

    Args:
        folder: Where ``model-index.yml`` lies.
    """
    for metafile in (_read(folder, "model-index.yml") or {}).get("Import") or []:
        models = _read(folder, metafile) or {}
        entries = models.get("Models") if isinstance(models, dict) else models
        yield from (entry for entry in entries or [] if isinstance(entry, dict))


def _read(folder: str, name: str) -> Any:
    import yaml

    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return yaml.safe_load(file)
