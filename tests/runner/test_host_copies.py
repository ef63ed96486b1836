"""Between two log lines an iteration reads nothing back from the device.

Here the CPU plays the accelerator: tensors say that they are not of the CPU, and every way of
reading a value out of one is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mainspring.hooks import EMAHook, Hook
from mainspring.model import BaseModel
from mainspring.runner import Runner

ITERATIONS, INTERVAL = 30, 10
READS = ("item", "tolist", "numpy", "cpu", "__float__", "__int__", "__bool__")


class Classifier(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.1), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, inputs: Any, labels: Any, mode: str = "tensor") -> Any:
        scores = self.net(inputs)
        if mode != "loss":
            return scores
        loss = nn.functional.cross_entropy(scores, labels)
        return {"loss_class": loss, "loss_size": scores.square().mean(), "top": scores.amax()}


class CountedOperations(TorchDispatchMode):
    """Counts what reads a single value below Python's methods."""

    def __init__(self, count: Callable[[str, torch.Tensor], None]) -> None:
        super().__init__()
        self._count = count

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            self._count("_local_scalar_dense", args[0])
        return func(*args, **(kwargs or {}))


class ReadsOfIterations(Hook):
    """Which reads happened in which iteration."""

    priority = "LOWEST"

    def __init__(self, average: EMAHook) -> None:
        self.of_iteration: list[Counter[str]] = []
        self.current: Counter[str] = Counter()
        self.average = average

    def count(self, name: str, tensor: torch.Tensor) -> None:
        average = getattr(self.average, "ema_model", None)
        # The one tensor that is on the host on every machine.
        if average is None or tensor is not average.steps:
            self.current[name] += 1

    def before_train(self, runner: Any) -> None:
        self.current.clear()

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        self.of_iteration.append(Counter(self.current))
        self.current.clear()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadsOfIterations]:
    """Counts every read of a tensor, all of which claim to be on an accelerator."""
    counted = ReadsOfIterations(EMAHook())

    def counting(name: str) -> Callable[..., Any]:
        original = getattr(torch.Tensor, name)

        def read(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            counted.count(name, self)
            return original(self, *args, **kwargs)

        return read

    for name in READS:
        monkeypatch.setattr(torch.Tensor, name, counting(name))
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda self: False), raising=False)
    with CountedOperations(counted.count):
        yield counted


def train(folder: Path, batches: Any, optim_wrapper: Any, hooks: list[Hook]) -> Runner:
    runner = Runner(
        model=Classifier(),
        work_dir=str(folder),
        train_dataloader=batches,
        train_cfg=dict(by_epoch=False, max_iters=ITERATIONS),
        optim_wrapper=optim_wrapper,
        param_scheduler=dict(type="CosineAnnealingLR", by_epoch=False, T_max=ITERATIONS),
        default_hooks=dict(logger=dict(type="LoggerHook", interval=INTERVAL), checkpoint=None),
        custom_hooks=hooks,
        log_processor=dict(by_epoch=False),
    )
    runner.train()
    return runner


@pytest.mark.parametrize(
    ("optim_wrapper", "types"),
    [
        (dict(optimizer=dict(type="AdamW", lr=1e-3)), 1),
        (dict(optimizer=dict(type="SGD", lr=1e-2), clip_grad=dict(max_norm=1.0)), 1),
        (dict(optimizer=dict(type="SGD", lr=1e-2), accumulative_counts=3), 1),
        (dict(type="AmpOptimWrapper", dtype="bfloat16", optimizer=dict(type="SGD", lr=1e-2)), 2),
    ],
    ids=["AdamW", "clipping", "accumulation", "amp"],
)
def test_only_a_log_line_reads_values(
    tmp_path: Path, reads: ReadsOfIterations, optim_wrapper: dict[str, Any], types: int
) -> None:
    torch.manual_seed(0)
    batches = [(torch.randn(4, 4), torch.randint(0, 3, (4,))) for _ in range(40)]
    train(tmp_path, batches, optim_wrapper, [reads.average, reads])

    lines = {n for n in range(ITERATIONS) if (n + 1) % INTERVAL == 0}
    quiet = {n: found for n, found in enumerate(reads.of_iteration) if n not in lines and found}
    assert len(reads.of_iteration) == ITERATIONS
    assert not quiet, "iterations without a log line read values"
    # One copy holds all scalars of a type that were recorded since the line before; the check for
    # weights that are no numbers, which comes with the line, reads one more.
    for line in lines:
        assert reads.of_iteration[line]["tolist"] == types
        assert reads.of_iteration[line].total() <= types + 2


class SynchronisationIsAnError(Hook):
    """Lets CUDA refuse to wait for the device, but where a log line is written."""

    priority = "VERY_HIGH"

    def __init__(self, gpu_waits: Callable[[str], None]) -> None:
        self._gpu_waits = gpu_waits

    def before_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        line_is_due = (runner.iter + 1) % INTERVAL == 0
        self._gpu_waits("default" if line_is_due else "error")

    def after_train(self, runner: Any) -> None:
        self._gpu_waits("default")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_waited_for_only_by_a_log_line(
    tmp_path: Path, gpu_waits: Callable[[str], None]
) -> None:
    batches = [
        (torch.randn(4, 4, device="cuda"), torch.randint(0, 3, (4,), device="cuda"))
        for _ in range(2 * ITERATIONS)
    ]
    optim_wrapper = dict(optimizer=dict(type="AdamW", lr=1e-3), clip_grad=dict(max_norm=1.0))
    hooks = [EMAHook(), SynchronisationIsAnError(gpu_waits)]
    assert train(tmp_path, batches, optim_wrapper, hooks).iter == ITERATIONS
