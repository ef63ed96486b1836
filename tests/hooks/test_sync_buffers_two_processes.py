"""Two real processes end an epoch with the mean of their buffers."""

from __future__ import annotations

from prepared_processes import run_ranks

SCRIPT = """
from types import SimpleNamespace
import torch
from mainspring.dist import get_rank, init_dist
from mainspring.hooks import SyncBuffersHook

init_dist("pytorch", backend="gloo")
model = torch.nn.BatchNorm1d(2)
model.running_mean.fill_(float(get_rank()))
hook = SyncBuffersHook()
hook.after_train_epoch(SimpleNamespace(model=model))
assert model.running_mean.tolist() == [0.5, 0.5], model.running_mean
torch.distributed.destroy_process_group()
"""


def test_buffers_become_their_mean_over_the_ranks() -> None:
    ended = run_ranks(2, ["-c", SCRIPT])
    assert [each.returncode for each in ended] == [0, 0], "\n".join(each.stdout for each in ended)
