"""Where the new files go, and how they import each other."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from mainspring.config.plain import is_name
from mainspring.errors import UnknownFormatError
from mainspring.tools.convert.chain import Base, OldFile
from mainspring.tools.convert.imports import Imports

__all__ = ["base_statement", "new_paths", "staged_paths"]


def new_paths(files: Sequence[OldFile], new: str) -> dict[str, str]:
    """The path of each new file.

    Args:
        files: The old files, the config itself last.
        new: A directory, or the path of the new config; its bases go where they are relative to it.

    Returns:
        New paths by the keys of the old files.

    Raises:
        OSError: ``new`` has the extension of something else.
    """
    *bases, config = files
    folder, stem = os.path.split(os.path.abspath(config.source.path))
    if os.path.isdir(new) or new.endswith(("/", os.sep)) or not os.path.splitext(new)[1]:
        every = [os.path.dirname(os.path.abspath(file.source.path)) for file in files]
        root = os.path.commonpath(every)
        start = os.path.join(new, os.path.relpath(folder, root))
        target = os.path.join(start, f"{os.path.splitext(stem)[0]}.py")
    elif new.endswith(".py"):
        start, target = os.path.dirname(new), new
    else:
        raise UnknownFormatError(
            f"the new config {new!r} is no Python file",
            help="a recorded config is a .py file; or name a directory",
        )
    paths = {config.key: os.path.normpath(target)}
    for base in bases:
        relative = os.path.relpath(os.path.abspath(base.source.path), folder)
        name, extension = os.path.splitext(relative)
        # Names that ``import`` takes, so that editors see what a base defines.
        parts = (it if it == os.pardir else re.sub(r"\W", "_", it) for it in name.split(os.sep))
        name = os.sep.join(it if it == os.pardir or is_name(it) else f"_{it}" for it in parts)
        path = os.path.normpath(os.path.join(start, f"{name}.py"))
        if path in paths.values():
            path = os.path.normpath(os.path.join(start, f"{name}_{extension[1:]}.py"))
        paths[base.key] = path
    return paths


def staged_paths(paths: dict[str, str], folder: str) -> dict[str, str]:
    """The same layout in another directory.

    Args:
        paths: New paths by the keys of the old files.
        folder: The directory.
    """
    absolute = {key: os.path.abspath(path) for key, path in paths.items()}
    root = os.path.commonpath([os.path.dirname(path) for path in absolute.values()])
    return {
        key: os.path.join(folder, os.path.relpath(path, root)) for key, path in absolute.items()
    }


def base_statement(base: Base, own: str, target: str | None, imports: Imports) -> str:
    """The statement by which a new file builds on a base.

    Args:
        base: The base.
        own: Path of the new file.
        target: Path of the new base; ``None`` for one of an installed package.
        imports: Is given the word, if one is needed.
    """
    if target is None:
        return f'{imports.word("include")}("{base.written}")'
    folder = os.path.dirname(os.path.abspath(own))
    relative = os.path.relpath(os.path.abspath(target), folder).replace(os.sep, "/")
    parts = relative.removesuffix(".py").split("/")
    up = sum(part == ".." for part in parts)
    inner = parts[up:]
    if all(map(is_name, inner)):
        return f"from {'.' * (up + 1)}{'.'.join(inner)} import *"
    written = relative if relative.startswith("..") else f"./{relative}"
    return f'{imports.word("include")}("{written}")'
