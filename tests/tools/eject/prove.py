"""Ejects configs, trains both ways for some iterations, and prints what was found.

python prove.py CONFIG...
"""

import json
import sys
from pathlib import Path

import torch

from mainspring.config import Config
from mainspring.tools.eject import compare
from mainspring.tools.eject.drive import first_iterations
from mainspring.tools.eject.eject import eject
from mainspring.tools.trial import as_trial, build_runner

ITERATIONS = 6
PRETRAINED = {"finetuning": "epoch_6", "distillation": "epoch_25"}


def pretrain(config: Path) -> None:
    """Leave weights where the second training of an example looks for them."""
    folder = Path("work_dirs", config.parent.name, "pretrain")
    folder.mkdir(parents=True, exist_ok=True)
    cfg = Config.fromfile(str(config.with_name("pretrain.py")))
    model = build_runner(as_trial(cfg, str(folder))).model
    name = PRETRAINED[config.parent.name]
    torch.save({"state_dict": model.state_dict()}, folder / f"{name}.pth")


def prove(config: Path) -> None:
    """Eject a config, and compare."""
    if config.with_name("pretrain.py").exists():
        pretrain(config)
    cfg = Config.fromfile(str(config))
    script = Path("train.py").resolve()
    parts, text = eject(cfg, config.name, script, "run")
    script.write_text(text)
    found = compare(parts, script, ITERATIONS, first_iterations)
    proof = {
        "config": str(config),
        "equal": found.is_equal,
        "found": str(found),
        "lines": text.count("\n"),
        "longest": max(map(len, text.splitlines())),
        "unused": [what for _, what in parts.unused],
    }
    print("\n" + json.dumps(proof))


for given in map(Path, sys.argv[1:]):
    before, path = set(sys.modules), list(sys.path)
    sys.path.insert(0, str(given.parent))
    prove(given)
    sys.path[:] = path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if Path(file).parent == given.parent:  # another project has modules of the same names
            del sys.modules[name]
