"""What the packages of OpenMMLab install beside their code: configs, and models with weights."""

from __future__ import annotations

import importlib
import os
from typing import Any

from torch import nn

from mainspring.config import Config
from mainspring.config.external import resolve_base
from mainspring.config.model_index import indexed_models
from mainspring.errors import ConfigError, did_you_mean
from mainspring.names.openmmlab import MODULE2PACKAGE
from mainspring.names.packages import get_installed_path, install_package, is_installed
from mainspring.registry import MODELS, DefaultScope
from mainspring.runner import load_checkpoint

__all__ = ["get_config", "get_model"]


def get_config(cfg_path: str, pretrained: bool = False) -> Config:
    """Read a config of a package, which is installed with pip if it is one of OpenMMLab's.

    Args:
        cfg_path: Package and path, such as ``mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py``.
        pretrained: Whether to add the URL of the weights to the config, as ``model_path``.

    Raises:
        ValueError: The name is in no such form.
        AssertionError: The package is neither installed nor OpenMMLab's, or the config has no
            weights.
        FileNotFoundError: The package has no such config.
    """
    package, separator, inner = cfg_path.partition("::")
    if not (separator and inner) or "::" in inner:
        raise ConfigError(
            f"{cfg_path!r} names no config of a package",
            help="write package::path, such as mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py",
        )
    if not is_installed(package):
        if package not in MODULE2PACKAGE:
            raise ConfigError(
                f"the package {package!r} is not installed",
                help=did_you_mean(package, MODULE2PACKAGE) or f"pip install {package}",
            )
        install_package(MODULE2PACKAGE[package])
    path, _ = resolve_base(cfg_path, "", None)
    cfg = Config.fromfile(path)
    if pretrained:
        cfg.model_path = _weights_of(package, path)
    return cfg


def _weights_of(package: str, path: str) -> str:
    folder = os.path.join(get_installed_path(package), ".mim")
    index = os.path.join(folder, "model-index.yml")
    for model in indexed_models(folder) if os.path.isfile(index) else ():
        is_it = os.path.normpath(os.path.join(folder, model.get("Config", ""))) == path
        if is_it and (weights := model.get("Weights")):
            return str(weights[0] if isinstance(weights, list) else weights)
    raise ConfigError(f"no weights are published for {path}", help="leave pretrained out")


def get_model(cfg_path: str, pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """Build the model of a package's config.

    Args:
        cfg_path: As in `get_config`.
        pretrained: Whether to load the published weights; a run does not initialise them anew.
        **kwargs: Arguments of the model that its config does not give.

    Raises:
        ValueError, AssertionError, FileNotFoundError: As `get_config`.
    """
    package = cfg_path.partition("::")[0]
    with DefaultScope.overwrite_default_scope(package):
        cfg = get_config(cfg_path, pretrained)
        if "data_preprocessor" in cfg:
            cfg.model.data_preprocessor = cfg.data_preprocessor
        importlib.import_module(f"{package}.utils").register_all_modules()
        model: nn.Module = MODELS.build(cfg.model, default_args=kwargs)
        if pretrained:
            load_checkpoint(model, cfg.model_path)
            model._is_init = True  # type: ignore[assignment]  # - so that a run keeps the weights
        return model
