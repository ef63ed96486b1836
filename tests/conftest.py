"""Every test starts with clean process state and one thread for arithmetic."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "e2e" / "programs"))


@pytest.fixture(autouse=True)
def clean_process_state():
    """Release what managers hold, put generators back, and close what a test left open."""
    states = _generator_states()
    yield
    for restore in states:
        restore()
    for owner in _managers():
        for name in list(owner._instance_dict):
            instance = owner._instance_dict.get(name)
            if hasattr(instance, "close"):
                instance.close()
            owner.release_instance(name)


def _generator_states():
    restores = []
    state = random.getstate()
    restores.append(lambda: random.setstate(state))
    if "torch" in sys.modules:
        import numpy as np
        import torch

        numpy_state, torch_state = np.random.get_state(), torch.get_rng_state()
        restores.append(lambda: np.random.set_state(numpy_state))
        restores.append(lambda: torch.set_rng_state(torch_state))
    return restores


def _managers():
    if "mainspring.utils.manager" not in sys.modules:
        return []
    from mainspring.utils import ManagerMixin

    found, queue = [], [ManagerMixin]
    while queue:
        owner = queue.pop()
        queue.extend(owner.__subclasses__())
        if owner is not ManagerMixin and "_instance_dict" in vars(owner):
            found.append(owner)
    return found
