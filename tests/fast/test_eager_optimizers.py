"""Nothing is compiled, so torch's compiler is not imported; once it is, all is as torch made it."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import sys, tempfile
import torch
from torch import nn
from torch.utils.data import TensorDataset
from mainspring.dataset import DataLoader
from mainspring.hooks import EMAHook
from mainspring.model import Supervised
from mainspring.runner import Runner

def run(**sections):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(32, 3), torch.randint(0, 2, (32,)))
    runner = Runner(Supervised(nn.Linear(3, 2), nn.CrossEntropyLoss()), work_dir=tempfile.mkdtemp(),
        train_dataloader=DataLoader(data, batch_size=8), train_cfg=dict(max_epochs=2),
        randomness=dict(seed=0), log_level="ERROR", **sections)
    runner.train()
    return runner

def wrapper(kind, **settings):
    settings.setdefault("type", "OptimWrapper")
    return dict(optimizer=dict(type=kind, lr=0.02), **settings)

kinds = ("SGD", "Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta",
    "Adamax", "ASGD", "Rprop", "TorchAdafactor")
loaded = {}
for kind in kinds:
    run(optim_wrapper=wrapper(kind))
    loaded[kind] = "torch._dynamo" in sys.modules
run(optim_wrapper=wrapper("AdamW", clip_grad=dict(max_norm=1.0)), custom_hooks=[EMAHook()])
run(optim_wrapper=wrapper("SGD", type="AmpOptimWrapper", dtype="bfloat16", accumulative_counts=2))
loaded["more"] = "torch._dynamo" in sys.modules
assert not any(loaded.values()), loaded

eager = run(optim_wrapper=wrapper("RMSprop"))
model = nn.Linear(3, 2)
optimizer = torch.optim.Adam(model.parameters())
import torch._dynamo
method = torch.optim.Optimizer.zero_grad.__wrapped__
optimizer.zero_grad()
assert getattr(method, "__dynamo_disable").__module__ != "mainspring.fast.eager_optimizers"
again = run(optim_wrapper=wrapper("RMSprop"))
for a, b in zip(eager.model.parameters(), again.model.parameters(), strict=True):
    assert torch.equal(a, b)

@torch.compile(backend="eager")
def step():
    optimizer.zero_grad()
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()

before = model.weight.detach().clone()
step()
assert not torch.equal(before, model.weight)
print("done", len(kinds))
"""


def test_eager_runs_spare_the_compiler_and_later_ones_have_it():
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.splitlines()[-1] == "done 12"
