"""From the section of a config that describes a loader to the loader."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset

from mainspring.dataset.any_loader import empty_loader_error, length_of, refuse_without_length
from mainspring.dataset.collate import pseudo_collate
from mainspring.dataset.first_items import FirstItems
from mainspring.dataset.loader.data_loader import DataLoader
from mainspring.defaults import DEFAULTS
from mainspring.dist import get_rank, get_world_size
from mainspring.errors import (
    ConfigError,
    ConfigKeyError,
    ConfigTypeError,
    close_names,
    did_you_mean,
    mark_user_mistake,
)
from mainspring.registry import DATA_SAMPLERS, DATASETS, FUNCTIONS, RecordedCall
from mainspring.registry.signatures import callee_of
from mainspring.rng.seeding import SampleRng, worker_init_fn

__all__ = ["build_dataloader"]

_TORCHS_DEFAULTS = {"persistent_workers": False, "pin_memory": False}
"""What a section without a type, which is MMEngine's form, means where it says nothing."""


def build_dataloader(
    dataloader: Mapping[str, Any] | TorchDataLoader[Any],
    *,
    seed: int | None = None,
    diff_rank_seed: bool = False,
    sample_rng: SampleRng | None = None,
) -> TorchDataLoader[Any]:
    """Make a loader from its section, or take a ready one.

    The section is a dict of

    - ``dataset``: a data set or its dict; annotations are read now;
    - ``sampler``: a sampler, a factory or a dict, which gets ``dataset`` and ``seed``; or, ours,
      ``shuffle``;
    - ``batch_size``, or ``batch_sampler``: a batch sampler, a factory or a dict, which gets
      ``sampler`` and ``batch_size``;
    - ``collate_fn``: a function, or a dict of its ``type`` and arguments; `pseudo_collate` by
      default;
    - ``worker_init_fn``: a function, or a dict of its ``type`` and arguments, which gets
      ``num_workers``, ``rank``, ``seed`` and ``disable_subprocess_warning``; by default
      `mainspring.dataset.worker_init_fn`, if there is a seed;
    - ``num_batch_per_epoch``: cut the data set to so many batches, to try things out;
    - ``disable_subprocess_warning``: let only the first worker warn;
    - ``type``: another loader class; `DataLoader` by default. With a type, ``collate_fn`` defaults
      to that class's own, and the data set is read in order where no sampler is given;
    - all other arguments of the loader class.

    Args:
        dataloader: The section, or a ready loader. One of ours without a seed takes the run's.
        seed: Seed of the run.
        diff_rank_seed: Whether ranks have different seeds; samplers then draw a common one.
        sample_rng: Where items draw random numbers from, see `DataLoader`; ``"sample"`` by default,
            and ``"worker"`` under MMEngine's name.

    Raises:
        ConfigError: A key is missing (also a `KeyError`), unknown, or of a wrong type (also a
            `TypeError`).
        DataError: The loader would give no batch.
        Exception: Whatever the parts raise, with notes on what was being built.
    """
    if not isinstance(dataloader, Mapping):
        return _ready(dataloader, None if diff_rank_seed else seed)
    section = {str(key): dataloader[key] for key in dataloader}
    sampler_seed = None if diff_rank_seed else seed
    loader_class = _loader_class(section)
    names_loader = section.pop("type", None) is not None
    if not names_loader:
        section = {"collate_fn": pseudo_collate, **_TORCHS_DEFAULTS, **section}
    dataset = section["dataset"] = _dataset(section)
    if isinstance(dataset, IterableDataset):
        _refuse_order(section)
    else:
        if names_loader:
            _default_order(section)
        _replace_sampler(section, dataset, sampler_seed)
    if "collate_fn" in section:
        section["collate_fn"] = collate_function(section["collate_fn"])
    section["worker_init_fn"] = _worker_init(section, seed)
    if issubclass(loader_class, DataLoader):
        section = {"seed": seed, "sample_rng": sample_rng or DEFAULTS.sample_rng, **section}
    _check_keys(section, loader_class)
    loader: TorchDataLoader[Any] = loader_class(**section)
    _check_not_empty(loader)
    return loader


def _ready(loader: Any, seed: int | None) -> TorchDataLoader[Any]:
    if isinstance(loader, type | functools.partial):
        loader = loader()
    if isinstance(loader, DataLoader):
        loader.use_run_seed(seed)
    elif not hasattr(loader, "__iter__"):
        raise ConfigTypeError(
            f"{loader!r} is no loader", help="give a dict with dataset=, or a torch DataLoader"
        )
    _check_not_empty(loader)
    ready: TorchDataLoader[Any] = loader
    return ready


def _loader_class(section: Mapping[str, Any]) -> type[TorchDataLoader[Any]]:
    kind = section.get("type", DataLoader)
    if kind in ("DataLoader", "mainspring.dataset.DataLoader"):
        return DataLoader
    if isinstance(kind, str):
        kind = _function(kind, "type")
    if isinstance(kind, type) and issubclass(kind, TorchDataLoader):
        return kind
    name, advice = getattr(kind, "__name__", repr(kind)), "leave type out, or derive from torch's"
    if hasattr(kind, "__getitem__") or hasattr(kind, "__iter__"):
        advice = f"a data set goes into a loader: DataLoader({name}(...), batch_size=...)"
    raise ConfigTypeError(f"{name} is no loader class", help=advice)


def _looks_like(wanted: str, section: Mapping[str, Any]) -> str | None:
    """A help line when a key of the section seems to be a misspelling of the missing one."""
    close = close_names(wanted, section.keys() - {wanted}, count=1)
    return f"{close[0]!r} looks like {wanted!r}" if close else None


def _dataset(section: dict[str, Any]) -> Any:
    if "dataset" not in section:
        raise ConfigKeyError(
            "the loader has no dataset",
            help=_looks_like("dataset", section) or "add dataset=dict(type=...)",
        )
    dataset = section["dataset"]
    if isinstance(dataset, Mapping):
        dataset = DATASETS.build(dataset)
    elif isinstance(dataset, type | functools.partial):
        dataset = dataset()
    if hasattr(dataset, "full_init"):
        dataset.full_init()
    batches = section.pop("num_batch_per_epoch", None)
    if batches is None:
        return dataset
    return FirstItems(dataset, batches * (section.get("batch_size") or 1) * get_world_size())


def _default_order(section: dict[str, Any]) -> None:
    """As torch's loader does, read in order where nothing else is said."""
    if all(section.get(name) is None for name in ("sampler", "batch_sampler", "shuffle")):
        section["shuffle"] = False


def _refuse_order(section: dict[str, Any]) -> None:
    """Refuse an order of a stream; settings that ask for none are taken out."""
    for name in ("shuffle", "sampler", "batch_sampler"):
        if section.pop(name, None):
            raise ConfigError(
                f"{name} is given, but the data set is a stream",
                help=f"leave {name} out: the order of its items is the data set's own",
            )


def _replace_sampler(section: dict[str, Any], dataset: Any, seed: int | None) -> None:
    """Put samplers in place of what describes them."""
    sampler, batch_sampler = section.get("sampler"), section.get("batch_sampler")
    if sampler is None and isinstance(batch_sampler, Mapping | None) and "shuffle" not in section:
        raise ConfigKeyError(
            "the loader has no sampler",
            help=_looks_like("sampler", section)
            or "add sampler=dict(type='DefaultSampler', shuffle=True), or shuffle=True",
        )
    is_factory = callable(batch_sampler) and not isinstance(batch_sampler, Mapping)
    if sampler is None and "shuffle" in section and not is_factory:
        sampler = {"type": "DefaultSampler", "shuffle": bool(section.pop("shuffle"))}
    if isinstance(sampler, Mapping):
        refuse_without_length(dataset)
        sampler = DATA_SAMPLERS.build(sampler, default_args=_added_to(sampler, dataset, seed))
    section["sampler"] = sampler
    if isinstance(batch_sampler, Mapping):
        size = section.pop("batch_size", 1)
        arguments = {"sampler": section.pop("sampler"), "batch_size": size}
        section["batch_sampler"] = DATA_SAMPLERS.build(batch_sampler, default_args=arguments)
        section.pop("drop_last", None)
    elif batch_sampler is not None and not callable(batch_sampler):
        for name in ("sampler", "batch_size"):
            section.pop(name, None)


def _added_to(sampler: Mapping[str, Any], dataset: Any, seed: int | None) -> dict[str, Any]:
    """What a sampler gets beside what its description says."""
    added = {"dataset": dataset, "seed": seed}
    kind: Any = sampler.get("type")
    if not isinstance(sampler, RecordedCall) or isinstance(kind, str):
        return added
    callee = callee_of(kind)
    if sampler.is_late or callee is None:
        return {}
    takes_all = callee.openness == "open"
    return {name: added[name] for name in added if takes_all or name in callee.names}


def collate_function(spec: Any) -> Callable[..., Any] | None:
    """The function of a ``collate_fn``: a function, a dict of ``type`` and arguments, or a call."""
    return _described_function(spec, "collate_fn", "default_collate", {})


def _worker_init(section: dict[str, Any], seed: int | None) -> Callable[..., Any] | None:
    spec = section.pop("worker_init_fn", None)
    arguments = {
        "num_workers": section.get("num_workers", 0),
        "rank": get_rank(),
        "seed": seed,
        "disable_subprocess_warning": section.pop("disable_subprocess_warning", False),
    }
    if spec is None and seed is not None:
        spec = {"type": worker_init_fn}
    return _described_function(spec, "worker_init_fn", "worker_init_fn", arguments)


def _described_function(
    spec: Any, key: str, example: str, added: Mapping[str, Any]
) -> Callable[..., Any] | None:
    if isinstance(spec, RecordedCall):
        spec = FUNCTIONS.build(spec)
    if isinstance(spec, Mapping):
        arguments = {**added, **{str(name): spec[name] for name in spec}}
        if "type" not in arguments:
            raise ConfigKeyError(f"{key} has no type", help=f"add type={example!r}")
        function = _function(arguments.pop("type"), key)
        return functools.partial(function, **arguments) if arguments else function
    if spec is None or callable(spec):
        found: Callable[..., Any] | None = spec
        return found
    raise ConfigTypeError(
        f"{key} is {spec!r}", help="give a function, or a dict with type= and its arguments"
    )


def _function(kind: Any, key: str) -> Callable[..., Any]:
    function: Any = FUNCTIONS.get(kind) if isinstance(kind, str) else kind
    if callable(function):
        found: Callable[..., Any] = function
        return found
    raise ConfigTypeError(
        f"{kind!r}, the type of {key}, is no function that is known",
        help=did_you_mean(str(kind), FUNCTIONS.module_dict)
        or "register it with FUNCTIONS, or give the function itself",
    )


def _check_keys(section: Mapping[str, Any], loader_class: type[TorchDataLoader[Any]]) -> None:
    parameters = inspect.signature(loader_class).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    known = [*parameters, "num_batch_per_epoch", "disable_subprocess_warning"]
    for key in section:
        if key not in parameters:
            raise ConfigTypeError(
                f"a loader has no setting {key!r}",
                help=did_you_mean(key, known) or f"it has {', '.join(known)}",
            )


def _check_not_empty(loader: Any) -> None:
    if isinstance(loader, TorchDataLoader) and length_of(loader) == 0:
        raise mark_user_mistake(empty_loader_error(loader))
