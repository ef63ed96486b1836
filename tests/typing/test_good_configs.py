"""The configs that the type checkers accept load, and their calls fit what they name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mainspring.config import Config, Node
from mainspring.config.config_dict import keeping_lazy
from mainspring.dataset import DataLoader, DefaultSampler, build_dataloader
from mainspring.hooks import CheckpointHook, EMAHook, IterTimerHook
from mainspring.optim import AmpOptimWrapper, LinearLR, OptimWrapper, build_optim_wrapper
from mainspring.registry import HOOKS, MODELS, PARAM_SCHEDULERS, VISUALIZERS
from mainspring.visualization import LocalVisBackend

HERE = Path(__file__).parent
CONFIGS = [
    "retinanet_r50.py",
    "retinanet_r101.py",
    "retinanet-r18.py",
    "digits.py",
    "parts.py",
    "typed_root.py:retinanet",
    "typed_root.py:deep",
    "typed_root.py:everything",
    "typed_root.py:old_words",
]


@pytest.fixture(autouse=True)
def zoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(HERE))
    yield
    sys.modules.pop("zoo", None)


def read(name: str) -> Config:
    config: Config = Config.fromfile(f"{HERE / 'good'}/{name}")
    return config


def nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    if isinstance(value, dict):
        for item in dict.values(value):
            yield from nodes(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from nodes(item)


@pytest.mark.parametrize("name", CONFIGS)
def test_each_call_fits_the_signature_of_what_it_names(name: str) -> None:
    config = read(name)
    with keeping_lazy():
        found = list(nodes(config._cfg_dict))
    assert found or name.endswith("old_words")
    for node in found:
        arguments = dict(node.items())
        target, positional = arguments.pop("type"), arguments.pop("_args_", [])
        signature = inspect.signature(target)
        if node.is_late:  # the runner adds what is missing
            signature.bind_partial(object(), *positional, **arguments)
        else:
            signature.bind(*positional, **arguments)


def test_the_first_example_builds() -> None:
    config = read("retinanet_r50.py")
    model = MODELS.build(config.model)
    assert (type(model).__name__, model.backbone.depth, model.num_classes) == ("RetinaNet", 50, 80)
    loader = build_dataloader(config.train_dataloader, seed=3)
    assert isinstance(loader, DataLoader)
    assert loader.batch_size == 2
    assert isinstance(loader.sampler, DefaultSampler)
    assert loader.sampler.shuffle
    assert loader.seed == 3
    wrapper = build_optim_wrapper(nn.Linear(2, 2), config.optim_wrapper)
    assert isinstance(wrapper, OptimWrapper)
    assert isinstance(wrapper.optimizer, torch.optim.AdamW)
    assert wrapper.clip_grad_kwargs == {"max_norm": 35.0}
    warm_up = PARAM_SCHEDULERS.build(config.param_scheduler[0], default_args={"optimizer": wrapper})
    assert isinstance(warm_up, LinearLR)
    assert (warm_up.end, warm_up.by_epoch) == (500, False)


def test_a_child_differs_in_what_it_edits() -> None:
    config = read("retinanet_r101.py")
    assert (config.model.backbone.depth, config.model.backbone.frozen_stages) == (101, 2)
    assert config.train_dataloader.batch_size == 4


def test_words_that_only_configs_know_are_understood() -> None:
    config = read("typed_root.py:everything")
    with_rules = build_optim_wrapper(nn.BatchNorm2d(2), {**config.optim_wrapper, "dtype": None})
    assert isinstance(with_rules, AmpOptimWrapper)
    assert with_rules.param_groups[0]["weight_decay"] == 0.0
    scheduler = read("typed_root.py:retinanet").param_scheduler[1]
    arguments = {"optimizer": with_rules, "epoch_length": 100}
    assert PARAM_SCHEDULERS.build(scheduler, default_args=arguments).T_max == 1200
    average = HOOKS.build(config.custom_hooks[0])
    assert isinstance(average, EMAHook)
    assert average.priority == 49
    assert HOOKS.build(config.default_hooks.checkpoint).priority == CheckpointHook.priority


def test_backends_that_wait_for_their_directory_get_it(tmp_path: Path) -> None:
    config = read("typed_root.py:everything")
    spec = {**config.visualizer, "name": "waiting", "save_dir": str(tmp_path)}
    visualizer = VISUALIZERS.build({**spec, "vis_backends": spec["vis_backends"][:1]})
    backend = visualizer.get_backend("LocalVisBackend")
    assert isinstance(backend, LocalVisBackend)
    assert backend._save_dir == str(tmp_path / "vis_data")
    type(visualizer).release_instance("waiting")


def test_a_priority_may_be_given_to_a_built_in_hook() -> None:
    assert IterTimerHook(priority="LOW").priority == "LOW"
    assert IterTimerHook().priority == "NORMAL"
