"""Kinds of state: how each is read from an object, copied, put back, or made anew."""

from __future__ import annotations

import copy
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from multiprocessing.sharedctypes import SynchronizedBase
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mainspring.device import get_device
from mainspring.object_state.containers import PLAIN, moved
from mainspring.object_state.optimizers import load_inner_optimizer

__all__ = ["KINDS", "copied", "kind_of", "made_of", "put_into"]

_VALUES = frozenset((*PLAIN, list, tuple, dict, set, deque, OrderedDict, Tensor, np.ndarray))


def copied(value: Any) -> Any:
    """A copy of a value, with its tensors on the CPU.

    Args:
        value: A plain value, a tensor, or containers of both.
    """
    result = moved(value, lambda tensor: tensor.detach().to("cpu", copy=True))
    if isinstance(value, deque):
        return list(result)
    return dict(result) if isinstance(value, dict) else result


def kind_of(value: Any) -> str:
    """What kind of state a value is: one of `KINDS`, or a plain ``"value"``.

    Args:
        value: Any object.
    """
    if type(value) in _VALUES:
        return "value"
    for name, kind in KINDS.items():
        if kind.of is not None and isinstance(value, kind.of):
            return name
    methods = (getattr(value, name, None) for name in ("state_dict", "load_state_dict"))
    return "state_dict" if all(map(callable, methods)) else "value"


class Kind(NamedTuple):
    """What keeps a state of its own.

    Attributes:
        of: Its class.
        read: Gives the state of an object.
        put: Puts a state back into an object.
        make: Makes an object of the kind for a state, which is put into it then; ``None`` where
            only its owner can.
    """

    of: Any
    read: Callable[[Any], Any]
    put: Callable[[Any, Any], Any]
    make: Callable[[Any], Any] | None = None


def _bits_for(state: Any) -> Any:
    """A bit generator of NumPy of the class that a state is of."""
    return getattr(np.random, state["bit_generator"])()


def _put_shared(value: Any, state: Any) -> None:
    if hasattr(value, "value"):
        value.value = state
    else:
        value[:] = state


KINDS: dict[str, Kind] = {
    "torch": Kind(
        torch.Generator,
        lambda g: g.get_state(),
        lambda g, s: g.set_state(s),
        lambda _: torch.Generator(),
    ),
    "numpy": Kind(
        np.random.Generator,
        lambda g: g.bit_generator.state,
        lambda g, s: setattr(g.bit_generator, "state", s),
        lambda s: np.random.Generator(_bits_for(s)),
    ),
    "numpy's legacy": Kind(
        np.random.RandomState,
        lambda g: g.get_state(legacy=False),
        lambda g, s: g.set_state(s),
        lambda s: np.random.RandomState(_bits_for(s)),
    ),
    "bits": Kind(
        np.random.BitGenerator, lambda g: g.state, lambda g, s: setattr(g, "state", s), _bits_for
    ),
    "module": Kind(
        nn.Module,
        lambda m: {name: copied(value) for name, value in m.state_dict().items()},
        lambda m, s: m.load_state_dict(s),
    ),
    "optimizer": Kind(
        torch.optim.Optimizer, lambda o: copied(o.state_dict()), load_inner_optimizer
    ),
    "shared": Kind(
        SynchronizedBase, lambda v: v.value if hasattr(v, "value") else v[:], _put_shared
    ),
    "python": Kind(
        random.Random, lambda g: g.getstate(), lambda g, s: g.setstate(s), lambda _: random.Random()
    ),
    "state_dict": Kind(
        None,
        lambda owner: copy.deepcopy(owner.state_dict()),
        lambda owner, s: owner.load_state_dict(s),
    ),
}


def put_into(value: Any, kept: Mapping[str, Any]) -> bool:
    """Put a state back where it was, if the object can take it.

    Args:
        value: The object that is there now.
        kept: The kind and the state, as `InnerState.capture` gives them.
    """
    kind, state = kept["kind"], kept["state"]
    if kind in KINDS:
        KINDS[kind].put(value, state)
    elif isinstance(value, Tensor):
        if not isinstance(state, Tensor) or value.shape != state.shape:
            return False
        with torch.no_grad():
            value.copy_(state)
    elif isinstance(value, list | deque | dict | set) and (
        isinstance(value, deque if "maxlen" in kept else type(state))
    ):
        value.clear()
        (value.update if isinstance(value, dict | set) else value.extend)(_placed(kept))
    else:
        return False
    return True


def _placed(kept: Mapping[str, Any]) -> Any:
    """A state with its tensors on the device, if they were there."""
    state = kept["state"]
    return moved(state, lambda one: one.to(get_device())) if kept.get("on_device") else state


def made_of(kept: Mapping[str, Any]) -> Any:
    """The object that a state is of, for a place that has none yet.

    Args:
        kept: As in `put_into`.

    Raises:
        LookupError: The state does not tell how to make it.
    """
    kind, state = kept["kind"], kept["state"]
    if kind == "value":
        return deque(_placed(kept), kept["maxlen"]) if "maxlen" in kept else _placed(kept)
    make = KINDS[kind].make
    if make is None:
        raise LookupError(f"only its owner can make what has a {kind}")
    made = make(state)
    KINDS[kind].put(made, state)
    return made
