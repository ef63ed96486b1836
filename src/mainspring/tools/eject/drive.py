"""Runs the first iterations of an ejected script; it imports no mainspring itself.

python -P drive.py SCRIPT OUT ITERATIONS THREADS
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import torch

__all__ = ["first_iterations"]


class _EnoughError(Exception):
    pass


def first_iterations(script: Path, iterations: int) -> dict[str, Any]:
    """The losses of the first iterations, each a list, and the weights after them.

    Args:
        script: The script.
        iterations: How many.
    """
    spec = importlib.util.spec_from_file_location("ejected", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["ejected"] = module
    sys.path.insert(0, str(script.parent))
    spec.loader.exec_module(module)
    module.__dict__["WEIGHTS"] = os.devnull
    losses: list[list[float]] = []
    state: dict[str, torch.Tensor] = {}

    def report(_: int, loss: Any, model: torch.nn.Module) -> None:
        each = loss.values() if isinstance(loss, dict) else [loss]
        losses.append([float(value) for value in each])
        state.update(model.state_dict())  # the tensors themselves, which change with each step
        if len(losses) == iterations:
            raise _EnoughError

    try:
        module.train(report)
    except _EnoughError:
        pass
    finally:
        sys.path.remove(str(script.parent))
        del sys.modules["ejected"]
    return {"losses": losses, "weights": state}


if __name__ == "__main__":
    _script, _out, _iterations, _threads = sys.argv[1:]
    if torch.get_num_threads() != int(_threads):
        torch.set_num_threads(int(_threads))
    torch.save(first_iterations(Path(_script).resolve(), int(_iterations)), _out)
