"""Files wherever they lie: one function for each thing to do with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from io import BytesIO, StringIO
from pathlib import Path
from typing import IO, Any

from mainspring.errors import did_you_mean
from mainspring.fileio.backends import get_file_backend
from mainspring.fileio.handlers import file_handlers

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


def _backend(path: PathLike, backend_args: BackendArgs) -> Any:
    return get_file_backend(path, backend_args=backend_args, enable_singleton=True)


def get(filepath: PathLike, backend_args: BackendArgs = None) -> bytes:
    """Content of a file."""
    content: bytes = _backend(filepath, backend_args).get(filepath)
    return content


def get_text(filepath: PathLike, encoding: str = "utf-8", backend_args: BackendArgs = None) -> str:
    """Content of a text file."""
    content: str = _backend(filepath, backend_args).get_text(filepath, encoding)
    return content


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
    joined: str = _backend(filepath, backend_args).join_path(filepath, *filepaths)
    return joined


def get_local_path(
    filepath: PathLike, backend_args: BackendArgs = None
) -> AbstractContextManager[PathLike]:
    """A local copy of a file, for a ``with`` block; a local file itself is given as it is."""
    path: AbstractContextManager[PathLike] = _backend(filepath, backend_args).get_local_path(
        str(filepath)
    )
    return path


def copyfile(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a file within a storage; returns where it went."""
    return str(_backend(src, backend_args).copyfile(src, dst))


def copytree(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a directory within a storage; returns where it went."""
    return str(_backend(src, backend_args).copytree(src, dst))


def copyfile_from_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a local file into a storage; returns where it went."""
    return str(_backend(dst, backend_args).copyfile_from_local(src, dst))


def copytree_from_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a local directory into a storage; returns where it went."""
    return str(_backend(dst, backend_args).copytree_from_local(src, dst))


def copyfile_to_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a file out of a storage; returns where it went."""
    return str(_backend(src, backend_args).copyfile_to_local(src, dst))


def copytree_to_local(src: PathLike, dst: PathLike, backend_args: BackendArgs = None) -> PathLike:
    """Copy a directory out of a storage; returns where it went."""
    return str(_backend(src, backend_args).copytree_to_local(src, dst))


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


def _handler(file: Any, file_format: str | None) -> tuple[str, Any]:
    if file_format is None and isinstance(file, str | Path):
        file_format = str(file).rpartition(".")[2]
    if file_format not in file_handlers:
        known = ", ".join(file_handlers)
        hint = did_you_mean(str(file_format), file_handlers)
        raise TypeError(
            f"there is no file format {file_format!r}; there are {known}"
            + (f": {hint}" if hint else "")
        )
    return file_format, file_handlers[file_format]


def _one_of(file_client_args: BackendArgs, backend_args: BackendArgs) -> BackendArgs:
    if file_client_args is not None and backend_args is not None:
        raise ValueError("give either file_client_args or backend_args, not both")
    return backend_args if backend_args is not None else file_client_args


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
    """
    backend_args = _one_of(file_client_args, backend_args)
    _, handler = _handler(file, file_format)
    if not isinstance(file, str | Path):
        if not hasattr(file, "read"):
            raise TypeError(f"file is a path or an open file, not {type(file).__name__}")
        return handler.load_from_fileobj(file, **kwargs)
    if handler.str_like:
        with StringIO(get_text(file, backend_args=backend_args)) as text:
            return handler.load_from_fileobj(text, **kwargs)
    with BytesIO(get(file, backend_args=backend_args)) as content:
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
    _, handler = _handler(file, file_format)
    if file is None:
        return handler.dump_to_str(obj, **kwargs)
    if not isinstance(file, str | Path):
        if not hasattr(file, "write"):
            raise TypeError(f"file is a path or an open file, not {type(file).__name__}")
        handler.dump_to_fileobj(obj, file, **kwargs)
        return None
    if handler.str_like:
        put_text(handler.dump_to_str(obj, **kwargs), file, backend_args=backend_args)
    else:
        put(handler.dump_to_str(obj, **kwargs), file, backend_args=backend_args)
    return None
