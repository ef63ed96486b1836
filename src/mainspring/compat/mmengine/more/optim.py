"""Names of `mmengine.optim.optimizer.builder`: which optimizers each package gives."""

from __future__ import annotations

from functools import partial

from mainspring.optim.optimizer.optimizers import _THIRD_PARTY, register_torch_optimizers

_MODULES = {
    "bitsandbytes": "bitsandbytes",
    "dadaptation": "dadaptation",
    "lion": "lion_pytorch",
    "sophia": "Sophia",
    "torch_npu": "torch_npu",
    "transformers": "transformers",
}
"""The word for a package in ``register_..._optimizers``, and its module."""


def _names_of(module: str) -> list[str]:
    """The names of a package's optimizers, which are registered already."""
    return [name for name, (place, *_) in _THIRD_PARTY.items() if place.split(".")[0] == module]


TORCH_OPTIMIZERS = [*register_torch_optimizers(), "Optimizer"]
for _word, _module in _MODULES.items():
    globals()[f"register_{_word}_optimizers"] = partial(_names_of, _module)
    globals()[f"{_word.removeprefix('torch_').upper()}_OPTIMIZERS"] = _names_of(_module)
