"""Every test starts with clean process state and one thread for arithmetic."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent / "e2e" / "programs"), str(Path(__file__).parent)]


@pytest.fixture(autouse=True, scope="session")
def writing_is_left_to_the_system():
    """Wait for no disk; the module says why nothing is missed."""
    from unsynced import leave_writing_to_the_system

    leave_writing_to_the_system()


@pytest.fixture(autouse=True, scope="session")
def forking_is_fast():
    """Loaders fork workers; by now all that tests import is there."""
    from large_pages import use_large_pages

    use_large_pages()


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


@pytest.fixture
def gpu_waits():
    """Sets what CUDA does where the host waits for it, and puts it back at the end."""
    import warnings

    import torch

    def set_to(mode: str) -> None:
        with warnings.catch_warnings():
            # It says each time that it is a prototype.
            warnings.simplefilter("ignore")
            torch.cuda.set_sync_debug_mode(mode)

    yield set_to
    set_to("default")


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
    if "mainspring.registry.manager" not in sys.modules:
        return []
    from mainspring.registry.manager import ManagerMixin

    found, queue = [], [ManagerMixin]
    while queue:
        owner = queue.pop()
        queue.extend(owner.__subclasses__())
        if owner is not ManagerMixin and "_instance_dict" in vars(owner):
            found.append(owner)
    return found
