"""Parameter groups that a hook adds in the middle of a training, across a resume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from mainspring.errors import CheckpointError
from mainspring.logging import print_log

__all__ = ["add_missing_groups", "names_of_groups"]


def names_of_groups(model: nn.Module, optimizer: Any) -> list[list[str]]:
    """Names of the parameters of each group; an empty name for those of something else.

    Args:
        model: The model.
        optimizer: The optimizer.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [[names.get(id(p), "") for p in group["params"]] for group in optimizer.param_groups]


def add_missing_groups(model: nn.Module, optimizer: Any, saved: Sequence[Sequence[str]]) -> None:
    """Add the groups that an optimizer had when a checkpoint was written, and does not have yet.

    A hook that adds one of them again, as it did at the start before, finds it there already.

    Args:
        model: The model.
        optimizer: The optimizer, whose settings of the groups are loaded later.
        saved: What `names_of_groups` gave.

    Raises:
        CheckpointError: A group has parameters that the model does not have.
    """
    now = names_of_groups(model, optimizer)
    parameters = dict(model.named_parameters())
    missing = saved[len(now) :]
    if now != [list(names) for names in saved[: len(now)]]:
        return
    unknown = sorted({name for names in missing for name in names} - parameters.keys())
    if "" in unknown:
        return
    if unknown:
        raise CheckpointError(
            f"the optimizer of the checkpoint has {', '.join(unknown)}, which the model does not "
            "have: the run has made it on the way",
            help="make it in __init__, or in before_run of a hook, so that a resumed run has it",
        )
    expected = [{id(parameters[name]) for name in names} for names in missing]
    for names in missing:
        optimizer.add_param_group({"params": [parameters[name] for name in names]})
    if not missing:
        return
    print_log(f"the optimizer has the {len(missing)} groups again that were added to it", "current")
    add = optimizer.add_param_group

    def add_unless_there(group: dict[str, Any]) -> None:
        given = group["params"]
        wanted = {id(p) for p in ([given] if hasattr(given, "grad_fn") else given)}
        if wanted in expected:
            expected.remove(wanted)
        else:
            add(group)

    optimizer.add_param_group = add_unless_there
