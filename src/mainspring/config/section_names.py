"""The names that mean something at the top level of the config of a run."""

from __future__ import annotations

__all__ = ["RUNNER_SECTIONS", "SECTION_KEYS"]

RUNNER_SECTIONS = (
    "model",
    "work_dir",
    "train_dataloader",
    "val_dataloader",
    "test_dataloader",
    "train_cfg",
    "val_cfg",
    "test_cfg",
    "auto_scale_lr",
    "optim_wrapper",
    "param_scheduler",
    "val_evaluator",
    "test_evaluator",
    "default_hooks",
    "custom_hooks",
    "data_preprocessor",
    "load_from",
    "resume",
    "launcher",
    "env_cfg",
    "log_processor",
    "log_level",
    "visualizer",
    "default_scope",
    "randomness",
    "experiment_name",
    "record_digests",
)
"""Sections in the order of `mainspring.runner.Runner`'s parameters."""

_LOOP_KEYS = ("type", "by_epoch", "max_epochs", "max_iters", "val_begin", "val_interval")
_LOADER_KEYS = (
    *("type", "dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "num_workers"),
    *("collate_fn", "pin_memory", "drop_last", "timeout", "worker_init_fn", "prefetch_factor"),
    *("persistent_workers", "pin_memory_device", "multiprocessing_context", "generator"),
    *("in_order", "seed", "sample_rng", "num_batch_per_epoch", "disable_subprocess_warning"),
)

SECTION_KEYS = {
    "train_cfg": (*_LOOP_KEYS, "dynamic_intervals", "workflow"),
    "val_cfg": ("type", "fp16", "compute_loss"),
    "test_cfg": ("type", "fp16"),
    "randomness": ("seed", "deterministic", "diff_rank_seed", "sample_rng"),
    "env_cfg": ("cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit", "backend"),
    "auto_scale_lr": ("enable", "base_batch_size"),
    "optim_wrapper": (
        *("type", "optimizer", "accumulative_counts", "clip_grad"),
        *("constructor", "paramwise_cfg", "loss_scale", "dtype"),
    ),
    "default_hooks": (
        *("runtime_info", "timer", "sampler_seed", "logger"),
        *("divergence", "param_scheduler", "checkpoint", "progress"),
    ),
    "train_dataloader": _LOADER_KEYS,
    "val_dataloader": _LOADER_KEYS,
    "test_dataloader": _LOADER_KEYS,
}
"""What a section may say, where the engine itself reads it."""
