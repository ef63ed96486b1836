"""A stand-in for the runner: just what hooks read and call, with every call written down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mainspring.hooks import HookDispatch
from mainspring.logging import MessageHub
from mainspring.optim import OptimWrapper


class StandInRunner:
    def __init__(self, work_dir: Any, by_epoch: bool = True) -> None:
        self.work_dir = str(work_dir)
        self.log_dir = f"{self.work_dir}/20260101_000000"
        self.timestamp = "20260101_000000"
        self.experiment_name = "exp_20260101_000000"
        self.seed = 7
        self.cfg = SimpleNamespace(pretty_text="a = 1\n", get=lambda key, default=None: default)
        self.epoch = self.iter = 0
        self.max_epochs, self.max_iters = (4, 8) if by_epoch else (1, 8)
        self.model = nn.Linear(2, 1, bias=False)
        self.optim_wrapper = OptimWrapper(
            optimizer=torch.optim.SGD(self.model.parameters(), lr=0.5)
        )
        self.param_schedulers: Any = None
        self.message_hub = MessageHub("stand_in")
        self.train_dataloader: Any = [0, 1]
        self.val_dataloader: Any = [0]
        self.test_dataloader: Any = [0]
        self.train_loop: Any = SimpleNamespace(
            by_epoch=by_epoch, stop_training=False, dataloader=self.train_dataloader
        )
        self._train_loop = self.train_loop
        self._resume = self.is_training = False
        self.lines: list[str] = []
        self.shown: list[str] = []
        self.warnings: list[str] = []
        self.logger = SimpleNamespace(
            info=lambda line, extra=None: (
                self.shown if (extra or {}).get("only") == "terminal" else self.lines
            ).append(line),
            warning=self.warnings.append,
            error=self.warnings.append,
        )
        self.drawn: list[tuple[dict[str, Any], int, str]] = []
        self.closed = False
        self.visualizer = SimpleNamespace(
            add_scalars=lambda tag, step, file_path: self.drawn.append((tag, step, file_path)),
            close=lambda: setattr(self, "closed", True),
        )
        self.log_processor = SimpleNamespace(
            get_log_after_iter=lambda runner, idx, mode: ({"loss": 1.0}, f"{mode} {idx}"),
            get_log_after_epoch=lambda runner, idx, mode, with_non_scalar=False: (
                {"acc": torch.tensor(0.5)},
                f"{mode} end",
            ),
        )
        self.saved: list[dict[str, Any]] = []
        self.dispatch = HookDispatch()
        self.hooks = self.dispatch.hooks

    def call_hook(self, point: str, **arguments: Any) -> None:
        for method in self.dispatch.methods(point):
            method(self, **arguments)

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: Any = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: Any = None,
        by_epoch: bool = True,
        backend_args: Any = None,
    ) -> None:
        import os

        os.makedirs(out_dir, exist_ok=True)
        self.saved.append(
            {
                "file": filename,
                "optimizer": save_optimizer,
                "meta": meta,
                "there": os.listdir(out_dir),
            }
        )
        weights = {"weight": self.model.weight.detach().clone()}
        torch.save({"meta": meta, "state_dict": weights, "optimizer": {}}, f"{out_dir}/{filename}")

    def train(self, scores: list[dict[str, Any]] | None = None, iterations: int = 2) -> None:
        """The epochs and iterations that are left, each epoch followed by a validation."""
        self.is_training = True
        self.call_hook("before_train")
        while self.epoch < self.max_epochs and not self.train_loop.stop_training:
            self.call_hook("before_train_epoch")
            for idx in range(iterations if self.train_loop.by_epoch else self.max_iters):
                self.call_hook("before_train_iter", batch_idx=idx, data_batch=None)
                self.call_hook("after_train_iter", batch_idx=idx, data_batch=None, outputs={})
                self.iter += 1
            self.call_hook("after_train_epoch")
            self.epoch += 1
            if scores is not None:
                self.call_hook("after_val_epoch", metrics=scores[self.epoch - 1])
                self.call_hook("after_val")
        self.call_hook("after_train")
        self.is_training = False


@pytest.fixture
def make_runner(tmp_path: Any) -> Any:
    def make(*hooks: Any, by_epoch: bool = True, name: str = "run") -> StandInRunner:
        work_dir = tmp_path / name
        (work_dir / "20260101_000000").mkdir(parents=True, exist_ok=True)
        runner = StandInRunner(work_dir, by_epoch)
        for hook in hooks:
            runner.dispatch.register(hook)
        return runner

    return make
