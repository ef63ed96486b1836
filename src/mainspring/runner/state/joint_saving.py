"""Whether all processes take part in writing a checkpoint, or rank 0 is left to do it alone.

A whole checkpoint needs what every rank keeps, its generators for example, so all ranks have to
call `Runner.save_checkpoint`. Hooks written for MMEngine often call it on rank 0 only, which was
enough there. Rather than wait for ranks that never come, rank 0 then writes what it has.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from mainspring.dist import get_rank, get_world_size, is_main_process, is_within_master_only
from mainspring.errors import CheckpointError
from mainspring.logging import print_log, warn
from mainspring.runner.agreement import appear, store_of

__all__ = ["JointSaving"]

_TOGETHER, _ALONE = b"together", b"alone"
_ALONE_MEANS = (
    "the checkpoint lacks what the other ranks keep (random numbers, gradients of an unfinished "
    "group, own buffers): resumed with it, training goes on well, but not bit for bit"
)


class JointSaving:
    """Brings the ranks together that save a checkpoint.

    Ranks that come after rank 0 has given up learn of it in the store that the processes met
    through, and leave again, so that none waits in a collective that the others do not enter.

    Args:
        run: What the ranks know the run by.
        patience: Seconds for which rank 0 waits for the others before it saves alone.
        limit: Seconds for which the others wait for rank 0.
    """

    def __init__(self, run: str, patience: float = 30.0, limit: float = 1800.0) -> None:
        self._run = run
        self._patience = patience
        self._limit = limit
        self._store: Any = None
        self._calls: Counter[str] = Counter()
        self._passed: list[str] = []

    def all_take_part(self, iteration: int, name: str) -> bool:
        """Wait for the other ranks.

        Args:
            iteration: Finished iterations; with `name`, what the ranks know the checkpoint by.
            name: Name of the file.

        Returns:
            Whether all ranks are here. Otherwise rank 0 saves alone, and the others do nothing.

        Raises:
            CheckpointError: Rank 0 never came.
        """
        if get_world_size() == 1:
            return True
        if is_within_master_only():
            print_log(f"{name} is saved within master_only: {_ALONE_MEANS}", "current")
            return False
        if self._store is None:
            self._store = store_of(f"saving {self._run}")
        key = f"{iteration}/{name}"
        self._calls[key] += 1
        key = f"{key}/{self._calls[key]}"
        if not is_main_process():
            self._store.set(f"{key}/{get_rank()}", "")
            if not appear(self._store, [key], self._limit):
                raise CheckpointError(
                    f"rank {get_rank()} waits to save {name}, but rank 0 does not come",
                    help="call save_checkpoint on all ranks",
                )
            return bool(self._store.get(key) == _TOGETHER)
        others = [f"{key}/{rank}" for rank in range(1, get_world_size())]
        if appear(self._store, others, self._patience):
            self._store.set(key, _TOGETHER)
            for old in self._passed:
                self._store.delete_key(old)
            # The others may still have to read this; when they come again they have.
            self._passed = [key, *others]
            return True
        self._store.set(key, _ALONE)
        missing = [rank + 1 for rank, other in enumerate(others) if not self._store.check([other])]
        warn(
            f"rank {', '.join(map(str, missing))} did not come to save {name} within "
            f"{self._patience:g} s, so rank 0 saves alone: {_ALONE_MEANS}. Call save_checkpoint on "
            "all ranks, or within a function that is master_only"
        )
        return False
