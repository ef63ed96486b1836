"""Runs the first iterations of an ejected script; it imports no mainspring.

python -P drive.py SCRIPT ITERATIONS OUT
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch

__all__ = ["first_iterations"]


class _EnoughError(Exception):
    pass


def first_iterations(script: Path, iterations: int) -> dict[str, Any]:
    """The losses of the first iterations, and the weights after them.

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
    losses: list[float] = []
    weights: dict[str, torch.Tensor] = {}

    def report(_: int, loss: torch.Tensor, model: torch.nn.Module) -> None:
        losses.append(loss.item())
        if len(losses) == iterations:
            weights.update({name: t.detach().clone() for name, t in model.state_dict().items()})
            raise _EnoughError

    try:
        trained = module.train(report)
        weights.update(trained.state_dict())
    except _EnoughError:
        pass
    finally:
        sys.path.remove(str(script.parent))
        del sys.modules["ejected"]
    return {"losses": losses, "weights": weights}


if __name__ == "__main__":
    torch.save(first_iterations(Path(sys.argv[1]).resolve(), int(sys.argv[2])), sys.argv[3])
