"""Where a checkpoint may lie: a table from path prefix to the function that loads it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from mainspring import fileio
from mainspring.checkpoint.contents import missing_file, weights_below
from mainspring.checkpoint.safe_load import load_file
from mainspring.checkpoint.safetensors_files import is_safetensors, read_safetensors
from mainspring.dist import barrier, get_rank
from mainspring.errors import CheckpointError
from mainspring.logging import IN_FILE, print_log
from mainspring.registry.run_again import is_made_again

__all__ = ["CheckpointLoader", "_load_checkpoint", "_load_checkpoint_with_prefix"]

Loader = Callable[..., Any]


class CheckpointLoader:
    """Loads checkpoints from any place that a scheme is registered for.

    Prefixes are regular expressions matched at the start of the file name; the longest one wins.
    """

    _schemes: ClassVar[dict[str, Loader]] = {}

    @classmethod
    def register_scheme(
        cls, prefixes: str | Iterable[str], loader: Loader | None = None, force: bool = False
    ) -> Any:
        """Register a loader for one or several prefixes, directly or as a decorator.

        Args:
            prefixes: Prefix, or several, such as ``"s3://"``.
            loader: Function ``(filename, map_location) -> checkpoint``.
            force: Replace an earlier loader of the same prefix.

        Raises:
            KeyError: A prefix is taken and `force` is not set.
        """
        names = [prefixes] if isinstance(prefixes, str) else list(prefixes)

        def register(function: Loader) -> Loader:
            for name in names:
                taken = cls._schemes.get(name)
                if taken is not None and not force and not is_made_again(taken, function):
                    raise KeyError(
                        f"{name} is already registered as a checkpoint scheme; "
                        "add force=True to replace it"
                    )
                cls._schemes[name] = function
            cls._schemes = dict(sorted(cls._schemes.items(), reverse=True))
            return function

        return register if loader is None else register(loader)

    @classmethod
    def _get_checkpoint_loader(cls, path: str) -> Loader:
        for prefix, loader in cls._schemes.items():
            if re.match(prefix, path):
                return loader
        raise CheckpointError(f"no checkpoint scheme for {path!r}")

    @classmethod
    def load_checkpoint(
        cls, filename: str | Path, map_location: Any = None, logger: Any = "current"
    ) -> Any:
        """Load a checkpoint from wherever its name points to.

        Args:
            filename: Path or URI.
            map_location: As in `torch.load`.
            logger: Where to say what is loaded; ``"silent"`` for nowhere.
        """
        name = str(filename)
        loader = cls._get_checkpoint_loader(name)
        kind = loader.__name__.removeprefix("load_from_")
        print_log(f"loads checkpoint by {kind} backend from path: {name}", logger, extra=IN_FILE)
        return loader(name, map_location)


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Load from the local file system."""
    path = Path(filename).expanduser()
    if path.is_dir():
        raise CheckpointError(
            f"{str(path)!r} is a directory, not a checkpoint",
            help="name one of the files in it; a run whose work_dir it is continues from its "
            "newest checkpoint with resume=True",
        )
    if not path.is_file():
        raise missing_file(path)
    return load_file(path, map_location)


def load_from_http(filename: str, map_location: Any = None) -> Any:
    """Load over HTTP(S), through torch's download cache; rank 0 downloads for its machine."""
    from mainspring.checkpoint.download import download_url

    if get_rank() == 0:
        download_url(filename)
    barrier()
    return load_file(download_url(filename), map_location)


def load_from_storage(filename: str, map_location: Any = None, backend: str | None = None) -> Any:
    """Load from object storage, through the file backend of that name or of the prefix."""
    backend_args = None if backend is None else {"backend": backend}
    content = io.BytesIO(fileio.get(filename, backend_args))
    read = read_safetensors if is_safetensors(filename) else load_file
    return read(content, map_location)


def load_from_ceph(filename: str, map_location: Any = None, backend: str | None = None) -> Any:
    """Load from S3 or Petrel: MMEngine's name of `load_from_storage`."""
    return load_from_storage(filename, map_location, backend)


def _load_checkpoint(filename: str | Path, map_location: Any = None, logger: Any = None) -> Any:
    """Load a checkpoint from any scheme (MMEngine's private name, imported downstream)."""
    return CheckpointLoader.load_checkpoint(filename, map_location, logger)


def _load_checkpoint_with_prefix(
    prefix: str, filename: str | Path, map_location: Any = None, logger: Any = "current"
) -> dict[str, Any]:
    """Load the part of a state dict below a prefix, with the prefix cut off.

    Raises:
        CheckpointError: No key of the checkpoint starts with `prefix`.
    """
    checkpoint = CheckpointLoader.load_checkpoint(filename, map_location, logger)
    return weights_below(checkpoint.get("state_dict", checkpoint), prefix, str(filename))


CheckpointLoader.register_scheme("", load_from_local)
CheckpointLoader.register_scheme(("http://", "https://"), load_from_http)
CheckpointLoader.register_scheme((r"(\S+\:)?s3://", r"(\S+\:)?petrel://"), load_from_ceph)
CheckpointLoader.register_scheme(("gs://", "az://", "hdfs://", "memory://"), load_from_storage)
