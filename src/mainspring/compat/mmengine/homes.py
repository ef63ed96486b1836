"""Where the names of MMEngine's modules live, for the modules whose path or content differs."""

from __future__ import annotations

__all__ = ["HOMES"]

_MORE = "compat.mmengine.more."

HOMES: dict[str, tuple[str, ...]] = {
    "": ("compat.mmengine.version", ""),
    "_strategy.base": ("_strategy.base", _MORE + "runner"),
    "config.config": ("config.config", "config.text", "config.merge", _MORE + "config"),
    "config.utils": ("config.utils", _MORE + "config"),
    "dataset.dataset_wrapper": ("dataset.wrappers",),
    "dataset.sampler": ("dataset.samplers",),
    "dataset.utils": ("dataset", _MORE + "types"),
    "device.utils": ("device", _MORE + "types"),
    "dist.dist": ("dist.collectives",),
    "evaluator.utils": ("evaluator.metric_value",),
    "fileio.backends.http_backend": ("fileio.backends.http",),
    "fileio.backends.lmdb_backend": ("fileio.backends.databases",),
    "fileio.backends.local_backend": ("fileio.backends.local",),
    "fileio.backends.memcached_backend": ("fileio.backends.databases",),
    "fileio.backends.petrel_backend": ("fileio.backends.petrel",),
    "fileio.backends.registry_utils": ("fileio.backends.registry", _MORE + "fileio"),
    "fileio.file_client": ("fileio.file_client", "fileio.backends"),
    "fileio.handlers.base": ("fileio.handlers",),
    "fileio.handlers.json_handler": ("fileio.handlers", _MORE + "fileio"),
    "fileio.handlers.pickle_handler": ("fileio.handlers",),
    "fileio.handlers.registry_utils": ("fileio.handlers", _MORE + "fileio"),
    "fileio.handlers.yaml_handler": ("fileio.handlers",),
    "hooks.early_stopping_hook": ("hooks.early_stopping_hook", _MORE + "types"),
    "hooks.logger_hook": ("hooks.logger_hook", _MORE + "types"),
    "hooks.profiler_hook": ("hooks.profiler_hook", _MORE + "model"),
    "logging.logger": ("logging.logger", "logging", _MORE + "logging"),
    "model.base_model.data_preprocessor": (
        "model.base_model.data_preprocessor",
        "model.base_model",
        _MORE + "types",
    ),
    "model.efficient_conv_bn_eval": ("model.efficient_conv_bn_eval", _MORE + "model"),
    "model.test_time_aug": ("model.tta", _MORE + "types"),
    "model.weight_init": ("model.weight_init", _MORE + "model"),
    "model.wrappers.fully_sharded_distributed": ("model.wrappers.fully_sharded",),
    "model.wrappers.seperate_distributed": ("model.wrappers.separate_distributed",),
    "model.wrappers.utils": ("model.wrappers.is_model_wrapper",),
    "optim.optimizer.amp_optimizer_wrapper": ("optim.optimizer.amp_optim_wrapper",),
    "optim.optimizer.apex_optimizer_wrapper": ("optim.optimizer.apex_optim_wrapper",),
    "optim.optimizer.builder": (
        "optim.optimizer.constructor",
        "optim.optimizer.optimizers",
        _MORE + "optim",
    ),
    "optim.optimizer.default_constructor": ("optim.optimizer.constructor",),
    "optim.optimizer.optimizer_wrapper": ("optim.optimizer.optim_wrapper",),
    "optim.optimizer.optimizer_wrapper_dict": ("optim.optimizer.optim_wrapper_dict",),
    "optim.scheduler.param_scheduler": (
        "optim.scheduler.param_scheduler",
        "optim.scheduler",
        _MORE + "types",
    ),
    "registry.build_functions": ("registry.build",),
    "registry.utils": ("registry.statistics", "registry.default_scope"),
    "runner._flexible_runner": ("runner._flexible_runner", _MORE + "runner"),
    "runner.activation_checkpointing": ("model.activation_checkpointing", _MORE + "runner"),
    "runner.amp": ("device.autocast",),
    "runner.checkpoint": (
        "checkpoint.apply",
        "checkpoint.schemes",
        "checkpoint.model_zoo",
        "checkpoint.latest",
        "checkpoint.store",
        _MORE + "runner",
    ),
    "runner.loops": ("runner.loops", _MORE + "runner"),
    "runner.priority": ("hooks.priority",),
    "runner.runner": ("runner.runner", _MORE + "runner"),
    "runner.utils": ("rng.seeding", "runner.environment", _MORE + "runner"),
    "structures.instance_data": ("structures.instance_data", _MORE + "types"),
    "utils.dl_utils.collect_env": ("utils.dl_utils.collect_env", _MORE + "model"),
    "utils.dl_utils.misc": ("utils.dl_utils.tensors", "utils.dl_utils"),
    "utils.dl_utils.parrots_wrapper": ("utils.dl_utils.parrots_wrapper", _MORE + "model"),
    "utils.dl_utils.torch_ops": ("utils.dl_utils.tensors", "utils.dl_utils"),
    "utils.dl_utils.trace": ("utils.dl_utils.tensors", "utils.dl_utils"),
    "utils.dl_utils.visualize": (_MORE + "visualize",),
    "utils.misc": ("utils", _MORE + "small"),
    "utils.package_utils": ("utils", _MORE + "small"),
    "utils.progressbar": ("utils.progressbar", _MORE + "small"),
    "utils.progressbar_rich": ("utils.progressbar_rich", _MORE + "small"),
    "utils.version_utils": ("utils.version_utils", _MORE + "small"),
    "visualization.visualizer": ("visualization.visualizer", _MORE + "types"),
    "version": ("compat.mmengine.version",),
}
"""MMEngine's path to our modules that hold its names, both without the package's name.

One other module takes the path's place. Of several, the first that has a name gives it; if the
path itself is the first, the others add to it what it lacks.
"""
