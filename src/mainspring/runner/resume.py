"""What a checkpoint holds, and how each owner takes its part back.

`collect` and `restore` stand side by side: what one writes the other reads. MMEngine's keys
(``meta``, ``state_dict``, ``message_hub``, ``optimizer``, ``param_schedulers``) keep their meaning;
what exact continuation needs beyond them lies under the one key ``mainspring``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mainspring.checkpoint import get_state_dict, weights_to_cpu
from mainspring.device.random_states import RandomStates
from mainspring.dist import all_gather_object, get_rank, get_world_size
from mainspring.errors import CheckpointError
from mainspring.hooks import Hook
from mainspring.logging import print_log
from mainspring.model import is_model_wrapper
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.runner.earlier_state import StateBeforeValidation
from mainspring.runner.restored_seed import restore_seed
from mainspring.strategy import bucket_orders, restore_bucket_orders
from mainspring.version import __version__

__all__ = [
    "FORMAT",
    "collect",
    "named_hooks",
    "renew_trained_state",
    "restore",
    "restore_accumulation",
    "restore_optimizer_state",
    "wrappers_by_name",
]

FORMAT = 1


def collect(
    runner: Any,
    meta: Mapping[str, Any] | None,
    *,
    by_epoch: bool,
    save_optimizer: bool,
    save_param_scheduler: bool,
    to_cpu: bool = True,
    earlier: StateBeforeValidation | None = None,
    alone: bool = False,
) -> dict[str, Any]:
    """Everything that the future of the run depends on, as plain types and tensors.

    Called on all ranks, unless `alone`: the generators of every rank are gathered.

    Args:
        runner: The run.
        meta: Entries that replace those of ``meta``.
        by_epoch: Whether the checkpoint is named by epoch; matters to foreign train loops only.
        save_optimizer: Whether to keep the optimizer's state.
        save_param_scheduler: Whether to keep the schedulers' states.
        to_cpu: Whether weights are brought to the CPU now.
        earlier: What replaces the state of now, in the middle of a validation.
        alone: Whether this rank is the only one here, so that nothing is gathered.
    """
    gather = _only_own if alone else all_gather_object
    weights = _weights_of(runner)
    checkpoint: dict[str, Any] = {
        "meta": {**_meta(runner, by_epoch), **(meta or {})},
        "state_dict": weights_to_cpu(weights) if to_cpu else weights,
        "message_hub": (
            earlier.message_hub(runner.message_hub) if earlier else runner.message_hub.state_dict()
        ),
    }
    if save_optimizer and isinstance(runner.optim_wrapper, OptimWrapper | OptimWrapperDict):
        checkpoint["optimizer"] = runner.optim_wrapper.state_dict()
    if save_param_scheduler and runner.param_schedulers is not None:
        checkpoint["param_schedulers"] = _map_schedulers(
            runner.param_schedulers, lambda scheduler: scheduler.state_dict()
        )
    checkpoint["mainspring"] = {
        "format": FORMAT,
        "version": __version__,
        "loop": earlier.loop if earlier else _state_of(runner._train_loop),
        "loader": gather(_state_of(_source(runner._train_loop))),
        "random_states": gather(
            (earlier.random_states if earlier else RandomStates.capture()).state_dict()
        ),
        "hooks": _hook_states(runner, earlier.hooks if earlier else {}),
        "accumulation": gather(_accumulation_states(runner.optim_wrapper)),
        "items": _number_of_items(runner._train_loop),
    }
    buckets = {} if alone else bucket_orders(runner.model)
    if buckets:
        checkpoint["mainspring"]["gradient_buckets"] = buckets
    return checkpoint


def renew_trained_state(runner: Any, checkpoint: dict[str, Any]) -> None:
    """Put what is trained into a checkpoint anew, after it was changed while that is written.

    Called on the ranks that `collect` was called on.

    Args:
        runner: The run.
        checkpoint: What `collect` gave.
    """
    checkpoint["state_dict"] = weights_to_cpu(_weights_of(runner))
    if "optimizer" in checkpoint:
        checkpoint["optimizer"] = runner.optim_wrapper.state_dict()
    ours = checkpoint["mainspring"]
    alone = len(ours["accumulation"]) != get_world_size()
    gather = _only_own if alone else all_gather_object
    ours["accumulation"] = gather(_accumulation_states(runner.optim_wrapper))


def _weights_of(runner: Any) -> Any:
    return get_state_dict(runner.model.module if is_model_wrapper(runner.model) else runner.model)


def _only_own(state: Any) -> list[Any]:
    return [state]


def _meta(runner: Any, by_epoch: bool) -> dict[str, Any]:
    loop = runner._train_loop
    epoch, iteration = _finished(loop, by_epoch, runner)
    meta = {
        "epoch": epoch,
        "iter": iteration,
        "cfg": runner.cfg.pretty_text,
        "seed": runner.seed,
        "experiment_name": runner.experiment_name,
        "time": time.strftime("%Y%m%d_%H%M%S", time.localtime()),
        "mmengine_version": f"mainspring-{__version__}",
    }
    dataset: Any = getattr(getattr(loop, "dataloader", None), "dataset", None)
    if hasattr(dataset, "metainfo"):
        meta["dataset_meta"] = _plain(dataset.metainfo)
    return meta


def _finished(loop: Any, by_epoch: bool, runner: Any) -> tuple[int, int]:
    """Finished epochs and iterations, also from within the hooks that follow an iteration."""
    if hasattr(loop, "completed_iters"):
        return loop.completed_epochs, loop.completed_iters
    epoch, iteration = runner.epoch, runner.iter
    return (epoch + 1, iteration) if by_epoch else (epoch, iteration + 1)


def _plain(value: Any) -> Any:
    """Meta information without NumPy types, which safe loading would have to be told about."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        items = [_plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def _number_of_items(loop: Any) -> int | None:
    try:
        return len(loop.dataloader.dataset)
    except (AttributeError, TypeError, NotImplementedError):
        return None  # a stream, or batches that are ready


def _source(loop: Any) -> Any:
    """What keeps the position in the training data."""
    return getattr(loop, "source", None) or getattr(loop, "dataloader", None)


def _state_of(owner: Any) -> dict[str, Any] | None:
    return owner.state_dict() if hasattr(owner, "state_dict") else None


def _hook_states(runner: Any, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """States of the hooks that remember, by name; earlier ones replace those of now."""
    states: dict[str, Any] = {}
    for name, hook in named_hooks(runner).items():
        with _noting(f"while asking the hook {name} for its state, for a checkpoint"):
            states[name] = _state_of(hook)
    return {name: state for name, state in {**states, **earlier}.items() if _is_any(state)}


def _is_any(state: Any) -> bool:
    return state is not None and not (isinstance(state, Mapping) and not state)


@contextmanager
def _noting(what: str) -> Iterator[None]:
    """Let errors of a user's own code say what it was called for."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


def named_hooks(runner: Any) -> dict[str, Any]:
    """The hooks of a run by class name and, for repeated classes, a number."""
    named: dict[str, Any] = {}
    for hook in runner.hooks:
        name = type(hook).__name__
        count = sum(1 for other in named if other.split("#")[0] == name)
        named[f"{name}#{count}" if count else name] = hook
    return named


def wrappers_by_name(optim_wrapper: Any) -> dict[str, Any]:
    """The optimizer wrappers by name; a single one has the empty name."""
    if isinstance(optim_wrapper, OptimWrapperDict):
        return dict(optim_wrapper.items())
    return {"": optim_wrapper}


def _accumulation_states(optim_wrapper: Any) -> dict[str, Any]:
    """This rank's gradients of groups of micro-batches that the checkpoint cuts in two."""
    states = {
        name: wrapper.accumulation_state_dict()
        for name, wrapper in wrappers_by_name(optim_wrapper).items()
        if hasattr(wrapper, "accumulation_state_dict")
    }
    return {name: state for name, state in states.items() if state}


def restore_accumulation(runner: Any) -> None:
    """Put back the gradients of a half-finished group, once the wrappers know their counts."""
    pending, runner.pending_accumulation = runner.pending_accumulation, {}
    for name, wrapper in wrappers_by_name(runner.optim_wrapper).items():
        if name in pending:
            wrapper.load_accumulation_state_dict(pending[name])


def _map_schedulers(schedulers: Any, function: Any) -> Any:
    if isinstance(schedulers, Mapping):
        return {name: [function(item) for item in items] for name, items in schedulers.items()}
    return [function(item) for item in schedulers]


def restore(
    runner: Any,
    checkpoint: Mapping[str, Any],
    *,
    resume_optimizer: bool,
    resume_param_scheduler: bool,
) -> None:
    """Give each owner its state back; the weights are loaded already.

    Args:
        runner: The run; its train loop is built.
        checkpoint: What `collect` made, or a checkpoint of MMEngine.
        resume_optimizer: Whether to restore optimizers.
        resume_param_scheduler: Whether to restore schedulers.

    Raises:
        CheckpointError: The checkpoint holds weights only, or belongs to another set-up.
    """
    meta = checkpoint.get("meta")
    if not isinstance(meta, Mapping) or "iter" not in meta:
        raise CheckpointError(
            "this checkpoint holds weights but no position in a run, so it cannot be resumed",
            help="use load_from without resume to start from its weights",
        )
    ours = checkpoint.get("mainspring") or {}
    if resume_optimizer and "optimizer" not in checkpoint:
        print_log(
            "the checkpoint holds no state of the optimizer, so its moments begin anew: this is "
            "not the run that it was taken of (use load_from for weights alone)",
            logger="current",
            level=logging.WARNING,
        )
    restore_seed(runner, meta)
    _restore_position(runner, meta, ours)
    _warn_other_dataset(runner, meta, ours.get("items"))
    if "message_hub" in checkpoint:
        runner.message_hub.load_state_dict(checkpoint["message_hub"])
    if resume_optimizer and "optimizer" in checkpoint:
        _restore_optimizer(runner, checkpoint["optimizer"])
    if resume_param_scheduler and runner.param_schedulers is not None:
        _restore_schedulers(runner, checkpoint)
    _restore_hooks(named_hooks(runner), ours.get("hooks", {}))
    groups = ours.get("accumulation", [])
    if len(groups) == get_world_size():
        runner.pending_accumulation = groups[get_rank()]
        restore_bucket_orders(runner.model, ours.get("gradient_buckets", {}))
    _restore_generators(ours.get("random_states"))


def _restore_position(runner: Any, meta: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    loop = runner.train_loop
    source = _source(loop)
    if ours.get("loader") and hasattr(source, "load_state_dict"):
        states = ours["loader"]
        if isinstance(states, Mapping):
            states = [states]
        # With another number of processes, what is common to all ranks is what counts.
        state = states[get_rank() if len(states) == get_world_size() else 0]
        if state:
            source.load_state_dict(state)
    position = ours.get("loop")
    if position is None and hasattr(loop, "load_state_dict"):
        epoch, iteration = int(meta["epoch"]), int(meta["iter"])
        position = {"epoch": epoch, "iter": iteration, "validated_at": iteration}
        if not getattr(loop, "by_epoch", True):
            position["batches"] = iteration
    if hasattr(loop, "load_state_dict"):
        loop.load_state_dict(position)
    else:
        loop._epoch, loop._iter = int(meta["epoch"]), int(meta["iter"])


def _warn_other_dataset(runner: Any, meta: Mapping[str, Any], items: int | None) -> None:
    now = _number_of_items(runner.train_loop)
    if items is not None and now is not None and items != now:
        print_log(
            f"the training data have {now} items, {items} when the checkpoint was written: unless "
            "their number changes by itself, the run does not go on with what it would have seen",
            logger="current",
            level=logging.WARNING,
        )
    dataset: Any = getattr(runner.train_dataloader, "dataset", None)
    if "dataset_meta" not in meta or not hasattr(dataset, "metainfo"):
        return
    if _plain(dataset.metainfo) != _plain(meta["dataset_meta"]):
        print_log(
            "the data set's meta information differs from the checkpoint's: is it the same data?",
            logger="current",
            level=logging.WARNING,
        )


def _restore_optimizer(runner: Any, state: Mapping[str, Any]) -> None:
    try:
        runner.optim_wrapper.load_state_dict(state)
    except (ValueError, KeyError) as error:
        error.add_note(
            "the optimizer of the checkpoint does not fit this run's: resume with the same "
            "optimizer, paramwise_cfg and model, or use load_from for the weights alone"
        )
        raise


def restore_optimizer_state(optim_wrapper: Any, state: Mapping[str, Any]) -> None:
    """Give the optimizers their moments back, but keep the learning rates that hold now.

    Args:
        optim_wrapper: One wrapper, or several by name.
        state: The optimizers' part of a checkpoint.
    """
    wrappers = wrappers_by_name(optim_wrapper).values()
    settings = [
        [{name: group[name] for name in group if name != "params"} for group in groups]
        for groups in (wrapper.optimizer.param_groups for wrapper in wrappers)
    ]
    optim_wrapper.load_state_dict(state)
    for wrapper, of_wrapper in zip(wrappers, settings, strict=True):
        for group, now in zip(wrapper.optimizer.param_groups, of_wrapper, strict=True):
            group.update(now)


def _restore_schedulers(runner: Any, checkpoint: Mapping[str, Any]) -> None:
    saved = checkpoint.get("param_schedulers")
    if saved is None:
        return
    schedulers = runner.param_schedulers
    if isinstance(schedulers, Mapping) != isinstance(saved, Mapping):
        raise CheckpointError("the checkpoint was made with another number of optimizers")
    pairs: list[tuple[Any, Any]] = []
    if isinstance(schedulers, Mapping):
        for name, items in schedulers.items():
            pairs += zip(items, saved.get(name, []), strict=False)
    else:
        if len(schedulers) != len(saved):
            print_log(
                f"the checkpoint has {len(saved)} schedulers, this run {len(schedulers)}: they are "
                "matched in order",
                logger="current",
                level=logging.WARNING,
            )
        pairs += zip(schedulers, saved, strict=False)
    for scheduler, state in pairs:
        scheduler.load_state_dict(state)


def _restore_hooks(hooks: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    lost = {
        name: "this run has no such hook"
        if name not in hooks
        else f"{type(hooks[name]).__name__} has state_dict, but no load_state_dict"
        for name in states
        if name not in hooks or not _takes_state_back(hooks[name])
    }
    for name, reason in lost.items():
        print_log(
            f"the state of the hook {name} in the checkpoint is not used: {reason}",
            logger="current",
            level=logging.WARNING,
        )
    for name, hook in hooks.items():
        if name in states and name not in lost:
            with _noting(f"while giving the hook {name} back its state of the checkpoint"):
                hook.load_state_dict(states[name])


def _takes_state_back(hook: Any) -> bool:
    method = getattr(type(hook), "load_state_dict", None)
    return method is not None and method is not Hook.load_state_dict


def _restore_generators(states: Any) -> None:
    if not states:
        return
    if len(states) != get_world_size():
        print_log(
            f"the checkpoint holds the generators of {len(states)} processes, this run has "
            f"{get_world_size()}: random numbers differ from here on",
            logger="current",
            level=logging.WARNING,
        )
        return
    RandomStates.from_state_dict(states[get_rank()]).restore()
