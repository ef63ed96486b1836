"""Names of `mmengine.optim.optimizer.builder`: which optimizers each package gives."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.optim.optimizer.optimizers import _THIRD_PARTY, register_torch_optimizers

__all__ = [
    "BITSANDBYTES_OPTIMIZERS",
    "DADAPTATION_OPTIMIZERS",
    "LION_OPTIMIZERS",
    "NPU_OPTIMIZERS",
    "SOPHIA_OPTIMIZERS",
    "TORCH_OPTIMIZERS",
    "TRANSFORMERS_OPTIMIZERS",
    "register_bitsandbytes_optimizers",
    "register_dadaptation_optimizers",
    "register_lion_optimizers",
    "register_sophia_optimizers",
    "register_torch_npu_optimizers",
    "register_transformers_optimizers",
]


def _of(package: str) -> Callable[[], list[str]]:
    """A function that names a package's optimizers; they are registered already."""

    def register() -> list[str]:
        return [
            name for name, (module, *_) in _THIRD_PARTY.items()
            if module.partition(".")[0] == package
        ]  # fmt: skip

    register.__doc__ = f"The names of {package}'s optimizers, which are registered already."
    return register


register_bitsandbytes_optimizers = _of("bitsandbytes")
register_dadaptation_optimizers = _of("dadaptation")
register_lion_optimizers = _of("lion_pytorch")
register_sophia_optimizers = _of("Sophia")
register_torch_npu_optimizers = _of("torch_npu")
register_transformers_optimizers = _of("transformers")

BITSANDBYTES_OPTIMIZERS = register_bitsandbytes_optimizers()
DADAPTATION_OPTIMIZERS = register_dadaptation_optimizers()
LION_OPTIMIZERS = register_lion_optimizers()
NPU_OPTIMIZERS = register_torch_npu_optimizers()
SOPHIA_OPTIMIZERS = register_sophia_optimizers()
TORCH_OPTIMIZERS = [*register_torch_optimizers(), "Optimizer"]
TRANSFORMERS_OPTIMIZERS = register_transformers_optimizers()
