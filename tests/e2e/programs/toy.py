"""What the programs share, written as MMEngine users write it."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.registry import DATASETS, HOOKS, METRICS, MODELS


@DATASETS.register_module()
class ToyDataset(Dataset):
    METAINFO = dict(classes=("negative", "positive"))

    def __init__(self, length=40):
        generator = np.random.RandomState(7)
        self.points = torch.tensor(generator.randn(length, 4), dtype=torch.float32)
        self.targets = (self.points.sum(1, keepdim=True) > 0).float()

    @property
    def metainfo(self):
        return self.METAINFO

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        return dict(inputs=self.points[index], data_samples=self.targets[index])


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self, data_preprocessor=None, dropout=0.0):
        super().__init__(data_preprocessor=data_preprocessor)
        self.linear1 = nn.Linear(4, 8, bias=False)
        self.norm = nn.BatchNorm1d(8)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(8, 1)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        if isinstance(inputs, list):
            inputs = torch.stack(inputs)
        if isinstance(data_samples, list):
            data_samples = torch.stack(data_samples)
        outputs = self.linear2(self.dropout(torch.relu(self.norm(self.linear1(inputs)))))
        if mode == "loss":
            error = (data_samples - outputs) ** 2
            return dict(loss_square=error.mean(), loss_hard=[error.max() * 0.1], acc=error.mean())
        if mode == "predict":
            return list(zip(outputs, data_samples))
        return outputs


@METRICS.register_module()
class SignAccuracy(BaseMetric):
    def process(self, data_batch, data_samples):
        for output, target in data_samples:
            self.results.append(dict(right=1 - (output - target).abs().item()))

    def compute_metrics(self, results):
        return dict(acc=sum(item["right"] for item in results) / len(results))


@HOOKS.register_module()
class CountingHook(Hook):
    def __init__(self):
        self.calls = []

    def before_train_epoch(self, runner):
        self.calls.append(f"before_train_epoch {runner.epoch}")

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        assert "loss" in outputs
        self.calls.append(f"after_train_iter {runner.iter}")

    def after_val_epoch(self, runner, metrics=None):
        self.calls.append(f"after_val_epoch {sorted(metrics)}")


def loader(batch_size=8, shuffle=True, sampler="DefaultSampler"):
    return dict(
        dataset=dict(type="ToyDataset"),
        sampler=dict(type=sampler, shuffle=shuffle),
        batch_size=batch_size,
        num_workers=0,
    )
