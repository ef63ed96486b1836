"""An optimizer wrapper for each part of the model that has one in the config."""

from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultiOptimWrapperConstructor:
    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        if not isinstance(optim_wrapper_cfg, dict):
            raise TypeError(f"optimizer_cfg should be a dict, but got {type(optim_wrapper_cfg)}")
        assert paramwise_cfg is None, "parts have settings of their own"
        self.optim_wrapper_cfg = optim_wrapper_cfg

    def __call__(self, module):
        if hasattr(module, "module"):
            module = module.module
        wrappers = {
            name: build_optim_wrapper(getattr(module, name), cfg)
            for name, cfg in self.optim_wrapper_cfg.items()
        }
        return OptimWrapperDict(**wrappers)
