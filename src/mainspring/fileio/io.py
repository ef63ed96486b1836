"""Files wherever they lie: one function for each thing to do with them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from io import BytesIO, StringIO
from pathlib import Path
from typing import IO, Any

from mainspring.errors import ArgumentTypeError, ConfigKeyError, did_you_mean
from mainspring.fileio.backends.base import BaseStorageBackend
from mainspring.fileio.backends.fsspec_backend import FsspecBackend
from mainspring.fileio.backends.registry import (
    backends,
    client_backends,
    client_prefixes,
    prefix_to_backends,
)
from mainspring.fileio.handlers import BaseFileHandler, file_handlers

__all__ = [
    "copy_if_symlink_fails",
    "copyfile",
    "copyfile_from_local",
    "copyfile_to_local",
    "copytree",
    "copytree_from_local",
    "copytree_to_local",
    "dump",
    "exists",
    "generate_presigned_url",
    "get",
    "get_file_backend",
    "get_local_path",
    "get_text",
    "isdir",
    "isfile",
    "join_path",
    "list_dir_or_file",
    "load",
    "put",
    "put_text",
    "remove",
    "rmtree",
]

PathLike = str | Path
BackendArgs = dict[str, Any] | None

backend_instances: dict[str, BaseStorageBackend] = {}
"""Those that `get_file_backend` keeps, by prefix and arguments."""


def _parse_uri_prefix(uri: PathLike) -> str:
    """What stands before ``://``, without a cluster name; empty for local paths."""
    if not isinstance(uri, str | Path):
        raise ArgumentTypeError(f"a path is a str or a Path, not {uri!r}")
    prefix, found, _ = str(uri).partition("://")
    return prefix.rpartition(":")[2] if found else ""


def _get_file_backend(prefix: str, backend_args: dict[str, Any]) -> Any:
    """A new backend, of the name in `backend_args`, or else for a prefix."""
    settings = dict(backend_args)
    if "backend" in settings:
        name = settings.pop("backend")
        known = {**client_backends, **backends}
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise ConfigKeyError(f"there is no backend {name!r}: {hint}")
        return known[name](**settings)
    prefix = settings.pop("prefix", prefix)
    by_prefix = {**client_prefixes, **prefix_to_backends}
    return by_prefix.get(prefix, FsspecBackend)(**settings)


def get_file_backend(
    uri: PathLike | None = None, *, backend_args: BackendArgs = None, enable_singleton: bool = False
) -> Any:
    """The backend of a path.

    Args:
        uri: The path; its prefix says the backend, unless `backend_args` names one.
        backend_args: ``backend`` and the arguments of its class.
        enable_singleton: Whether to use one instance for all calls with the same arguments.

    Raises:
        ValueError: There is no such backend, or neither path nor backend is given.
    """
    settings = backend_args or {}
    if uri is None and "backend" not in settings:
        raise ValueError("give a path, or backend_args with 'backend'")
    prefix = _parse_uri_prefix(uri) if uri is not None else ""
    if not enable_singleton:
        return _get_file_backend(prefix, settings)
    key = f"{prefix}:{json.dumps(settings, default=repr)}"
    if key not in backend_instances:
        backend_instances[key] = _get_file_backend(prefix, settings)
    return backend_instances[key]


def _backend(path: PathLike, backend_args: BackendArgs) -> FsspecBackend:
    """The backend of a path, whatever its class; `FsspecBackend` has all that one may offer."""
    found: FsspecBackend = get_file_backend(path, backend_args=backend_args, enable_singleton=True)
    return found


def get(filepath: PathLike, backend_args: BackendArgs = None) -> bytes:
    """Content of a file."""
    return _backend(filepath, backend_args).get(filepath)


def get_text(filepath: PathLike, encoding: str = "utf-8", backend_args: BackendArgs = None) -> str:
    """Content of a text file."""
    return _backend(filepath, backend_args).get_text(filepath, encoding)


def put(obj: bytes, filepath: PathLike, backend_args: BackendArgs = None) -> None:
    """Write bytes; missing directories are made."""
    _backend(filepath, backend_args).put(obj, filepath)


def put_text(obj: str, filepath: PathLike, backend_args: BackendArgs = None) -> None:
    """Write text; missing directories are made."""
    _backend(filepath, backend_args).put_text(obj, filepath)


def exists(filepath: PathLike, backend_args: BackendArgs = None) -> bool:
    """Whether there is a file or directory."""
    return bool(_backend(filepath, backend_args).exists(filepath))


def isdir(filepath: PathLike, backend_args: BackendArgs = None) -> bool:
    """Whether it is a directory."""
    return bool(_backend(filepath, backend_args).isdir(filepath))


def isfile(filepath: PathLike, backend_args: BackendArgs = None) -> bool:
    """Whether it is a file."""
    return bool(_backend(filepath, backend_args).isfile(filepath))


def join_path(filepath: PathLike, *filepaths: PathLike, backend_args: BackendArgs = None) -> str:
    """Join parts of a path."""
    return _backend(filepath, backend_args).join_path(filepath, *filepaths)


def get_local_path(
    filepath: PathLike, backend_args: BackendArgs = None
) -> AbstractContextManager[PathLike]:
    """A local copy of a file, for a ``with`` block; a local file itself is given as it is."""
    return _backend(filepath, backend_args).get_local_path(str(filepath))


def copyfile(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a file within a storage; returns where it went."""
    return _backend(src, backend_args).copyfile(src, dst)


def copytree(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a directory within a storage; returns where it went."""
    return _backend(src, backend_args).copytree(src, dst)


def copyfile_from_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a local file into a storage; returns where it went."""
    return _backend(dst, backend_args).copyfile_from_local(src, dst)


def copytree_from_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a local directory into a storage; returns where it went."""
    return _backend(dst, backend_args).copytree_from_local(src, dst)


def copyfile_to_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a file out of a storage; returns where it went."""
    return _backend(src, backend_args).copyfile_to_local(src, dst)


def copytree_to_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a directory out of a storage; returns where it went."""
    return _backend(src, backend_args).copytree_to_local(src, dst)


def remove(filepath: PathLike, backend_args: BackendArgs = None) -> None:
    """Remove a file."""
    _backend(filepath, backend_args).remove(filepath)


def rmtree(dir_path: PathLike, backend_args: BackendArgs = None) -> None:
    """Remove a directory and all in it."""
    _backend(dir_path, backend_args).rmtree(dir_path)


def copy_if_symlink_fails(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> bool:
    """Make a link, or a copy where links cannot be made; returns whether it is a link."""
    return bool(_backend(src, backend_args).copy_if_symlink_fails(src, dst))


def list_dir_or_file(
    dir_path: PathLike,
    list_dir: bool = True,
    list_file: bool = True,
    suffix: str | tuple[str, ...] | None = None,
    recursive: bool = False,
    backend_args: BackendArgs = None,
) -> Iterator[str]:
    """Entries of a directory, relative to it.

    Args:
        dir_path: The directory.
        list_dir: Whether to give directories.
        list_file: Whether to give files.
        suffix: Endings that files must have.
        recursive: Whether to go into directories.
        backend_args: Storage backend and its arguments.
    """
    yield from _backend(dir_path, backend_args).list_dir_or_file(
        dir_path, list_dir, list_file, suffix, recursive
    )


def generate_presigned_url(
    url: str,
    client_method: str = "get_object",
    expires_in: int = 3600,
    backend_args: BackendArgs = None,
) -> str:
    """A URL that grants access for `expires_in` seconds."""
    return str(_backend(url, backend_args).generate_presigned_url(url, client_method, expires_in))


def _handler(file: Any, file_format: str | None) -> BaseFileHandler:
    if file_format is None and isinstance(file, str | Path):
        file_format = str(file).rpartition(".")[2]
    if file_format not in file_handlers:
        known = ", ".join(file_handlers)
        hint = did_you_mean(str(file_format), file_handlers)
        raise TypeError(
            f"there is no file format {file_format!r}; there are {known}"
            + (f": {hint}" if hint else "")
        )
    return file_handlers[file_format]


class _Content(BytesIO):
    name: str
    """Of the file, for messages."""


def _one_of(file_client_args: BackendArgs, backend_args: BackendArgs) -> BackendArgs:
    """Backend arguments from those of a `FileClient`, whose backend outdoes its prefix."""
    if file_client_args is None:
        return backend_args
    if backend_args is not None:
        raise ValueError("give either file_client_args or backend_args, not both")
    warnings.warn(
        "file_client_args is the older spelling of backend_args", DeprecationWarning, stacklevel=3
    )
    named = file_client_args.get("backend") is not None
    return {k: v for k, v in file_client_args.items() if k != ("prefix" if named else "backend")}


def load(
    file: PathLike | IO[Any],
    file_format: str | None = None,
    file_client_args: BackendArgs = None,
    backend_args: BackendArgs = None,
    **kwargs: Any,
) -> Any:
    """Read an object from a file.

    Args:
        file: Path, URI or open file.
        file_format: ``"json"``, ``"yaml"``, ``"pkl"``, ...; the ending of the path by default.
        file_client_args: MMEngine's older spelling of `backend_args`.
        backend_args: Storage backend and its arguments.
        **kwargs: Arguments of the format's reader.

    Raises:
        TypeError: There is no such format.
        DataError: The file is a pickle and asks for what could run code; ``trust=True`` lets it.
    """
    backend_args = _one_of(file_client_args, backend_args)
    handler = _handler(file, file_format)
    if not isinstance(file, str | Path):
        if not hasattr(file, "read"):
            raise TypeError(f"file is a path or an open file, not {type(file).__name__}")
        return handler.load_from_fileobj(file, **kwargs)
    if handler.str_like:
        with StringIO(get_text(file, backend_args=backend_args)) as text:
            return handler.load_from_fileobj(text, **kwargs)
    with _Content(get(file, backend_args=backend_args)) as content:
        content.name = str(file)
        return handler.load_from_fileobj(content, **kwargs)


def dump(
    obj: Any,
    file: PathLike | IO[Any] | None = None,
    file_format: str | None = None,
    file_client_args: BackendArgs = None,
    backend_args: BackendArgs = None,
    **kwargs: Any,
) -> Any:
    """Write an object to a file, or give it as text.

    Args:
        obj: The object.
        file: Path, URI or open file; ``None`` returns the text (or bytes).
        file_format: ``"json"``, ``"yaml"``, ``"pkl"``, ...; the ending of the path by default.
        file_client_args: MMEngine's older spelling of `backend_args`.
        backend_args: Storage backend and its arguments.
        **kwargs: Arguments of the format's writer.

    Raises:
        TypeError: There is no such format.
        ValueError: Neither file nor format is given.
    """
    backend_args = _one_of(file_client_args, backend_args)
    if file is None and file_format is None:
        raise ValueError("give file_format when there is no file")
    handler = _handler(file, file_format)
    if file is None:
        return handler.dump_to_str(obj, **kwargs)
    if not isinstance(file, str | Path):
        if not hasattr(file, "write"):
            raise TypeError(f"file is a path or an open file, not {type(file).__name__}")
        handler.dump_to_fileobj(obj, file, **kwargs)
        return None
    with StringIO() if handler.str_like else BytesIO() as content:
        handler.dump_to_fileobj(obj, content, **kwargs)
        write: Any = put_text if handler.str_like else put
        write(content.getvalue(), file, backend_args=backend_args)
    return None
