"""Where the names of MMEngine's modules live, for the modules whose path or content differs."""

from __future__ import annotations

__all__ = ["HOMES"]

_TABLE = """
= +runner : _strategy.base runner._flexible_runner runner.loops runner.runner
= config.text_dialect.text config.merge +config : config.config
= +config : config.utils
= fileio.backends : fileio.file_client
= +types : hooks.early_stopping_hook hooks.logger_hook
= +types : structures.instance_data visualization.visualizer
= +model : hooks.profiler_hook utils.dl_utils.collect_env utils.dl_utils.parrots_wrapper
= logging +logging : logging.logger
= model.base_model +types : model.base_model.data_preprocessor
= model.weight_init.initialize +model : model.weight_init
= optim.scheduler +types : optim.scheduler.param_scheduler
= +small : utils.progressbar_rich utils.version_utils
dataset.wrappers : dataset.dataset_wrapper
dataset.order.samplers : dataset.sampler
dataset +types : dataset.utils
device +types : device.utils
dist.collectives : dist.dist
evaluator.metric_value : evaluator.utils
fileio.backends.http : fileio.backends.http_backend
fileio.backends.databases : fileio.backends.lmdb_backend fileio.backends.memcached_backend
fileio.backends.local : fileio.backends.local_backend
fileio.backends.petrel : fileio.backends.petrel_backend
fileio.backends.registry +fileio : fileio.backends.registry_utils
fileio.handlers : fileio.handlers.base fileio.handlers.pickle_handler fileio.handlers.yaml_handler
fileio.handlers +fileio : fileio.handlers.json_handler fileio.handlers.registry_utils
model.tta +types : model.test_time_aug
model.wrappers.fully_sharded : model.wrappers.fully_sharded_distributed
model.wrappers.separate_distributed : model.wrappers.seperate_distributed
model.wrappers.is_model_wrapper : model.wrappers.utils
optim.optimizer.amp_optim_wrapper : optim.optimizer.amp_optimizer_wrapper
optim.optimizer.apex_optim_wrapper : optim.optimizer.apex_optimizer_wrapper
optim.optimizer.constructor optim.optimizer.optimizers +optim : optim.optimizer.builder
optim.optimizer.constructor : optim.optimizer.default_constructor
optim.optimizer.optim_wrapper : optim.optimizer.optimizer_wrapper
optim.optimizer.optim_wrapper_dict : optim.optimizer.optimizer_wrapper_dict
registry.build : registry.build_functions
registry.statistics registry.default_scope : registry.utils
model.activation_checkpointing +runner : runner.activation_checkpointing
device.autocast : runner.amp
checkpoint.apply checkpoint.schemes checkpoint.model_zoo : runner.checkpoint
checkpoint.latest checkpoint.store +runner : runner.checkpoint
hooks.priority : runner.priority
rng.seeding runner.building.environment +runner : runner.utils
utils.dl_utils.tensors utils.dl_utils : utils.dl_utils.misc utils.dl_utils.torch_ops
utils.dl_utils.tensors utils.dl_utils : utils.dl_utils.trace
+visualize : utils.dl_utils.visualize
utils utils.requirements : utils.misc
utils +small : utils.package_utils
compat.mmengine.version : version
"""
"""Our modules, and MMEngine's paths: ``=`` is the path itself, ``+x`` is `more.x`.

Where a path stands in several rows, it has the modules of all of them.
"""


def _home(path: str, word: str) -> str:
    return path if word == "=" else word.replace("+", "compat.mmengine.more.")


HOMES: dict[str, tuple[str, ...]] = {"": ("compat.mmengine.version", "")}
"""MMEngine's path to our modules that hold its names, both without the package's name.

One other module takes the path's place. Of several, the first that has a name gives it; if the
path itself is the first, the others add to it what it lacks.
"""
for _words, _, _paths in (row.partition(" : ") for row in _TABLE.strip().splitlines()):
    for _path in _paths.split():
        HOMES[_path] = (*HOMES.get(_path, ()), *(_home(_path, word) for word in _words.split()))
