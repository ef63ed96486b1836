"""Configs of installed packages: ``mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py``."""

from __future__ import annotations

import os
from typing import Any

from mainspring.config.config_dict import ConfigDict
from mainspring.config.model_index import indexed_models
from mainspring.errors import ConfigError, ConfigImportError, Location, MissingConfigError
from mainspring.names.openmmlab import MODULE2PACKAGE
from mainspring.names.packages import get_installed_path, is_installed
from mainspring.walk import items_of

__all__ = ["resolve_base", "with_scope"]

# OpenMMLab's packages install their configs in `.mim`; the other places serve any package.
_FOLDERS = (os.path.join(".mim", "configs"), "configs", os.path.join(os.pardir, "configs"), "")


def resolve_base(
    written: str, child_path: str, location: Location | None
) -> tuple[str, str | None]:
    """The file that an entry of ``_base_`` means.

    Args:
        written: A path relative to the child, an absolute path, or ``package::path``.
        child_path: Path of the file that names it.
        location: Where it is named.

    Returns:
        The path, and the scope of the package that the file belongs to, if any.

    Raises:
        ConfigError: If there is no such package.
        FileNotFoundError: If the package has no such config.
    """
    if "::" in written:
        package, _, inner = written.partition("::")
        return _in_package(package, inner, location), package
    if os.path.isabs(written):
        return written, None
    return os.path.normpath(os.path.join(os.path.dirname(child_path), written)), None


def _in_package(package: str, inner: str, location: Location | None) -> str:
    if not package.isidentifier() or not inner:
        raise ConfigError(
            f"'{package}::{inner}' names no config of a package",
            location=location,
            help="write package::path/to/config.py",
        )
    if not is_installed(package):
        distribution = MODULE2PACKAGE.get(package, package)
        raise ConfigImportError(
            f"the package {package!r} is not installed",
            location=location,
            help=f"pip install {distribution}",
        )
    root = get_installed_path(package)
    name = inner if os.path.splitext(inner)[1] else f"{inner}.py"
    looked = [os.path.normpath(os.path.join(root, folder, name)) for folder in _FOLDERS]
    for path in looked:
        if os.path.isfile(path):
            return path
    # The package's index knows models by the names of their configs, too.
    index = os.path.join(root, ".mim")
    wanted = os.path.splitext(os.path.basename(inner))[0]
    if os.path.isfile(os.path.join(index, "model-index.yml")):
        for config in (model.get("Config", "") for model in indexed_models(index)):
            if os.path.splitext(os.path.basename(config))[0] == wanted:
                return os.path.join(index, config)
    raise MissingConfigError(
        f"the package {package!r} has no config {inner!r}",
        location=location,
        help=f"looked for {looked[0]}",
    )


def with_scope(value: Any, scope: str) -> Any:
    """Set ``_scope_`` in the outermost dicts that have a ``type``, so that they build in the scope.

    Args:
        value: Config of another package; it is changed.
        scope: Name of the package's scope.
    """
    if isinstance(value, ConfigDict) and dict.__contains__(value, "type"):
        if dict.get(value, "_scope_") is None:
            dict.__setitem__(value, "_scope_", scope)
    else:
        for _, item in items_of(value):
            with_scope(item, scope)
    return value
