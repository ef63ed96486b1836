"""A small training, run as a process: python program.py WORK_DIR EPOCHS [resume] [launcher]."""

from __future__ import annotations

import hashlib
import sys
import time

import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.dataset import DataLoader
from mainspring.dist import destroy_dist, get_rank
from mainspring.model import Supervised
from mainspring.runner import Runner


class Slow(Dataset):
    def __len__(self):
        return 48

    def __getitem__(self, index):
        time.sleep(0.002)
        return torch.randn(4) + index, torch.randn(1)


def main(work_dir, epochs, *options):
    torch.manual_seed(0)
    runner = Runner(
        model=Supervised(
            nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1)), nn.MSELoss()
        ),
        work_dir=work_dir,
        train_dataloader=DataLoader(
            Slow(),
            batch_size=4,
            shuffle=True,
            num_workers=2 if {"workers", "forkserver"} & set(options) else 0,
            multiprocessing_context="forkserver" if "forkserver" in options else None,
        ),
        train_cfg={"max_epochs": int(epochs)},
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": 0.01}},
        param_scheduler={"type": "LinearLR", "start_factor": 0.1, "end": 100, "by_epoch": False},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 2}},
        randomness={"seed": 3},
        resume="resume" in options,
        launcher="pytorch" if "pytorch" in options else "none",
    )
    print("training", flush=True)
    runner.train()
    digest = hashlib.sha256()
    for tensor in runner.model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    if get_rank() == 0:
        print("digest", digest.hexdigest(), flush=True)
    del runner
    destroy_dist()


if __name__ == "__main__":
    main(*sys.argv[1:])
