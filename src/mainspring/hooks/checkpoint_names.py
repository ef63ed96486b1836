"""What hooks that MMEngine's users derive from `CheckpointHook` look for in it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

from mainspring import fileio
from mainspring.hooks.best_checkpoint import BestCheckpoints
from mainspring.hooks.hook import Hook
from mainspring.hooks.metric_rule import GREATER_KEYS, LESS_KEYS

__all__ = ["CheckpointNames"]


class CheckpointNames(Hook):
    """What `CheckpointHook` inherits for the sake of such hooks alone.

    Attributes:
        greater_keys: Names, and parts of names, of metrics that improve as they grow.
        less_keys: The same of those that improve as they shrink.
    """

    _default_greater_keys: ClassVar[Sequence[str]] = list(GREATER_KEYS)
    _default_less_keys: ClassVar[Sequence[str]] = list(LESS_KEYS)
    best: BestCheckpoints | None
    out_dir: str | None
    greater_keys: Sequence[str]
    less_keys: Sequence[str]
    file_client_args: dict[str, Any] | None
    backend_args: dict[str, Any] | None

    @functools.cached_property
    def file_client(self) -> fileio.FileClient:
        """Where checkpoints are written, as MMEngine's older interface to it."""
        return fileio.FileClient.infer_client(self.file_client_args, self.out_dir)

    @property
    def file_backend(self) -> Any:
        """Where checkpoints are written."""
        if self.file_client_args is not None:
            return self.file_client
        return fileio.get_file_backend(self.out_dir, backend_args=self.backend_args)

    @property
    def key_indicators(self) -> list[str]:
        """Metrics whose best checkpoint is kept."""
        return self._watched("key_indicators").metrics

    @property
    def rules(self) -> list[Any]:
        """Whether greater or less of each is better."""
        return self._watched("rules").rules

    @property
    def best_ckpt_path(self) -> str | None:
        """Path of the best checkpoint by the one metric that is watched."""
        (path,) = self._best_paths("best_ckpt_path", one=True).values()
        return path

    @property
    def best_ckpt_path_dict(self) -> dict[str, str | None]:
        """Paths of the best checkpoints by each of several metrics."""
        return self._best_paths("best_ckpt_path_dict", one=False)

    def _best_paths(self, name: str, *, one: bool) -> dict[str, str | None]:
        best = self._watched(name)
        if (len(best.metrics) == 1) is not one:
            raise AttributeError(f"{name}: {len(best.metrics)} metrics are watched")
        paths = {entry.metric: entry.file and self.path_of(entry.file) for entry in best.entries}
        return paths or {best.metrics[0]: None}

    def path_of(self, file: str) -> str:
        """Where a checkpoint of this run is, by its name."""
        return str(fileio.join_path(self.out_dir or "", file))

    def _remove(self, path: str) -> None:
        backend_args = self.backend_args or self.file_client_args
        if fileio.isfile(path, backend_args=backend_args):
            fileio.remove(path, backend_args=backend_args)
        elif fileio.isdir(path, backend_args=backend_args):
            fileio.rmtree(path, backend_args=backend_args)

    def _watched(self, name: str) -> BestCheckpoints:
        if self.best is None:
            raise AttributeError(f"{name}: no best checkpoint is kept without save_best")
        return self.best
