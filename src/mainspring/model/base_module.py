"""Modules that know how their weights start: `BaseModule` and its containers."""

from __future__ import annotations

import copy
from abc import ABCMeta
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from mainspring.logging import MMLogger, print_log
from mainspring.model.weight_init.initialize import InitCfg, initialize
from mainspring.model.weight_init.initializers import PretrainedInit
from mainspring.model.weight_init.report import InitReport, update_init_info
from mainspring.model.wrappers.is_model_wrapper import is_model_wrapper
from mainspring.registry.build import joins_models

__all__ = ["BaseModule", "ModuleDict", "ModuleList", "Sequential"]


class BaseModule(nn.Module, metaclass=ABCMeta):
    """A module that carries the description of its initial weights.

    Args:
        init_cfg: How to initialise the weights, see `initialize`. Copied, so that several modules
            may share one dict.

    Example:
        >>> class Block(BaseModule):
        ...     def __init__(self, init_cfg=None):
        ...         super().__init__(init_cfg)
        ...         self.conv = nn.Conv2d(1, 1, 1)
        >>> block = Block(init_cfg=dict(type="Constant", val=2, layer="Conv2d"))
        >>> block.init_weights()
        >>> block.conv.weight.item()
        2.0
    """

    def __init__(self, init_cfg: InitCfg | None = None) -> None:
        super().__init__()
        self._is_init = False
        self.init_cfg = copy.deepcopy(init_cfg)

    @property
    def is_init(self) -> bool:
        """Whether `init_weights` has run."""
        return self._is_init

    @is_init.setter
    def is_init(self, value: bool) -> None:
        self._is_init = value

    def init_weights(self) -> None:
        """Initialise the weights of this module and of everything in it, once.

        The order lets the more specific win: first this module's own ``init_cfg``, then the
        children's, at last the ``Pretrained`` entries of this module's. A second call only warns.
        The outermost call writes to the log file what set each parameter.
        """
        if self._is_init:
            print_log(
                f"init_weights of {type(self).__name__} has been called more than once.",
                logger="current",
                level=30,
            )
            return
        if "_params_init_info" in self.__dict__:
            self._init_weights_in_order()
            return
        report = InitReport(self)
        report.attach(self)
        try:
            self._init_weights_in_order()
        finally:
            report.detach(self)
        report.write(MMLogger.get_current_instance(), type(self).__name__)

    def _init_weights_in_order(self) -> None:
        own, pretrained = _split_pretrained(self.init_cfg)
        if own:
            initialize(self, own)
        child: Any
        for child in self.children():
            if is_model_wrapper(child) and not hasattr(child, "init_weights"):
                child = child.module
            if hasattr(child, "init_weights") and not getattr(child, "is_init", False):
                child.init_weights()
                update_init_info(child, f"init_weights of {type(child).__name__}")
        if pretrained:
            initialize(self, pretrained)
        self._is_init = True

    def __repr__(self) -> str:
        text = super().__repr__()
        return f"{text}\ninit_cfg={self.init_cfg}" if self.init_cfg else text


@joins_models
class Sequential(BaseModule, nn.Sequential):
    """`torch.nn.Sequential` with an ``init_cfg``.

    Args:
        args: The modules, or one ordered dict of them.
        init_cfg: How to initialise the weights.

    Example:
        >>> twos = dict(type="Constant", val=2, layer="Linear")
        >>> layers = Sequential(nn.Linear(1, 1), init_cfg=twos)
        >>> layers.init_weights()
        >>> layers[0].weight.item()
        2.0
    """

    def __init__(
        self, *args: nn.Module | Mapping[str, nn.Module], init_cfg: InitCfg | None = None
    ) -> None:
        BaseModule.__init__(self, init_cfg)
        modules: Any = args
        nn.Sequential.__init__(self, *modules)


class ModuleList(BaseModule, nn.ModuleList):
    """`torch.nn.ModuleList` with an ``init_cfg``.

    Args:
        modules: The modules to hold.
        init_cfg: How to initialise the weights.

    Example:
        >>> twos = dict(type="Constant", val=2, layer="Linear")
        >>> layers = ModuleList([nn.Linear(1, 1)], init_cfg=twos)
        >>> layers.init_weights()
        >>> layers[0].weight.item()
        2.0
    """

    def __init__(
        self, modules: Iterable[nn.Module] | None = None, init_cfg: InitCfg | None = None
    ) -> None:
        BaseModule.__init__(self, init_cfg)
        nn.ModuleList.__init__(self, modules)


class ModuleDict(BaseModule, nn.ModuleDict):
    """`torch.nn.ModuleDict` with an ``init_cfg``.

    Args:
        modules: The modules by name.
        init_cfg: How to initialise the weights.

    Example:
        >>> twos = dict(type="Constant", val=2, layer="Linear")
        >>> heads = ModuleDict(dict(a=nn.Linear(1, 1)), init_cfg=twos)
        >>> heads.init_weights()
        >>> heads["a"].weight.item()
        2.0
    """

    def __init__(
        self, modules: Mapping[str, nn.Module] | None = None, init_cfg: InitCfg | None = None
    ) -> None:
        BaseModule.__init__(self, init_cfg)
        nn.ModuleDict.__init__(self, modules)


def _split_pretrained(
    init_cfg: InitCfg | None,
) -> tuple[list[Any], list[Any]]:
    """The entries of an ``init_cfg`` that come before the children's, and those after."""
    if not init_cfg:
        return [], []
    entries = [init_cfg] if not isinstance(init_cfg, list | tuple) else list(init_cfg)
    own: list[Any] = []
    pretrained: list[Any] = []
    for entry in entries:
        kind = entry.get("type") if isinstance(entry, Mapping) else None
        name = kind.rsplit(".", 1)[-1] if isinstance(kind, str) else kind
        (pretrained if name == "Pretrained" or kind is PretrainedInit else own).append(entry)
    return own, pretrained
