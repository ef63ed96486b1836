"""Object storage of the OpenMMLab clusters, and of anything else that speaks s3."""

from __future__ import annotations

from typing import Any

from mainspring.fileio.backends.base import PathLike
from mainspring.fileio.backends.fsspec_backend import FsspecBackend

__all__ = ["PetrelBackend"]


class PetrelBackend(FsspecBackend):
    """``s3://`` and ``petrel://`` paths.

    Args:
        path_mapping: Prefixes of paths and what to replace them by.
        enable_mc: Accepted for old configs; there is no cache in front of the storage here.
        conf_path: Accepted for old configs; credentials come from the environment, as for any s3
            client.
        **storage_options: Arguments of the s3 file system.
    """

    def __init__(
        self,
        path_mapping: dict[str, str] | None = None,
        enable_mc: bool = True,
        conf_path: str | None = None,
        **storage_options: Any,
    ) -> None:
        super().__init__(protocol="s3", **storage_options)
        self.path_mapping = path_mapping

    def _open(self, filepath: PathLike) -> tuple[Any, str]:
        path = str(filepath)
        for old, new in (self.path_mapping or {}).items():
            path = path.replace(old, new, 1)
        path = path.replace("petrel://", "s3://", 1)
        cluster, separator, rest = path.partition(":s3://")
        return super()._open(f"s3://{rest}" if separator and "/" not in cluster else path)
