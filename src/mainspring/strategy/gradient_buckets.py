"""In which order processes add up gradients, kept over an interruption.

`DistributedDataParallel` sends gradients in buckets. After the first backward pass it sorts them
into other ones, in the order in which they became ready. With three processes or more, where in a
bucket a gradient lies decides in which order its parts are added, and so its last bit: a run that
is resumed has to begin with the buckets that the interrupted one had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn
from torch.nn.parallel import DistributedDataParallel

from mainspring.dist import get_world_size
from mainspring.model.wrappers.distributed import BUCKET_ORDER, MMDistributedDataParallel

__all__ = ["bucket_orders", "restore_bucket_orders"]

_NEEDED = ("_push_all_rebuilt_params", "_rebuild_buckets")
"""What torch's reducer must offer; it is not public."""


def _wrappers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    if get_world_size() < 3:
        return  # two numbers have the same sum in either order
    for name, module in model.named_modules():
        if isinstance(module, DistributedDataParallel):
            reducer = getattr(module, "reducer", None)
            if all(hasattr(reducer, needed) for needed in _NEEDED):
                yield name, module


def bucket_orders(model: nn.Module) -> dict[str, list[int]]:
    """The parameters in the order of the buckets (all ranks).

    Args:
        model: The model in its wrapper, or with wrapped parts.

    Returns:
        For each wrapper by its name, the numbers of its parameters; none for one that has not
        sorted its buckets yet, or never does.
    """
    return {name: order for name, wrapper in _wrappers(model) if (order := _order_of(wrapper))}


def _order_of(wrapper: Any) -> list[int]:
    found = _sorted_indices(wrapper)
    # What is sorted here would be sorted at the beginning of the next iteration.
    if not found and (wrapper._has_rebuilt_buckets or wrapper.reducer._rebuild_buckets()):
        wrapper._has_rebuilt_buckets = True
        # Torch writes the order down in iterations that exchange gradients only.
        wrapper.logger.set_runtime_stats_and_log()
        found = _sorted_indices(wrapper)
    base: Sequence[int] = getattr(wrapper, BUCKET_ORDER, range(len(found)))
    return [base[index] for index in found]


def _sorted_indices(wrapper: Any) -> list[int]:
    said = wrapper._get_ddp_logging_data().get("rebuilt_per_bucket_param_indices", "")
    return [int(index) for index in said.replace(",", " ").split()]


def restore_bucket_orders(model: nn.Module, orders: Mapping[str, Sequence[int]]) -> None:
    """Sort the buckets as they were, before the first backward pass (all ranks).

    Args:
        model: The model in its wrapper, or with wrapped parts.
        orders: What `bucket_orders` gave.
    """
    for name, wrapper in _wrappers(model):
        if name in orders and not wrapper._comm_hooks:
            _restore(wrapper, orders[name])


def _restore(wrapper: Any, order: Sequence[int]) -> None:
    if isinstance(wrapper, MMDistributedDataParallel):
        wrapper.follow_freezing()  # the order is of what trained then, and trains again
    parameters, expects_sparse = wrapper._build_params_for_reducer()
    if sorted(order) != list(range(len(parameters))):
        return  # other parameters are trained now
    parameters = [parameters[index] for index in order]
    expects_sparse = [expects_sparse[index] for index in order]
    names = wrapper._build_debug_param_to_name_mapping(parameters)
    if hasattr(wrapper.reducer, "_remove_autograd_hooks"):
        wrapper.reducer._remove_autograd_hooks()
    wrapper._ddp_init_helper(parameters, expects_sparse, names, wrapper.static_graph)
    if wrapper.static_graph:
        wrapper.reducer._set_static_graph()
    setattr(wrapper, BUCKET_ORDER, list(order))
    wrapper.reducer._push_all_rebuilt_params()
    wrapper._has_rebuilt_buckets = wrapper.reducer._rebuild_buckets()
