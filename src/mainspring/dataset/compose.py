"""A pipeline of transforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.errors import ConfigTypeError
from mainspring.registry import TRANSFORMS

__all__ = ["Compose"]


class Compose:
    """Applies transforms one after the other.

    Attributes:
        transforms: The transforms, built.

    Args:
        transforms: Callables, or dicts from which `TRANSFORMS` builds such; ``None`` for none.

    Raises:
        ConfigError: An entry is neither a dict nor callable (also a `TypeError`).

    Example:
        >>> double = Compose([lambda sample: dict(sample, value=2 * sample["value"])])
        >>> double(dict(value=3))
        {'value': 6}
    """

    def __init__(self, transforms: Sequence[Mapping[str, Any] | Callable[..., Any]] | None) -> None:
        self.transforms: list[Callable[..., Any]] = []
        for number, spec in enumerate(transforms or ()):
            transform = TRANSFORMS.build(spec) if isinstance(spec, Mapping) else spec
            if not callable(transform):
                raise ConfigTypeError(
                    f"entry {number} of the pipeline is {spec!r}, which cannot be called",
                    help="give a dict with type=, or a callable",
                )
            self.transforms.append(transform)

    def __call__(self, data: Any) -> Any:
        """Transform a sample.

        Args:
            data: The sample, a dict as a rule.

        Returns:
            The transformed sample; ``None`` as soon as a transform gives ``None``.
        """
        for transform in self.transforms:
            data = transform(data)
            if data is None:
                return None
        return data

    def __repr__(self) -> str:
        lines = [f"    {transform}" for transform in self.transforms]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])
