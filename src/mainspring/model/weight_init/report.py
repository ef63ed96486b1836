"""Who initialised which parameter: collected while `init_weights` runs, written to the log file."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from mainspring.logging import MMLogger

__all__ = ["InitReport", "update_init_info"]

_ATTRIBUTE = "_params_init_info"


class InitReport:
    """Origins of the parameters of one model.

    A parameter counts as changed when its version counter moved or its first element differs. That
    notices in-place initialisers and writes through ``.data`` alike, without reducing every weight
    before and after, as a comparison of means would.

    Args:
        module: The top-level module; all its parameters are followed.
    """

    def __init__(self, module: nn.Module) -> None:
        self._names = {id(parameter): name for name, parameter in module.named_parameters()}
        self._seen: dict[int, tuple[int, float]] = {}
        self._origins: dict[int, str] = {}
        self._parameters = list(module.parameters())
        self._seen.update(_fingerprints(self._parameters))

    def update(self, module: nn.Module, origin: str) -> None:
        """Attribute to `origin` what changed in a module since the last update."""
        for key, mark in _fingerprints(list(module.parameters())).items():
            if self._seen.get(key) != mark:
                self._seen[key] = mark
                self._origins[key] = origin

    def origins(self) -> dict[str, str | None]:
        """Origin by parameter name; ``None`` where nothing changed."""
        return {name: self._origins.get(key) for key, name in self._names.items()}

    def attach(self, module: nn.Module) -> None:
        """Make the report known to a module and everything in it (see `update_init_info`)."""
        for child in module.modules():
            child.__dict__[_ATTRIBUTE] = self

    @staticmethod
    def detach(module: nn.Module) -> None:
        """Undo `attach`."""
        for child in module.modules():
            child.__dict__.pop(_ATTRIBUTE, None)

    def write(self, logger: MMLogger, title: str) -> None:
        """Write one line for each parameter to the log files; nothing goes to the console."""
        handlers = [item for item in logger.handlers if isinstance(item, logging.FileHandler)]
        if not handlers:
            return
        lines = [f"Initialization of {title}:"]
        shapes = {
            self._names[id(item)]: "(lazy)"
            if isinstance(item, UninitializedParameter)
            else tuple(item.shape)
            for item in self._parameters
        }
        for name, origin in self.origins().items():
            lines.append(f"  {name} {shapes[name]}: {origin or 'as constructed'}")
        record = logging.LogRecord(
            logger.name, logging.INFO, __file__, 0, "\n".join(lines), None, None
        )
        for handler in handlers:
            handler.handle(record)


def update_init_info(module: nn.Module, init_info: str) -> None:
    """Note in the running initialisation report what set the parameters of a module.

    Outside `BaseModule.init_weights` there is no report and nothing happens.

    Args:
        module: The module whose parameters may have changed.
        init_info: What changed them, such as ``"ConstantInit: val=1, bias=0"``.
    """
    report: Any = module.__dict__.get(_ATTRIBUTE)
    if report is not None:
        report.update(module, init_info)


@torch.no_grad()
def _fingerprints(parameters: list[nn.Parameter]) -> dict[int, tuple[int, float]]:
    """Version and first element of each parameter; one copy to the host for each device."""
    marks: dict[int, tuple[int, float]] = {}
    by_device: dict[torch.device, list[nn.Parameter]] = {}
    for parameter in parameters:
        if not _is_readable(parameter):
            marks[id(parameter)] = (parameter._version, 0.0)
        else:
            by_device.setdefault(parameter.device, []).append(parameter)
    for group in by_device.values():
        firsts = torch.stack([item[(0,) * item.dim()].double() for item in group]).tolist()
        marks.update(
            (id(item), (item._version, first)) for item, first in zip(group, firsts, strict=True)
        )
    return marks


def _is_readable(parameter: nn.Parameter) -> bool:
    """Whether reading one element is cheap and local; sharded and lazy ones are subclasses."""
    return (
        type(parameter) is nn.Parameter
        and parameter.numel() > 0
        and not parameter.is_meta
        and parameter.is_floating_point()
    )
