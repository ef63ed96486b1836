"""What each place of a run's description holds: which registry knows its names, what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["NESTED", "ROLES", "SECTION_ROLES", "Role", "part_role"]


@dataclass(frozen=True, slots=True)
class Role:
    """What a place of the config holds.

    Attributes:
        registry: Name of the registry in `mainspring.registry` that knows its names; empty where
            any may.
        default: The type that is meant where none is said.
        supplied: Arguments that are added when it is built.
        extra: Keys that are taken out before it is built.
        parts: Roles of its arguments by name.
        several: Whether a dict of several of them by name may stand in its place.
        certain: Whether it is built by the engine itself, so that its registry is known.
        called_later: Whether further arguments are added when it is called.
        untyped: Whether a dict without type stands for one whose keys are known beforehand.
        named: Whether a string in its place is a name that the registry must know.
    """

    registry: str
    default: str | None = None
    supplied: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()
    parts: Mapping[str, str] = field(default_factory=dict)
    several: bool = False
    certain: bool = True
    called_later: bool = False
    untyped: bool = False
    named: bool = False


def _names(*names: str) -> frozenset[str]:
    return frozenset(names)


_OVERRIDE = _names("override", "name")
_LOOP = _names("runner", "dataloader")
_EVALUATION = _LOOP | {"evaluator"}

ROLES: dict[str, Role] = {
    "model": Role("MODELS"),
    "preprocessor": Role("MODELS", untyped=True),
    "tta_model": Role("MODELS", supplied=_names("module")),
    "model_wrapper": Role("MODEL_WRAPPERS", default="MMDistributedDataParallel", called_later=True),
    "initializer": Role(
        "WEIGHT_INITIALIZERS",
        extra=_OVERRIDE,
        parts={"override": "initializer"},
        certain=False,
        called_later=True,
    ),
    "loader": Role(
        "FUNCTIONS",
        default="mainspring.dataset.DataLoader",
        extra=_names("num_batch_per_epoch", "disable_subprocess_warning", "seed", "sample_rng"),
        parts={
            "dataset": "dataset",
            "sampler": "sampler",
            "batch_sampler": "batch_sampler",
            "collate_fn": "function",
            "worker_init_fn": "function",
        },
        several=True,
    ),
    "dataset": Role(
        "DATASETS", parts={"pipeline": "transform", "dataset": "dataset", "datasets": "dataset"}
    ),
    "transform": Role("TRANSFORMS", parts={"transforms": "transform"}, certain=False),
    "sampler": Role("DATA_SAMPLERS", supplied=_names("dataset", "seed")),
    "batch_sampler": Role("DATA_SAMPLERS", supplied=_names("sampler", "batch_size")),
    "function": Role("FUNCTIONS", called_later=True),
    "optim_wrapper": Role(
        "OPTIM_WRAPPERS",
        default="OptimWrapper",
        extra=_names("constructor", "paramwise_cfg"),
        parts={"optimizer": "optimizer", "constructor": "constructor"},
        several=True,
    ),
    "constructor": Role("OPTIM_WRAPPER_CONSTRUCTORS", named=True),
    "optimizer": Role("OPTIMIZERS", supplied=_names("params")),
    "scheduler": Role(
        "PARAM_SCHEDULERS",
        supplied=_names("optimizer", "by_epoch", "end"),
        extra=_names("convert_to_iter_based", "epoch_length"),
        several=True,
    ),
    "evaluator": Role("METRICS", parts={"metrics": "evaluator"}, several=True, named=True),
    "evaluator_of_metrics": Role("EVALUATOR", default="Evaluator", parts={"metrics": "evaluator"}),
    "hook": Role("HOOKS", extra=_names("priority"), several=True),
    "visualizer": Role(
        "VISUALIZERS",
        default="Visualizer",
        supplied=_names("name", "save_dir"),
        parts={"vis_backends": "vis_backend"},
    ),
    "vis_backend": Role("VISBACKENDS", supplied=_names("save_dir")),
    "log_processor": Role("LOG_PROCESSORS", default="LogProcessor", supplied=_names("by_epoch")),
    "train_loop": Role("LOOPS", supplied=_LOOP, extra=_names("by_epoch"), untyped=True),
    "evaluation_loop": Role("LOOPS", supplied=_EVALUATION, untyped=True),
    "nested": Role("", certain=False, called_later=True),
}

NESTED = ROLES["nested"]
"""A dict with ``type`` inside of something, which builds it in a way of its own."""

SECTION_ROLES: dict[str, str] = {
    "model": "model",
    "data_preprocessor": "preprocessor",
    "model_wrapper_cfg": "model_wrapper",
    "tta_model": "tta_model",
    "train_dataloader": "loader",
    "val_dataloader": "loader",
    "test_dataloader": "loader",
    "train_cfg": "train_loop",
    "val_cfg": "evaluation_loop",
    "test_cfg": "evaluation_loop",
    "optim_wrapper": "optim_wrapper",
    "param_scheduler": "scheduler",
    "val_evaluator": "evaluator",
    "test_evaluator": "evaluator",
    "default_hooks": "hook",
    "custom_hooks": "hook",
    "log_processor": "log_processor",
    "visualizer": "visualizer",
}

_ANYWHERE = {"init_cfg": "initializer"}


def part_role(role: Role, name: str) -> Role:
    """The role of an argument.

    Args:
        role: The role of what it is an argument of.
        name: Its name.
    """
    named = role.parts.get(name) or _ANYWHERE.get(name)
    return NESTED if named is None else ROLES[named]
