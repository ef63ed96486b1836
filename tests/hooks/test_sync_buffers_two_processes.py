"""Two real processes end an epoch with the mean of their buffers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = []
    for rank in range(2):
        environment = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "OMP_NUM_THREADS": "1",
        }
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
