"""Trading computation for memory: activations are computed again in the backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from mainspring.errors import ConfigAttributeError, did_you_mean

__all__ = ["find_submodule", "turn_on_activation_checkpointing"]


def turn_on_activation_checkpointing(model: nn.Module, modules: list[str] | str) -> None:
    """Keep only the inputs of some modules for the backward pass and run them again there.

    Reference: Chen et al., "Training deep nets with sublinear memory cost", 2016.

    Args:
        model: The model; the named modules are changed in place.
        modules: Dotted name or names of the modules.

    Raises:
        ConfigError: The model has no module of such a name.
    """
    for name in [modules] if isinstance(modules, str) else modules:
        module = find_submodule(model, name, "activation_checkpointing")
        module.forward = _checkpointed(module.forward)


def find_submodule(model: nn.Module, name: str, option: str) -> nn.Module:
    """The submodule of a dotted name.

    Args:
        model: Where to look.
        name: Dotted name.
        option: Config option that holds the name, for the message.

    Raises:
        ConfigError: There is none; a subclass of the error that attribute access would give.
    """
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise ConfigAttributeError(
            f"{type(model).__name__} has no module {name!r}",
            config_path=option,
            help=did_you_mean(name, (known for known, _ in model.named_modules())),
        ) from error


def _checkpointed(forward: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return run
