"""In which layer or gradient of an iteration values come up first that are no numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mainspring.structures.nested import tensors_in

__all__ = ["NonFiniteTrace"]


class NonFiniteTrace:
    """Watches what each module gives and which gradients arrive, in the order in which they do.

    Each is looked at on its device; the findings are read at once, when they are asked for.

    Args:
        model: The model to watch, from now until `close`.
    """

    def __init__(self, model: nn.Module) -> None:
        self._seen: list[tuple[str, Tensor]] = []
        self._handles: list[Any] = []
        for name, module in model.named_modules():
            title = f"{name or 'the model'} ({type(module).__name__})"
            look: Any = partial(self._note, f"the output of {title}")
            self._handles.append(module.register_forward_hook(look))
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                look = partial(self._note, f"the gradient of {name}")
                handle = parameter.register_post_accumulate_grad_hook(look)  # type: ignore[no-untyped-call]  # - torch's
                self._handles.append(handle)

    def _note(self, what: str, *given: Any) -> None:
        """Look at what a module gave, the last of what its hook is given, or at a gradient."""
        values = given[-1].grad if len(given) == 1 else given[-1]
        floating = (tensor for tensor in tensors_in(values) if tensor.is_floating_point())
        tensors = [tensor.detach() for tensor in floating if tensor.numel()]
        if tensors:
            is_nan = torch.stack([tensor.isnan().any() for tensor in tensors]).any()
            is_inf = torch.stack([tensor.isinf().any() for tensor in tensors]).any()
            self._seen.append((what, torch.stack([is_nan, is_inf])))

    def take(self) -> str | None:
        """What was no number first since the last call; ``None`` if all was.

        Infinity is named beside NaN, as masks are often made of it.
        """
        seen, self._seen = self._seen, []
        if not seen:
            return None
        device = seen[-1][1].device
        flags = torch.stack([flag.to(device) for _, flag in seen]).tolist()
        first = []
        for column, kind in enumerate(("NaN", "infinity")):
            having = [what for (what, _), flag in zip(seen, flags, strict=True) if flag[column]]
            first += [f"{what} was the first with {kind}" for what in having[:1]]
        return "; ".join(first) or None

    def close(self) -> None:
        """Watch no longer."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
