"""Transforms applied one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.errors import ConfigError
from mainspring.registry import TRANSFORMS

__all__ = ["Compose"]


class Compose:
    """Applies transforms in order; one that gives ``None`` ends the item.

    Args:
        transforms: Dicts with ``type``, or callables.

    Raises:
        ConfigError: An entry is neither.
    """

    def __init__(self, transforms: Sequence[Any] | None) -> None:
        self.transforms: list[Callable[[Any], Any]] = []
        for entry in transforms or []:
            transform = TRANSFORMS.build(entry) if isinstance(entry, Mapping) else entry
            if not callable(transform):
                raise ConfigError(
                    f"the pipeline holds {entry!r}", help="give dicts with type=, or callables"
                )
            self.transforms.append(transform)

    def __call__(self, data: Any) -> Any:
        """Transform an item.

        Args:
            data: The item, a dict in most projects.

        Returns:
            The result, or ``None`` when a transform gave it up.
        """
        for transform in self.transforms:
            data = transform(data)
            if data is None:
                return None
        return data

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform!r}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"
