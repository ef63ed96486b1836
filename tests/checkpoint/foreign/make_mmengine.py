"""Make the checkpoints of this folder by running MMEngine 0.10.7.

    PYTHON_WITH_MMENGINE tests/checkpoint/foreign/make_mmengine.py [FOLDER]

Beside each `NAME.pth` goes `NAME.json`: what the live objects of the run held when the checkpoint
was taken, and the weights at the end of the run, which went on without interruption.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset


class Points(Dataset):
    def __init__(self):
        generator = np.random.RandomState(7)
        self.points = torch.tensor(generator.randn(16, 4), dtype=torch.float32)
        self.targets = self.points.sum(1, keepdim=True)
        self.metainfo = dict(
            classes=("one", "two"), palette=np.array([[1, 2, 3], [4, 5, 6]]), mean=np.float64(0.5)
        )

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        return dict(inputs=self.points[index], targets=self.targets[index])


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 1)

    def forward(self, inputs, targets=None, mode="tensor"):
        if isinstance(inputs, list):
            inputs = torch.stack(inputs)
            targets = torch.stack(targets)
        outputs = self.head(self.norm(self.body(inputs)))
        if mode == "loss":
            return dict(loss=((outputs - targets) ** 2).mean())
        return list(outputs)


class TwoOptimizers(Net):
    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        loss = self(**data, mode="loss")["loss"]
        for wrapper in optim_wrapper.values():
            wrapper.zero_grad()
        loss.backward()
        for wrapper in optim_wrapper.values():
            wrapper.step()
        return dict(loss=loss)


class Height(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [sample.mean().item() for sample in data_samples]

    def compute_metrics(self, results):
        return dict(height=np.mean(results))


def loader():
    return dict(dataset=Points(), sampler=dict(type="DefaultSampler", shuffle=True), batch_size=4)


def epochs():
    """By epoch: momentum, averaged weights, best score, two chained schedulers."""
    return dict(
        model=Net(),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        val_cfg=dict(),
        val_dataloader=loader(),
        val_evaluator=[Height()],
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=1e-4)),
        param_scheduler=[
            dict(type="LinearLR", start_factor=0.5, by_epoch=False, end=4),
            dict(type="MultiStepLR", milestones=[1, 4], gamma=0.5),
        ],
        default_hooks=dict(
            checkpoint=dict(type="CheckpointHook", interval=1, save_best="height", rule="less")
        ),
        custom_hooks=[dict(type="EMAHook", momentum=0.1)],
    ), "epoch_2.pth"


def iterations():
    """By iteration: Adam, one cycle, gradients clipped, numbers logged by NumPy."""
    return dict(
        model=Net(),
        train_cfg=dict(by_epoch=False, max_iters=8),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.01), clip_grad=dict(max_norm=1.0)),
        param_scheduler=[dict(type="OneCycleLR", eta_max=0.02, total_steps=8, by_epoch=False)],
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=6, by_epoch=False)),
    ), "iter_6.pth"


def optimizers():
    """Two optimizers, each with its scheduler, one of which waits for a plateau."""
    model = TwoOptimizers()
    return dict(
        model=model,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        val_cfg=dict(),
        val_dataloader=loader(),
        val_evaluator=[Height()],
        optim_wrapper=OptimWrapperDict(
            body=OptimWrapper(torch.optim.SGD(model.body.parameters(), lr=0.1, momentum=0.9)),
            head=OptimWrapper(torch.optim.Adam(model.head.parameters(), lr=0.01)),
        ),
        param_scheduler=dict(
            body=[dict(type="ExponentialLR", gamma=0.5)],
            head=[dict(type="ReduceOnPlateauLR", monitor="height", patience=0)],
        ),
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1)),
    ), "epoch_1.pth"


def numbers(optimizer):
    """Learning rates and momenta of the state of an optimizer."""
    state = optimizer.state_dict()
    return dict(
        lr=[group["lr"] for group in state["param_groups"]],
        momentum={
            str(index): entry[name].tolist()
            for index, entry in state["state"].items()
            for name in ("momentum_buffer", "exp_avg")
            if entry.get(name) is not None
        },
    )


class Witness:
    """Writes down the live state whenever a checkpoint is taken."""

    def __init__(self):
        self.seen = {}

    def watch(self, runner):
        save = runner.save_checkpoint

        def watched(out_dir, filename, *args, **kwargs):
            wrappers = (
                dict(runner.optim_wrapper.items())
                if isinstance(runner.optim_wrapper, OptimWrapperDict)
                else {"": runner.optim_wrapper}
            )
            self.seen[filename] = {
                "optimizers": {name: numbers(w.optimizer) for name, w in wrappers.items()},
                "loss": [float(v) for v in runner.message_hub.get_scalar("train/loss").data[0]],
                "weights": {k: v.tolist() for k, v in runner.model.state_dict().items()},
            }
            save(out_dir, filename, *args, **kwargs)

        runner.save_checkpoint = watched


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    for make in (epochs, iterations, optimizers):
        torch.manual_seed(0)
        settings, wanted = make()
        with tempfile.TemporaryDirectory() as work_dir:
            runner = Runner(
                work_dir=work_dir,
                train_dataloader=loader(),
                randomness=dict(seed=3),
                default_scope="mmengine",
                experiment_name=make.__name__,
                **settings,
            )
            witness = Witness()
            witness.watch(runner)
            runner.train()
            name = f"mmengine_{make.__name__}"
            shutil.copy(Path(work_dir) / wanted, folder / f"{name}.pth")
            final = {key: value.tolist() for key, value in runner.model.state_dict().items()}
            text = json.dumps({**witness.seen[wanted], "final": final})
            (folder / f"{name}.json").write_text(text + "\n")


main()
