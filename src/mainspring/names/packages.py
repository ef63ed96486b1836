"""Installed Python packages."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

from mainspring.errors import MissingPackageError

__all__ = [
    "call_command",
    "get_installed_path",
    "import_optional",
    "install_package",
    "is_installed",
]


def is_installed(package: str) -> bool:
    """Whether a distribution of this name is installed or a module of this name is found.

    Args:
        package: Name of the distribution (``opencv-python``) or of the module (``cv2``).
    """
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return _module_file(package) is not None
    return True


def import_optional(module: str, wanted_by: str, install: str | None = None) -> Any:
    """Import a module of a package that not every installation has.

    Args:
        module: The module.
        wanted_by: What needs it, for the message.
        install: What to give to ``pip install``; the package's own name by default.

    Raises:
        MissingPackageError: It, or something that it imports, is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = MissingPackageError(
            f"{wanted_by} needs {error.name or module}, which is not installed ({error})",
            help=f"pip install {install or module.partition('.')[0]}",
        )
        missing.name, missing.path = error.name, error.path
        raise missing from error


def get_installed_path(package: str) -> str:
    """The directory that holds the modules of a package.

    Args:
        package: Name of the distribution or of the module.

    Raises:
        importlib.metadata.PackageNotFoundError: If there is neither.
        RuntimeError: If it is a namespace package, which has no one directory.
    """
    try:
        distribution = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        spec = _find_spec(package)
        if spec is None:
            raise
        if spec.origin is None:
            raise RuntimeError(f"{package} is a namespace package, which has no one path") from None
        return str(Path(spec.origin).parent)
    listed = (distribution.read_text("top_level.txt") or "").split()
    if not listed:
        files = distribution.files or []
        listed = sorted({file.parts[0] for file in files if file.name == "__init__.py"})
    for module in [package, *sorted(listed, key=lambda name: name.startswith("_"))]:
        directory = Path(str(distribution.locate_file(module)))
        if directory.exists():
            return str(directory)
        # Editable installations keep their modules somewhere else.
        file = _module_file(module)
        if file is not None:
            return str(file.parent)
    raise ValueError(f"can not infer the module name of {package}")


def _find_spec(module: str) -> importlib.machinery.ModuleSpec | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return spec if spec is not None and spec.name == module else None  # not a stand-in for it


def _module_file(module: str) -> Path | None:
    spec = _find_spec(module)
    return None if spec is None or spec.origin is None else Path(spec.origin)


def call_command(cmd: list[str]) -> None:
    """Run a program and wait for it.

    Args:
        cmd: Program and arguments.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    subprocess.check_call(cmd)


def install_package(package: str) -> None:
    """Install a package with pip into the running interpreter's environment unless it is there.

    Args:
        package: Name of the distribution.
    """
    if not is_installed(package):
        call_command([sys.executable, "-m", "pip", "install", package])
