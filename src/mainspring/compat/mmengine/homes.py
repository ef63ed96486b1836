"""Where the names of MMEngine's modules live, for the modules whose path or content differs."""

from __future__ import annotations

__all__ = ["HOMES"]

_TABLE = """
_strategy.base                           = +runner
config.config                            = config.text config.merge +config
config.utils                             = +config
dataset.dataset_wrapper                  dataset.wrappers
dataset.sampler                          dataset.samplers
dataset.utils                            dataset +types
device.utils                             device +types
dist.dist                                dist.collectives
evaluator.utils                          evaluator.metric_value
fileio.backends.http_backend             fileio.backends.http
fileio.backends.lmdb_backend             fileio.backends.databases
fileio.backends.local_backend            fileio.backends.local
fileio.backends.memcached_backend        fileio.backends.databases
fileio.backends.petrel_backend           fileio.backends.petrel
fileio.backends.registry_utils           fileio.backends.registry +fileio
fileio.file_client                       = fileio.backends
fileio.handlers.base                     fileio.handlers
fileio.handlers.json_handler             fileio.handlers +fileio
fileio.handlers.pickle_handler           fileio.handlers
fileio.handlers.registry_utils           fileio.handlers +fileio
fileio.handlers.yaml_handler             fileio.handlers
hooks.early_stopping_hook                = +types
hooks.logger_hook                        = +types
hooks.profiler_hook                      = +model
logging.logger                           = logging +logging
model.base_model.data_preprocessor       = model.base_model +types
model.test_time_aug                      model.tta +types
model.weight_init                        = model.weight_init.initialize +model
model.wrappers.fully_sharded_distributed model.wrappers.fully_sharded
model.wrappers.seperate_distributed      model.wrappers.separate_distributed
model.wrappers.utils                     model.wrappers.is_model_wrapper
optim.optimizer.amp_optimizer_wrapper    optim.optimizer.amp_optim_wrapper
optim.optimizer.apex_optimizer_wrapper   optim.optimizer.apex_optim_wrapper
optim.optimizer.builder                  optim.optimizer.constructor optim.optimizer.optimizers
optim.optimizer.builder                  +optim
optim.optimizer.default_constructor      optim.optimizer.constructor
optim.optimizer.optimizer_wrapper        optim.optimizer.optim_wrapper
optim.optimizer.optimizer_wrapper_dict   optim.optimizer.optim_wrapper_dict
optim.scheduler.param_scheduler          = optim.scheduler +types
registry.build_functions                 registry.build
registry.utils                           registry.statistics registry.default_scope
runner._flexible_runner                  = +runner
runner.activation_checkpointing          model.activation_checkpointing +runner
runner.amp                               device.autocast
runner.checkpoint                        checkpoint.apply checkpoint.schemes checkpoint.model_zoo
runner.checkpoint                        checkpoint.latest checkpoint.store +runner
runner.loops                             = +runner
runner.priority                          hooks.priority
runner.runner                            = +runner
runner.utils                             rng.seeding runner.environment +runner
structures.instance_data                 = +types
utils.dl_utils.collect_env               = +model
utils.dl_utils.misc                      utils.dl_utils.tensors utils.dl_utils
utils.dl_utils.parrots_wrapper           = +model
utils.dl_utils.torch_ops                 utils.dl_utils.tensors utils.dl_utils
utils.dl_utils.trace                     utils.dl_utils.tensors utils.dl_utils
utils.dl_utils.visualize                 +visualize
utils.misc                               utils +small
utils.package_utils                      utils +small
utils.progressbar                        = +small
utils.progressbar_rich                   = +small
utils.version_utils                      = +small
visualization.visualizer                 = +types
version                                  compat.mmengine.version
"""
"""MMEngine's path, and our modules: ``=`` is the path itself, ``+x`` is `more.x`."""


def _home(path: str, word: str) -> str:
    return path if word == "=" else word.replace("+", "compat.mmengine.more.")


HOMES: dict[str, tuple[str, ...]] = {"": ("compat.mmengine.version", "")}
"""MMEngine's path to our modules that hold its names, both without the package's name.

One other module takes the path's place. Of several, the first that has a name gives it; if the
path itself is the first, the others add to it what it lacks.
"""
for _path, *_words in map(str.split, _TABLE.strip().splitlines()):
    HOMES[_path] = (*HOMES.get(_path, ()), *(_home(_path, word) for word in _words))
