"""What a training step leaves behind: weights, averages, the optimizer's state, generators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.hooks.ema_hook import EMAHook
from mainspring.hooks.run import Run
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.rng.states import RandomStates
from mainspring.structures.bit_digest import bit_digests
from mainspring.structures.nested_digest import nested_digest

__all__ = ["generator_digests", "named_state", "named_weights", "wrappers_of"]


def named_state(runner: Run) -> Iterator[tuple[str, str, Any]]:
    """What the steps of a run change.

    Args:
        runner: The runner.

    Yields:
        Kind (``"weight"``, ``"buffer"``, ``"average"`` or ``"optimizer"``), name and value: a
        tensor; of an optimizer perhaps a number or nested data.
    """
    names: dict[int, str] = {}
    for kind, name, tensor in named_weights(runner.model):
        names[id(tensor)] = name
        yield kind, name, tensor
    hooks = [hook for hook in getattr(runner, "hooks", []) if isinstance(hook, EMAHook)]
    for number, hook in enumerate(hooks, 1):
        average = getattr(hook, "ema_model", None)
        for name, tensor in () if average is None else average.state_dict().items():
            yield "average", f"{number}. " * (number > 1) + name.removeprefix("module."), tensor
    for prefix, wrapper in wrappers_of(runner.optim_wrapper):
        optimizer: Any = getattr(wrapper, "optimizer", None)
        optimizer = getattr(optimizer, "optim", optimizer)
        for group_number, group in enumerate(getattr(optimizer, "param_groups", ())):
            for index, parameter in enumerate(group["params"]):
                name = names.get(id(parameter), f"group {group_number} parameter {index}")
                for key, value in optimizer.state.get(parameter, {}).items():
                    yield "optimizer", f"{prefix}{name}.{key}", value
        scaler: Any = getattr(wrapper, "loss_scaler", None)
        if hasattr(scaler, "state_dict"):
            yield "optimizer", f"{prefix}loss_scaler", scaler.state_dict()


def named_weights(model: nn.Module) -> Iterator[tuple[str, str, Any]]:
    """Parameters and buffers: kind (``"weight"`` or ``"buffer"``), name and tensor.

    Args:
        model: The model, maybe in its wrapper or compiled.
    """
    module = unwrap(model)
    for kind, named in (("weight", module.named_parameters()), ("buffer", module.named_buffers())):
        for name, tensor in named:
            yield kind, name.replace("_orig_mod.", ""), tensor


def wrappers_of(optim_wrapper: Any) -> Iterator[tuple[str, Any]]:
    """The wrappers of single optimizers, with what their names begin with.

    Args:
        optim_wrapper: One wrapper, or several by name.
    """
    for name, wrapper in by_optimizer(optim_wrapper).items():
        yield f"{name}." if name else "", wrapper


def generator_digests() -> dict[str, str]:
    """Digests of the states of all generators of random numbers, by name."""
    states = RandomStates.capture()
    on_host, *on_devices = bit_digests([states.torch, *states.cuda])
    found = {
        # As one string, since Python's generator has 625 words.
        "python": nested_digest(repr(states.python)),
        "numpy": nested_digest(states.numpy),
        "torch": on_host,
    }
    return found | {f"cuda:{index}": digest for index, digest in enumerate(on_devices)}
