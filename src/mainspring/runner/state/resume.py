"""What a checkpoint holds, and how each owner takes its part back.

`collect` and `restore` stand side by side: what one writes the other reads. MMEngine's keys
(``meta``, ``state_dict``, ``message_hub``, ``optimizer``, ``param_schedulers``) keep their meaning;
what exact continuation needs beyond them lies under the one key ``mainspring``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mainspring.checkpoint import get_state_dict, weights_to_cpu
from mainspring.checkpoint.apply import unwrap
from mainspring.checkpoint.sharded import is_sharded, spread_optimizer_state, whole
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dataset.same_metainfo import is_same
from mainspring.dist import gather_object, get_rank, get_world_size, is_main_process
from mainspring.errors import CheckpointError
from mainspring.logging import warn
from mainspring.object_state.optimizers import keep_precision
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.optim.optimizer.added_groups import add_missing_groups, names_of_groups
from mainspring.optim.optimizer.optim_wrapper import gradient_on_host
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.rng.states import RandomStates
from mainspring.runner.state.changed_settings import Settings, description, say_changes
from mainspring.runner.state.earlier_state import StateBeforeValidation
from mainspring.runner.state.hook_states import hook_states, named_hooks, restore_hooks
from mainspring.runner.state.restored_seed import restore_seed
from mainspring.strategy import bucket_orders, restore_bucket_orders
from mainspring.structures.nested import as_plain
from mainspring.version import MMENGINE_VERSION, __version__

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = [
    "FORMAT",
    "collect",
    "continue_where_it_stopped",
    "counts_agree",
    "map_schedulers",
    "renew_trained_state",
    "restore",
    "restore_accumulation",
    "restore_moments",
]

FORMAT = 1


def collect(
    runner: Runner,
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

    Called on all ranks, unless `alone`. Only the main process, which writes, gathers what each rank
    keeps for itself and brings weights to the CPU; on the others, hooks are shown the rest.

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
    gather = _only_own if alone else gather_object
    if is_sharded(runner.model):
        _refuse_parts(runner, alone)
    weights = _weights_of(runner)
    checkpoint: dict[str, Any] = {
        "meta": {**_meta(runner, by_epoch), **(meta or {})},
        "state_dict": weights_to_cpu(weights) if to_cpu and is_main_process() else weights,
        "message_hub": (
            earlier.message_hub(runner.message_hub) if earlier else runner.message_hub.state_dict()
        ),
    }
    if save_optimizer and isinstance(runner.optim_wrapper, OptimWrapper | OptimWrapperDict):
        checkpoint["optimizer"] = whole(runner.optim_wrapper.state_dict())
    if save_param_scheduler and runner._parts.get("param_schedulers") is not None:
        checkpoint["param_schedulers"] = map_schedulers(
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
        "hooks": hook_states(runner, earlier.hooks if earlier else {}),
        "by_epoch": getattr(runner._train_loop, "by_epoch", None),
        "settings": runner.settings,
        "description": description(runner),
        "anew": runner.set_anew,
        "inner": gather(
            earlier.inner if earlier else runner.inner_states and runner.inner_states.capture()
        ),
        "accumulation": gather(_accumulation_states(runner)),
        "items": _number_of_items(runner._train_loop),
        "groups": {
            name: names_of_groups(unwrap(runner.model), wrapper.optimizer)
            for name, wrapper in by_optimizer(runner.optim_wrapper).items()
            if isinstance(wrapper, OptimWrapper)
        },
        "modes": runner.modes.state_dict(runner.model),
        "resized": runner.inner_states.model.resized_buffers() if runner.inner_states else [],
    }
    buckets = {} if alone else bucket_orders(runner.model)
    if buckets:
        checkpoint["mainspring"]["gradient_buckets"] = buckets
    return checkpoint


def renew_trained_state(runner: Runner, checkpoint: dict[str, Any]) -> None:
    """Put what is trained into a checkpoint anew, after it was changed while that is written.

    Called on the ranks that `collect` was called on.

    Args:
        runner: The run.
        checkpoint: What `collect` gave.
    """
    weights = _weights_of(runner)
    checkpoint["state_dict"] = weights_to_cpu(weights) if is_main_process() else weights
    if "optimizer" in checkpoint:
        checkpoint["optimizer"] = whole(runner.optim_wrapper.state_dict())
    ours = checkpoint["mainspring"]
    alone = is_main_process() and len(ours["accumulation"]) != get_world_size()
    gather = _only_own if alone else gather_object
    ours["accumulation"] = gather(_accumulation_states(runner))


def _weights_of(runner: Runner) -> Any:
    return whole(get_state_dict(unwrap(runner.model)))


def _refuse_parts(runner: Runner, alone: bool) -> None:
    """Refuse to write a part of a model that is spread over the processes."""
    if alone and get_world_size() > 1:
        raise CheckpointError(
            "the model is sharded over the processes, and rank 0 alone has a part of it only",
            help="call save_checkpoint on all ranks",
        )
    if _accumulation_states(runner):
        raise CheckpointError(
            "a checkpoint of a sharded model cannot be written within a group of micro-batches",
            help="save at iterations that accumulative_counts divides",
        )


def _only_own(state: Any) -> list[Any]:
    return [state]


def _meta(runner: Runner, by_epoch: bool) -> dict[str, Any]:
    loop = runner._train_loop
    if hasattr(loop, "completed_iters"):
        epoch, iteration = loop.completed_epochs, loop.completed_iters
    else:  # called by a hook, behind an epoch or an iteration that is not counted yet
        epoch, iteration = runner.epoch + by_epoch, runner.iter + (not by_epoch)
    meta = {
        "epoch": epoch,
        "iter": iteration,
        "cfg": runner.cfg.pretty_text,
        "seed": runner.seed,
        "experiment_name": runner.experiment_name,
        "time": time.strftime("%Y%m%d_%H%M%S", time.localtime()),
        "mmengine_version": MMENGINE_VERSION,
    }
    dataset: Any = getattr(getattr(loop, "dataloader", None), "dataset", None)
    if hasattr(dataset, "metainfo"):
        # NumPy's types are such as safe loading would have to be told about.
        meta["dataset_meta"] = as_plain(dataset.metainfo)
    return meta


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


_UNOWNED = "gradients of no optimizer"


def _accumulation_states(runner: Runner) -> dict[str, Any]:
    """This rank's gradients: of groups that the checkpoint cuts in two, or left by other steps."""
    wrappers = by_optimizer(runner.optim_wrapper)
    states = {
        name: wrapper.accumulation_state_dict()
        for name, wrapper in wrappers.items()
        if hasattr(wrapper, "accumulation_state_dict")
    }
    owned = {
        id(parameter)
        for wrapper in wrappers.values()
        for group in getattr(wrapper, "param_groups", [])
        for parameter in group["params"]
    }
    states[_UNOWNED] = {
        name: gradient
        for name, parameter in unwrap(runner.model).named_parameters()
        if id(parameter) not in owned and (gradient := gradient_on_host(parameter)) is not None
    }
    return {name: state for name, state in states.items() if state}


def restore_accumulation(runner: Runner) -> None:
    """Put back the gradients that there were, once the wrappers know their counts."""
    pending, runner.pending_accumulation = runner.pending_accumulation, {}
    parameters = dict(unwrap(runner.model).named_parameters())
    for name, gradient in pending.get(_UNOWNED, {}).items():
        if name in parameters and parameters[name].shape == gradient.shape:
            parameters[name].grad = gradient.to(parameters[name].device, copy=True)
    for name, wrapper in by_optimizer(runner.optim_wrapper).items():
        if name in pending:
            wrapper.load_accumulation_state_dict(pending[name])


def map_schedulers(schedulers: Any, function: Any) -> Any:
    """What a function gives of each scheduler; by name where there are several lists."""
    if isinstance(schedulers, Mapping):
        return {name: [function(item) for item in items] for name, items in schedulers.items()}
    return [function(item) for item in schedulers]


def restore(
    runner: Runner,
    checkpoint: Mapping[str, Any],
    *,
    resume_optimizer: bool,
    resume_param_scheduler: bool,
    anew: Sequence[str] = (),
) -> None:
    """Give each owner its state back; the weights are loaded already.

    Args:
        runner: The run; its train loop is built.
        checkpoint: What `collect` made, or a checkpoint of MMEngine.
        resume_optimizer: Whether to restore optimizers.
        resume_param_scheduler: Whether to restore schedulers.
        anew: What counts as it is described today, see `Settings`.

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
        warn(
            "the checkpoint holds no state of the optimizer, so its moments begin anew: this is "
            "not the run that it was taken of (use load_from for weights alone)"
        )
    settings, saved = Settings(runner, anew), ours.get("settings") or {}
    settings.refuse_misfits(saved, checkpoint)
    say_changes(runner, meta, ours.get("description") or {})
    restore_seed(runner, meta)
    _restore_position(runner, meta, ours)
    if "message_hub" in checkpoint:
        runner.message_hub.load_state_dict(checkpoint["message_hub"])
    if resume_optimizer and settings.keeps_optimizer and "optimizer" in checkpoint:
        for name, wrapper in by_optimizer(runner.optim_wrapper).items():
            if name in ours.get("groups", {}) and isinstance(wrapper, OptimWrapper):
                model, names = unwrap(runner.model), ours["groups"][name]
                add_missing_groups(model, wrapper.optimizer, names)
        _restore_optimizer(runner, checkpoint)
    if resume_param_scheduler and settings.keeps_schedule and runner.param_schedulers is not None:
        _restore_schedulers(runner, checkpoint)
    runner.set_anew = list(ours.get("anew") or [])
    if settings.anew:
        runner.set_anew.append({"iter": int(meta["iter"]), "names": settings.anew})
    runner.settings = settings.settle(saved)
    if "modes" in ours:
        runner.modes.load_state_dict(ours["modes"])
    groups = ours.get("accumulation", [])
    if len(groups) == get_world_size():
        runner.pending_accumulation = groups[get_rank()]
        restore_bucket_orders(runner.model, ours.get("gradient_buckets", {}))

    def restore_rest() -> None:
        restore_hooks(named_hooks(runner), ours.get("hooks", {}))
        inner = ours.get("inner", [])
        if len(inner) == get_world_size() and inner[get_rank()] and runner.inner_states:
            runner.inner_states.restore(inner[get_rank()])
        _warn_other_dataset(runner, meta, ours.get("items"))  # which may have grown in the run
        _restore_generators(ours.get("random_states"))

    runner.when_begun(restore_rest)


def continue_where_it_stopped(runner: Runner) -> None:
    """Let a training that an exception has ended go on in the same process.

    Args:
        runner: The run.
    """
    loop = runner.train_loop
    if not (hasattr(loop, "state_dict") and hasattr(loop, "load_state_dict")):
        return
    position, source = loop.state_dict(), _source(loop)
    if hasattr(source, "state_dict") and hasattr(source, "load_state_dict"):
        state = source.state_dict()
        given, done = state.get("batches", 0), position.get("batches", 0)
        if "samples" in state and given > done:
            # The last batch was given out, but nothing was trained on it.
            samples = state["samples"] - state["samples"] // given * (given - done)
            state |= {"batches": done, "samples": samples}
        source.load_state_dict(state)
    loop.load_state_dict(position)


def counts_agree(runner: Runner) -> bool:
    """Whether the optimizer wrappers have counted as many iterations as the train loop."""
    wrappers = by_optimizer(runner.optim_wrapper).values()
    return all(getattr(wrapper, "inner_count", None) == runner.iter for wrapper in wrappers)


def _restore_position(runner: Runner, meta: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    loop = runner.train_loop
    source = _source(loop)
    if ours.get("loader") and hasattr(source, "load_state_dict"):
        states = ours["loader"]
        if isinstance(states, Mapping):
            states = [states]
        # With another number of processes, what is common to all ranks is what counts.
        state = states[get_rank() if len(states) == get_world_size() else 0]
        if state:
            _restore_source(source, state, ours.get("loop") or {})
    epoch, iteration, position = int(meta["epoch"]), int(meta["iter"]), ours.get("loop")
    if not hasattr(loop, "load_state_dict"):
        loop._epoch, loop._iter = epoch, iteration
        return
    if position is None:
        position = {"epoch": epoch, "iter": iteration, "validated_at": iteration}
        if not getattr(loop, "by_epoch", True):
            position["batches"] = iteration
    elif getattr(loop, "by_epoch", False) and ours.get("by_epoch") is False:
        position = {**position, "epoch": position["pass"]}  # passes were not epochs
    loop.load_state_dict(position)


def _restore_source(source: Any, state: Any, position: Mapping[str, Any]) -> None:
    at = (position.get("pass", 0), position.get("batches", 0))
    try:
        source.load_state_dict(state, *(at if isinstance(source, ResumableLoader) else ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(
            f"the loader cannot take the checkpoint's position in the training data back: "
            f"{type(error).__name__}: {error}",
            help="give the loader that the checkpoint was made with, or use load_from for the "
            "weights alone",
        ) from error


def _warn_other_dataset(runner: Runner, meta: Mapping[str, Any], items: int | None) -> None:
    now = _number_of_items(runner.train_loop)
    if items is not None and now is not None and items != now:
        warn(
            f"the training data have {now} items, {items} when the checkpoint was written: unless "
            "their number changes by itself, the run does not go on with what it would have seen"
        )
    dataset: Any = getattr(runner.train_dataloader, "dataset", None)
    if "dataset_meta" not in meta or not hasattr(dataset, "metainfo"):
        return
    if not is_same(as_plain(dataset.metainfo), as_plain(meta["dataset_meta"])):
        warn("the data set's meta information differs from the checkpoint's: is it the same data?")


def _restore_optimizer(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    weights, then = unwrap(runner.model).named_parameters(), checkpoint["state_dict"]
    has_types = all(one.dtype == then[name].dtype for name, one in weights if name in then)
    try:
        _load_optimizers(runner, checkpoint["optimizer"], keeps_precision=has_types)
        for wrapper in by_optimizer(runner.optim_wrapper).values():
            if hasattr(wrapper, "optimizer"):
                spread_optimizer_state(wrapper.optimizer)
    except (ValueError, KeyError) as error:
        error.add_note(
            "the optimizer of the checkpoint does not fit this run's: resume with the same "
            "optimizer, paramwise_cfg and model, or use load_from for the weights alone"
        )
        raise


def _load_optimizers(
    runner: Runner, state: Mapping[str, Any], *, keeps_precision: bool = True
) -> None:
    runner.optim_wrapper.load_state_dict(state)
    for name, wrapper in by_optimizer(runner.optim_wrapper).items():
        if keeps_precision and isinstance(wrapper, OptimWrapper):
            keep_precision(wrapper.optimizer, state[name] if name else state)


def _restore_schedulers(runner: Runner, checkpoint: Mapping[str, Any]) -> None:
    saved = checkpoint.get("param_schedulers")
    if saved is None:
        return
    own, theirs = by_optimizer(runner.param_schedulers), by_optimizer(saved)
    if ("" in own) != ("" in theirs):
        raise CheckpointError("the checkpoint was made with another number of optimizers")
    for name, schedulers in own.items():
        states = theirs.get(name, [])
        if not name and len(schedulers) != len(states):
            warn(
                f"the checkpoint has {len(states)} schedulers, this run {len(schedulers)}: they "
                "are matched in order"
            )
        for scheduler, state in zip(schedulers, states, strict=False):
            scheduler.load_state_dict(state)


def restore_moments(runner: Runner, state: Mapping[str, Any]) -> None:
    """Give the optimizers their moments back, but keep what schedules have set by now.

    Other settings of a group may be moments as well, such as the sum of the weights that a
    schedule-free optimizer averages with.

    Args:
        runner: The run.
        state: The optimizers' part of a checkpoint.
    """
    scheduled = {"lr", "momentum", "betas"}
    map_schedulers(
        runner.param_schedulers or [], lambda one: scheduled.add(getattr(one, "param_name", "lr"))
    )
    wrappers = by_optimizer(runner.optim_wrapper).values()

    def settings() -> list[dict[str, Any]]:
        return [group for wrapper in wrappers for group in wrapper.optimizer.param_groups]

    now = [{name: group[name] for name in scheduled & group.keys()} for group in settings()]
    _load_optimizers(runner, state)
    for group, kept in zip(settings(), now, strict=True):
        group.update(kept)


def _restore_generators(states: Any) -> None:
    if states and len(states) != get_world_size():
        warn(
            f"the checkpoint holds the generators of {len(states)} processes, this run has "
            f"{get_world_size()}: random numbers differ from here on"
        )
    elif states:
        RandomStates.from_state_dict(states[get_rank()]).restore()
