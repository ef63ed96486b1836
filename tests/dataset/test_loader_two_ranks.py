"""With two real processes, the batches of both ranks together are those of one."""

from __future__ import annotations

import json
import os
import random

import torch
from torch.utils.data import Dataset

from mainspring.dataset import DataLoader, InfiniteSampler
from prepared_processes import run_ranks

SCRIPT = """
import json, sys
from mainspring.dist import get_rank, init_dist
sys.path.insert(0, sys.argv[1])
from test_loader_two_ranks import batches
import torch
init_dist("pytorch", backend="gloo")
found = batches(batch_size=4, seed=None)
with open(sys.argv[2] + f"/rank_{get_rank()}.json", "w") as file:
    json.dump(found, file)
torch.distributed.destroy_process_group()
"""


class Augmented(Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, index):
        return index, random.random(), torch.rand(1).item()


def batches(batch_size, seed):
    """Two epochs of a shuffled loader, a resumed one, and the beginning of an endless stream."""
    torch.manual_seed(int(os.environ.get("RANK", "0")))
    loader = DataLoader(
        Augmented(), batch_size, shuffle=True, seed=seed, collate_fn=list, num_workers=2
    )
    shuffled = [list(loader), list(loader)]
    loader.load_state_dict({**loader.state_dict(), "epoch": 1, "batches": 1, "samples": batch_size})
    stream = InfiniteSampler(Augmented(), seed=5)
    endless = iter(DataLoader(Augmented(), batch_size, sampler=stream, collate_fn=list, seed=5))
    return [*shuffled, list(loader), [next(endless) for _ in range(7)]]


def as_set(batch):
    return {tuple(item) for item in batch}


def test_two_ranks_share_the_batches_of_one(tmp_path):
    ended = run_ranks(2, ["-c", SCRIPT, os.path.dirname(__file__), str(tmp_path)])
    assert [each.returncode for each in ended] == [0, 0], "\n".join(each.stdout for each in ended)
    ranks = [json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in range(2)]
    # The ranks were given no seed: that of rank 0's torch generator, 0, is used by both.
    alone = batches(batch_size=8, seed=0)
    for part, (ours, theirs, whole) in enumerate(zip(*ranks, alone, strict=True)):
        together = [as_set(a) | as_set(b) for a, b in zip(ours, theirs, strict=True)]
        assert together == [as_set(batch) for batch in whole], part
    assert alone[2] == alone[1][1:]
