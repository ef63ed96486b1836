"""The optimizers that configs can name: torch's, and those of other packages.

Nothing but torch is imported here. A third-party optimizer is registered as a function that imports
its package when it is called, so that a broken or missing package hurts nobody who does not use it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from mainspring.errors import mark_user_mistake
from mainspring.optim.optimizer.muon import Muon  # before torch's, which takes matrices only
from mainspring.registry import OPTIMIZERS

__all__ = ["Muon", "register_third_party_optimizers", "register_torch_optimizers"]

_RENAMED = {"Adafactor": "TorchAdafactor"}
"""Names of torch's optimizers that MMEngine gives to another package's."""

_THIRD_PARTY = {
    "DAdaptAdaGrad": ("dadaptation", "DAdaptAdaGrad", "dadaptation"),
    "DAdaptAdam": ("dadaptation", "DAdaptAdam", "dadaptation"),
    "DAdaptSGD": ("dadaptation", "DAdaptSGD", "dadaptation"),
    "Lion": ("lion_pytorch", "Lion", "lion-pytorch"),
    "Sophia": ("Sophia", "Sophia", "Sophia-Optimizer"),
    "SophiaG": ("Sophia", "SophiaG", "Sophia-Optimizer"),
    "Adafactor": ("transformers.optimization", "Adafactor", "transformers"),
    **{
        name: ("bitsandbytes.optim", name.removeprefix("bnb_"), "bitsandbytes")
        for name in (
            "Adam8bit", "Adam32bit", "AdamW8bit", "AdamW32bit", "Adagrad8bit", "Adagrad32bit",
            "LAMB", "LAMB8bit", "LAMB32bit", "LARS", "LARS8bit", "LARS32bit", "Lion8bit",
            "Lion32bit", "PagedAdam", "PagedAdam8bit", "PagedAdam32bit", "PagedAdamW",
            "PagedAdamW8bit", "PagedAdamW32bit", "PagedLion", "PagedLion8bit", "PagedLion32bit",
            "RMSprop8bit", "RMSprop32bit", "SGD8bit", "SGD32bit", "bnb_Adagrad", "bnb_Adam",
            "bnb_AdamW", "bnb_Lion", "bnb_RMSprop", "bnb_SGD",
        )
    },
}  # fmt: skip


def register_torch_optimizers() -> list[str]:
    """Register every optimizer of `torch.optim`; returns the names.

    A name that somebody has registered already stays theirs.
    """
    names = []
    for name, item in vars(torch.optim).items():
        if inspect.isclass(item) and issubclass(item, Optimizer) and item is not Optimizer:
            registered = _RENAMED.get(name, name)
            if registered not in OPTIMIZERS.module_dict:
                OPTIMIZERS.register_module(name=registered, module=item)
            names.append(registered)
    return names


def register_third_party_optimizers() -> list[str]:
    """Register the optimizers of other packages, each to be imported on use; returns the names."""
    for name, (module, attribute, package) in _THIRD_PARTY.items():
        if name not in OPTIMIZERS.module_dict:
            OPTIMIZERS.register_module(
                name=name, module=_imported_on_use(name, module, attribute, package)
            )
    return list(_THIRD_PARTY)


def _imported_on_use(
    name: str, module: str, attribute: str, package: str
) -> Callable[..., Optimizer]:
    def make(params: Iterable[Any], **kwargs: Any) -> Optimizer:
        needs = f"the optimizer {name!r} needs the package {package}: pip install {package}"
        try:
            found = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name != module.partition(".")[0]:
                error.add_note(needs)
                raise
            raise mark_user_mistake(ImportError(needs)) from error
        except AttributeError as error:
            error.add_note(f"this version of {package} has no optimizer {attribute}")
            raise
        optimizer: Optimizer = found(params, **kwargs)
        return optimizer

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Make a {attribute} of the package {package}."
    return make


register_torch_optimizers()
register_third_party_optimizers()
