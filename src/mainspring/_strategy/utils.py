"""Models without memory."""

from __future__ import annotations

from typing import Any

from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

__all__ = ["MetaTensorContext"]


class MetaTensorContext(TorchFunctionMode):
    """Within a ``with`` block, tensors are made on the meta device, whatever is asked for."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        if func in _device_constructors():
            given["device"] = "meta"
        return func(*args, **given)
