"""`BaseInferencer`: from a config and a checkpoint to predictions, pictures and results."""

from __future__ import annotations

import copy
import importlib
import os
import re
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from torch import nn

from mainspring.checkpoint import _load_checkpoint, _load_checkpoint_to_model
from mainspring.config import Config, ConfigDict
from mainspring.config.model_index import indexed_models
from mainspring.dataset import pseudo_collate
from mainspring.dataset.loader.build import collate_function
from mainspring.device import get_device
from mainspring.errors import ArgumentTypeError, ConfigError, ConfigTypeError, did_you_mean
from mainspring.fileio import get_file_backend, isdir, join_path, list_dir_or_file
from mainspring.logging import print_log
from mainspring.names.openmmlab import MODULE2PACKAGE
from mainspring.registry import VISUALIZERS, DefaultScope
from mainspring.runner.building.build import build_model
from mainspring.structures import InstanceData
from mainspring.visualization import Visualizer

__all__ = ["BaseInferencer", "InferencerMeta", "ModelType"]

InstanceList: TypeAlias = list[InstanceData]
InputType: TypeAlias = str | np.ndarray | torch.Tensor
InputsType: TypeAlias = InputType | Sequence[InputType]
ImgType: TypeAlias = np.ndarray | Sequence[np.ndarray]
ResType: TypeAlias = dict[str, Any] | list[dict[str, Any]]
ConfigType: TypeAlias = Config | ConfigDict
ModelType: TypeAlias = dict[str, Any] | ConfigType | str

_STEPS = ("preprocess", "forward", "visualize", "postprocess")


class InferencerMeta(ABCMeta):
    """Checks, where a class of inferencers is defined, that its steps share no argument."""

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        taken: dict[str, str] = {}
        for step in _STEPS:
            names = getattr(cls, f"{step}_kwargs")
            if not isinstance(names, set):
                raise ArgumentTypeError(
                    f"Class define error! {cls.__name__}.{step}_kwargs is {names!r}",
                    help="give a set of names",
                )
            for name in names:
                if name in taken:
                    raise ArgumentTypeError(
                        f"Class define error! {cls.__name__} gives {name!r} both to "
                        f"{taken[name]} and to {step}",
                        help="call one of them otherwise",
                    )
                taken[name] = step


class BaseInferencer(metaclass=InferencerMeta):
    """Base of classes that make predictions for files, arrays and tensors.

    A call goes through four steps: `preprocess` gives batches, `forward` the predictions of the
    model for each, `visualize` pictures of them, and `postprocess` the result. A derived class
    defines `_init_pipeline`, `visualize` and `postprocess`, and names in ``preprocess_kwargs``,
    ``forward_kwargs``, ``visualize_kwargs`` and ``postprocess_kwargs`` the arguments of a call that
    each step takes.

    Args:
        model: A config, the path of one, or the name or alias of a model in the index of the
            package `scope`; by default the config in the checkpoint.
        weights: The checkpoint; by default that of the named model.
        device: Where to compute; the best available device by default.
        scope: Where names are looked up; the current scope by default.
        show_progress: Whether to show a progress bar.

    Raises:
        TypeError: `model` describes none.
        ValueError: There is neither a model nor weights, or no model of that name.
    """

    preprocess_kwargs: ClassVar[set[str]] = set()
    forward_kwargs: ClassVar[set[str]] = set()
    visualize_kwargs: ClassVar[set[str]] = set()
    postprocess_kwargs: ClassVar[set[str]] = set()

    def __init__(
        self,
        model: ModelType | None = None,
        weights: str | None = None,
        device: str | None = None,
        scope: str | None = None,
        show_progress: bool = True,
    ) -> None:
        self.scope = _current_scope() if scope is None else scope
        cfg: Any
        if isinstance(model, str):
            if os.path.isfile(model):
                cfg = Config.fromfile(model)
            else:
                cfg, published = self._load_model_from_metafile(model)
                weights = published if weights is None else weights
        elif isinstance(model, dict | Config):
            cfg = copy.deepcopy(model if isinstance(model, Config) else ConfigDict(model))
        elif model is not None:
            raise ConfigTypeError(
                "model must be a filepath or any ConfigType object, "
                f"but is a {type(model).__name__}"
            )
        elif weights is None:
            raise ConfigError(
                "there is neither a model nor weights", help="give one; a checkpoint has its config"
            )
        else:
            cfg = ConfigDict()
        self.model = self._init_model(cfg, weights, get_device() if device is None else device)
        self.pipeline = self._init_pipeline(cfg)
        self.collate_fn = self._init_collate(cfg)
        self.visualizer = self._init_visualizer(cfg)
        self.cfg = cfg
        self.show_progress = show_progress

    def __call__(
        self,
        inputs: InputsType,
        return_datasamples: bool = False,
        batch_size: int = 1,
        **kwargs: Any,
    ) -> Any:
        """Predict.

        Args:
            inputs: One input or several; a folder stands for its files.
            return_datasamples: Whether predictions stay as the model gives them.
            batch_size: How many inputs the model gets at once.
            **kwargs: Arguments of the steps.

        Returns:
            What `postprocess` makes of the predictions and pictures.

        Raises:
            ValueError: No step takes an argument of that name.
        """
        steps = self._dispatch_kwargs(**kwargs)
        for_preprocess, for_forward, for_visualize, for_postprocess = steps
        listed = self._inputs_to_list(inputs)
        batches = self.preprocess(listed, batch_size=batch_size, **for_preprocess)
        if self.show_progress:
            from rich.progress import track

            batches = track(batches, description="Inference")
        predictions: list[Any] = []
        for batch in batches:
            predictions.extend(self.forward(batch, **for_forward))
        pictures = self.visualize(listed, predictions, **for_visualize)
        return self.postprocess(predictions, pictures, return_datasamples, **for_postprocess)

    def _inputs_to_list(self, inputs: InputsType) -> list[Any]:
        """The inputs one by one; a folder stands for its files, where its storage has folders."""
        if isinstance(inputs, str):
            backend = get_file_backend(inputs)
            if hasattr(backend, "isdir") and isdir(inputs):
                files = list_dir_or_file(inputs, list_dir=False)
                return [join_path(inputs, file) for file in files]
        return list(inputs) if isinstance(inputs, list | tuple) else [inputs]

    def preprocess(self, inputs: InputsType, batch_size: int = 1, **kwargs: Any) -> Iterable[Any]:
        """The batches that `forward` takes: inputs through the pipeline, put together.

        Args:
            inputs: What `_inputs_to_list` gave.
            batch_size: How many are put together.
            **kwargs: For what a derived class adds.
        """
        chunks = self._get_chunk_data(map(self.pipeline, inputs), batch_size)
        yield from map(self.collate_fn, chunks)

    @torch.no_grad()
    def forward(self, inputs: Any, **kwargs: Any) -> Any:
        """The model's predictions for a batch."""
        step: Any = self.model.test_step
        return step(inputs)

    @abstractmethod
    def visualize(self, inputs: list[Any], preds: Any, show: bool = False, **kwargs: Any) -> Any:
        """Pictures of the predictions, in whatever form.

        Args:
            inputs: What `_inputs_to_list` gave.
            preds: The predictions, one for each input.
            show: Whether to show them in a window.
            **kwargs: For what a derived class adds.
        """

    @abstractmethod
    def postprocess(
        self, preds: Any, visualization: Any, return_datasample: bool = False, **kwargs: Any
    ) -> Any:
        """The result of a call: a dict with ``predictions`` and ``visualization``.

        Args:
            preds: The predictions, one for each input.
            visualization: What `visualize` gave.
            return_datasample: Whether predictions stay as the model gives them; otherwise they
                become what JSON can hold.
            **kwargs: For what a derived class adds.
        """

    @abstractmethod
    def _init_pipeline(self, cfg: ConfigType) -> Callable[[Any], Any]:
        """The function that makes an item of a batch of an input."""

    def _init_model(self, cfg: Any, weights: str | None, device: str = "cpu") -> nn.Module:
        """The model of a config, or else of the one in the checkpoint, ready to predict."""
        checkpoint: Any = None if weights is None else _load_checkpoint(weights, map_location="cpu")
        if not cfg:
            hub = checkpoint.get("message_hub") or {}
            text = hub.get("runtime_info", {}).get("cfg") or checkpoint.get("meta", {}).get("cfg")
            if not text:
                raise ConfigError(
                    "Cannot find the config in the checkpoint", help="give the model too"
                )
            cfg.update(Config.fromstring(str(text), ".py")._cfg_dict)
        described = cfg.model
        if isinstance(described, dict) and described.get("pretrained") is not None:
            del described["pretrained"]
        with DefaultScope.overwrite_default_scope(self.scope):
            model: Any = build_model(described, cfg.get("data_preprocessor"))
        model.cfg = cfg
        self._load_weights_to_model(model, checkpoint, cfg)
        model.to(device)
        model.eval()
        return model  # type: ignore[no-any-return]  # - a module, on which attributes are set

    def _load_weights_to_model(
        self, model: nn.Module, checkpoint: Mapping[str, Any] | None, cfg: ConfigType | None
    ) -> None:
        """Load weights; a derived class may take more from the checkpoint or the config."""
        if checkpoint is not None:
            _load_checkpoint_to_model(model, checkpoint)
        else:
            warnings.warn(
                "Checkpoint is not loaded, and the inference result is calculated by the "
                "randomly initialized model!",
                stacklevel=2,
            )

    def _init_collate(self, cfg: Any) -> Callable[[Sequence[Any]], Any]:
        """What puts items together: that of the test data, or else `pseudo_collate`."""
        try:
            described = cfg.test_dataloader.collate_fn
        except AttributeError:
            return pseudo_collate
        if isinstance(described, str):
            described = {"type": described}
        with DefaultScope.overwrite_default_scope(self.scope):
            return collate_function(described) or pseudo_collate

    def _init_visualizer(self, cfg: Any) -> Visualizer | None:
        """The visualizer of the config, if it has one, under a name that is not taken."""
        if "visualizer" not in cfg:
            return None
        now = str(datetime.now().timestamp())
        name = cfg.visualizer.get("name", now)
        taken = Visualizer.check_instance_created(name)
        cfg.visualizer.name = f"{name}-{now}" if taken else name
        visualizer: Visualizer = VISUALIZERS.build(cfg.visualizer)
        return visualizer

    def _get_chunk_data(self, inputs: Iterable[Any], chunk_size: int) -> Iterator[list[Any]]:
        """The inputs in lists of `chunk_size`; the last one may be shorter."""
        rest = iter(inputs)
        while chunk := list(islice(rest, chunk_size)):
            yield chunk

    def _dispatch_kwargs(self, **kwargs: Any) -> tuple[dict[str, Any], ...]:
        """The arguments of a call, for each of the four steps."""
        steps = [getattr(self, f"{step}_kwargs") for step in _STEPS]
        known = set[str]().union(*steps)
        for name in kwargs:
            if name not in known:
                raise ConfigError(
                    f"unknown argument {name!r}: no step of {type(self).__name__} takes it",
                    help=did_you_mean(name, known) or f"they take {sorted(known) or 'none'}",
                )
        return tuple(
            {name: value for name, value in kwargs.items() if name in names} for names in steps
        )

    def _load_model_from_metafile(self, model: str) -> tuple[Config, str]:
        """The config and the weights of a model that the package's index knows."""
        folder = self._get_repo_or_mim_dir(_known_scope(self.scope))
        wanted = model.lower()
        known = []
        for entry in self._get_models_from_metafile(folder):
            names = _names(entry)
            known.extend(names)
            if wanted in map(str.lower, names):
                weights = entry["Weights"]
                first = weights[0] if isinstance(weights, list) else weights
                return Config.fromfile(os.path.join(folder, entry["Config"])), first
        raise ConfigError(
            f"Cannot find model: {model} in {self.scope}",
            help=did_you_mean(wanted, known) or "or give the path of a config file that exists",
        )

    @staticmethod
    def _get_repo_or_mim_dir(scope: str) -> str:
        """The folder with the configs of a package: its repository, or what it installed."""
        try:
            package = importlib.import_module(scope)
        except ImportError as error:
            project = MODULE2PACKAGE[_known_scope(scope)]
            raise ImportError(
                f"Cannot import {scope}: {error}; try pip install {project}"
            ) from error
        path = package.__path__[0]
        for folder in (os.path.dirname(path), os.path.join(path, ".mim")):
            if os.path.exists(os.path.join(folder, "configs")):
                return folder
        raise FileNotFoundError(f"{scope} has no configs, neither beside {path} nor in its .mim")

    @staticmethod
    def _get_models_from_metafile(dir: str) -> Iterator[dict[str, Any]]:  # noqa: A002 - MMEngine's name
        """The entries of the index in a folder."""
        return indexed_models(dir)

    @staticmethod
    def list_models(scope: str | None = None, patterns: str = r".*") -> list[str]:
        """Names and aliases of the models that a package publishes; they are logged too.

        Args:
            scope: The package; the current scope by default.
            patterns: Regular expression that a name begins with.

        Raises:
            AssertionError: There is no scope, or it is none of OpenMMLab's packages.
        """
        folder = BaseInferencer._get_repo_or_mim_dir(_known_scope(scope or _current_scope()))
        entries = BaseInferencer._get_models_from_metafile(folder)
        found = [name for entry in entries for name in _names(entry) if re.match(patterns, name)]
        print_log("".join(f"model_name: {name}\n" for name in found), logger="current")
        return found


def _current_scope() -> str | None:
    scope = DefaultScope.get_current_instance()
    return None if scope is None else scope.scope_name


def _known_scope(scope: str | None) -> str:
    if scope is None:
        raise ConfigError(
            "scope should be initialized if you want to load config from metafile",
            help="give scope=, the package of the model, or the path of a config file that exists",
        )
    if scope not in MODULE2PACKAGE:
        raise ConfigError(
            f"{scope} not in the packages of OpenMMLab",
            help=did_you_mean(scope, MODULE2PACKAGE) or f"one of {', '.join(MODULE2PACKAGE)}",
        )
    return scope


def _names(entry: Mapping[str, Any]) -> list[str]:
    aliases = entry.get("Alias") or []
    return [entry["Name"], *([aliases] if isinstance(aliases, str) else aliases)]
