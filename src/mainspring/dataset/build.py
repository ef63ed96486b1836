"""From the dict of a loader section to the loader."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

from mainspring.dataset.collate import pseudo_collate
from mainspring.dataset.data_loader import DataLoader
from mainspring.dataset.worker_seed import worker_init_fn
from mainspring.dist import get_rank, get_world_size
from mainspring.errors import ConfigError, DataError, did_you_mean, mark_user_mistake
from mainspring.registry import DATA_SAMPLERS, DATASETS, FUNCTIONS

__all__ = ["build_dataloader"]

_LOADER_OPTIONS = (
    "batch_size", "num_workers", "pin_memory", "drop_last", "timeout", "multiprocessing_context",
    "generator", "prefetch_factor", "persistent_workers", "pin_memory_device", "in_order",
)  # fmt: skip
_KNOWN = (
    *_LOADER_OPTIONS, "dataset", "sampler", "batch_sampler", "collate_fn", "worker_init_fn",
    "num_batch_per_epoch", "disable_subprocess_warning", "shuffle", "seed", "sample_rng", "type",
)  # fmt: skip


def build_dataloader(
    dataloader: Any,
    *,
    seed: int | None = None,
    diff_rank_seed: bool = False,
    sample_rng: Literal["sample", "worker"] = "sample",
) -> Any:
    """Make a loader from its section.

    Args:
        dataloader: A loader, which is returned as it is, or a dict: ``dataset``, ``batch_size``,
            ``sampler`` (or ``shuffle``), ``batch_sampler``, ``collate_fn``, ``worker_init_fn``,
            ``num_batch_per_epoch``, and the arguments of torch's `DataLoader`.
        seed: Seed of the run.
        diff_rank_seed: Whether samplers draw their own seed instead of taking the run's.
        sample_rng: Where items take their random numbers from, see `DataLoader`.

    Raises:
        ConfigError: A key is unknown, or the data set is missing.
        DataError: There is no batch.
    """
    if not isinstance(dataloader, Mapping):
        return dataloader
    section = {key: dataloader[key] for key in dataloader}
    _check_keys(section)
    dataset = _ready_dataset(section["dataset"])
    num_batches = section.get("num_batch_per_epoch")
    if num_batches is not None:
        items = num_batches * section.get("batch_size", 1) * get_world_size()
        dataset = _FirstItems(dataset, items)
    arguments = {key: section[key] for key in _LOADER_OPTIONS if key in section}
    arguments |= _ready_samplers(section, dataset, None if diff_rank_seed else seed)
    arguments["collate_fn"] = _ready_collate(section.get("collate_fn"))
    arguments["worker_init_fn"] = _ready_worker_init(section, seed)
    arguments["seed"] = section.get("seed", seed)
    arguments["sample_rng"] = section.get("sample_rng", sample_rng)
    loader = DataLoader(dataset, **arguments)
    _check_not_empty(loader)
    return loader


def _check_keys(section: Mapping[str, Any]) -> None:
    for key in section:
        if key not in _KNOWN:
            raise ConfigError(
                f"a loader has no setting {key!r}",
                help=did_you_mean(key, _KNOWN) or f"it has {', '.join(sorted(_KNOWN))}",
            )
    if "dataset" not in section:
        raise ConfigError("the loader has no dataset", help="add dataset=dict(type=...)")


def _ready_dataset(spec: Any) -> Any:
    dataset = DATASETS.build(spec) if isinstance(spec, Mapping) else spec
    if isinstance(dataset, type | functools.partial):
        dataset = dataset()
    if hasattr(dataset, "full_init"):
        dataset.full_init()
    return dataset


def _ready_samplers(section: Mapping[str, Any], dataset: Any, seed: int | None) -> dict[str, Any]:
    sampler = section.get("sampler")
    if sampler is None and "batch_sampler" not in section:
        return {"shuffle": bool(section.get("shuffle", False))}
    if "shuffle" in section:
        raise ConfigError(
            "the loader has both shuffle and a sampler", help="say shuffle in the sampler's dict"
        )
    if isinstance(sampler, Mapping):
        sampler = DATA_SAMPLERS.build(sampler, default_args={"dataset": dataset, "seed": seed})
    batch_sampler = section.get("batch_sampler")
    if batch_sampler is None:
        return {"sampler": sampler}
    if isinstance(batch_sampler, Mapping):
        context = {"sampler": sampler, "batch_size": section.get("batch_size", 1)}
        batch_sampler = DATA_SAMPLERS.build(batch_sampler, default_args=context)
    return {"batch_sampler": batch_sampler, "drop_last": False}


def _ready_collate(spec: Any) -> Callable[[Any], Any]:
    if spec is None:
        return pseudo_collate
    if isinstance(spec, Mapping):
        settings = {key: spec[key] for key in spec}
        kind = settings.pop("type", None)
        if kind is None:
            raise ConfigError("collate_fn has no type", help="add type='default_collate'")
        function = _function(kind)
        return functools.partial(function, **settings) if settings else function
    if callable(spec):
        return spec  # type: ignore[no-any-return]  # - any callable will do
    raise ConfigError(f"collate_fn is {spec!r}", help="give a function, or a dict with type=")


def _function(kind: Any) -> Callable[..., Any]:
    found = FUNCTIONS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        names = FUNCTIONS.module_dict
        raise ConfigError(f"there is no function {kind!r}", help=did_you_mean(str(kind), names))
    function: Callable[..., Any] = found
    return function


def _ready_worker_init(section: Mapping[str, Any], seed: int | None) -> Any:
    context = {"num_workers": section.get("num_workers", 0), "rank": get_rank(), "seed": seed}
    spec = section.get("worker_init_fn")
    if isinstance(spec, Mapping):
        settings = {key: spec[key] for key in spec}
        return functools.partial(_function(settings.pop("type")), **settings, **context)
    if spec is not None:
        return spec
    if seed is None:
        return None
    quiet = section.get("disable_subprocess_warning", False)
    return functools.partial(worker_init_fn, **context, disable_subprocess_warning=quiet)


class _FirstItems:
    """A data set cut to its first items, for trying things out; everything else is passed on."""

    def __init__(self, dataset: Any, length: int) -> None:
        self._dataset = dataset
        self._length = min(length, len(dataset))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        return self._dataset[index]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_dataset":
            raise AttributeError(name)
        return getattr(self._dataset, name)


def _check_not_empty(loader: DataLoader) -> None:
    try:
        batches = len(loader)
    except TypeError:
        return
    if batches:
        return
    length = len(loader.dataset)
    raise mark_user_mistake(
        DataError(
            "the data set is empty" if not length else f"{length} items make no batch",
            help="check the paths and filters of the data set"
            if not length
            else "drop_last=True with fewer items than batch_size leaves nothing",
        )
    )
