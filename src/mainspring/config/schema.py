"""The schema of a run's description: its sections, what each takes, which belong together.

What configs are read with cannot import the runner, so this is written down; a test compares it
with the signatures of the runner, its loops, hooks and wrappers. All that knows sections reads it:
the words of the command line, `edit`, `check`, ``mainspring schema``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from mainspring.errors import close_names

__all__ = [
    "NEAR",
    "NESTED",
    "OLD_SECTIONS",
    "OTHER_NAMES",
    "ROLES",
    "RUNNER_SECTIONS",
    "SECTIONS",
    "TRIPLES",
    "Role",
    "Section",
    "keys_of_section",
    "misspelt_sections",
    "part_role",
    "role_of_section",
    "train_loop_of",
]

NEAR = 0.8
"""How alike two names are, at least, if one is to be a misspelling of the other."""


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
            "loaders": "loader",
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
        parts={"optimizer": "optimizer", "constructor": "constructor", "clip_grad": "settings"},
        several=True,
    ),
    "constructor": Role(
        "OPTIM_WRAPPER_CONSTRUCTORS",
        supplied=_names("optim_wrapper_cfg", "paramwise_cfg"),
        named=True,
    ),
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
    "train_loop": Role(
        "LOOPS", supplied=_LOOP, extra=_names("by_epoch", "max_epochs", "max_iters"), untyped=True
    ),
    "val_loop": Role("LOOPS", default="ValLoop", supplied=_EVALUATION),
    "test_loop": Role("LOOPS", default="TestLoop", supplied=_EVALUATION),
    "nested": Role("", certain=False, called_later=True),
    "settings": Role(""),
}

NESTED = ROLES["nested"]
"""A dict with ``type`` inside of something, which builds it in a way of its own."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a run's description.

    Attributes:
        role: Name of what it holds, of `ROLES`; empty where it holds plain settings.
        keys: What it may say, where the engine itself reads it.
    """

    role: str = ""
    keys: tuple[str, ...] = ()


_LOADER = Section(
    "loader",
    (
        *("type", "dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers"),
        *("collate_fn", "pin_memory", "drop_last", "timeout", "worker_init_fn"),
        *("prefetch_factor", "persistent_workers", "threads", "pin_memory_device"),
        *("multiprocessing_context", "generator", "in_order", "seed", "sample_rng"),
        *("num_batch_per_epoch", "disable_subprocess_warning"),
    ),
)
_EVALUATION_KEYS = ("type", "fp16", "compute_loss")

SECTIONS: dict[str, Section] = {
    "model": Section("model"),
    "work_dir": Section(),
    "train_dataloader": _LOADER,
    "val_dataloader": _LOADER,
    "test_dataloader": _LOADER,
    "train_cfg": Section(
        "train_loop",
        (
            *("type", "by_epoch", "max_epochs", "max_iters", "val_begin", "val_interval"),
            *("dynamic_intervals", "workflow"),
        ),
    ),
    "val_cfg": Section("val_loop", _EVALUATION_KEYS),
    "test_cfg": Section("test_loop", _EVALUATION_KEYS),
    "auto_scale_lr": Section(keys=("enable", "base_batch_size")),
    "optim_wrapper": Section(
        "optim_wrapper",
        (
            *("type", "optimizer", "accumulative_counts", "clip_grad"),
            *("constructor", "paramwise_cfg", "loss_scale", "dtype", "use_fsdp"),
        ),
    ),
    "param_scheduler": Section("scheduler"),
    "val_evaluator": Section("evaluator"),
    "test_evaluator": Section("evaluator"),
    "default_hooks": Section(
        "hook",
        (
            *("runtime_info", "timer", "sampler_seed", "logger"),
            *("divergence", "param_scheduler", "checkpoint", "progress"),
        ),
    ),
    "custom_hooks": Section("hook"),
    "data_preprocessor": Section("preprocessor"),
    "load_from": Section(),
    "resume": Section(),
    "launcher": Section(),
    "env_cfg": Section(keys=("cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit", "backend")),
    "log_processor": Section("log_processor"),
    "log_level": Section(),
    "visualizer": Section("visualizer"),
    "default_scope": Section(),
    "randomness": Section(keys=("seed", "deterministic", "diff_rank_seed", "sample_rng")),
    "experiment_name": Section(),
    "record_digests": Section(),
    "anew": Section(),
}
"""The sections that are parameters of `mainspring.runner.Runner`, in their order."""

RUNNER_SECTIONS = tuple(SECTIONS)
"""Their names."""

TRIPLES = (
    ("train_dataloader", "train_cfg", "optim_wrapper"),
    ("val_dataloader", "val_cfg", "val_evaluator"),
    ("test_dataloader", "test_cfg", "test_evaluator"),
)
"""Sections that come together."""

_BESIDE = {"model_wrapper_cfg": "model_wrapper", "tta_model": "tta_model"}
"""What the run reads from the config beside its sections, and its roles."""

OTHER_NAMES = (
    *_BESIDE,
    *("custom_imports", "runner_type", "tta_pipeline"),
    *("compile", "activation_checkpointing", "efficient_conv_bn_eval", "sync_bn"),
    *("find_unused_parameters", "max_epochs", "max_iters"),
)
"""Further names at the top level that a run reads, or that configs have for variables."""

_MEANT = ("custom_imports", "model_wrapper_cfg", "find_unused_parameters")

_HOOKS = "write default_hooks = dict({}=dict(...))"
OLD_SECTIONS = {
    "data": "write train_dataloader, val_dataloader and test_dataloader",
    "optimizer": "write optim_wrapper = dict(optimizer=dict(...))",
    "optimizer_config": "write optim_wrapper = dict(optimizer=dict(...), clip_grad=dict(...))",
    "lr_config": "write param_scheduler = [dict(type=...)]",
    "momentum_config": "write param_scheduler = [dict(type=...)]",
    "runner": "write train_cfg = dict(max_epochs=...)",
    "total_epochs": "write train_cfg = dict(max_epochs=...)",
    "total_iters": "write train_cfg = dict(max_iters=...)",
    "checkpoint_config": _HOOKS.format("checkpoint"),
    "log_config": f"{_HOOKS.format('logger')} and visualizer = dict(...)",
    "evaluation": "write val_evaluator, and train_cfg = dict(val_interval=...)",
    "workflow": "write train_cfg = dict(max_epochs=..., workflow=[...])",
    "resume_from": "write resume = True and load_from = ...",
    "dist_params": "write env_cfg = dict(dist_cfg=dict(...))",
    "cudnn_benchmark": "write env_cfg = dict(cudnn_benchmark=...)",
    "seed": "write randomness = dict(seed=...)",
    "device": "the run takes the best device there is; --device of the command line, or the "
    "variable CUDA_VISIBLE_DEVICES, chooses another",
}
"""What MMCV 1.x and other engines call it, and what to write instead."""


def misspelt_sections(keys: Iterable[str]) -> dict[str, str]:
    """Top-level keys that no section has but that look like one: key -> the section meant.

    Configs hold helper variables freely, so only near misses are worth a word.

    Args:
        keys: The keys that nothing in the config's files reads.
    """
    found: dict[str, str] = {}
    for key in map(str, keys):
        if key in (*RUNNER_SECTIONS, *OTHER_NAMES, *OLD_SECTIONS) or key.startswith("_"):
            continue
        for name in close_names(key, (*RUNNER_SECTIONS, *_MEANT), count=1):
            if SequenceMatcher(None, key.lower(), name.lower()).ratio() >= NEAR:
                found[key] = name
    return found


def keys_of_section(name: str) -> tuple[str, ...]:
    """What a section may say, where the engine itself reads it; else nothing."""
    return SECTIONS[name].keys if name in SECTIONS else ()


def role_of_section(name: str) -> Role | None:
    """What a section holds; ``None`` for a name that is none."""
    if name in SECTIONS:
        return ROLES[SECTIONS[name].role or "nested"]
    return ROLES[_BESIDE[name]] if name in _BESIDE else None


_ANYWHERE = {"init_cfg": "initializer"}


def train_loop_of(section: dict[Any, Any]) -> str:
    """The train loop that a ``train_cfg`` without type describes.

    Args:
        section: The section, not imported.
    """
    if dict.__contains__(section, "workflow"):
        return "WorkflowTrainLoop"
    by_epoch = dict.get(section, "by_epoch", not dict.__contains__(section, "max_iters"))
    return "EpochBasedTrainLoop" if by_epoch else "IterBasedTrainLoop"


def part_role(role: Role, name: str) -> Role:
    """The role of an argument.

    Args:
        role: The role of what it is an argument of.
        name: Its name.
    """
    named = role.parts.get(name) or _ANYWHERE.get(name)
    return NESTED if named is None else ROLES[named]
