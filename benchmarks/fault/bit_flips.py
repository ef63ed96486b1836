"""Damages checkpoints at random places: python benchmarks/fault/bit_flips.py [--damages 500].

Half of the damages flip one bit of the newest checkpoint of a run, the other half cut it off. Each
must be found by `verify_file`, ``resume=True`` must take the checkpoint before, and resuming from
the file by its name must be refused.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

from mainspring.checkpoint import find_resumable_checkpoint, require_whole, verify_file
from mainspring.dataset import DataLoader
from mainspring.errors import CheckpointError
from mainspring.model import Supervised
from mainspring.runner import Runner


def main() -> int:
    """Damage, look and print; 1 if any damage is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        older, newest = real_checkpoints(folder)
        content = newest.read_bytes()
        found = refused = fell_back = 0
        missed = []
        for number in range(options.damages):
            name, damaged = damage(content, generator, cut=number % 2 == 1)
            newest.write_bytes(damaged)
            verdict = verify_file(newest)
            found += not verdict.is_valid
            if verdict.is_valid:
                missed.append(f"{name}: {verdict.reason}")
            refused += is_refused(newest)
            chosen = find_resumable_checkpoint(folder)
            fell_back += chosen is not None and Path(chosen.path) == older
        newest.write_bytes(content)
        assert verify_file(newest).is_valid
    total = options.damages
    print(f"damages                              {total:4}   of a file of {len(content)} bytes")
    print(f"found by verify_file                 {found:4}   (to reach: {total})")
    print(f"refused when resumed by name         {refused:4}   (to reach: {total})")
    print(f"resume=True takes the one before     {fell_back:4}   (to reach: {total})")
    for line in missed:
        print(f"    missed: {line}")
    return 0 if found == refused == fell_back == total else 1


def real_checkpoints(folder: str) -> tuple[Path, Path]:
    """The last two checkpoints of a small training."""
    pairs = list(zip(torch.randn(16, 16), torch.randn(16, 1), strict=True))
    runner = Runner(
        model=Supervised(nn.Sequential(nn.Linear(16, 64), nn.Linear(64, 1)), nn.MSELoss()),
        work_dir=folder,
        train_dataloader=DataLoader(pairs, batch_size=4, shuffle=True),
        train_cfg={"max_epochs": 2},
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": 0.01}},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1}},
        randomness={"seed": 0},
        log_level="ERROR",
    )
    runner.train()
    return Path(folder, "epoch_1.pth"), Path(folder, "epoch_2.pth")


def damage(content: bytes, generator: random.Random, *, cut: bool) -> tuple[str, bytes]:
    """A name for the damage, and the damaged content."""
    if cut:
        length = generator.randrange(len(content))
        return f"cut off after {length} bytes", content[:length]
    place, bit = generator.randrange(len(content)), generator.randrange(8)
    flipped = content[place] ^ (1 << bit)
    return f"bit {bit} of byte {place}", content[:place] + bytes([flipped]) + content[place + 1 :]


def is_refused(path: Path) -> bool:
    """Whether resuming from a file that is named is an error."""
    try:
        require_whole(os.fspath(path))
    except CheckpointError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
