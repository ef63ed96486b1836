"""Published weights by name: which URL ``open-mmlab://resnet50_v1c`` and its like mean.

``model_zoo.json`` holds the names of each zoo, grouped by the folder of their URLs; where a model
was never published, there is no file. An ``open_mmlab.json`` of one's own, in the folder that the
environment variable ``MMENGINE_HOME`` names, adds names to OpenMMLab's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mainspring.checkpoint import schemes
from mainspring.checkpoint.contents import WeightsNameError, weights_below
from mainspring.checkpoint.schemes import CheckpointLoader
from mainspring.errors import CheckpointError, did_you_mean
from mainspring.logging import warn

__all__ = [
    "UnknownModelError",
    "get_deprecated_model_names",
    "get_external_models",
    "get_mmcls_models",
    "get_torchvision_models",
]

ENV_MMENGINE_HOME = "MMENGINE_HOME"
ENV_XDG_CACHE_HOME = "XDG_CACHE_HOME"
DEFAULT_CACHE_DIR = "~/.cache"


class UnknownModelError(CheckpointError, KeyError):
    """A model zoo has no weights of a name."""


@cache
def _zoos() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    zoos: dict[str, dict[str, Any]] = json.loads(text)
    return zoos


def _urls(zoo: str) -> dict[str, str | None]:
    return {
        name: file and f"{folder}/{file}"
        for folder, files in _zoos()[zoo].items()
        for name, file in files.items()
    }


def _get_mmengine_home() -> str:
    """The folder of one's own names and weights; it is made if it does not exist."""
    cache_home = os.getenv(ENV_XDG_CACHE_HOME, DEFAULT_CACHE_DIR)
    home = Path(os.getenv(ENV_MMENGINE_HOME, os.path.join(cache_home, "mmengine"))).expanduser()
    home.mkdir(parents=True, exist_ok=True)
    return str(home)


def get_external_models() -> dict[str, str | None]:
    """URLs, or paths below the home folder, of the names after ``open-mmlab://``."""
    own = Path(_get_mmengine_home(), "open_mmlab.json")
    return _urls("openmmlab") | (json.loads(own.read_text("utf-8")) if own.exists() else {})


def get_mmcls_models() -> dict[str, str | None]:
    """URLs of the names after ``mmcls://``."""
    return _urls("mmcls")


def get_deprecated_model_names() -> dict[str, str]:
    """Today's names of those that were renamed."""
    return dict(_zoos()["renamed"])


def get_torchvision_models() -> dict[str, str | None]:
    """URLs of the names after ``torchvision://``.

    A plain name such as ``resnet50`` means the weights of torchvision 0.12; ``resnet50.default``
    and ``resnet50.imagenet1k_v2`` are asked of the installed torchvision, if there is one.
    """
    urls = _urls("torchvision")
    try:
        from torchvision.models import get_model_weights, list_models
    except ImportError:
        return urls
    for choices in map(get_model_weights, list_models()):
        model = choices.__name__.removesuffix("_Weights").lower()
        if default := getattr(choices, "DEFAULT", None):
            urls[f"{model}.default"] = default.url
        urls |= {f"{model}.{weights.name.lower()}": weights.url for weights in choices}
    return urls


def _look_up(name: str, urls: Mapping[str, str | None], zoo: str) -> str:
    if url := urls.get(name):
        return url
    message = f"{zoo} {'never published' if name in urls else 'has no'} weights of {name!r}"
    raise UnknownModelError(message, help=did_you_mean(name, urls))


def load_from_openmmlab(filename: str, map_location: Any = None) -> Any:
    """Load the weights that OpenMMLab, or the file in the home folder, knows by a name."""
    scheme, _, name = filename.partition("://")
    renamed = get_deprecated_model_names().get(name)
    if renamed:
        today = f"{scheme}://{renamed}"
        warn(f"{filename} is deprecated in favor of {today}")
    url = _look_up(renamed or name, get_external_models(), "the model zoo of OpenMMLab")
    if url.startswith(("http://", "https://")):
        return schemes.load_from_http(url, map_location=map_location)
    return schemes.load_from_local(os.path.join(_get_mmengine_home(), url), map_location)


def load_from_mmcls(filename: str, map_location: Any = None) -> Mapping[str, Any]:
    """Load the backbone of a classifier of mmcls."""
    url = _look_up(filename.partition("://")[2], get_mmcls_models(), "the model zoo of mmcls")
    return _process_mmcls_checkpoint(schemes.load_from_http(url, map_location=map_location))


def _process_mmcls_checkpoint(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """The backbone's weights without their prefix; a file of bare backbone weights stays."""
    try:
        return {"state_dict": weights_below(checkpoint.get("state_dict", checkpoint), "backbone")}
    except WeightsNameError:
        return checkpoint


def load_from_torchvision(filename: str, map_location: Any = None) -> Any:
    """Load the weights of a torchvision model, named ``model`` or ``model.WEIGHTS``."""
    scheme, _, name = filename.partition("://")
    if scheme == "modelzoo":
        today = f"torchvision://{name}"
        warn(f"{filename} is deprecated in favor of {today}")
    url = _look_up(name.lower(), get_torchvision_models(), "torchvision")
    return schemes.load_from_http(url, map_location=map_location)


def load_from_pavi(filename: str, map_location: Any = None) -> Any:
    """Load from the model cloud of `pavi`, whose client must be installed."""
    if not filename.startswith("pavi://"):
        raise WeightsNameError(f"{filename!r} is no name of pavi's", help="write pavi://MODEL")
    modelcloud: Any = import_module("pavi").modelcloud
    model = modelcloud.get(filename.removeprefix("pavi://"))
    with TemporaryDirectory() as folder:
        file = os.path.join(folder, model.name)
        model.download(file)
        return schemes.load_from_local(file, map_location)


CheckpointLoader.register_scheme("pavi://", load_from_pavi)
CheckpointLoader.register_scheme(("open-mmlab://", "openmmlab://"), load_from_openmmlab)
CheckpointLoader.register_scheme("mmcls://", load_from_mmcls)
CheckpointLoader.register_scheme(("modelzoo://", "torchvision://"), load_from_torchvision)
