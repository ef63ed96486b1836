"""A test case that has a small run ready, and leaves nothing of it behind."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, ClassVar
from unittest import TestCase
from uuid import uuid4

import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.config import Config
from mainspring.dist import destroy_dist
from mainspring.dist.process_group import free_port
from mainspring.evaluator import BaseMetric
from mainspring.logging import MessageHub, MMLogger
from mainspring.model import BaseModel
from mainspring.registry import DATASETS, METRICS, MODELS, DefaultScope
from mainspring.runner import Runner
from mainspring.visualization import Visualizer

__all__ = ["RunnerTestCase"]


class ToyModel(BaseModel):
    """Two linear layers; the loss falls without end.

    Args:
        data_preprocessor: As in `BaseModel`.
    """

    def __init__(self, data_preprocessor: Any = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        self.linear1 = nn.Linear(2, 2)
        self.linear2 = nn.Linear(2, 1)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "tensor") -> Any:
        """Outputs of shape ``(N, 1)``, or, with ``mode="loss"``, a dict with their loss."""
        if isinstance(inputs, list):
            inputs = torch.stack(inputs)
        if isinstance(data_samples, list):
            data_samples = torch.stack(data_samples)
        outputs = self.linear2(self.linear1(inputs))
        return {"loss": (data_samples - outputs).sum()} if mode == "loss" else outputs


class ToyDataset(Dataset[dict[str, torch.Tensor]]):
    """Twelve points in the plane, each with the label 1."""

    METAINFO: ClassVar[dict[str, Any]] = {}
    data = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    label = torch.ones(12)

    @property
    def metainfo(self) -> dict[str, Any]:
        """What is known of the data."""
        return self.METAINFO

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"inputs": self.data[index], "data_samples": self.label[index]}


class ToyMetric(BaseMetric):
    """An accuracy of 1.

    Args:
        collect_device: As in `BaseMetric`.
        dummy_metrics: Kept as an attribute.
    """

    def __init__(self, collect_device: str = "cpu", dummy_metrics: Any = None) -> None:
        super().__init__(collect_device=collect_device)
        self.dummy_metrics = dummy_metrics

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Count a batch."""
        self.results.append({"acc": 1})

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """The accuracy, whatever the results."""
        return {"acc": 1}


class RunnerTestCase(TestCase):
    """Has configs of a small run by epochs and by iterations; cleans up what runs leave.

    `epoch_based_cfg` and `iter_based_cfg` name ``ToyModel``, ``ToyDataset`` and ``ToyMetric``,
    which are registered while a test runs; their ``work_dir`` is `temp_dir`.
    """

    dist_cfg: ClassVar[dict[str, Any]] = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": 29600,
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
    }
    _toys = ((MODELS, ToyModel), (METRICS, ToyMetric), (DATASETS, ToyDataset))

    def setUp(self) -> None:
        """Register the toys, and make the configs and the work directory."""
        self.temp_dir = tempfile.TemporaryDirectory()
        self._replaced = [registry.module_dict.get(toy.__name__) for registry, toy in self._toys]
        for registry, toy in self._toys:
            registry.register_module(module=toy, force=True)

        def loader(sampler: str, shuffle: bool) -> dict[str, Any]:
            return dict(
                dataset=dict(type="ToyDataset"),
                sampler=dict(type=sampler, shuffle=shuffle),
                batch_size=3,
                num_workers=0,
            )

        self.epoch_based_cfg = Config(
            dict(
                work_dir=self.temp_dir.name,
                model=dict(type="ToyModel"),
                train_dataloader=loader("DefaultSampler", shuffle=True),
                val_dataloader=loader("DefaultSampler", shuffle=False),
                val_evaluator=[dict(type="ToyMetric")],
                test_dataloader=loader("DefaultSampler", shuffle=False),
                test_evaluator=[dict(type="ToyMetric")],
                optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
                train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
                val_cfg=dict(),
                test_cfg=dict(),
                default_hooks=dict(logger=dict(type="LoggerHook", interval=1)),
                custom_hooks=[],
                env_cfg=dict(dist_cfg=dict(backend="nccl")),
                experiment_name="test1",
            )
        )
        self.iter_based_cfg = copy.deepcopy(self.epoch_based_cfg)
        self.iter_based_cfg.train_dataloader = loader("InfiniteSampler", shuffle=True)
        self.iter_based_cfg.log_processor = dict(by_epoch=False)
        self.iter_based_cfg.train_cfg = dict(by_epoch=False, max_iters=12)
        self.iter_based_cfg.default_hooks = dict(
            logger=dict(type="LoggerHook", interval=1),
            checkpoint=dict(type="CheckpointHook", interval=12, by_epoch=False),
        )

    def tearDown(self) -> None:
        """Forget the toys, and whatever a run left in the process and on the disk."""
        self._close_logs()
        for manager in (MMLogger, Visualizer, DefaultScope, MessageHub):
            manager._instance_dict.clear()
        for (registry, toy), replaced in zip(self._toys, self._replaced, strict=True):
            registry.module_dict.pop(toy.__name__, None)
            if replaced is not None:
                registry.module_dict[toy.__name__] = replaced
        self.temp_dir.cleanup()
        destroy_dist()

    def build_runner(self, cfg: Config) -> Runner:
        """Make a runner with an experiment name of its own.

        Args:
            cfg: The config; its ``experiment_name`` is set.
        """
        cfg.experiment_name = self.experiment_name
        return Runner.from_cfg(cfg)

    @property
    def experiment_name(self) -> str:
        """A name that no other run has."""
        return f"{self._testMethodName}_{uuid4()}"

    def setup_dist_env(self) -> None:
        """Set the environment of a process group of one, at a port that nobody listens on.

        The processes of a `MultiProcessTestCase` have the same port, and the same one each time.
        """
        given = None if parent_process() is None else os.environ.get("MASTER_PORT")
        self.dist_cfg["MASTER_PORT"] = free_port() if given is None else int(given) + 1
        os.environ.update({name: str(value) for name, value in self.dist_cfg.items()})

    def clear_work_dir(self) -> None:
        """Remove all that lies in the work directory."""
        self._close_logs()
        for path in Path(self.temp_dir.name).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _close_logs(self) -> None:
        for logger in MMLogger._instance_dict.values():
            logger.close()
