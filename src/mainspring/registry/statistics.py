"""Count what is registered where."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from mainspring.registry import root
from mainspring.registry.registry import Registry

__all__ = ["count_registered_modules", "traverse_registry_tree"]


def traverse_registry_tree(registry: Registry, verbose: bool = True) -> list[dict[str, Any]]:
    """Count the names in every registry of a tree.

    Args:
        registry: Any registry of the tree.
        verbose: Whether to print the counts.

    Returns:
        A dict for each registry, from the root downwards: ``num_modules``, ``scope`` and, for each
        directory of modules, the names registered there.
    """
    infos: list[dict[str, Any]] = []
    waiting = [registry.root]
    while waiting:
        node = waiting.pop(0)
        waiting[:0] = node.children.values()
        info: dict[str, Any] = {"num_modules": len(node), "scope": node.scope}
        for name, registered in node.module_dict.items():
            folder = "/".join(registered.__module__.split(".")[:-1])
            info.setdefault(folder, []).append(name)
        if verbose:
            print(f"Find {len(node)} modules in {node.scope}'s '{node.name}' registry")
        infos.append(info)
    return infos


def count_registered_modules(
    save_path: str | Path | None = None, verbose: bool = True
) -> dict[str, Any]:
    """Import everything that the root registries name, and count it.

    Args:
        save_path: Directory for the result, ``modules_statistic_results.json``.
        verbose: Whether to print the counts.

    Returns:
        ``scan_date`` and, under ``registries``, the result of `traverse_registry_tree` for each
        root registry.
    """
    registries = {name: getattr(root, name) for name in sorted(root.__all__)}
    for registry in registries.values():
        registry.import_from_location()
    result = {
        "scan_date": dt.datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
        "registries": {
            name: traverse_registry_tree(registry, verbose) for name, registry in registries.items()
        },
    }
    if save_path is not None:
        file = Path(save_path) / "modules_statistic_results.json"
        file.write_text(json.dumps(result, indent=2), encoding="utf-8")
        if verbose:
            print(f"Result has been saved to {file}")
    return result
