"""What a run writes down about its config, so that it can be understood, and made again, later."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mainspring.config import Config, Node
from mainspring.config.config_dict import keeping_lazy
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.registry.signatures import signature_of
from mainspring.version import __version__
from mainspring.walk import parts_of

__all__ = ["operative_values", "record_config", "versions_of_packages"]

FOLDER = "config"


def record_config(cfg: Config, log_dir: str | Path) -> None:
    """Write the files that a config was read from, and what they left unsaid, into a folder.

    The folder ``config`` gets ``sources/`` with the files as they were, ``overrides.txt`` with the
    changes of the command line, ``packages.json`` with the versions of the packages that the config
    names, and ``operative.py`` with all values, the defaults of signatures included.

    Args:
        cfg: The config.
        log_dir: Folder of this start of the run.
    """
    folder = Path(log_dir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    files = {source.absolute_path: source.text for source in cfg.sources if not source.is_string}
    root = os.path.commonpath([os.path.dirname(path) for path in files] or [""])
    for path, text in files.items():
        copied = folder / "sources" / os.path.relpath(path, root)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(text, encoding="utf-8")
    if cfg.overrides:
        (folder / "overrides.txt").write_text("\n".join(cfg.overrides) + "\n", encoding="utf-8")
    packages = json.dumps(versions_of_packages(cfg), indent=2)
    (folder / "packages.json").write_text(packages + "\n", encoding="utf-8")
    Config(operative_values(cfg)).dump(folder / "operative.py")


def versions_of_packages(cfg: Config) -> dict[str, str]:
    """The versions of Python, mainspring, torch and every package that a config names.

    Args:
        cfg: The config.
    """
    versions = {"python": sys.version.split()[0], "mainspring": __version__}
    named = {path.partition(".")[0] for path in _named_paths(cfg._cfg_dict)}
    for package in ["torch", *sorted(named)]:
        version = getattr(sys.modules.get(package), "__version__", None)
        if not isinstance(version, str):
            with suppress(importlib.metadata.PackageNotFoundError, ValueError):
                version = importlib.metadata.version(package)
        if isinstance(version, str):
            versions.setdefault(package, version)
    return versions


def _named_paths(value: Any) -> Iterator[str]:
    """The dotted paths of everything that a config refers to."""
    for part in parts_of(value):
        if isinstance(part, LazyObject | LazyAttr):
            yield dotted_path(part)
        elif isinstance(part, dict):
            kind = dict.get(part, "type")
            if isinstance(kind, str) and "." in kind:
                yield kind
        elif isinstance(part, type) or inspect.isroutine(part):
            yield f"{part.__module__}.{part.__qualname__}"


def operative_values(cfg: Config) -> dict[str, Any]:
    """The values of a config with the defaults of everything that it calls.

    Only what is imported is looked at: what the run did not build is as the config says it.

    Args:
        cfg: The config; it is not changed.
    """
    values = Config(cfg._cfg_dict.deepcopy())
    with keeping_lazy():
        own = {k: v for k, v in dict.items(values._cfg_dict) if k not in cfg._imported_names}
        for value in own.values():
            _fill(value)
        return own


def _fill(value: Any) -> None:
    if isinstance(value, dict):
        if isinstance(value, Node) and _is_imported(dict.get(value, "type")):
            with keeping_lazy(False):
                value.bind()
        for item in list(dict.values(value)):
            _fill(item)
        for name, default in _defaults(dict.get(value, "type")):
            if not dict.__contains__(value, name):
                value[name] = default
    elif isinstance(value, list | tuple):
        for item in value:
            _fill(item)


def _defaults(target: Any) -> Sequence[tuple[str, Any]]:
    """The parameters of a callable that have defaults of a kind that a config can hold."""
    if isinstance(target, LazyObject | LazyAttr) and _is_imported(target):
        target = target.build()
    signature = None if isinstance(target, LazyObject | LazyAttr) else signature_of(target)
    return [
        (parameter.name, parameter.default)
        for parameter in (signature.parameters.values() if signature else ())
        if parameter.default is not parameter.empty and _is_plain(parameter.default)
    ]


def _is_imported(target: Any) -> bool:
    if isinstance(target, LazyObject | LazyAttr):
        return target.module.partition(".")[0] in sys.modules
    return True


def _is_plain(value: Any) -> bool:
    kinds = (bool, int, float, str, dict, list, tuple, type(None))
    return all(isinstance(part, kinds) for part in parts_of(value))
