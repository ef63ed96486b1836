"""Train an example and draw its result: python examples/train.py gan [KEY=VALUE ...]."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent


def train(name: str, changes: list[str], work_dir: str) -> Any:
    """Train what is in a folder: first `pretrain.py`, where there is one, then `config.py`.

    Args:
        name: The folder.
        changes: Changes of the config, such as ``epochs=1``.
        work_dir: Where checkpoints and logs go; those of the first training, into ``pretrain``.

    Returns:
        The runner.
    """
    from mainspring.config import Config
    from mainspring.runner import Runner, find_latest_checkpoint

    folder = EXAMPLES / name
    sys.path.insert(0, str(folder))
    if (folder / "pretrain.py").exists():
        cfg = Config.fromfile(str(folder / "pretrain.py"), overrides=changes)
        cfg.work_dir = f"{work_dir}/pretrain"
        Runner.from_cfg(cfg).train()
        changes = [*changes, f"pretrained={find_latest_checkpoint(cfg.work_dir)}"]
    cfg = Config.fromfile(str(folder / "config.py"), overrides=changes)
    cfg.work_dir = work_dir
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def draw(name: str, model: Any, path: str) -> None:
    """Draw what a model does with new data.

    Args:
        name: The folder; one of its modules has the function ``draw``.
        model: The trained model.
        path: The picture, PNG.
    """
    import torch
    from matplotlib.figure import Figure

    (module,) = (
        file.stem
        for file in (EXAMPLES / name).glob("*.py")
        if "def draw(" in file.read_text("utf-8")
    )
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    model.eval()
    with torch.no_grad():
        importlib.import_module(module).draw(model, figure)
    for axis in figure.axes:
        if axis.get_images():
            axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=80, bbox_inches="tight", pad_inches=0.05)


def main() -> None:
    """The command."""
    names = sorted(path.parent.name for path in EXAMPLES.glob("*/config.py"))
    if len(sys.argv) < 2 or sys.argv[1] not in names:
        sys.exit(f"usage: python examples/train.py {{{','.join(names)}}} [KEY=VALUE ...]")
    name = sys.argv[1]
    work_dir = f"work_dirs/{name}"
    runner = train(name, sys.argv[2:], work_dir)
    draw(name, runner.model, f"{work_dir}/result.png")
    print(f"\nthe picture of the result is {work_dir}/result.png")


if __name__ == "__main__":
    main()
