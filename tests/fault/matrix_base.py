"""How the matrix names its trainings, and the plain ones that they are changes of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matrix_parts import BATCH, Augmented, Error, ForValidation, Network
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Sampler

from mainspring.dataset import DataLoader
from mainspring.model import Supervised

__all__ = [
    "EPOCHS", "ITERATIONS", "LOADERS", "RANKS", "REPLAYING", "SAVING", "VARIANTS", "WINDOWS",
    "Arguments", "base", "by_iteration", "epochs_of", "infinite", "iterations_of", "layouts",
    "of_section", "ours", "several", "streams_of", "torchs", "validated", "variant",
]  # fmt: skip

EPOCHS, ITERATIONS = 3, 15

Arguments = dict[str, Any]
VARIANTS: dict[str, Callable[[], Arguments]] = {}
RANKS: dict[str, int] = {}
LOADERS: set[str] = set()
"""Variants that differ in where the batches come from."""
REPLAYING: set[str] = set()
"""Variants that can only be continued by loading again what was loaded before."""


def variant(
    function: Callable[[], Arguments] | None = None, *, ranks: int = 1, replays: bool = False
) -> Any:
    """Add a function to the matrix by its name."""

    def add(function: Callable[[], Arguments]) -> Callable[[], Arguments]:
        VARIANTS[function.__name__] = function
        RANKS[function.__name__] = ranks
        if replays:
            REPLAYING.add(function.__name__)
        return function

    return add if function is None else add(function)


def several(
    make: Callable[..., Arguments],
    choices: dict[str, dict[str, Any]],
    *,
    ranks: int = 1,
    replays: bool = False,
) -> None:
    """Add a function to the matrix once for each choice of its arguments."""
    for name, arguments in choices.items():

        def function(arguments: dict[str, Any] = arguments) -> Arguments:
            return make(**arguments)

        function.__name__ = name
        variant(function, ranks=ranks, replays=replays)
        if make in (epochs_of, iterations_of, streams_of):
            LOADERS.add(name)


def base(**changes: Any) -> Arguments:
    """A training by epoch; changes replace its arguments."""
    hooks = changes.pop("default_hooks", {})
    return {
        "model": Supervised(Network(), nn.MSELoss()),
        "train_dataloader": ours(),
        "train_cfg": {"max_epochs": EPOCHS},
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 0.05}},
        "default_hooks": {
            "logger": {"type": "LoggerHook", "interval": 1},
            "checkpoint": {"type": "CheckpointHook", **SAVING},
            **hooks,
        },
        "log_processor": {"window_size": 4, "custom_cfg": WINDOWS},
        "randomness": {"seed": 5},
        **changes,
    }


SAVING = {"interval": 2, "by_epoch": False, "max_keep_ckpts": 3}
WINDOWS = [
    {"data_src": "loss", "log_name": "loss_now", "method_name": "current"},
    {"data_src": "loss", "log_name": "loss_of_all", "method_name": "mean", "window_size": "global"},
    {"data_src": "loss", "log_name": "lowest_loss", "method_name": "min", "window_size": 5},
]


def ours(**changes: Any) -> DataLoader[Any]:
    order = {} if {"sampler", "batch_sampler"} & set(changes) else {"shuffle": True}
    size = {} if isinstance(changes.get("batch_sampler"), Sampler) else {"batch_size": BATCH}
    return DataLoader(Augmented(), **{**size, **order, **changes})


def torchs(dataset: Any = None, **changes: Any) -> TorchDataLoader[Any]:
    order = {} if dataset or {"sampler", "batch_sampler"} & set(changes) else {"shuffle": True}
    size = {} if "batch_sampler" in changes else {"batch_size": BATCH}
    return TorchDataLoader(dataset or Augmented(), **{**size, **order, **changes})


def by_iteration(**changes: Any) -> Arguments:
    return base(**{"train_cfg": {"by_epoch": False, "max_iters": ITERATIONS}, **changes})


def validated(**changes: Any) -> Arguments:
    return base(**{
        "val_dataloader": DataLoader(ForValidation(), batch_size=8),
        "val_evaluator": Error(),
        "val_cfg": {"compute_loss": True},
        **changes,
    })  # fmt: skip


def layouts(make: Callable[..., Any], prefix: str, *counts: str, **more: Any) -> dict[str, Any]:
    """Arguments by name for numbers of workers, ``p`` behind one for persistent ones."""
    choices: dict[str, Any] = {}
    for count in counts:
        workers = {"num_workers": int(count[0]), "persistent_workers": count.endswith("p")}
        name = f"{prefix}_{count[0]}_{'persistent_' if count.endswith('p') else ''}workers"
        choices[name] = {"loader": lambda workers=workers: make(**workers, **more)}
    return choices


def epochs_of(loader: Callable[[], Any]) -> Arguments:
    return base(train_dataloader=loader())


def streams_of(loader: Callable[[], Any]) -> Arguments:
    """Each worker has a stream of random numbers, as torch and MMEngine give it."""
    return base(train_dataloader=loader(), randomness={"seed": 5, "sample_rng": "worker"})


def iterations_of(loader: Callable[[], Any]) -> Arguments:
    return by_iteration(train_dataloader=loader())


def infinite(**workers: Any) -> dict[str, Any]:
    sampler = {"type": "InfiniteSampler", "shuffle": True}
    collate = {"type": "default_collate"}
    return {"dataset": Augmented(), "sampler": sampler, "batch_size": BATCH, **workers,
            "collate_fn": collate}  # fmt: skip


def of_section(**workers: Any) -> dict[str, Any]:
    return {**infinite(**workers), "sampler": {"type": "DefaultSampler", "shuffle": True}}
